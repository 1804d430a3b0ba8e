"""Facts that decide where a VM may go and are not in its plain properties, read over the wire."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from balancer.adapters.vsphere import VsphereConnection, connect
from balancer.model.reasons import Reason
from balancer.model.units import ClusterId, HostId, VmId
from balancer.ports import ClusterRef
from balancer.rules.evc import judge as judge_evc
from balancer.rules.placement import Candidate
from tests.support.builders import placement
from tests.support.vcenter import VCenterProcess, start_vcenter
from tests.support.vsphere import settings_for
from tests.support.wire import Row, document, host_row, vm_row, write

pytestmark = pytest.mark.wire

CLUSTER = ClusterRef(id=ClusterId("domain-c8"), name="prod")


@contextmanager
def served(directory: Path, doc: Row) -> Iterator[tuple[VCenterProcess, VsphereConnection]]:
    with start_vcenter(write(directory, doc)) as server, connect(settings_for(server)) as vcenter:
        yield server, vcenter


@pytest.mark.parametrize("own", ["intel-haswell", None])
def test_a_vms_own_evc_mode_is_in_the_snapshot_and_decides_where_it_may_go(
    tmp_path: Path, own: str | None
) -> None:
    hosts = [
        host_row(1, max_evc_mode="intel-skylake"),
        host_row(2, max_evc_mode="intel-haswell"),
    ]
    asks = {"min_evc_mode": "intel-skylake"} | ({"evc_mode": own} if own else {})
    with served(tmp_path, document(hosts, [vm_row(1, 1, **asks)])) as (_, vcenter):
        read = vcenter.inventory.snapshot(CLUSTER)
        again = vcenter.inventory.refresh(read, vms=[VmId("vm-1")], hosts=[])
    assert read.vms[0].evc_mode == again.vms[0].evc_mode == own
    refusal = judge_evc(placement(read), Candidate(vm=VmId("vm-1"), target=HostId("host-2")))
    assert (refusal and refusal.reason) == (None if own else Reason.EVC)

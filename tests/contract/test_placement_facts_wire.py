"""Facts that decide where a VM may go and are not in its plain properties, read over the wire."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from balancer.adapters.vsphere import VsphereConnection, connect
from balancer.model.reasons import Reason
from balancer.model.units import ClusterId, HostId, VmId
from balancer.model.vm import Blocker
from balancer.ports import ClusterRef
from balancer.rules.cautions import cautions
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


AGENT_KEYS = [
    {"HDCS.agent": "true"},
    {"HDCS.agent": "TRUE", "guestinfo.x": "1"},
    {"vCLSCRX.agent": "true"},
]


@pytest.mark.parametrize("extra", AGENT_KEYS)
def test_an_older_vcls_vm_is_known_by_its_extra_configuration(
    tmp_path: Path, extra: dict[str, str]
) -> None:
    vcls = vm_row(1, 1, name="vCLS (1)", folder="vCLS", memory_mib=128, extra_config=extra)
    doc = document([host_row(1), host_row(2)], [vcls, vm_row(2, 1)])
    with served(tmp_path, doc) as (_, vcenter):
        read = vcenter.inventory.snapshot(CLUSTER)
        again = vcenter.inventory.refresh(read, vms=[VmId("vm-1")], hosts=[])
    for seen in (read, again):
        assert [vm.blockers for vm in seen.vms] == [(Blocker.AGENT_VM,), ()]
        assert seen.source.rejected_objects == 0


@pytest.mark.parametrize(
    "facts",
    [
        {"memory_mib": 128},
        {"name": "vcls-5021"},
        {"folder": "infra/vCLS"},
    ],
    ids=["small", "by its name", "by its folder"],
)
def test_no_name_place_or_size_makes_a_vm_an_agent_and_each_makes_it_worth_asking(
    tmp_path: Path, facts: Row
) -> None:
    asked = vm_row(1, 1, **facts)
    agent = vm_row(2, 1, extra_config={"HDCS.agent": "true"}, **facts)
    with served(tmp_path, document([host_row(1)], [asked, agent])) as (_, vcenter):
        read = vcenter.inventory.snapshot(CLUSTER)
    assert [vm.blockers for vm in read.vms] == [(), (Blocker.AGENT_VM,)]


def test_extra_configuration_is_read_of_suspects_alone_and_once(tmp_path: Path) -> None:
    small = vm_row(1, 1, memory_mib=128)
    with served(tmp_path, document([host_row(1)], [small, vm_row(2, 1)])) as (server, vcenter):
        vcenter.inventory.snapshot(CLUSTER)
        server.control.forget_calls()
        vcenter.inventory.snapshot(CLUSTER)
        quiet = server.control.calls().calls["RetrievePropertiesEx"]
        vcenter.inventory.caches.extras.forget(["vm-1"])
        server.control.forget_calls()
        vcenter.inventory.snapshot(CLUSTER)
        assert server.control.calls().calls["RetrievePropertiesEx"] == quiet + 1
    with served(tmp_path, document([host_row(1)], [vm_row(2, 1)])) as (server, vcenter):
        vcenter.inventory.snapshot(CLUSTER)
        vcenter.inventory.caches.extras.forget_all()
        server.control.forget_calls()
        vcenter.inventory.snapshot(CLUSTER)
        assert server.control.calls().calls["RetrievePropertiesEx"] == quiet


def test_a_suspect_whose_extra_configuration_is_not_shown_stays_and_is_counted(
    tmp_path: Path,
) -> None:
    vcls = vm_row(1, 1, name="vCLS (1)", extra_config={"HDCS.agent": "true"})
    with served(tmp_path, document([host_row(1)], [vcls, vm_row(2, 1)])) as (server, vcenter):
        server.control.deny("vm-1", "config.extraConfig")
        read = vcenter.inventory.snapshot(CLUSTER)
    assert [vm.blockers for vm in read.vms] == [(Blocker.INACCESSIBLE,), ()]
    assert read.source.denied_objects == 1


def test_a_warning_of_the_servers_check_is_told_and_refuses_nothing(tmp_path: Path) -> None:
    doc = document([host_row(1), host_row(2)], [vm_row(1, 1)])
    with served(tmp_path, doc) as (server, vcenter):
        server.control.add_fault(
            "NoGuestHeartbeat", at="warning", method="CheckRelocate_Task", message="no heartbeat"
        )
        answer = vcenter.inventory.check(VmId("vm-1"), HostId("host-2"))
    assert answer.refusals == ()
    (warning,) = answer.warnings
    assert (warning.reason, warning.vm, warning.host) == (Reason.SERVER_CHECK, "vm-1", "host-2")
    assert warning.detail == "NoGuestHeartbeat: no heartbeat"


def test_a_swap_file_on_a_hosts_own_datastore_is_read_and_told(tmp_path: Path) -> None:
    hosts = [host_row(1, swap_datastore="datastore-1"), host_row(2, unshared_swap_supported=False)]
    vms = [vm_row(1, 1, swap_placement="hostLocal", memory_swapped_mib=64), vm_row(2, 1)]
    with served(tmp_path, document(hosts, vms)) as (_, vcenter):
        read = vcenter.inventory.snapshot(CLUSTER)
    assert [host.swap_datastore for host in read.hosts] == ["datastore-1", None]
    assert [host.unshared_swap_supported for host in read.hosts] == [True, False]
    (caution,) = cautions(read, VmId("vm-1"), HostId("host-2"))
    assert caution.reason is Reason.SWAP_FILE
    assert caution.detail == (
        "esx1 keeps the swap file of vm1 (16.0 GiB at most) apart from esx2's; 64 MiB in it are copied;"
        " esx2 cannot do that, so vCenter will refuse it"
    )
    assert cautions(read, VmId("vm-2"), HostId("host-2")) == ()

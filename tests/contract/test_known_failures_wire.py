"""Known reasons of failed vMotions over the wire: we see each before the server is asked, and it agrees."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from balancer.adapters.vsphere import VsphereConnection
from balancer.model.reasons import Reason
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.rules import Candidate, judge_move
from balancer.rules.cautions import cautions
from tests.contract.test_inventory_wire import CLUSTER, served
from tests.support.builders import placement
from tests.support.wire import Row, document, host_row, vm_row

pytestmark = pytest.mark.wire

AVX = "cpuid.avx512f"
BOTH = ["datastore-1", "datastore-2"]
BLOCKED = {
    20: Reason.HOST_LOCAL_CDROM,
    21: Reason.TOOLS_INSTALLING,
    22: Reason.FAULT_TOLERANCE,
    23: Reason.PENDING_QUESTION,
    24: Reason.CPU_AFFINITY,
    25: Reason.METHOD_DISABLED,
    26: Reason.SHARED_SCSI_BUS,
}


def hosts() -> list[Row]:
    new, old = {AVX: "1"}, {AVX: "0"}
    slow = {"enabled": True, "link_mbps": 1_000}
    plain = {"enabled": True, "encrypted_supported": False}
    return [
        host_row(1, datastores=BOTH, cpu_features=new),
        host_row(2, datastores=BOTH, cpu_features=old),
        host_row(3, datastores=BOTH, cpu_features=new, vmotion={"enabled": False}),
        host_row(4, datastores=["datastore-1"], cpu_features=new),
        host_row(5, datastores=BOTH, cpu_features=new, networks=[]),
        host_row(6, datastores=BOTH, cpu_features=new, memory_capacity_mib=12_288),
        host_row(7, datastores=BOTH, cpu_features=new, vmotion=slow),
        host_row(8, datastores=BOTH, cpu_features=new, state="entering_maintenance"),
        host_row(9, datastores=BOTH, cpu_features=new, max_evc_mode="intel-haswell"),
        host_row(10, datastores=BOTH, cpu_features=new, vmotion=plain),
    ]


def vms() -> list[Row]:
    blocked = [vm_row(n, 1, blockers=[reason.value]) for n, reason in BLOCKED.items()]
    return [
        vm_row(1, 1, cpu_features={AVX: "Bool:Min:1"}),
        vm_row(2, 1, datastores=["datastore-2"]),
        vm_row(3, 1, encryption="required"),
        vm_row(4, 1),
        vm_row(9, 6, memory_mib=8_192),
        vm_row(10, 8),  # keeps the host in its entering
        *blocked,
    ]


@pytest.fixture(scope="module")
def read(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[VsphereConnection, Snapshot]]:
    directory: Path = tmp_path_factory.mktemp("known")
    rule = {"name": "tied", "type": "vm_host_affine", "vms": ["vm-4"], "hosts": ["host-1"]}
    stores = [{"id": key, "name": key} for key in BOTH]
    doc = document(hosts(), vms(), rules=[rule], datastores=stores)
    with served(directory, doc) as (_, vcenter):
        yield vcenter, vcenter.inventory.snapshot(CLUSTER)


PAIRS = [
    ("a processor feature is missing", 1, 2, Reason.CPU_FEATURES, Reason.CPU_FEATURES),
    ("vMotion is not enabled", 2, 3, Reason.VMOTION_DISABLED, Reason.VMOTION_DISABLED),
    ("no shared storage", 2, 4, Reason.DATASTORE, Reason.DATASTORE),
    ("the network is not there", 2, 5, Reason.NETWORK, Reason.NETWORK),
    ("not enough memory", 2, 6, Reason.MEMORY_CEILING, Reason.MEMORY_RESERVATION),
    ("no encrypted vMotion", 3, 10, Reason.ENCRYPTION_UNSUPPORTED, Reason.VMOTION_DISABLED),
    ("entering maintenance", 2, 8, Reason.TARGET_HOST_STATE, Reason.TARGET_HOST_STATE),
    ("the processors are too old", 2, 9, Reason.EVC, Reason.CPU_FEATURES),
    ("a rule ties it", 4, 7, Reason.VM_HOST_AFFINE, Reason.VM_HOST_AFFINE),
    *((reason.value, number, 7, reason, reason) for number, reason in BLOCKED.items()),
]


@pytest.mark.parametrize(
    ("vm", "host", "ours", "servers"), [p[1:] for p in PAIRS], ids=[p[0] for p in PAIRS]
)
def test_what_the_server_would_refuse_is_known_before(
    read: tuple[VsphereConnection, Snapshot], vm: int, host: int, ours: Reason, servers: Reason
) -> None:
    vcenter, snapshot = read
    moved, target = VmId(f"vm-{vm}"), HostId(f"host-{host}")
    refusal = judge_move(placement(snapshot), Candidate(vm=moved, target=target))
    assert refusal is not None
    assert refusal.reason is ours
    assert servers in {said.reason for said in vcenter.inventory.check(moved, target).refusals}


def test_a_slow_link_is_told_and_forbids_nothing(
    read: tuple[VsphereConnection, Snapshot],
) -> None:
    vcenter, snapshot = read
    moved, target = VmId("vm-2"), HostId("host-7")
    (caution,) = cautions(snapshot, moved, target)
    assert caution.reason is Reason.VMOTION_LINK_SLOW
    assert judge_move(placement(snapshot), Candidate(vm=moved, target=target)) is None
    assert vcenter.inventory.check(moved, target).refusals == ()

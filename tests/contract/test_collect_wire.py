"""Collection in tiers over the wire: equal values both ways, nothing stale, nothing that grows."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from balancer.adapters.vsphere import VsphereConnection, connect, properties
from balancer.adapters.vsphere.leaves import is_leaf
from balancer.adapters.vsphere.session import LoginGuard, Session
from balancer.model.host import HostState
from balancer.model.snapshot import Snapshot
from balancer.model.units import ClusterId, VmId
from balancer.model.vm import PowerState, Vm
from balancer.ports import ClusterRef
from tests.bench.collect.population import population
from tests.bench.collect.soak import held_after_each
from tests.support.both_ways import compared
from tests.support.vcenter import VCenterProcess, start_vcenter
from tests.support.vsphere import HeardRequests, settings_for, without_times
from tests.support.wire import Row, document, host_row, vm_row, write

pytestmark = pytest.mark.wire

CLUSTER = ClusterRef(id=ClusterId("domain-c8"), name="prod")
HOSTILE = "a'\"<b>&\u202e\U0001f600\u00a0 \\n %0a =cmd()"
GROWTH_BYTES = 32 * 1024
VMS_KEPT = 5


@contextmanager
def served(directory: Path, doc: Row) -> Iterator[tuple[VCenterProcess, VsphereConnection]]:
    with (
        start_vcenter(write(directory, doc)) as server,
        connect(settings_for(server)) as vcenter,
    ):
        yield server, vcenter


def motley() -> Row:
    """Return hosts and VMs in many states, with hostile names and numbers that are not known."""
    states = ("connected", "maintenance", "standby", "disconnected", "not_responding", "quarantine")
    hosts = [host_row(n, state=state, numa_nodes=2) for n, state in enumerate(states, start=1)]
    vms = [
        vm_row(1, 1, name=HOSTILE, folder="a/b", cpu_limit_mhz=3_000, resource_pool="resgroup-9"),
        vm_row(2, 2, power="off"),
        vm_row(3, 3, blockers=["pending_question", "cpu_affinity", "tools_installing"]),
        vm_row(4, 4, cpu_demand_mhz=None, memory_active_mib=None),
        vm_row(5, 1, blockers=["method_disabled", "agent_vm", "consolidating"]),
    ]
    return document(hosts, vms)


KINDS: list[tuple[Any, tuple[str, ...]]] = [
    (vim.HostSystem, properties.HOST + properties.HOST_VMS),
    (vim.VirtualMachine, properties.VM),
    (vim.Datastore, properties.DATASTORE),
    (vim.Network, properties.NETWORK),
    (vim.Folder, properties.FOLDER),
    (vim.ResourcePool, properties.POOL),
]


def test_every_leaf_value_is_read_as_pyvmomi_reads_it(tmp_path: Path) -> None:
    with start_vcenter(write(tmp_path, motley())) as server:
        settings, heard = settings_for(server), HeardRequests()
        session = Session(settings, guard=LoginGuard(), observer=heard, timeout_s=60.0)
        for kind, paths in KINDS:
            leaves = tuple(path for path in paths if is_leaf(kind, path))
            rows = compared(session.opened(), kind, leaves, page_size=2)
            assert rows
            assert [row for row in rows if row[2] != row[3]] == []
        session.close()


def test_names_that_are_hostile_arrive_as_they_are(tmp_path: Path) -> None:
    with served(tmp_path, motley()) as (_, vcenter):
        read = vcenter.inventory.snapshot(CLUSTER)
        assert read.vm_by_id[VmId("vm-1")].name == HOSTILE


def test_state_placement_and_load_are_those_of_the_cycle(tmp_path: Path) -> None:
    doc = document([host_row(1), host_row(2)], [vm_row(1, 1), vm_row(2, 1)])
    with served(tmp_path, doc) as (server, vcenter):
        vcenter.inventory.snapshot(CLUSTER)
        server.control.move("vm1", "esx2")
        server.control.set_power("vm2", "off")
        server.control.set_host_state("esx1", "maintenance")
        read = vcenter.inventory.snapshot(CLUSTER)
        first, second = read.vm_by_id[VmId("vm-1")], read.vm_by_id[VmId("vm-2")]
        assert (first.host, second.power) == ("host-2", PowerState.OFF)
        states = {host.id: host.state for host in read.hosts}
        assert states["host-1"] is HostState.MAINTENANCE


def test_a_quiet_cycle_reads_no_fixed_facts_and_a_changed_one_only_those_that_changed(
    tmp_path: Path,
) -> None:
    doc = document([host_row(1), host_row(2)], [vm_row(number, 1) for number in range(1, 9)])
    with served(tmp_path, doc) as (server, vcenter):
        calls = []
        for change in (lambda: None, lambda: None, lambda: server.control.move("vm1", "esx2")):
            change()
            server.control.forget_calls()
            vcenter.inventory.snapshot(CLUSTER)
            calls.append(server.control.calls().calls["RetrievePropertiesEx"])
        full, quiet, changed = calls
        assert quiet < full
        # The VM's values and devices in one read, by its name.
        assert changed == quiet + 1


def test_forgetting_reads_everything_again(tmp_path: Path) -> None:
    with served(tmp_path, document([host_row(1)], [vm_row(1, 1)])) as (server, vcenter):
        vcenter.inventory.snapshot(CLUSTER)
        server.control.forget_calls()
        vcenter.inventory.snapshot(CLUSTER)
        quiet = server.control.calls().calls["RetrievePropertiesEx"]
        vcenter.inventory.caches.forget_all()
        server.control.forget_calls()
        vcenter.inventory.snapshot(CLUSTER)
        # Hosts, VMs with their devices, mounts.
        assert server.control.calls().calls["RetrievePropertiesEx"] == quiet + 3


def test_a_snapshot_from_the_caches_is_the_one_that_was_read_whole(tmp_path: Path) -> None:
    with served(tmp_path, json.loads(json.dumps(population(5, 40)))) as (_, vcenter):
        first = without_times(vcenter.inventory.snapshot(CLUSTER))
        second = without_times(vcenter.inventory.snapshot(CLUSTER))
        assert (second.hosts, second.vms) == (first.hosts, first.vms)
        assert second.datastores == first.datastores


def grown(vcenter: VsphereConnection) -> int:
    """Return by how many bytes memory grew from one full read to a later one, with everything warm."""
    first, *_, last = list(held_after_each(vcenter, 10, full_every=3))[3::3]
    return last - first


def test_cycles_let_no_memory_grow(tmp_path: Path) -> None:
    with served(tmp_path, population(4, 50)) as (_, vcenter):
        assert grown(vcenter) < GROWTH_BYTES


class Leaking:
    """A connection that keeps the facts of a few VMs of every snapshot."""

    def __init__(self, vcenter: VsphereConnection) -> None:
        self.inventory = self
        self.caches, self.clusters = vcenter.inventory.caches, vcenter.inventory.clusters
        self._read = vcenter.inventory.snapshot
        self.kept: list[Vm] = []

    def snapshot(self, cluster: ClusterRef) -> Snapshot:
        read = self._read(cluster)
        self.kept += read.vms[:VMS_KEPT]
        return read


def test_memory_that_grows_by_a_few_vms_each_cycle_would_be_seen(tmp_path: Path) -> None:
    with served(tmp_path, population(4, 50)) as (_, vcenter):
        assert grown(Leaking(vcenter)) > GROWTH_BYTES  # type: ignore[arg-type]

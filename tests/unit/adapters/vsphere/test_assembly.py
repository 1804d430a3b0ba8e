"""What cannot be read is counted, stays in its place, and never moves."""

from typing import Any

from pyVmomi import vim

from balancer.adapters.vsphere.assembly import (
    Ground,
    Tally,
    hosts_of,
    on_known_hosts,
    vms_of,
)
from balancer.adapters.vsphere.caches import OverheadCache
from balancer.adapters.vsphere.cluster import ClusterFacts
from balancer.adapters.vsphere.devices import DEVICES, DeviceFacts
from balancer.adapters.vsphere.facts import Facts
from balancer.adapters.vsphere.retrieve import Retrieved
from balancer.model.snapshot import Cluster
from balancer.model.units import ClusterId, HostId
from balancer.model.vm import Blocker
from tests.support.vsphere import HeardRequests
from tests.unit.adapters.vsphere.build import facts, host_facts, vm_facts, with_values

GROUND = Ground(
    cluster=ClusterFacts(
        cluster=Cluster(id=ClusterId("domain-c8"), name="prod"),
        rules=(),
        automation={},
        vm_groups={},
        host_groups={},
    ),
    entering=frozenset(),
    attributes=Facts(id="", kind="CustomFieldsManager"),
)


class FakeReader:
    """Answers for minimal facts, and has no hypervisors' shares."""

    def __init__(self, minimum: tuple[Facts, ...] = ()) -> None:
        self.minimum = minimum

    def resources_of(self, keys: Any) -> Retrieved:
        return Retrieved(objects=tuple(facts(key, "HostSystem") for key in sorted(keys)))

    def minimum_of(self, keys: Any) -> Retrieved:
        wanted = set(keys)
        return Retrieved(objects=tuple(entry for entry in self.minimum if entry.id in wanted))


def renamed(entry: Facts, key: str) -> Facts:
    return Facts(id=key, kind=entry.kind, values=entry.values)


BLIND = vm_facts(config__changeVersion="1")
VM = with_values(BLIND, **{DEVICES: DeviceFacts()})


def test_a_vm_that_cannot_be_read_is_kept_from_its_minimal_facts() -> None:
    reader, tally = FakeReader((renamed(vm_facts(), "vm-2"),)), Tally()
    found = Retrieved(objects=(VM,), unreadable=frozenset({"vm-2", "vm-3"}))
    first, second = vms_of(found, GROUND, reader=reader, tally=tally)
    assert (first.id, first.blockers) == ("vm-1", ())
    assert (second.id, second.blockers) == ("vm-2", (Blocker.INACCESSIBLE,))
    assert tally.counts["vm", "unreadable"] == 2


def test_a_vm_whose_devices_are_not_known_never_moves() -> None:
    tally = Tally()
    (vm,) = vms_of(Retrieved(objects=(BLIND,)), GROUND, reader=FakeReader(), tally=tally)
    assert vm.blockers == (Blocker.INACCESSIBLE,)
    assert tally.counts["vm", "unreadable"] == 1


def test_a_vm_that_vcenter_itself_cannot_see_is_no_fault_of_ours() -> None:
    orphan = vm_facts(runtime__connectionState="orphaned")
    tally = Tally()
    (vm,) = vms_of(Retrieved(objects=(orphan,)), GROUND, reader=FakeReader(), tally=tally)
    assert vm.blockers == (Blocker.INACCESSIBLE,)
    assert tally.counts.total() == 0


def test_templates_are_left_out_and_not_counted() -> None:
    reader, tally = FakeReader(), Tally()
    found = Retrieved(objects=(with_values(VM, summary__config__template=True),))
    assert vms_of(found, GROUND, reader=reader, tally=tally) == ()
    assert tally.counts.total() == 0


def test_a_vm_without_a_size_is_counted() -> None:
    reader, tally = FakeReader(), Tally()
    found = Retrieved(objects=(with_values(VM, summary__config__numCpu=None),))
    assert vms_of(found, GROUND, reader=reader, tally=tally) == ()
    assert tally.counts["vm", "incomplete"] == 1


def test_hosts_that_cannot_be_read_are_counted() -> None:
    tally = Tally()
    never_seen = renamed(host_facts(summary__hardware__cpuMhz=None), "host-2")
    found = Retrieved(objects=(host_facts(), never_seen), unreadable=frozenset({"host-3"}))
    (host,) = hosts_of(found, GROUND, OverheadCache(FakeReader()), tally=tally)
    assert host.id == "host-1"
    assert (tally.counts["host", "incomplete"], tally.counts["host", "unreadable"]) == (1, 1)


def test_a_vm_on_a_host_that_is_not_there_is_counted() -> None:
    tally = Tally()
    vms = vms_of(Retrieved(objects=(VM,)), GROUND, reader=FakeReader(), tally=tally)
    assert on_known_hosts(vms, [HostId("host-2")], tally) == ()
    assert tally.counts["vm", "unknown_host"] == 1


def test_the_observer_hears_of_every_cause_the_zeros_too() -> None:
    heard, tally = HeardRequests(), Tally()
    tally.add("vm", "unreadable", 2)
    tally.tell(heard)
    assert heard.rejections["vm", "unreadable"] == 2
    assert len(heard.rejections) == 12


def test_objects_that_vanish_while_they_are_read_are_counted_and_no_fault() -> None:
    tally = Tally()
    gone = frozenset({"x-8", "x-9"})
    vms_of(Retrieved(objects=(VM,), gone=gone), GROUND, reader=FakeReader(), tally=tally)
    hosts_of(Retrieved(gone=gone), GROUND, OverheadCache(FakeReader()), tally=tally)
    assert (tally.counts["vm", "vanished"], tally.counts["host", "vanished"]) == (2, 2)
    assert tally.rejected == 0


def test_a_value_that_no_translation_expects_costs_no_other_object_and_is_counted() -> None:
    feature = vim.vm.FeatureRequirement()
    feature.__dict__.update(key=7, value="x")  # a number where the wire has a word
    odd = with_values(vm_facts(), runtime__featureRequirement=[feature])
    mask = vim.host.FeatureCapability()
    mask.__dict__.update(key=7, value="x")
    odd_host = renamed(with_values(host_facts(), config__featureCapability=[mask]), "host-2")
    tally, reader = Tally(), FakeReader()
    known = {DEVICES: DeviceFacts()}
    vms = vms_of(
        Retrieved(objects=(with_values(odd, **known), renamed(VM, "vm-2"))),
        GROUND,
        reader=reader,
        tally=tally,
    )
    assert {vm.id: Blocker.INACCESSIBLE in vm.blockers for vm in vms} == {
        "vm-1": True,
        "vm-2": False,
    }
    hosts = hosts_of(
        Retrieved(objects=(host_facts(), odd_host)), GROUND, OverheadCache(reader), tally=tally
    )
    assert [host.id for host in hosts] == ["host-1"]
    assert tally.counts["host", "incomplete"] == 1
    assert tally.counts["vm", "unreadable"] == 1

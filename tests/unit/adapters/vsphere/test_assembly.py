"""What cannot be read is counted, stays in its place, and never moves."""

from typing import Any

import pytest
from pyVmomi import vim

from balancer.adapters.vsphere.assembly import (
    Ground,
    Tally,
    hosts_of,
    on_known_hosts,
    vms_of,
)
from balancer.adapters.vsphere.caches import (
    DEVICES_KEPT_S,
    OVERHEADS_KEPT_S,
    DeviceCache,
    OverheadCache,
)
from balancer.adapters.vsphere.cluster import ClusterFacts
from balancer.adapters.vsphere.facts import Facts
from balancer.adapters.vsphere.retrieve import Retrieved
from balancer.model.snapshot import Cluster
from balancer.model.units import ClusterId, HostId
from balancer.model.vm import Blocker
from tests.support.vsphere import HeardRequests
from tests.unit.adapters.vsphere.build import facts, host_facts, vm_facts, with_values

USB = vim.vm.device.VirtualUSB(key=1, connected=True)
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
    """Answers for devices, hypervisors' shares and minimal facts, and notes what was asked."""

    def __init__(self, devices: dict[str, list[Any]], minimum: tuple[Facts, ...] = ()) -> None:
        self.devices, self.minimum = devices, minimum
        self.asked: list[list[str]] = []

    def devices_of(self, keys: Any) -> Retrieved:
        self.asked.append(sorted(keys))
        return Retrieved(
            objects=tuple(
                facts(key, config__hardware__device=self.devices[key])
                for key in sorted(keys)
                if key in self.devices
            )
        )

    def resources_of(self, keys: Any) -> Retrieved:
        self.asked.append(sorted(keys))
        return Retrieved(objects=tuple(facts(key, "HostSystem") for key in sorted(keys)))

    def minimum_of(self, keys: Any) -> Retrieved:
        wanted = set(keys)
        return Retrieved(objects=tuple(entry for entry in self.minimum if entry.id in wanted))


class Hands:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def renamed(entry: Facts, key: str) -> Facts:
    return Facts(id=key, kind=entry.kind, values=entry.values)


VM = vm_facts(config__changeVersion="1")


def test_a_vm_that_cannot_be_read_is_kept_from_its_minimal_facts() -> None:
    reader = FakeReader({"vm-1": []}, minimum=(renamed(vm_facts(), "vm-2"),))
    cache, tally = DeviceCache(reader), Tally()
    cache.fill([VM])
    found = Retrieved(objects=(VM,), unreadable=frozenset({"vm-2", "vm-3"}))
    first, second = vms_of(found, GROUND, cache, reader=reader, tally=tally)
    assert (first.id, first.blockers) == ("vm-1", ())
    assert (second.id, second.blockers) == ("vm-2", (Blocker.INACCESSIBLE,))
    assert tally.counts["vm", "unreadable"] == 2


def test_a_vm_whose_devices_are_not_known_never_moves() -> None:
    reader, tally = FakeReader({}), Tally()
    cache = DeviceCache(reader)
    cache.fill([VM])
    (vm,) = vms_of(Retrieved(objects=(VM,)), GROUND, cache, reader=reader, tally=tally)
    assert vm.blockers == (Blocker.INACCESSIBLE,)
    assert tally.counts["vm", "unreadable"] == 1


def test_a_vm_that_vcenter_itself_cannot_see_is_no_fault_of_ours() -> None:
    orphan = vm_facts(runtime__connectionState="orphaned")
    reader, tally = FakeReader({}), Tally()
    (vm,) = vms_of(
        Retrieved(objects=(orphan,)), GROUND, DeviceCache(reader), reader=reader, tally=tally
    )
    assert vm.blockers == (Blocker.INACCESSIBLE,)
    assert tally.counts.total() == 0


def test_templates_are_left_out_and_not_counted() -> None:
    reader, tally = FakeReader({}), Tally()
    found = Retrieved(objects=(with_values(VM, summary__config__template=True),))
    assert vms_of(found, GROUND, DeviceCache(reader), reader=reader, tally=tally) == ()
    assert tally.counts.total() == 0


def test_a_vm_without_a_size_is_counted() -> None:
    reader, tally = FakeReader({}), Tally()
    found = Retrieved(objects=(with_values(VM, summary__config__numCpu=None),))
    assert vms_of(found, GROUND, DeviceCache(reader), reader=reader, tally=tally) == ()
    assert tally.counts["vm", "incomplete"] == 1


def test_hosts_that_cannot_be_read_are_counted() -> None:
    tally = Tally()
    never_seen = renamed(host_facts(summary__hardware__cpuMhz=None), "host-2")
    found = Retrieved(objects=(host_facts(), never_seen), unreadable=frozenset({"host-3"}))
    (host,) = hosts_of(found, GROUND, OverheadCache(FakeReader({})), tally=tally)
    assert host.id == "host-1"
    assert (tally.counts["host", "incomplete"], tally.counts["host", "unreadable"]) == (1, 1)


def test_a_vm_on_a_host_that_is_not_there_is_counted() -> None:
    reader, tally = FakeReader({"vm-1": []}), Tally()
    cache = DeviceCache(reader)
    cache.fill([VM])
    vms = vms_of(Retrieved(objects=(VM,)), GROUND, cache, reader=reader, tally=tally)
    assert on_known_hosts(vms, [HostId("host-2")], tally) == ()
    assert tally.counts["vm", "unknown_host"] == 1


def test_the_observer_hears_of_every_cause_the_zeros_too() -> None:
    heard, tally = HeardRequests(), Tally()
    tally.add("vm", "unreadable", 2)
    tally.tell(heard)
    assert heard.rejections["vm", "unreadable"] == 2
    assert len(heard.rejections) == 6


def test_devices_are_read_again_when_the_configuration_changed_or_is_old() -> None:
    clock, reader = Hands(), FakeReader({"vm-1": [USB]})
    cache = DeviceCache(reader, clock)
    cache.fill([VM])
    cache.fill([VM])
    assert reader.asked == [["vm-1"], []]
    changed = with_values(VM, config__changeVersion="2")
    assert cache.of(changed) is None
    cache.fill([changed])
    clock.now = DEVICES_KEPT_S + 1
    cache.fill([changed])
    assert reader.asked[2:] == [["vm-1"], ["vm-1"]]
    known = cache.of(changed)
    assert known is not None
    assert known.blockers == {Blocker.USB_DEVICE}


def test_devices_are_read_past_the_cache_on_request() -> None:
    reader = FakeReader({"vm-1": []})
    cache = DeviceCache(reader, Hands())
    cache.fill([VM])
    cache.fill([VM], anew=True)
    assert reader.asked == [["vm-1"], ["vm-1"]]


def test_a_reading_of_devices_that_fails_forgets_what_was_known() -> None:
    reader = FakeReader({"vm-1": []})
    cache = DeviceCache(reader, Hands())
    cache.fill([VM])
    reader.devices = {}
    cache.fill([VM], anew=True)
    assert cache.of(VM) is None


@pytest.mark.parametrize(("later_s", "readings"), [(10.0, 1), (OVERHEADS_KEPT_S + 1, 2)])
def test_a_hypervisors_share_is_kept_for_an_hour(later_s: float, readings: int) -> None:
    clock, reader = Hands(), FakeReader({})
    cache = OverheadCache(reader, clock)
    cache.of([HostId("host-1")])
    clock.now = later_s
    cache.of([HostId("host-1")])
    assert len([asked for asked in reader.asked if asked]) == readings


def test_a_value_that_no_translation_expects_costs_no_other_object_and_is_counted() -> None:
    feature = vim.vm.FeatureRequirement()
    feature.__dict__.update(key=7, value="x")  # a number where the wire has a word
    odd = with_values(vm_facts(), runtime__featureRequirement=[feature])
    mask = vim.host.FeatureCapability()
    mask.__dict__.update(key=7, value="x")
    odd_host = renamed(with_values(host_facts(), config__featureCapability=[mask]), "host-2")
    tally = Tally()
    reader: Any = FakeReader({"vm-1": [], "vm-2": []})
    cache = DeviceCache(reader)
    vms = vms_of(
        Retrieved(objects=(odd, renamed(vm_facts(), "vm-2"))),
        GROUND,
        cache,
        reader=reader,
        tally=tally,
    )
    assert {vm.id: Blocker.INACCESSIBLE in vm.blockers for vm in vms}["vm-1"] is True
    assert len(vms) == 2
    hosts = hosts_of(
        Retrieved(objects=(host_facts(), odd_host)), GROUND, OverheadCache(reader), tally=tally
    )
    assert [host.id for host in hosts] == ["host-1"]
    assert tally.counts["host", "incomplete"] == 1
    assert tally.counts["vm", "unreadable"] >= 1

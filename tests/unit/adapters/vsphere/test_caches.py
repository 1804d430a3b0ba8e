"""Fixed facts are read once for each version of an object, and never outlive what somebody said changed."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from balancer.adapters.vsphere.caches import OVERHEADS_KEPT_S, Caches, OverheadCache
from balancer.adapters.vsphere.facts import Facts, Link
from balancer.adapters.vsphere.retrieve import Retrieved
from balancer.model.units import HostId, VmId
from tests.unit.adapters.vsphere.build import facts

KEPT_S = 600.0


class Hands:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class FakeReader:
    """Answers with what it was told to, and notes which objects were asked for and in which way."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.below: list[str | None] = []
        self.name = "first"
        self.unreadable: frozenset[str] = frozenset()
        self.gone: frozenset[str] = frozenset()
        self.incomplete: frozenset[str] = frozenset()
        self.meanwhile: Callable[[], None] = lambda: None

    def _answer(self, keys: Iterable[str], cluster: str | None, **values: Any) -> Retrieved:
        asked = sorted(keys)
        self.asked.append(asked)
        self.below.append(cluster)
        self.meanwhile()
        lost = self.unreadable | self.gone
        return Retrieved(
            objects=tuple(facts(key, **values) for key in asked if key not in lost),
            unreadable=self.unreadable & set(asked),
            gone=self.gone & set(asked),
            incomplete=self.incomplete & set(asked),
        )

    def fixed_of_vms(self, keys: Any, *, cluster: str | None, with_features: bool) -> Retrieved:
        return self._answer(keys, cluster, name=self.name, features=with_features)

    fixed_of_hosts = fixed_of_vms

    def extra_config_of(self, keys: Any, *, cluster: str | None, with_features: bool) -> Retrieved:
        return self._answer(keys, cluster, config__extraConfig=[])

    def mounts_of(self, keys: Any, *, cluster: str | None, with_features: bool) -> Retrieved:
        return self._answer(keys, cluster, host=[])

    def resources_of(self, keys: Any) -> Retrieved:
        return self._answer(keys, None)


@pytest.fixture
def reader() -> FakeReader:
    return FakeReader()


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def caches(reader: FakeReader, clock: Hands) -> Caches:
    return Caches(reader, kept_s=KEPT_S, monotonic=clock)


def vm(key: str = "vm-1", **changed: Any) -> Facts:
    values: dict[str, Any] = {
        "config__changeVersion": "1",
        "runtime__bootTime": "monday",
        "runtime__powerState": "poweredOn",
        "runtime__connectionState": "connected",
        "runtime__host": Link("HostSystem", "host-1"),
        "summary__quickStats__overallCpuUsage": 7,
    }
    return facts(key, **(values | changed))


def host(key: str = "host-1", **changed: Any) -> Facts:
    values: dict[str, Any] = {
        "runtime__bootTime": "monday",
        "runtime__powerState": "poweredOn",
        "runtime__connectionState": "connected",
        "runtime__inMaintenanceMode": False,
        "summary__config__product__version": "8.0.3",
    }
    return facts(key, "HostSystem", **(values | changed))


def found(*objects: Facts) -> Retrieved:
    return Retrieved(objects=objects)


def names(read: Retrieved) -> list[str | None]:
    return [entry.text("name") for entry in read.objects]


def test_fixed_facts_are_read_once_and_stand_below_what_is_read_every_cycle(
    caches: Caches, reader: FakeReader
) -> None:
    caches.vms.completed(found(vm()))
    reader.name = "second"
    (read,) = caches.vms.completed(found(vm(summary__quickStats__overallCpuUsage=9))).objects
    assert (read.text("name"), read.number("summary.quickStats.overallCpuUsage")) == ("first", 9)
    assert reader.asked == [["vm-1"], []]


@pytest.mark.parametrize(
    "changed",
    [
        {"config__changeVersion": "2"},
        {"runtime__bootTime": "tuesday"},
        {"runtime__powerState": "poweredOff"},
        {"runtime__connectionState": "disconnected"},
        {"runtime__host": Link("HostSystem", "host-2")},
    ],
    ids=str,
)
def test_another_version_of_a_vm_is_never_answered_from_the_cache(
    caches: Caches, reader: FakeReader, changed: dict[str, Any]
) -> None:
    caches.vms.completed(found(vm()))
    reader.name = "second"
    assert names(caches.vms.completed(found(vm(**changed)))) == ["second"]


@pytest.mark.parametrize(
    "changed",
    [
        {"runtime__bootTime": "tuesday"},
        {"runtime__powerState": "standBy"},
        {"runtime__connectionState": "notResponding"},
        {"runtime__inMaintenanceMode": True},
        {"summary__config__product__version": "9.0.0"},
    ],
    ids=str,
)
def test_a_host_that_started_was_away_or_upgraded_is_read_anew(
    caches: Caches, reader: FakeReader, changed: dict[str, Any]
) -> None:
    caches.hosts.completed(found(host()))
    assert caches.hosts.lacking(found(host())) == frozenset()
    assert caches.hosts.lacking(found(host(**changed))) == {"host-1"}
    reader.name = "second"
    assert names(caches.hosts.completed(found(host(**changed)))) == ["second"]


def test_an_object_without_a_version_is_read_every_time(caches: Caches, reader: FakeReader) -> None:
    lost = vm(config__changeVersion=None)
    caches.vms.completed(found(lost))
    caches.vms.completed(found(lost))
    assert reader.asked == [["vm-1"], ["vm-1"]]


def test_facts_without_features_do_not_serve_where_features_count(
    caches: Caches, reader: FakeReader
) -> None:
    caches.vms.completed(found(vm()))
    (read,) = caches.vms.completed(found(vm()), with_features=True).objects
    assert read.flag("features") is True


def test_facts_are_read_anew_at_their_end(caches: Caches, reader: FakeReader, clock: Hands) -> None:
    caches.vms.completed(found(vm()))
    clock.now = KEPT_S + 1
    caches.vms.completed(found(vm()))
    assert reader.asked == [["vm-1"], ["vm-1"]]


def test_facts_are_read_past_the_cache_on_request_and_kept(
    caches: Caches, reader: FakeReader
) -> None:
    caches.vms.completed(found(vm()))
    reader.name = "second"
    assert names(caches.vms.completed(found(vm()), anew=True)) == ["second"]
    assert names(caches.vms.completed(found(vm()))) == ["second"]


def test_what_is_forgotten_is_read_anew(caches: Caches, reader: FakeReader) -> None:
    both = found(vm(), vm("vm-2"))
    caches.vms.completed(both)
    caches.forget(vms=[VmId("vm-2")])
    caches.vms.completed(both)
    caches.forget_all()
    caches.vms.completed(both)
    assert reader.asked == [["vm-1", "vm-2"], ["vm-2"], ["vm-1", "vm-2"]]


def test_a_change_of_a_host_makes_mounts_and_the_host_be_read_anew(
    caches: Caches, reader: FakeReader
) -> None:
    store = facts("datastore-1", "Datastore", summary__accessible=True)
    for _ in range(2):
        caches.hosts.completed(found(host()))
        caches.mounts.completed(found(store))
        caches.forget(hosts=[HostId("host-1")])
    assert reader.asked == [["host-1"], ["datastore-1"]] * 2


@pytest.mark.parametrize("forgets_all", [False, True])
def test_what_changes_while_it_is_read_is_not_kept(
    caches: Caches, reader: FakeReader, forgets_all: bool
) -> None:
    def change() -> None:
        caches.forget_all() if forgets_all else caches.forget(vms=[VmId("vm-1")])

    reader.meanwhile = change
    assert names(caches.vms.completed(found(vm(), vm("vm-2")))) == ["first", "first"]
    reader.meanwhile, reader.name = (lambda: None), "second"
    expected = ["second", "second" if forgets_all else "first"]
    assert names(caches.vms.completed(found(vm(), vm("vm-2")))) == expected


def test_what_was_forgotten_before_is_kept_again(caches: Caches, reader: FakeReader) -> None:
    caches.forget(vms=[VmId("vm-1")])
    caches.vms.completed(found(vm()))
    caches.vms.completed(found(vm()))
    assert reader.asked == [["vm-1"], []]


def test_an_object_whose_fixed_facts_are_lost_is_named(caches: Caches, reader: FakeReader) -> None:
    reader.unreadable, reader.gone = frozenset({"vm-2"}), frozenset({"vm-3"})
    read = caches.vms.completed(found(vm(), vm("vm-2"), vm("vm-3")))
    assert [entry.id for entry in read.objects] == ["vm-1"]
    assert (read.unreadable, read.gone) == ({"vm-2"}, {"vm-3"})


def test_a_vm_of_which_something_could_not_be_read_is_used_and_read_again(
    caches: Caches, reader: FakeReader
) -> None:
    reader.incomplete = frozenset({"vm-2"})
    for _ in range(2):
        assert names(caches.vms.completed(found(vm(), vm("vm-2")))) == ["first", "first"]
    assert reader.asked == [["vm-1", "vm-2"], ["vm-2"]]


def test_an_incomplete_reading_is_not_answered_from_before(
    caches: Caches, reader: FakeReader
) -> None:
    caches.vms.completed(found(vm()))
    reader.incomplete, reader.name = frozenset({"vm-1"}), "second"
    assert names(caches.vms.completed(found(vm()), anew=True)) == ["second"]
    reader.name = "third"
    assert names(caches.vms.completed(found(vm()))) == ["third"]


@pytest.mark.parametrize(("new", "below"), [(1, None), (2, "domain-c8")])
def test_few_are_asked_for_by_name_and_many_through_their_cluster(
    caches: Caches, reader: FakeReader, new: int, below: str | None
) -> None:
    known = [vm(f"vm-{number}") for number in range(3 - new)]
    caches.vms.completed(found(*known))
    others = [vm(f"vm-1{number}") for number in range(new)]
    caches.vms.completed(found(*known, *others), cluster="domain-c8")
    assert reader.below[-1] == below


@pytest.mark.parametrize(("later_s", "readings"), [(10.0, 1), (OVERHEADS_KEPT_S + 1, 2)])
def test_a_hypervisors_share_is_kept_for_an_hour(
    reader: FakeReader, clock: Hands, later_s: float, readings: int
) -> None:
    cache = OverheadCache(reader, clock)
    cache.of([HostId("host-1")])
    clock.now = later_s
    cache.of([HostId("host-1")])
    assert len([asked for asked in reader.asked if asked]) == readings

"""Slots of hosts, networks and datastores: the policy counts migrations, vCenter counts what they cost."""

from collections.abc import Iterable

import pytest

from balancer.execute.slots import Journey, Journeys, all_journeys, full, room_for
from balancer.model.host import VmotionLink
from balancer.model.reasons import Reason
from balancer.model.snapshot import FlightKind, InFlight, Snapshot
from balancer.model.units import HostId, VmId
from balancer.policy.types import Limits
from tests.support.builders import host, snapshot, vm
from tests.unit.execute.stage import cluster, host_id, move, vm_id

MANY = Limits(migrations_per_host=1000, migrations_per_cluster=1000, migrations_per_vcenter=1000)
VMOTION, STORAGE, COPY = FlightKind.VMOTION, FlightKind.STORAGE, FlightKind.PROVISIONING


def journeys(kinds: Iterable[FlightKind], source: int = 1, target: int = 3) -> Journeys:
    return {
        VmId(f"vm-{100 + n}"): Journey(
            source=HostId(f"host-{source}"),
            target=HostId(f"host-{source if kind is COPY else target}"),
            kind=kind,
        )
        for n, kind in enumerate(kinds)
    }


def why(kinds: Iterable[FlightKind], limits: Limits = MANY, base: Snapshot | None = None) -> str:
    refusal = full(move(1, 1, 2), journeys(kinds), limits, base or cluster())
    return f"{refusal.reason}: {refusal.detail}" if refusal else ""


@pytest.mark.parametrize(
    ("kinds", "is_full"),
    [
        ([VMOTION] * 7, False),
        ([VMOTION] * 8, True),
        ([STORAGE], False),
        ([STORAGE, VMOTION, VMOTION, VMOTION], False),
        ([STORAGE, *[VMOTION] * 4], True),
        ([STORAGE, STORAGE], True),
        ([COPY] * 7, False),
        ([COPY] * 8, True),
        ([STORAGE, COPY, COPY, COPY], False),
        ([STORAGE, *[COPY] * 4], True),
    ],
)
def test_a_host_has_sixteen_units_and_every_task_takes_what_it_costs(
    kinds: list[FlightKind], is_full: bool
) -> None:
    told = why(kinds)
    assert bool(told) is is_full
    assert not told or told.startswith("host_slots: what runs on host-1 takes 16 of vCenter's 16")


def test_a_slow_network_carries_four_migrations_and_copies_do_not_use_it() -> None:
    slow = snapshot(
        [host(n, vmotion=VmotionLink(enabled=True, link_mbps=1_000.0)) for n in (1, 2, 3)],
        [vm(1, on=1)],
    )
    assert why([VMOTION] * 3, base=slow) == ""
    assert "the vMotion network of host-1 carries 4 migrations" in why([VMOTION] * 4, base=slow)
    assert why([VMOTION] * 3 + [COPY] * 4, base=slow) == ""


def test_copies_of_others_are_no_migrations_for_the_policy() -> None:
    one = Limits(migrations_per_host=1, migrations_per_cluster=1, migrations_per_vcenter=1)
    assert why([COPY] * 3, one) == ""
    assert why([STORAGE], one).startswith("cluster_slots")


def stores(shared: int) -> Snapshot:
    """Return a cluster whose vm-1 has datastore ds-1, as have `shared` of the others; the rest has ds-2."""
    others = [
        vm(100 + n, on=3, datastores=frozenset({"ds-1" if n < shared else "ds-2"}))
        for n in range(200)
    ]
    mine = vm(1, on=1, datastores=frozenset({"ds-0", "ds-1"}))
    return snapshot([host(n) for n in range(1, 5)], [mine, *others])


@pytest.mark.parametrize(
    ("kind", "count", "shared", "is_full"),
    [
        (VMOTION, 127, 127, False),
        (VMOTION, 128, 128, True),
        (VMOTION, 150, 127, False),
        (STORAGE, 7, 7, False),
        (STORAGE, 8, 8, True),
        (STORAGE, 12, 7, False),
        (COPY, 150, 150, False),
    ],
)
def test_a_datastore_has_128_units(
    kind: FlightKind, count: int, shared: int, is_full: bool
) -> None:
    there = journeys([kind] * count, source=3, target=4)
    refusal = full(move(1, 1, 2), there, MANY, stores(shared))
    assert (refusal is not None) is is_full
    if refusal:
        assert refusal.reason is Reason.DATASTORE_SLOTS
        assert "what runs on ds-1 takes 128 of vCenter's 128 units" in refusal.detail


def test_a_flight_of_the_snapshot_costs_what_its_kind_costs() -> None:
    base = cluster()
    flights = tuple(
        InFlight(vm=vm_id(n), source=host_id(1), target=host_id(1), kind=STORAGE) for n in (2, 3)
    )
    shown = all_journeys({}, snapshot(base.hosts, base.vms, in_flight=flights))
    assert room_for([move(1, 1, 2)], {}, MANY, base) == 1
    assert room_for([move(1, 1, 2)], shown, MANY, base) == 0

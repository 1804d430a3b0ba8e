"""Rings of full hosts: broken by a hop where a host has room, dropped with the reason where none has."""

from typing import Any

import pytest

from balancer.model.host import HostState
from balancer.model.need import Holds
from balancer.model.plan import MoveReason, ProposedMove, Schedule
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from tests.support.builders import host, rule, snapshot, vm
from tests.unit.sequence.support import go, scheduled

BIG: dict[str, Any] = {"memory_mib": 60_000.0, "cpu_demand_mhz": 0.0, "memory_active_mib": 0.0}


def ring(size: int, spares: int, **spare: Any) -> Snapshot:
    """Return `size` hosts with one VM each, of which no two fit on one host, and empty hosts."""
    hosts = [host(n) for n in range(1, size + 1)]
    hosts += [host(size + n, **spare) for n in range(1, spares + 1)]
    return snapshot(hosts, [vm(n, n, **BIG) for n in range(1, size + 1)])


def around(snap: Snapshot, size: int) -> list[ProposedMove]:
    """Return the moves that shift every VM of the ring to the next host."""
    return [go(snap, n, n % size + 1, MoveReason.RULE) for n in range(1, size + 1)]


def hops(schedule: Schedule) -> list[str]:
    return [move.vm for move in schedule.moves if move.reason is MoveReason.PARKING]


@pytest.mark.parametrize("size", [2, 3, 8])
def test_a_ring_of_full_hosts_is_broken_by_one_hop_to_a_spare_host(size: int) -> None:
    snap = ring(size, spares=1)
    schedule = scheduled(snap, around(snap, size))
    assert len(hops(schedule)) == 1
    assert schedule.dropped == ()
    assert len(schedule.moves) == size + 1


@pytest.mark.parametrize("size", [2, 3, 8])
def test_without_a_spare_host_a_ring_is_dropped_and_each_refusal_names_what_blocks(
    size: int,
) -> None:
    snap = ring(size, spares=0)
    schedule = scheduled(snap, around(snap, size))
    assert schedule.moves == ()
    assert [refusal.vm for refusal in schedule.dropped] == [f"vm-{n + 1}" for n in range(size)]
    assert {refusal.reason for refusal in schedule.dropped} == {Reason.UNREACHABLE}
    assert "esx2: memory would be 120" in schedule.dropped[0].detail
    assert "waits for vm2 to leave" in schedule.dropped[0].detail


def test_what_is_not_part_of_the_ring_is_still_done() -> None:
    snap = snapshot(
        [host(n) for n in (1, 2, 3, 4)],
        [vm(1, 1, **BIG), vm(2, 2, **BIG), vm(3, 3, **BIG), vm(4, 4, **BIG), vm(5, 1)],
    )
    moves = [go(snap, 1, 2), go(snap, 2, 1), go(snap, 5, 3, MoveReason.RULE, gain=0.1)]
    schedule = scheduled(snap, moves)
    assert [move.vm for move in schedule.moves] == ["vm-5"]
    assert [refusal.vm for refusal in schedule.dropped] == ["vm-1", "vm-2"]


def test_the_parked_vm_occurs_twice_and_its_way_on_waits_for_its_way_there() -> None:
    snap = ring(2, spares=1)
    hop, other, final = scheduled(snap, around(snap, 2)).moves
    assert (hop.vm, hop.target, hop.reason) == (final.vm, final.source, MoveReason.PARKING)
    assert hop.target == "host-3"
    assert (hop.after, other.after, final.after) == ((), (hop.id,), (other.id,))
    assert other.vm_name in hop.why
    assert final.reason is MoveReason.RULE


def test_the_smaller_vm_of_a_swap_is_parked() -> None:
    small = BIG | {"memory_mib": 50_000.0}
    snap = snapshot([host(1), host(2), host(3)], [vm(1, 1, **BIG), vm(2, 2, **small)])
    assert hops(scheduled(snap, around(snap, 2))) == ["vm-2"]


def test_two_small_vms_are_parked_where_one_does_not_make_enough_room() -> None:
    half = BIG | {"memory_mib": 40_000.0}
    large = BIG | {"memory_mib": 80_000.0}
    spares = [host(n, memory_capacity_mib=50_000.0) for n in (3, 4)]
    snap = snapshot(
        [host(1), host(2), *spares], [vm(1, 1, **large), vm(2, 2, **half), vm(3, 2, **half)]
    )
    schedule = scheduled(snap, [go(snap, 1, 2), go(snap, 2, 1), go(snap, 3, 1)])
    assert sorted(hops(schedule)) == ["vm-2", "vm-3"]
    assert schedule.dropped == ()


@pytest.mark.parametrize(
    "spare",
    [
        pytest.param({"memory_capacity_mib": 50_000.0}, id="too small"),
        pytest.param({"state": HostState.MAINTENANCE}, id="in maintenance"),
        pytest.param({"state": HostState.QUARANTINE}, id="in quarantine"),
        pytest.param({"datastores": frozenset({"other"})}, id="without its datastore"),
        pytest.param({"cpu_vendor": "amd"}, id="of another processor vendor"),
    ],
)
def test_a_host_that_may_not_take_the_vm_is_no_parking_host(spare: dict[str, Any]) -> None:
    snap = ring(2, spares=0)
    hosts = [host(1, cpu_vendor="intel"), host(2, cpu_vendor="intel"), host(3, **spare)]
    vms = [vm(n, n, **BIG, datastores=frozenset({"ours"})) for n in (1, 2)]
    snap = snapshot(hosts, vms)
    schedule = scheduled(snap, around(snap, 2))
    assert schedule.moves == ()
    assert len(schedule.dropped) == 2


@pytest.mark.parametrize(
    "holds",
    [
        pytest.param(Holds(targets={HostId("host-3"): Refusal.of(Reason.IN_FLIGHT)}), id="target"),
        pytest.param(
            Holds(
                pairs={
                    (VmId(f"vm-{n}"), HostId("host-3")): Refusal.of(Reason.SERVER_CHECK)
                    for n in (1, 2)
                }
            ),
            id="pair",
        ),
    ],
)
def test_nothing_is_parked_where_experience_speaks_against_it(holds: Holds) -> None:
    snap = ring(2, spares=1)
    assert scheduled(snap, around(snap, 2), holds=holds).moves == ()


def test_a_hop_goes_where_it_is_no_loss_although_another_host_has_more_room() -> None:
    loaded = BIG | {"cpu_demand_mhz": 4000.0}
    vms = [vm(1, 1, **loaded), vm(2, 2, **loaded), vm(3, 3, cpu_demand_mhz=8000.0)]
    snap = snapshot([host(1), host(2), host(3, memory_capacity_mib=300_000.0), host(4)], vms)
    hop, *_ = scheduled(snap, [go(snap, 1, 2), go(snap, 2, 1)]).moves
    assert (hop.reason, hop.target) == (MoveReason.PARKING, "host-4")


def test_a_hop_keeps_away_from_hosts_that_others_are_waiting_for() -> None:
    roomy = host(3, memory_capacity_mib=300_000.0, datastores=frozenset())
    waiting = vm(3, 4, **BIG | {"memory_mib": 1000.0}, datastores=frozenset({"local"}))
    hosts = [host(1), host(2), roomy, host(4)]
    snap = snapshot(hosts, [vm(1, 1, **BIG), vm(2, 2, **BIG), waiting])
    hop, *_ = scheduled(snap, [*around(snap, 2), go(snap, 3, 3)]).moves
    assert (hop.reason, hop.target) == (MoveReason.PARKING, "host-4")


def test_a_whole_affinity_group_is_parked_together() -> None:
    half = BIG | {"memory_mib": 30_000.0}
    pair = rule("pair", RuleType.AFFINITY, [2, 3])
    snap = snapshot(
        [host(1), host(2), host(3)],
        [vm(1, 1, **BIG), vm(2, 2, **half), vm(3, 2, **half), vm(4, 1)],
        [pair, rule("apart", RuleType.VM_HOST_ANTI_AFFINE, [1], on=[3])],
    )
    schedule = scheduled(snap, [go(snap, 1, 2), go(snap, 2, 1), go(snap, 3, 1)])
    assert sorted(hops(schedule)) == ["vm-2", "vm-3"]
    assert {move.wave for move in schedule.moves if move.reason is MoveReason.PARKING} == {1}


def test_nobody_is_left_on_a_parking_host() -> None:
    """vm-1 may hop away for vm-2, but vm-3 keeps vm-1's place taken for ever."""
    snap = snapshot(
        [host(1), host(2), host(3), host(4)],
        [vm(1, 1, **BIG), vm(2, 2, **BIG), vm(3, 3, **BIG)],
    )
    moves = [go(snap, 1, 3, MoveReason.RULE), go(snap, 2, 1, MoveReason.RULE)]
    schedule = scheduled(snap, moves)
    assert schedule.moves == ()
    assert [refusal.vm for refusal in schedule.dropped] == ["vm-1", "vm-2"]

"""How many migrations run at once: the policy's limits, vCenter's own, and groups that start together."""

from typing import Any

import pytest

from balancer.model.ceilings import host_migrations
from balancer.model.host import HostState, VmotionLink
from balancer.model.plan import Move, MoveReason, Schedule
from balancer.model.rule import RuleType
from balancer.model.snapshot import InFlight
from balancer.model.units import HostId, VmId
from balancer.policy.types import Limits
from tests.support.builders import host, rule, snapshot, vm
from tests.unit.sequence.clock import ended
from tests.unit.sequence.support import go, scheduled

IDLE: dict[str, Any] = {"cpu_demand_mhz": 0.0, "memory_active_mib": 0.0}
NO_LIMIT = Limits(migrations_per_host=999, migrations_per_cluster=999, migrations_per_vcenter=999)


def most_at_once(moves: list[Move]) -> int:
    """Return how many of the moves are expected to run at the busiest instant."""
    starts = [move.start_seconds for move in moves]
    return max(sum(1 for m in moves if m.start_seconds <= at < ended(m) - 1e-6) for at in starts)


@pytest.mark.parametrize(
    ("link_mbps", "most"),
    [(1_000.0, 4), (2_000.0, 4), (10_000.0, 8), (100_000.0, 8)],
)
def test_a_host_runs_no_more_migrations_than_vcenter_lets_its_network_carry(
    link_mbps: float, most: int
) -> None:
    slow = host(0, vmotion=VmotionLink(link_mbps=link_mbps))
    snap = snapshot(
        [slow, *(host(n) for n in range(1, 13))], [vm(n, 0, **IDLE) for n in range(1, 13)]
    )
    schedule = scheduled(snap, [go(snap, n, n) for n in range(1, 13)], NO_LIMIT)
    assert host_migrations(slow) == most
    assert most_at_once(list(schedule.moves)) == most
    assert [sum(1 for m in schedule.moves if m.wave == w) for w in (1, 2)] == [
        most,
        min(most, 12 - most),
    ]


def test_a_datastore_carries_no_more_migrations_than_vcenter_lets_it() -> None:
    count = 36
    vms = [
        vm(100 * n + k, n, **IDLE, datastores=frozenset({"shared"}))
        for n in range(count)
        for k in range(4)
    ]
    snap = snapshot([host(n) for n in range(count)], vms)
    moves = [
        go(snap, 100 * n + k, (n + 1) % count, MoveReason.RULE)
        for n in range(count)
        for k in range(4)
    ]
    schedule = scheduled(snap, moves, NO_LIMIT)
    assert len(schedule.moves) == 144
    assert most_at_once(list(schedule.moves)) == 128


def test_the_datastore_counts_the_migrations_of_others_too() -> None:
    count = 36
    shared = {"datastores": frozenset({"shared"})}
    vms = [vm(100 * n + k, n, **IDLE, **shared) for n in range(count) for k in range(4)]
    snap = snapshot([host(n) for n in range(count)], vms)
    flights = tuple(
        InFlight(
            vm=VmId(f"vm-{100 * n + 3}"),
            source=HostId(f"host-{n}"),
            target=HostId(f"host-{(n + 18) % count}"),
        )
        for n in range(count)
    )
    snap = snapshot(snap.hosts, snap.vms, in_flight=flights)
    moves = [
        go(snap, 100 * n + k, (n + 1) % count, MoveReason.RULE)
        for n in range(count)
        for k in range(3)
    ]
    schedule = scheduled(snap, moves, NO_LIMIT)
    at_once = [move for move in schedule.moves if move.start_seconds == 0.0]
    assert len(at_once) == 128 - count


def group_of(schedule: Schedule, *numbers: int) -> list[Move]:
    return [move for move in schedule.moves if move.vm in {f"vm-{n}" for n in numbers}]


def test_a_group_that_stays_together_starts_at_one_instant() -> None:
    together = rule("together", RuleType.AFFINITY, [1, 2])
    vms = [vm(1, 0, **IDLE), vm(2, 0, **IDLE), *(vm(n, 0, **IDLE) for n in (3, 4, 5))]
    snap = snapshot([host(n) for n in range(6)], vms, [together])
    moves = [go(snap, n, max(n, 2)) for n in (1, 2, 3, 4, 5)]
    schedule = scheduled(snap, moves, Limits(migrations_per_host=2))
    assert len({move.start_seconds for move in group_of(schedule, 1, 2)}) == 1


def test_a_large_group_takes_turns_and_lets_nothing_pass_before_it_is_complete() -> None:
    together = rule("together", RuleType.AFFINITY, range(1, 6))
    vms = [vm(n, 0, **IDLE) for n in range(1, 6)] + [vm(9, 0, **IDLE)]
    snap = snapshot([host(n) for n in range(3)], vms, [together])
    group = [go(snap, n, 1, MoveReason.RULE) for n in range(1, 6)]
    limits = Limits(migrations_per_host=2, migrations_per_cluster=4)
    schedule = scheduled(snap, [*group, go(snap, 9, 2)], limits)
    [other] = group_of(schedule, 9)
    starts = [move.start_seconds for move in group_of(schedule, 1, 2, 3, 4, 5)]
    assert len(set(starts)) == 3
    assert other.start_seconds >= max(starts)


def test_single_moves_do_not_starve_a_more_urgent_group_of_its_slots() -> None:
    """The group waits for vm-9 to leave host-1; meanwhile others hold the two slots of host-0."""
    together = rule("together", RuleType.AFFINITY, [1, 2])
    vms = [vm(1, 0, **IDLE, memory_mib=20_000.0), vm(2, 0, **IDLE)]
    vms += [vm(n, 0, **IDLE, memory_mib=8_000.0 + 500.0 * n) for n in range(3, 9)]
    vms.append(vm(9, 1, **IDLE, memory_mib=8_000.0))
    hosts = [host(n) for n in range(10)]
    hosts[1] = host(1, memory_capacity_mib=30_000.0)
    snap = snapshot(hosts, vms, [together])
    moves = [go(snap, n, 1, MoveReason.RULE) for n in (1, 2)]
    moves += [go(snap, 9, 9, MoveReason.RULE), *(go(snap, n, n - 1) for n in range(3, 9))]
    limits = Limits(migrations_per_host=2, migrations_per_cluster=8)
    schedule = scheduled(snap, moves, limits)
    group_at = group_of(schedule, 1)[0].start_seconds
    room_at = ended(group_of(schedule, 9)[0])
    starts = [move.start_seconds for move in group_of(schedule, *range(3, 9))]
    assert not [at for at in starts if room_at <= at < group_at]
    assert max(starts) > group_at


def test_a_mandatory_move_does_not_strain_a_cpu_before_an_optional_one_that_comes_first_there() -> (
    None
):
    """vm-4 has the second slot when vm-1 could go already, although the waves have vm-3 before both."""
    apart = rule("apart", RuleType.ANTI_AFFINITY, [1, 2])
    vms = [
        vm(1, 1, **IDLE | {"cpu_demand_mhz": 15_000.0}),
        vm(2, 3, **IDLE),
        vm(3, 2, **IDLE | {"cpu_demand_mhz": 6_000.0}),
        vm(4, 5, **IDLE, memory_mib=60_000.0),
        vm(5, 2, **IDLE | {"cpu_demand_mhz": 9_000.0}),
    ]
    leaving = host(1, state=HostState.ENTERING_MAINTENANCE)
    snap = snapshot([leaving, *(host(n) for n in range(2, 7))], vms, [apart])
    moves = [
        go(snap, 1, 3, MoveReason.EVACUATE),
        go(snap, 2, 4, MoveReason.MAKE_ROOM),
        go(snap, 3, 3, gain=0.02),
        go(snap, 4, 6, gain=1e-6),
    ]
    schedule = scheduled(snap, moves, Limits(migrations_per_cluster=2))
    start_of = {move.vm: move.start_seconds for move in schedule.moves}
    assert start_of["vm-4"] == 0.0 < start_of["vm-3"] <= start_of["vm-1"]

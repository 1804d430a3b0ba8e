"""The order of moves where a rule lets so many VMs share a host or a domain: places are waited for like room."""

from typing import Any

from balancer.model.duration import vmotion_seconds
from balancer.model.plan import MoveReason
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Snapshot
from tests.support.builders import host, rule, snapshot, vm
from tests.unit.sequence.support import go, scheduled

IDLE: dict[str, Any] = {"cpu_demand_mhz": 0.0, "memory_active_mib": 0.0}
RACKS = [[1, 2], [3, 4]]


def cluster(one: Rule, *stand: int) -> Snapshot:
    """Return five hosts, with vm-1 on the first of those given, vm-2 on the second and so on."""
    vms = [vm(number, at, **IDLE) for number, at in enumerate(stand, start=1)]
    return snapshot([host(number) for number in range(1, 6)], vms, [one])


def apart(count: int, **facts: Any) -> Rule:
    return rule("apart", RuleType.ANTI_AFFINITY, range(1, count + 1), **facts)


def test_an_arrival_waits_for_one_departure_and_not_for_all() -> None:
    snap = cluster(apart(4, most=2), 1, 2, 2, 3)
    moves = [go(snap, 1, 2), go(snap, 2, 4), go(snap, 3, 5)]
    schedule = scheduled(snap, moves)
    by_vm = {move.vm: move for move in schedule.moves}
    assert by_vm["vm-1"].wave == 2
    assert len(by_vm["vm-1"].after) == 1
    assert set(by_vm["vm-1"].after) < {by_vm["vm-2"].id, by_vm["vm-3"].id}


def test_as_many_as_there_are_places_for_arrive_at_once() -> None:
    snap = cluster(apart(4, most=2), 1, 1, 3, 3)
    schedule = scheduled(snap, [go(snap, 1, 2), go(snap, 3, 2)])
    assert [(move.wave, move.after) for move in schedule.moves] == [(1, ()), (1, ())]


def test_a_departure_from_another_host_of_the_domain_is_waited_for() -> None:
    snap = cluster(apart(2, domains=RACKS), 1, 3)
    first, second = scheduled(snap, [go(snap, 1, 4), go(snap, 2, 5)]).moves
    assert (first.vm, second.vm) == ("vm-2", "vm-1")
    assert second.after == (first.id,)


def test_a_move_within_a_domain_waits_for_nobody_and_frees_no_place() -> None:
    snap = cluster(apart(3, most=2, domains=RACKS), 3, 3, 1)
    inside = scheduled(snap, [go(snap, 1, 4)]).moves
    assert [(move.wave, move.after) for move in inside] == [(1, ())]
    late = scheduled(snap, [go(snap, 1, 4), go(snap, 2, 5), go(snap, 3, 3)])
    by_vm = {move.vm: move for move in late.moves}
    assert by_vm["vm-3"].after == (by_vm["vm-2"].id,)
    assert by_vm["vm-1"].wave == 1


def test_mates_that_exchange_full_racks_park_in_none() -> None:
    snap = cluster(apart(2, domains=RACKS), 1, 3)
    schedule = scheduled(snap, [go(snap, 1, 3), go(snap, 2, 1)])
    assert schedule.moves[0].reason is MoveReason.PARKING
    assert schedule.moves[0].target == "host-5"
    assert len(schedule.moves) == 3


def test_a_group_larger_than_its_domains_is_spread_one_by_one() -> None:
    snap = cluster(apart(7, most=1, domains=[[1, 2], [3, 4, 5]]), 1, 1, 1, 2, 2, 2, 3)
    moves = [go(snap, number, 4, MoveReason.RULE) for number in (1, 2)]
    first, second = scheduled(snap, moves).moves
    assert (first.wave, second.wave) == (1, 2)
    assert second.after == (first.id,)


def test_the_time_of_a_chain_over_places_is_proven() -> None:
    snap = cluster(apart(3, most=2, domains=RACKS), 1, 3, 4)
    schedule = scheduled(snap, [go(snap, 1, 3), go(snap, 2, 5)])
    each_s = vmotion_seconds(host(1), host(2), 4096.0)
    assert schedule.makespan_seconds >= 2 * each_s - 0.02
    assert schedule.makespan_bound_seconds >= 2 * each_s - 0.02
    assert schedule.is_proven

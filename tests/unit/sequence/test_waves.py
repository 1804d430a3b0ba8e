"""What may share a wave, what comes first, and that no prefix of waves is worse than the start."""

from typing import Any

import pytest

from balancer.model.host import HostState
from balancer.model.need import Holds
from balancer.model.plan import Draft, MoveReason, Schedule
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import RuleType
from balancer.model.snapshot import InFlight, Snapshot
from balancer.model.units import HostId, VmId
from balancer.policy.types import Limits, Policy, Thresholds
from balancer.sequence import make_schedule
from balancer.sequence.origin import Origin
from balancer.sequence.units import units_of
from balancer.sequence.yard import Yard
from tests.support.builders import host, rule, snapshot, vm
from tests.unit.sequence.support import WIDE, go, need_of, scheduled

IDLE: dict[str, Any] = {"cpu_demand_mhz": 0.0, "memory_active_mib": 0.0}


def waves(schedule: Schedule) -> list[list[str]]:
    """Return the VMs of each wave."""
    count = max((move.wave for move in schedule.moves), default=0)
    return [
        sorted(m.vm for m in schedule.moves if m.wave == number) for number in range(1, count + 1)
    ]


def spread_out(count: int, targets: int, **facts: Any) -> Snapshot:
    """Return `count` idle VMs on host-0 and empty hosts 1 to `targets`."""
    hosts = [host(n) for n in range(targets + 1)]
    return snapshot(hosts, [vm(n, 0, **IDLE) for n in range(1, count + 1)], **facts)


def test_without_moves_there_is_nothing_to_order() -> None:
    snap = spread_out(1, 1)
    assert make_schedule(need_of(snap), Policy(), Draft(moves=())) == Schedule(moves=())


def test_a_host_takes_part_in_no_more_migrations_than_its_limit() -> None:
    snap = spread_out(4, 4)
    limits = Limits(migrations_per_host=2, migrations_per_cluster=16)
    schedule = scheduled(snap, [go(snap, n, n) for n in range(1, 5)], limits)
    assert [len(wave) for wave in waves(schedule)] == [2, 2]


def test_the_cluster_runs_no_more_migrations_than_its_limit() -> None:
    hosts = [host(n) for n in range(1, 11)]
    snap = snapshot(hosts, [vm(n, n, **IDLE) for n in range(1, 6)])
    schedule = scheduled(snap, [go(snap, n, n + 5) for n in range(1, 6)], Limits())
    assert [len(wave) for wave in waves(schedule)] == [4, 1]


def test_the_limit_of_the_vcenter_holds_where_it_is_lower() -> None:
    hosts = [host(n) for n in range(1, 11)]
    snap = snapshot(hosts, [vm(n, n, **IDLE) for n in range(1, 6)])
    limits = Limits(migrations_per_cluster=9, migrations_per_vcenter=3)
    schedule = scheduled(snap, [go(snap, n, n + 5) for n in range(1, 6)], limits)
    assert [len(wave) for wave in waves(schedule)] == [3, 2]


def in_flight(*numbers: int) -> tuple[InFlight, ...]:
    return tuple(
        InFlight(vm=VmId(f"vm-{n}"), source=HostId("host-0"), target=HostId("host-9"))
        for n in numbers
    )


def test_migrations_that_run_already_hold_their_slots() -> None:
    hosts = [host(n) for n in (0, 1, 2, 9)]
    snap = snapshot(hosts, [vm(n, 0, **IDLE) for n in (1, 2, 3)], in_flight=in_flight(3))
    schedule = scheduled(snap, [go(snap, 1, 1), go(snap, 2, 2)], Limits(migrations_per_host=2))
    assert [len(wave) for wave in waves(schedule)] == [1, 1]


def test_moves_wait_for_running_migrations_that_hold_every_slot() -> None:
    hosts = [host(n) for n in (0, 1, 9)]
    snap = snapshot(hosts, [vm(n, 0, **IDLE) for n in (1, 2, 3)], in_flight=in_flight(2, 3))
    [move] = scheduled(snap, [go(snap, 1, 1)], Limits(migrations_per_host=2)).moves
    assert move.start_seconds > 0


@pytest.mark.parametrize(("flying_mib", "expected"), [(36_000.0, 1), (36_001.0, 0)])
def test_memory_of_running_migrations_counts_on_their_target(
    flying_mib: float, expected: int
) -> None:
    sizes = {1: 60_000.0, 2: flying_mib}
    vms = [vm(n, 0, **IDLE, memory_mib=size) for n, size in sizes.items()]
    snap = snapshot([host(0), host(9)], vms, in_flight=in_flight(2))
    assert len(scheduled(snap, [go(snap, 1, 9)]).moves) == expected


def test_a_vm_that_is_on_its_way_is_dropped() -> None:
    snap = snapshot([host(0), host(1), host(9)], [vm(1, 0)], in_flight=in_flight(1))
    [refusal] = scheduled(snap, [go(snap, 1, 1)]).dropped
    assert "on its way" in refusal.detail


def test_a_pinned_vm_is_dropped() -> None:
    snap = spread_out(2, 2)
    pinned = Holds(pinned={VmId("vm-1"): Refusal.of(Reason.IN_FLIGHT, "its move is unknown")})
    schedule = scheduled(snap, [go(snap, 1, 1), go(snap, 2, 2)], holds=pinned)
    assert [move.vm for move in schedule.moves] == ["vm-2"]
    assert "its move is unknown" in schedule.dropped[0].detail


def test_an_arrival_is_counted_before_the_departure_of_the_same_wave() -> None:
    big = IDLE | {"memory_mib": 60_000.0}
    snap = snapshot([host(1), host(2), host(3)], [vm(1, 1, **big), vm(2, 2, **big)])
    schedule = scheduled(snap, [go(snap, 1, 2), go(snap, 2, 3)])
    assert waves(schedule) == [["vm-2"], ["vm-1"]]


def test_a_host_above_its_ceiling_may_give_and_takes_only_when_it_is_below() -> None:
    sizes = {1: 5_000.0, 2: 45_000.0, 3: 50_000.0}
    vms = [vm(n, 1, **IDLE, memory_mib=size) for n, size in sizes.items()]
    vms.append(vm(4, 2, **IDLE, memory_mib=44_500.0))
    snap = snapshot([host(n) for n in (1, 2, 3, 4)], vms)
    schedule = scheduled(snap, [go(snap, 1, 3), go(snap, 2, 4), go(snap, 4, 1)])
    assert waves(schedule) == [["vm-1", "vm-2"], ["vm-4"]]
    assert schedule.moves[2].after == ("m1", "m2")


@pytest.mark.parametrize(
    ("facts", "target_facts"),
    [
        pytest.param({"cpu_reservation_mhz": 12_000.0}, {}, id="CPU reservation"),
        pytest.param({"memory_mib": 50_000.0}, {}, id="memory ceiling"),
        pytest.param({}, {"max_running_vms": 1}, id="number of VMs"),
        pytest.param({"cpu_demand_mhz": 12_000.0}, {}, id="CPU ceiling"),
    ],
)
def test_a_move_waits_for_the_departure_whose_room_it_needs(
    facts: dict[str, Any], target_facts: dict[str, Any]
) -> None:
    vms = [vm(n, n, **({**IDLE, **facts})) for n in (1, 2)]
    snap = snapshot([host(1), host(2, **target_facts), host(3)], vms)
    first, second = scheduled(snap, [go(snap, 1, 2), go(snap, 2, 3)]).moves
    assert (first.vm, second.vm) == ("vm-2", "vm-1")
    assert second.after == (first.id,)


def test_a_reservation_of_memory_needs_room_even_where_the_ceiling_allows_overcommitment() -> None:
    facts = IDLE | {"memory_mib": 60_000.0, "memory_reservation_mib": 60_000.0}
    snap = snapshot([host(1), host(2), host(3)], [vm(n, n, **facts) for n in (1, 2)])
    policy = {"thresholds": Thresholds(memory_ceiling=1.5)}
    first, second = scheduled(snap, [go(snap, 1, 2), go(snap, 2, 3)], policy=policy).moves
    assert (first.vm, second.vm) == ("vm-2", "vm-1")
    assert second.after == (first.id,)


def test_an_optional_move_does_not_take_the_room_that_a_mandatory_one_waits_for() -> None:
    """vm-1 waits for its mate vm-5 to leave; if vm-4 took its place meanwhile, vm-2 and vm-1 were stuck."""
    apart = rule("apart", RuleType.ANTI_AFFINITY, [1, 5])
    sizes = {1: 45_000.0, 2: 40_000.0, 3: 46_000.0, 4: 45_000.0, 5: 4_000.0}
    on = {1: 2, 2: 3, 3: 2, 4: 4, 5: 3}
    hosts = [host(2), host(3), host(4, state=HostState.QUARANTINE)]
    hosts.append(host(5, memory_capacity_mib=5_000.0))
    snap = snapshot(hosts, [vm(n, on[n], **IDLE, memory_mib=sizes[n]) for n in sizes], [apart])
    moves = [go(snap, vm, to, MoveReason.RULE) for vm, to in ((1, 3), (2, 2), (5, 5))]
    schedule = scheduled(snap, [*moves, go(snap, 4, 3)])
    assert schedule.dropped == ()
    assert [move.vm for move in schedule.moves] == ["vm-5", "vm-1", "vm-2", "vm-4"]


def test_a_mandatory_move_may_pass_the_cpu_ceiling_and_waits_for_nobody() -> None:
    vms = [vm(1, 1, cpu_demand_mhz=12_000.0), vm(2, 2, cpu_demand_mhz=12_000.0)]
    snap = snapshot([host(1, state=HostState.ENTERING_MAINTENANCE), host(2), host(3)], vms)
    schedule = scheduled(snap, [go(snap, 1, 2, MoveReason.EVACUATE), go(snap, 2, 3)])
    assert waves(schedule) == [["vm-1", "vm-2"]]
    assert [move.after for move in schedule.moves] == [(), ()]


def test_an_optional_arrival_is_not_overrun_by_a_mandatory_one_in_its_wave() -> None:
    vms = [vm(1, 1, cpu_demand_mhz=12_000.0), vm(2, 2, cpu_demand_mhz=12_000.0)]
    snap = snapshot([host(1, state=HostState.ENTERING_MAINTENANCE), host(2), host(3)], vms)
    yard = Yard(Origin(need_of(snap), Policy()))
    forced, optional = units_of(
        yard.ground, [go(snap, 1, 3, MoveReason.EVACUATE), go(snap, 2, 3, MoveReason.CONTENTION)]
    )
    assert yard.begin(optional) is None
    refusal = yard.begin(forced)
    assert refusal is not None
    assert refusal.reason is Reason.CPU_CEILING
    yard.end_wave()
    assert yard.begin(forced) is None


def test_the_optional_member_of_a_mandatory_group_is_not_overrun_either() -> None:
    together = rule("together", RuleType.AFFINITY, [2, 3])
    vms = [vm(1, 1, cpu_demand_mhz=12_000.0), vm(2, 2, cpu_demand_mhz=12_000.0), vm(3, 2, **IDLE)]
    hosts = [host(1, state=HostState.ENTERING_MAINTENANCE), host(2), host(3)]
    snap = snapshot(hosts, vms, [together])
    moves = [go(snap, 1, 3, MoveReason.EVACUATE), go(snap, 2, 3), go(snap, 3, 3, MoveReason.RULE)]
    yard = Yard(Origin(need_of(snap), Policy(limits=WIDE)))
    forced, group = units_of(yard.ground, moves)
    assert yard.begin(group) is None
    refusal = yard.begin(forced)
    assert refusal is not None
    assert (refusal.reason, refusal.vm) == (Reason.CPU_CEILING, "vm-2")


def test_a_vm_arrives_only_after_its_anti_affinity_mate_has_left() -> None:
    apart = rule("apart", RuleType.ANTI_AFFINITY, [1, 2])
    snap = snapshot([host(1), host(2), host(3)], [vm(1, 1, **IDLE), vm(2, 2, **IDLE)], [apart])
    first, second = scheduled(snap, [go(snap, 1, 2), go(snap, 2, 3)]).moves
    assert (first.vm, second.vm) == ("vm-2", "vm-1")
    assert second.after == (first.id,)


def test_mates_that_exchange_hosts_meet_nowhere() -> None:
    apart = rule("apart", RuleType.ANTI_AFFINITY, [1, 2])
    snap = snapshot([host(1), host(2), host(3)], [vm(1, 1, **IDLE), vm(2, 2, **IDLE)], [apart])
    schedule = scheduled(snap, [go(snap, 1, 2), go(snap, 2, 1)])
    assert schedule.moves[0].reason is MoveReason.PARKING
    assert len(schedule.moves) == 3


def test_an_anti_affinity_group_larger_than_its_hosts_is_spread_one_by_one() -> None:
    apart = rule("apart", RuleType.ANTI_AFFINITY, [1, 2, 3, 4])
    vms = [vm(n, 1, **IDLE) for n in (1, 2, 3, 4)]
    snap = snapshot([host(1), host(2)], vms, [apart])
    moves = [go(snap, 3, 2, MoveReason.RULE), go(snap, 4, 2, MoveReason.RULE)]
    first, second = scheduled(snap, moves).moves
    assert (first.wave, second.wave) == (1, 2)
    assert second.after == (first.id,)


def test_an_affinity_group_moves_in_one_wave() -> None:
    together = rule("together", RuleType.AFFINITY, [2, 5])
    snap = snapshot(
        [host(n) for n in range(7)], [vm(n, 0, **IDLE) for n in range(1, 6)], [together]
    )
    moves = [go(snap, n, n if n != 5 else 2, gain=0.01 / n) for n in range(1, 6)]
    schedule = scheduled(snap, moves, Limits(migrations_per_host=2, migrations_per_cluster=4))
    assert ["vm-2", "vm-5"] in waves(schedule)


def test_the_whole_affinity_group_waits_for_what_one_member_waits_for() -> None:
    together = rule("together", RuleType.AFFINITY, [2, 3])
    big = IDLE | {"memory_mib": 90_000.0}
    vms = [vm(1, 1, **big), vm(2, 2, **IDLE), vm(3, 2, **IDLE)]
    snap = snapshot([host(1), host(2), host(3)], vms, [together])
    schedule = scheduled(snap, [go(snap, 1, 3), go(snap, 2, 1), go(snap, 3, 1)])
    assert waves(schedule) == [["vm-1"], ["vm-2", "vm-3"]]
    assert [move.after for move in schedule.moves] == [(), ("m1",), ("m1",)]


@pytest.mark.parametrize(
    "limits", [Limits(), Limits(migrations_per_host=9, migrations_per_cluster=4)]
)
def test_an_affinity_group_above_the_limits_has_a_wave_of_its_own(limits: Limits) -> None:
    together = rule("together", RuleType.AFFINITY, range(1, 6))
    vms = [vm(n, 1, **IDLE) for n in range(1, 6)] + [vm(9, 2, **IDLE)]
    snap = snapshot([host(1), host(2), host(3), host(4)], vms, [together])
    group = [go(snap, n, 3, MoveReason.RULE) for n in range(1, 6)]
    schedule = scheduled(snap, [*group, go(snap, 9, 4)], limits)
    assert waves(schedule) == [[f"vm-{n}" for n in range(1, 6)], ["vm-9"]]


def test_an_affinity_group_is_dropped_as_a_whole() -> None:
    together = rule("together", RuleType.AFFINITY, [1, 2])
    vms = [vm(1, 1, **IDLE), vm(2, 1, **IDLE, datastores=frozenset({"local"}))]
    snap = snapshot([host(1), host(2, datastores=frozenset())], vms, [together])
    schedule = scheduled(snap, [go(snap, 1, 2), go(snap, 2, 2)])
    assert schedule.moves == ()
    assert "moves together with vm2" in schedule.dropped[0].detail
    assert "not on the target: local [datastore]" in schedule.dropped[0].detail


def test_mandatory_moves_come_before_relief_and_relief_before_levelling() -> None:
    hosts = [host(1, state=HostState.ENTERING_MAINTENANCE), host(2), host(3), host(4)]
    vms = [vm(1, 1, **IDLE), vm(2, 2, **IDLE), vm(3, 3, **IDLE)]
    snap = snapshot(hosts, vms)
    moves = [
        go(snap, 3, 4, MoveReason.BALANCE, gain=9.0),
        go(snap, 2, 4, MoveReason.CONTENTION, gain=0.1),
        go(snap, 1, 4, MoveReason.EVACUATE, gain=0.0),
    ]
    schedule = scheduled(snap, moves, Limits(migrations_per_cluster=1))
    assert [move.vm for move in schedule.moves] == ["vm-1", "vm-2", "vm-3"]


def test_among_load_moves_the_best_gain_per_second_comes_first() -> None:
    vms = [vm(n, n, **IDLE, memory_mib=size) for n, size in ((1, 40_000.0), (2, 4_000.0))]
    snap = snapshot([host(1), host(2), host(3)], vms)
    moves = [go(snap, 1, 3, gain=0.02), go(snap, 2, 3, gain=0.01)]
    schedule = scheduled(snap, moves, Limits(migrations_per_cluster=1))
    assert [move.vm for move in schedule.moves] == ["vm-2", "vm-1"]


def test_among_mandatory_moves_the_host_with_most_before_it_comes_first() -> None:
    leaving = {"state": HostState.ENTERING_MAINTENANCE}
    hosts = [host(1, **leaving), host(2, **leaving), *(host(n) for n in range(3, 8))]
    snap = snapshot(hosts, [vm(1, 1, **IDLE), *(vm(n, 2, **IDLE) for n in (2, 3, 4))])
    moves = [go(snap, n, n + 2, MoveReason.EVACUATE) for n in (1, 2, 3, 4)]
    schedule = scheduled(snap, moves, Limits(migrations_per_cluster=1))
    assert [move.source for move in schedule.moves][:2] == ["host-2", "host-2"]


def test_a_move_that_would_be_a_loss_waits_until_others_have_gained_more() -> None:
    """vm-1 alone makes host-3 the fullest; after vm-2 has left host-3 it does not."""
    vms = [vm(1, 1, cpu_demand_mhz=4000.0), vm(2, 3, cpu_demand_mhz=9000.0)]
    vms += [vm(3, 3, cpu_demand_mhz=3000.0), vm(4, 1, cpu_demand_mhz=1000.0)]
    snap = snapshot([host(1), host(2), host(3)], vms)
    moves = [go(snap, 1, 3, gain=9.0), go(snap, 2, 2, gain=0.001)]
    schedule = scheduled(snap, moves, Limits(migrations_per_cluster=1))
    assert [move.vm for move in schedule.moves] == ["vm-2", "vm-1"]


def test_moves_that_only_together_are_no_loss_share_a_wave() -> None:
    sizes, on = {1: 6000.0, 2: 5000.0, 3: 5000.0, 4: 2000.0}, {1: 1, 2: 2, 3: 1, 4: 2}
    snap = snapshot([host(1), host(2)], [vm(n, on[n], cpu_demand_mhz=sizes[n]) for n in sizes])
    moves = [go(snap, 1, 2), go(snap, 2, 1)]
    assert [scheduled(snap, [move]).moves for move in moves] == [(), ()]
    assert waves(scheduled(snap, moves)) == [["vm-1", "vm-2"]]


def test_a_plan_that_only_makes_things_worse_is_dropped_and_says_so() -> None:
    snap = snapshot([host(1), host(2)], [vm(1, 1), vm(2, 2)])
    schedule = scheduled(snap, [go(snap, 1, 2)])
    assert schedule.moves == ()
    assert "worse than at the start" in schedule.dropped[0].detail


def test_an_evacuation_may_cost_balance() -> None:
    hosts = [host(1, state=HostState.ENTERING_MAINTENANCE), host(2), host(3)]
    snap = snapshot(hosts, [vm(1, 1, cpu_demand_mhz=9000.0), vm(2, 2), vm(3, 3)])
    assert len(scheduled(snap, [go(snap, 1, 2, MoveReason.EVACUATE)]).moves) == 1


def test_a_large_vm_is_not_locked_out_by_a_small_one_that_may_wait() -> None:
    """vm-1 first would leave no room on host-1 for vm-2, and vm-3 needs vm-2's place."""
    sizes, on = {1: 8_000.0, 2: 46_000.0, 3: 46_000.0, 4: 54_000.0, 5: 38_000.0}, [3, 3, 1, 2, 3]
    vms = [vm(n, on[n - 1], **IDLE, memory_mib=size) for n, size in sizes.items()]
    snap = snapshot([host(1), host(2), host(3)], vms)
    schedule = scheduled(snap, [go(snap, 1, 1), go(snap, 2, 1), go(snap, 3, 3)])
    assert schedule.dropped == ()
    assert [move.vm for move in schedule.moves] == ["vm-2", "vm-3", "vm-1"]


def test_room_is_not_made_for_what_cannot_be_reached() -> None:
    """vm-2 leaves host-2 for vm-1, which host-2 does not take for another reason."""
    big = {"memory_mib": 60_000.0}
    hosts = [host(1, state=HostState.ENTERING_MAINTENANCE), host(2, networks=frozenset()), host(3)]
    vms = [vm(1, 1, **big, networks=frozenset({"lan"})), vm(2, 2, **big), vm(3, 1, **IDLE)]
    snap = snapshot(hosts, vms)
    moves = [
        go(snap, 1, 2, MoveReason.EVACUATE),
        go(snap, 2, 3, MoveReason.MAKE_ROOM),
        go(snap, 3, 3, MoveReason.EVACUATE),
    ]
    schedule = scheduled(snap, moves)
    assert [move.vm for move in schedule.moves] == ["vm-3"]
    assert "only makes room" in schedule.dropped[1].detail


def test_a_draft_that_does_not_fit_the_snapshot_is_an_error() -> None:
    snap = spread_out(2, 2)
    move = go(snap, 1, 1)
    for moves in ((move, move), (go(spread_out(3, 3), 3, 1),)):
        with pytest.raises(ValueError, match="vm-"):
            make_schedule(need_of(snap), Policy(), Draft(moves=moves))


def test_room_for_an_evacuation_is_made_although_it_costs_balance_for_a_while() -> None:
    big, small = {"memory_mib": 60_000.0}, {"memory_mib": 50_000.0, "cpu_demand_mhz": 9_000.0}
    hosts = [host(1, state=HostState.ENTERING_MAINTENANCE), host(2), host(3)]
    snap = snapshot(hosts, [vm(1, 1, **big), vm(2, 2, **small), vm(3, 3, memory_mib=20_000.0)])
    moves = [
        go(snap, 1, 2, reason=MoveReason.EVACUATE),
        go(snap, 2, 3, reason=MoveReason.MAKE_ROOM),
    ]

    schedule = scheduled(snap, moves)

    assert schedule.dropped == ()
    assert [(move.vm, move.wave) for move in schedule.moves] == [("vm-2", 1), ("vm-1", 2)]

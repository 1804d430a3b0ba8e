"""What a dropped move leaves of an emptied host: nothing, or all of it."""

from balancer.model.plan import Draft, Move, MoveReason, ProposedMove
from balancer.model.snapshot import InFlight
from balancer.model.units import HostId, VmId
from balancer.plan.verify import verify
from balancer.policy.types import Goals, Policy
from balancer.rules.consolidation import half_emptied, strained
from balancer.sequence import make_schedule
from tests.support.builders import host, snapshot, vm
from tests.support.stages import need_with
from tests.unit.execute.stage import move

POLICY = Policy(goals=Goals(consolidation=True))


def off(number: int, source: int, target: int) -> ProposedMove:
    return ProposedMove(
        vm=VmId(f"vm-{number}"),
        source=HostId(f"host-{source}"),
        target=HostId(f"host-{target}"),
        reason=MoveReason.CONSOLIDATE,
        why="as the test says",
    )


def test_a_host_that_can_be_emptied_is() -> None:
    snap = snapshot([host(1), host(2)], [vm(1, on=1), vm(2, on=1), vm(3, on=2)])
    need = need_with(snap, POLICY, {})
    schedule = make_schedule(need, POLICY, Draft(moves=(off(1, 1, 2), off(2, 1, 2))))
    assert len(schedule.moves) == 2
    assert verify(need, POLICY, schedule.moves) == ()


def test_where_one_move_is_impossible_the_others_off_the_host_are_given_up() -> None:
    large = vm(2, on=1, memory_mib=90_000.0)
    vms = [vm(1, on=1), large, vm(3, on=2, memory_mib=20_000.0), vm(4, on=3)]
    need = need_with(snapshot([host(1), host(2), host(3)], vms), POLICY, {})
    moves = (off(1, 1, 2), off(2, 1, 2), off(4, 3, 2))
    schedule = make_schedule(need, POLICY, Draft(moves=moves))
    assert [move.vm for move in schedule.moves] == ["vm-4"]
    assert {refusal.vm for refusal in schedule.dropped} == {"vm-1", "vm-2"}
    assert verify(need, POLICY, schedule.moves) == ()


def test_a_host_on_which_a_migration_is_about_to_arrive_is_not_emptied() -> None:
    flight = InFlight(vm=VmId("vm-2"), source=HostId("host-2"), target=HostId("host-1"))
    snap = snapshot([host(1), host(2)], [vm(1, on=1), vm(2, on=2)], in_flight=(flight,))
    need = need_with(snap, POLICY, {})
    assert make_schedule(need, POLICY, Draft(moves=(off(1, 1, 2),))).moves == ()


def made(number: int, source: int, target: int) -> Move:
    return move(number, source, target, reason=MoveReason.CONSOLIDATE)


def test_the_check_finds_half_an_emptied_host() -> None:
    snap = snapshot([host(1), host(2)], [vm(1, on=1), vm(2, on=1), vm(3, on=2)])
    need = need_with(snap, POLICY, {})
    assert half_emptied(need, POLICY, [made(1, 1, 2)]) == ("host-1",)
    assert half_emptied(need, POLICY, [made(1, 1, 2), made(2, 1, 2)]) == ()
    assert "leaves VMs on it" in verify(need, POLICY, [made(1, 1, 2)])[0]


def test_the_check_finds_a_host_that_is_brought_above_its_threshold() -> None:
    hot = {"cpu_demand_mhz": 9_000.0}
    snap = snapshot([host(1), host(2)], [vm(1, on=1, **hot), vm(2, on=2, **hot)])
    assert strained(need_with(snap, POLICY, {}), POLICY, [made(1, 1, 2)]) == ("host-2",)


def test_the_check_finds_emptying_that_nobody_asked_for() -> None:
    snap = snapshot([host(1), host(2)], [vm(1, on=1), vm(2, on=2, cpu_demand_mhz=0.0)])
    vms = [*snap.vms, vm(3, on=1)]
    need = need_with(snapshot(snap.hosts, vms), Policy(), {})
    levelling = [made(1, 1, 2)]
    assert any("does not empty hosts" in one for one in verify(need, Policy(), levelling))

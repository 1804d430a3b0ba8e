"""Room is made by pushing smaller VMs aside, in turns that can be made one after the other, without the solver."""

from dataclasses import replace

import numpy as np
import pytest

from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.model.host import HostState
from balancer.model.plan import Draft, IncidentKind, MoveReason
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import VmId
from balancer.plan import PlanSettings, make_draft
from balancer.plan.desk import Note
from balancer.plan.eject_board import set_up
from balancer.plan.mandatory import fulfil
from balancer.plan.repair import repair
from balancer.policy.types import Goals, Policy
from balancer.solver import Failure, Reply, Solver
from tests.support.builders import host, rule, snapshot, vm
from tests.support.solvers import Scripted
from tests.support.stairs import CAPACITY_MIB, stairs
from tests.unit.plan.support import desk_of, moves_of, need_of

MANDATORY = replace(Policy(), goals=Goals(contention=False, balance=False))


def drafted(snap: Snapshot, **holds: object) -> tuple[Draft, int]:
    """Return the draft that is made while the solver fails, and how often it was asked."""
    broken = Scripted(lambda _: Failure(kind=IncidentKind.CRASHED, detail="gone"))
    settings = PlanSettings(open_solver=lambda: broken)
    draft = make_draft(need_of(snap, MANDATORY, **holds), MANDATORY, settings)
    return draft, len(broken.tasks)


def cluster(
    *contents: dict[int, float], rules: tuple[Rule, ...] = (), shunned: int | None = None
) -> Snapshot:
    """Return hosts that hold VMs of these MiB, by number; the first is to be emptied, `shunned` in quarantine."""
    hosts = [host(1, state=HostState.ENTERING_MAINTENANCE)]
    for number in range(2, len(contents) + 1):
        state = HostState.QUARANTINE if number == shunned else HostState.CONNECTED
        hosts.append(host(number, memory_capacity_mib=CAPACITY_MIB, state=state))
    vms = [
        vm(number, on=on, memory_mib=size, cpu_demand_mhz=10.0)
        for on, content in enumerate(contents, start=1)
        for number, size in content.items()
    ]
    return snapshot(hosts, sorted(vms, key=lambda one: one.id), rules)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_short_row_of_vms_moves_up_without_the_solver(steps: int) -> None:
    draft, asked = drafted(stairs(steps))
    assert moves_of(draft) == {f"vm-{n}": f"host-{n + 1}" for n in range(1, steps + 2)}
    assert (draft.conflicts, asked) == ((), 0)


def test_a_longer_row_is_left_to_the_solver() -> None:
    draft, asked = drafted(stairs(4))
    assert draft.moves == ()
    assert asked
    mended = make_draft(need_of(stairs(4), MANDATORY), MANDATORY, PlanSettings())
    assert len(mended.moves) == 5


def test_several_small_vms_are_pushed_aside_where_each_finds_a_place() -> None:
    snap = cluster({1: 4000.0}, {2: 5000.0, 3: 1900.0, 4: 2400.0}, {5: 7600.0}, {6: 7100.0})
    draft, asked = drafted(snap)
    assert moves_of(draft) == {"vm-1": "host-2", "vm-3": "host-3", "vm-4": "host-4"}
    reasons = {move.vm: move.reason for move in draft.moves}
    assert reasons.pop("vm-1") is MoveReason.EVACUATE
    assert set(reasons.values()) == {MoveReason.MAKE_ROOM}
    assert asked == 0


def test_a_vm_that_is_kept_apart_from_the_stuck_one_is_pushed_aside() -> None:
    apart = rule("apart", RuleType.ANTI_AFFINITY, [1, 2])
    snap = cluster({1: 4000.0}, {2: 2000.0, 3: 2000.0}, {4: 7000.0}, rules=(apart,))
    draft, asked = drafted(snap)
    assert moves_of(draft) == {"vm-2": "host-3", "vm-1": "host-2"}
    assert asked == 0


def test_a_family_is_pushed_aside_as_one() -> None:
    kept = rule("together", RuleType.AFFINITY, [3, 4])
    snap = cluster({1: 4000.0}, {2: 5000.0, 3: 1000.0, 4: 1500.0}, {5: 7000.0}, rules=(kept,))
    draft, asked = drafted(snap)
    assert moves_of(draft) == {"vm-3": "host-3", "vm-4": "host-3", "vm-1": "host-2"}
    assert asked == 0


@pytest.mark.parametrize(
    ("held", "aside"), [(None, "vm-3"), (3, "vm-6"), (6, "vm-3")], ids=["none", "vm-3", "vm-6"]
)
def test_a_vm_that_moved_lately_is_asked_only_where_no_other_can(
    held: int | None, aside: str
) -> None:
    snap = cluster({1: 4000.0}, {2: 5000.0, 3: 2000.0}, {4: 7500.0}, {5: 5000.0, 6: 2050.0})
    vms = {VmId(f"vm-{held}"): Refusal.of(Reason.RECENTLY_MOVED, vm=f"vm-{held}")} if held else {}
    assert set(moves_of(drafted(snap, vms=vms)[0])) == {"vm-1", aside}


@pytest.mark.parametrize(("shunned", "target"), [(3, "host-4"), (4, "host-3")])
def test_nothing_is_pushed_onto_a_host_in_quarantine_where_another_takes_it(
    shunned: int, target: str
) -> None:
    snap = cluster({1: 4000.0}, {2: 5000.0, 3: 2000.0}, {4: 7500.0}, {5: 7450.0}, shunned=shunned)
    assert moves_of(drafted(snap)[0]) == {"vm-3": target, "vm-1": "host-2"}


def test_windows_whose_gaps_are_too_small_together_are_not_put_to_the_solver() -> None:
    """Twelve hosts with gaps of 600 MiB: for 5,000 MiB those of six or eight are never enough."""
    full = [{n: 9000.0} for n in range(2, 14)]
    desk = desk_of(cluster({1: 5000.0}, *full), MANDATORY)
    silent = Scripted(lambda _: Reply(status="UNKNOWN"))
    stuck = fulfil(desk)
    assert repair(desk, stuck, Solver(silent), seed=0, deadline=np.inf) == stuck
    assert len(silent.tasks) == 2


def test_what_was_moved_to_make_room_goes_home_for_nothing() -> None:
    desk = desk_of(cluster({1: 4000.0}, {2: 5000.0, 3: 2000.0}, {4: 7500.0}))
    desk.move([2], 2, Note(reason=MoveReason.MAKE_ROOM))
    board = set_up(desk)
    unit = board.pieces.row_of[2,]
    assert board.fits(unit).tolist() == [False, True, False]
    assert board.extra(unit)[1] < -1.0
    board.put(unit, 1)
    assert np.allclose(board.spare, set_up(desk_of(desk.problem.need.snapshot)).spare)


def test_the_board_says_who_may_go_where_as_the_desk_does() -> None:
    desk = desk_of(drawn_cluster(), MANDATORY)
    board = set_up(desk)
    for unit, members in enumerate(board.pieces.members):
        fits = board.fits(unit)
        assert not (fits & ~desk.takes(members, is_mandatory=True)).any(), members


def drawn_cluster() -> Snapshot:
    """Return a generated cluster with rules of every kind."""
    return generate(InventorySpec(hosts=6, vms=60, entering_maintenance=1), 3)

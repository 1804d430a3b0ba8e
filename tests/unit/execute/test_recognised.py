"""A task is taken for a row's by account, VM, kind and time, or not at all; places decide about the rest."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from balancer.execute.settle import settle
from balancer.execute.sight import JITTER, MARGIN
from balancer.execute.tools import HOLD_S
from balancer.execute.vigil import Vigil
from balancer.model.outcome import FailureKind, JournalEntry, JournalStep, MoveState
from balancer.model.plan import MoveReason
from balancer.model.snapshot import FlightKind
from balancer.model.units import ClusterId, MoveId
from tests.support.builders import NOON
from tests.support.fakes import Script
from tests.support.journal import begun
from tests.unit.execute.stage import Stage, host_id, move, vm_id
from tests.unit.execute.test_settle import OLD, YOUNG, leave_row, send, settled

LONG = 400.0
EARLY = JITTER.total_seconds() + 1.0
LATE = MARGIN.total_seconds() + 1.0


def fly(stage: Stage, target: int = 2, **facts: Any) -> str:
    """Let a task move vm-1 that the server shows; ours unless said otherwise."""
    return stage.vcenter.fly_foreign(vm_id(1), host_id(target), LONG, **({"is_ours": True} | facts))


@pytest.mark.parametrize("state", [MoveState.INTENT, MoveState.UNKNOWN])
@pytest.mark.parametrize(
    ("facts", "is_adopted"),
    [
        ({}, True),
        ({"hides_target": True}, True),
        ({"is_ours": False}, False),
        ({"is_ours": None}, False),
        ({"target": 3}, False),
        ({"kind": FlightKind.STORAGE}, False),
        ({"kind": FlightKind.PROVISIONING}, False),
    ],
    ids=[
        "ours, to the target",
        "ours, target not told",
        "another account",
        "account not told",
        "ours, to another host",
        "ours, but it moves disks",
        "ours, but it copies",
    ],
)
def test_a_running_task_is_adopted_only_where_all_of_it_fits(
    state: MoveState, facts: dict[str, Any], is_adopted: bool
) -> None:
    stage = Stage()
    leave_row(stage, state)
    task = fly(stage, **facts)
    expected = (MoveState.SUBMITTED, task) if is_adopted else (state, "")
    settled(stage, OLD)  # open in either case, however long it takes
    assert (stage.rows[0].state, stage.rows[0].task) == expected


@pytest.mark.parametrize(
    ("after_s", "is_adopted"),
    [(-EARLY, False), (-1.0, True), (HOLD_S, True), (HOLD_S + LATE, False)],
    ids=["long before the intent", "just before it", "as late as may be", "too late"],
)
def test_a_running_task_is_adopted_only_from_the_time_of_the_intent(
    after_s: float, is_adopted: bool
) -> None:
    stage = Stage()
    intended = stage.vcenter.now() - timedelta(seconds=after_s)
    leave_row(stage, MoveState.UNKNOWN, intended_at_vcenter=intended)
    fly(stage)
    assert (settled(stage, YOUNG) is MoveState.SUBMITTED) == is_adopted


def test_a_row_whose_intent_has_no_time_of_the_vcenter_adopts_nothing() -> None:
    stage = Stage()
    leave_row(stage, MoveState.UNKNOWN, intended_at_vcenter=None)
    fly(stage)
    assert settled(stage, OLD) is MoveState.UNKNOWN
    assert settled(stage, LONG) is MoveState.DONE  # by its place


def test_a_row_with_a_task_of_its_own_takes_no_other() -> None:
    stage = Stage()
    leave_row(stage, MoveState.SUBMITTED, task="task-forgotten")
    fly(stage)
    settled(stage, YOUNG)
    assert stage.rows[0].task == "task-forgotten"


@pytest.mark.parametrize(
    ("target", "end"), [(3, MoveState.EXTERNAL), (2, MoveState.DONE)], ids=["elsewhere", "there"]
)
@pytest.mark.parametrize("is_ours", [False, None], ids=["foreign", "not told"])
def test_a_task_that_is_not_ours_is_watched_to_its_end_and_the_place_decides(
    target: int, end: MoveState, is_ours: bool | None
) -> None:
    stage = Stage()
    leave_row(stage, MoveState.INTENT)
    fly(stage, target, is_ours=is_ours)
    assert settled(stage, OLD) is MoveState.INTENT
    assert settled(stage, LONG) is end


# the task history


@pytest.mark.parametrize("state", [MoveState.INTENT, MoveState.SUBMITTED, MoveState.UNKNOWN])
def test_a_forgotten_failure_is_recorded_as_a_failure(state: MoveState) -> None:
    stage = Stage()
    script = Script(seconds=5, vanishes=True, task_fault="CpuIncompatible", message="no SSE")
    task = send(stage, script)
    leave_row(stage, state, task=task if state is MoveState.SUBMITTED else "")
    assert settled(stage, YOUNG) is MoveState.FAILED
    row = stage.rows[0]
    assert (row.fault, row.kind, row.detail) == ("CpuIncompatible", FailureKind.PAIR, "no SSE")


@pytest.mark.parametrize("is_ours", [False, None], ids=["another account", "account not told"])
def test_a_failure_in_the_history_that_is_not_ours_proves_nothing(is_ours: bool | None) -> None:
    stage = Stage()
    leave_row(stage, MoveState.UNKNOWN)
    stage.vcenter.fly_foreign(
        vm_id(1), host_id(2), 5.0, is_ours=is_ours, vanishes=True, task_fault="Timedout"
    )
    assert settled(stage, YOUNG) is MoveState.UNKNOWN
    assert settled(stage, OLD) is MoveState.ABORTED


def test_of_two_tasks_that_fit_none_is_taken() -> None:
    stage = Stage()
    leave_row(stage, MoveState.UNKNOWN)
    for _ in range(2):
        send(stage, Script(seconds=5, vanishes=True, task_fault="Timedout"))
    assert settled(stage, OLD) is MoveState.ABORTED


def test_a_task_that_another_row_has_is_not_taken() -> None:
    stage = Stage()
    task = send(stage, Script(seconds=5, vanishes=True, task_fault="Timedout"))
    first = leave_row(stage, MoveState.SUBMITTED, task=task)
    stage.clock.sleep(6.0)
    stage.store.advance(first, JournalStep(state=MoveState.FAILED, at=stage.clock.now()))
    leave_row(stage, MoveState.UNKNOWN)
    settled(stage, OLD)
    assert [row.state for row in stage.rows] == [MoveState.FAILED, MoveState.ABORTED]


def test_the_history_is_asked_only_for_a_row_whose_task_cannot_be_asked() -> None:
    stage = Stage()
    leave_row(stage, MoveState.SUBMITTED, task=send(stage, Script(seconds=LONG)))
    settled(stage, YOUNG)
    assert stage.vcenter.recalls == 0


def settled_none(stage: Stage) -> None:
    (cluster,) = stage.vcenter.clusters()
    settle(stage.vcenter.snapshot(cluster), stage.policy, stage.tools)


def test_a_quiet_cluster_asks_neither_history_nor_places() -> None:
    stage = Stage()
    settled_none(stage)
    assert (stage.vcenter.recalls, stage.vcenter.refreshes) == (0, 0)


def test_in_a_run_a_forgotten_failure_is_recorded_as_a_failure() -> None:
    stage = Stage()
    stage.vcenter.scripts[vm_id(1)] = Script(
        seconds=5, vanishes=True, task_fault="SystemError", message_keys=("msg.migrate.save.error",)
    )
    outcome = stage.run(move(1, 1, 2))["m-001"]
    assert (outcome.state, outcome.kind) == (MoveState.FAILED, FailureKind.SKIP_VM)
    assert stage.vcenter.recalls == 1


def test_in_a_run_a_foreign_task_after_a_lost_reply_is_not_adopted() -> None:
    stage = Stage()
    stage.vcenter.scripts[vm_id(1)] = Script(reply_lost=True, arrives=False)
    stage.vcenter.at(3.0, lambda: fly(stage, is_ours=False) and None)
    stage.run(move(1, 1, 2))
    assert stage.rows[0].task == ""
    assert MoveState.SUBMITTED not in {s.state for s in stage.store.steps_of(stage.rows[0].id)}


# clocks that jump


JUMPS = [(3600.0, 0.0), (-3600.0, 0.0), (0.0, 3600.0), (0.0, -3600.0)]
TRUTHS = [
    (Script(reply_lost=True, arrives=False), {MoveState.ABORTED}),
    (Script(reply_lost=True, seconds=45.0), {MoveState.DONE}),
    (Script(reply_lost=True, seconds=45.0, task_fault="Timedout"), {MoveState.FAILED}),
    (
        Script(reply_lost=True, seconds=20.0, task_fault="Timedout", vanishes=True),
        {MoveState.FAILED},
    ),
    (Script(reply_lost=True, seconds=45.0, lands_on=host_id(3)), {MoveState.EXTERNAL}),
    (Script(reply_lost=True, queued_s=200.0, seconds=45.0), {MoveState.DONE}),
]


@pytest.mark.parametrize(
    ("ours_s", "theirs_s"),
    JUMPS,
    ids=["ours ahead", "ours back", "vcenter's ahead", "vcenter's back"],
)
@pytest.mark.parametrize(
    ("script", "truths"),
    TRUTHS,
    ids=["never came", "arrived", "failed", "failed, forgotten", "elsewhere", "queued long"],
)
@pytest.mark.parametrize("is_restarted", [False, True], ids=["one process", "restarted"])
def test_a_clock_that_jumps_an_hour_leads_to_no_wrong_end(
    script: Script, truths: set[MoveState], ours_s: float, theirs_s: float, is_restarted: bool
) -> None:
    stage = Stage()
    stage.vcenter.scripts[vm_id(1)] = script
    stage.run(move(1, 1, 2))
    stage.clock.jump(ours_s)
    stage.vcenter.ahead += timedelta(seconds=theirs_s)
    if is_restarted:
        stage.tools = replace(stage.tools, vigil=Vigil())  # what it had waited is forgotten
    for _ in range(30):
        state = settled(stage, 30.0)
        if not state.is_open:
            break
        if stage.clock.monotonic() < HOLD_S:
            assert state is not MoveState.ABORTED
    assert state in truths


def test_a_clock_ahead_does_not_end_the_wait_for_a_late_task() -> None:
    stage = Stage()
    leave_row(stage, MoveState.UNKNOWN)
    stage.clock.jump(3600.0)
    assert settled(stage, YOUNG) is MoveState.UNKNOWN
    send(stage, Script(seconds=LONG))
    assert settled(stage, YOUNG) is MoveState.SUBMITTED


def test_clocks_that_were_set_back_do_not_hold_a_row_for_longer_than_this_process_waits() -> None:
    stage = Stage()
    late = {"intended_at": NOON + timedelta(hours=1)}
    leave_row(stage, MoveState.INTENT, **late, intended_at_vcenter=NOON + timedelta(hours=1))
    assert settled(stage, 0.0) is MoveState.INTENT
    assert settled(stage, HOLD_S - 1.0) is MoveState.INTENT
    assert settled(stage, 1.0) is MoveState.ABORTED


# the connection comes back in the middle of a run


def test_rows_of_earlier_runs_are_settled_when_the_connection_is_back() -> None:
    stage = Stage()
    leave_row(stage, MoveState.SUBMITTED, task=send(stage, Script(seconds=8.0)))
    stage.vcenter.scripts[vm_id(2)] = Script(seconds=60.0)
    stage.vcenter.outages.append((5.0, 30.0))
    outcomes = stage.run(move(2, 1, 3))
    assert outcomes["m-002"].state is MoveState.DONE
    first = stage.rows[0]
    assert first.state is MoveState.DONE
    ends = {row.entry.vm: row.ended_at for row in stage.rows}
    assert ends[vm_id(1)] < ends[vm_id(2)]  # type: ignore[operator]


def test_within_two_cycles_of_the_return_every_row_that_can_be_told_has_its_end() -> None:
    stage = Stage()
    for number, script in enumerate(
        (
            Script(seconds=5),
            Script(seconds=5, task_fault="Timedout"),
            Script(seconds=5, vanishes=True),
        ),
        start=1,
    ):
        stage.vcenter.scripts[vm_id(number)] = script
        _row_of(stage, number)
    stage.vcenter.outages.append((1.0, 100.0))
    stage.clock.sleep(101.0)
    settled_none(stage)
    assert [row.state.is_open for row in stage.rows] == [False] * 3


def _row_of(stage: Stage, number: int) -> None:
    order = move(number, 1, 2)
    entry = JournalEntry(
        vcenter="vc1",
        cluster=ClusterId("domain-c1"),
        plan_id="p",
        cycle_id="c",
        move_id=MoveId(f"m-{number:03}"),
        vm=order.vm,
        vm_name=order.vm_name,
        vm_uuid=f"uuid-{number}",
        source=order.source,
        target=order.target,
        reason=MoveReason.BALANCE,
        expected_seconds=30.0,
        intended_at=stage.clock.now(),
        intended_at_vcenter=stage.vcenter.now(),
    )
    row = begun(stage.store, entry)
    task = stage.vcenter.fly_foreign(
        order.vm, order.target, 5.0, is_ours=True, **_ends(stage.vcenter.scripts[order.vm])
    )
    stage.store.advance(
        row, JournalStep(state=MoveState.SUBMITTED, at=stage.clock.now(), task=task)
    )


def _ends(script: Script) -> dict[str, Any]:
    return {"task_fault": script.task_fault, "vanishes": script.vanishes}


def test_a_task_found_in_the_history_is_kept_so_that_no_later_move_takes_it() -> None:
    stage = Stage()
    leave_row(stage, MoveState.UNKNOWN)
    task = send(stage, Script(seconds=5, vanishes=True, task_fault="Timedout"))
    assert settled(stage, YOUNG) is MoveState.FAILED
    assert stage.rows[0].task == task
    leave_row(stage, MoveState.UNKNOWN)
    settled(stage, OLD)
    assert [row.state for row in stage.rows] == [MoveState.FAILED, MoveState.ABORTED]

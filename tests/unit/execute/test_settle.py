"""Rows that an earlier run left open are resolved from what vCenter shows, and from nothing else."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from balancer.execute.settle import settle
from balancer.model.errors import SourceUnreachable
from balancer.model.outcome import (
    FailureKind,
    JournalEntry,
    JournalStep,
    MigrationOrder,
    MoveState,
)
from balancer.model.plan import MoveReason, Priority
from balancer.model.units import ClusterId, MoveId
from tests.support.builders import NOON
from tests.support.fakes import Script
from tests.support.journal import begun
from tests.unit.execute.stage import Stage, host_id, vm_id

YOUNG, OLD = 10.0, 300.0


def leave_row(stage: Stage, state: MoveState, task: str = "", **facts: Any) -> int:
    """Write the row of vm-1, host-1 to host-2, as a run that ended early would leave it."""
    defaults: dict[str, Any] = {
        "vcenter": "vc1",
        "cluster": ClusterId("domain-c1"),
        "plan_id": "p",
        "cycle_id": "c",
        "move_id": MoveId("m-001"),
        "vm": vm_id(1),
        "vm_name": "vm1",
        "vm_uuid": "uuid-1",
        "source": host_id(1),
        "target": host_id(2),
        "reason": MoveReason.BALANCE,
        "expected_seconds": 30.0,
        "intended_at": stage.clock.now(),
        "intended_at_vcenter": stage.vcenter.now(),
    }
    number = begun(stage.store, JournalEntry(**(defaults | facts)))
    if state is not MoveState.INTENT:
        stage.store.advance(number, JournalStep(state=state, at=stage.clock.now(), task=task))
    return number


def send(stage: Stage, script: Script) -> str:
    stage.vcenter.scripts[vm_id(1)] = script
    order = MigrationOrder(vm=vm_id(1), vm_name="vm1", target=host_id(2), priority=Priority.DEFAULT)
    return stage.vcenter.submit(order)


def settled(stage: Stage, wait_s: float) -> MoveState:
    stage.clock.sleep(wait_s)
    (cluster,) = stage.vcenter.clusters()
    settle(stage.vcenter.snapshot(cluster), stage.policy, stage.tools)
    return stage.rows[0].state


def _nothing(_: Stage) -> None:
    pass


def _on_target(stage: Stage) -> None:
    stage.vcenter.put_vm(vm_id(1), host=host_id(2))


def _elsewhere(stage: Stage) -> None:
    stage.vcenter.put_vm(vm_id(1), host=host_id(3))


def _gone(stage: Stage) -> None:
    stage.vcenter.drop_vm(vm_id(1))


def _stranger(stage: Stage) -> None:
    stage.vcenter.put_vm(vm_id(1), uuid="uuid-of-a-stranger", host=host_id(2))


@pytest.mark.parametrize("state", [MoveState.INTENT, MoveState.UNKNOWN])
@pytest.mark.parametrize(
    ("change", "wait_s", "end"),
    [
        (_nothing, YOUNG, None),
        (_nothing, OLD, MoveState.ABORTED),
        (_on_target, YOUNG, MoveState.DONE),
        (_elsewhere, YOUNG, MoveState.EXTERNAL),
        (_gone, YOUNG, None),
        (_gone, OLD, MoveState.EXTERNAL),
        (_stranger, OLD, MoveState.EXTERNAL),
    ],
    ids=[
        "on its source, just sent",
        "on its source, long ago",
        "on its target",
        "on a third host",
        "not seen, just sent",
        "not seen, long ago",
        "another vm has its id",
    ],
)
def test_a_row_without_a_task_is_told_by_the_vms_place(
    state: MoveState, change: Callable[[Stage], None], wait_s: float, end: MoveState | None
) -> None:
    stage = Stage()
    leave_row(stage, state)
    change(stage)
    assert settled(stage, wait_s) is (end or state)


@pytest.mark.parametrize(
    ("script", "wait_s", "end"),
    [
        (Script(seconds=100), YOUNG, MoveState.SUBMITTED),
        (Script(queued_s=500), OLD, MoveState.SUBMITTED),
        (Script(seconds=5), YOUNG, MoveState.DONE),
        (Script(seconds=5, task_fault="Timedout"), YOUNG, MoveState.FAILED),
        (Script(seconds=5, vanishes=True), YOUNG, MoveState.DONE),
        (Script(seconds=5, vanishes=True, lies=True), YOUNG, MoveState.SUBMITTED),
        (Script(seconds=5, vanishes=True, lies=True), OLD, MoveState.EXTERNAL),
        (Script(seconds=5, vanishes=True, task_fault="Timedout"), OLD, MoveState.FAILED),
        (Script(seconds=5, lies=True), YOUNG, MoveState.SUBMITTED),
        (Script(seconds=5, lies=True), OLD, MoveState.EXTERNAL),
        (Script(seconds=5, lands_on=host_id(3)), YOUNG, MoveState.EXTERNAL),
        (Script(hangs=True), 2000.0, MoveState.UNKNOWN),
    ],
    ids=[
        "running",
        "queued",
        "succeeded",
        "failed",
        "forgotten, on the target",
        "forgotten, on the source, just now",
        "forgotten, it had succeeded, on the source, long ago",
        "forgotten, it had failed",
        "succeeded, not seen yet",
        "succeeded, back on the source",
        "landed elsewhere",
        "runs without end",
    ],
)
def test_a_row_with_a_task_is_told_by_the_task_and_the_vms_place(
    script: Script, wait_s: float, end: MoveState
) -> None:
    stage = Stage()
    leave_row(stage, MoveState.SUBMITTED, task=send(stage, script))
    assert settled(stage, wait_s) is end


def test_a_failed_task_gives_the_row_its_fault_and_kind() -> None:
    stage = Stage()
    task = send(stage, Script(seconds=5, task_fault="CpuIncompatible", message="no SSE"))
    leave_row(stage, MoveState.SUBMITTED, task=task)
    settled(stage, YOUNG)
    row = stage.rows[0]
    assert (row.fault, row.kind, row.detail) == ("CpuIncompatible", FailureKind.PAIR, "no SSE")


@pytest.mark.parametrize("state", [MoveState.INTENT, MoveState.UNKNOWN])
def test_a_migration_found_running_is_adopted_with_its_task(state: MoveState) -> None:
    stage = Stage()
    task = send(stage, Script(seconds=400))
    leave_row(stage, state)
    assert settled(stage, OLD) is MoveState.SUBMITTED
    assert stage.rows[0].task == task
    assert settled(stage, OLD) is MoveState.DONE


def test_a_foreign_migration_to_another_host_keeps_the_row_open_without_its_task() -> None:
    stage = Stage()
    leave_row(stage, MoveState.INTENT)
    stage.vcenter.fly_foreign(vm_id(1), host_id(3), seconds=400)
    assert settled(stage, OLD) is MoveState.INTENT
    assert stage.rows[0].task == ""
    assert settled(stage, OLD) is MoveState.EXTERNAL


def test_a_row_called_unknown_is_watched_on_until_its_task_ends() -> None:
    stage = Stage()
    task = send(stage, Script(seconds=3000))
    leave_row(stage, MoveState.SUBMITTED, task=task)
    assert settled(stage, 1000) is MoveState.UNKNOWN
    assert settled(stage, 1000) is MoveState.UNKNOWN
    assert settled(stage, 1001) is MoveState.DONE


def test_rows_of_other_clusters_are_left_alone() -> None:
    stage = Stage()
    leave_row(stage, MoveState.INTENT, cluster=ClusterId("domain-c2"))
    stage.clock.sleep(OLD)
    settle(stage.base, stage.policy, stage.tools)
    assert len(stage.store.open_rows("vc1")) == 1


def test_a_clock_that_was_set_back_settles_nothing_too_early() -> None:
    stage = Stage()
    leave_row(stage, MoveState.INTENT, intended_at=NOON + timedelta(hours=1))
    assert settled(stage, OLD) is MoveState.INTENT


def test_without_an_answer_nothing_is_settled() -> None:
    stage = Stage()
    leave_row(stage, MoveState.INTENT)
    stage.clock.sleep(OLD)
    stage.vcenter.outages.append((0, 1e9))
    with pytest.raises(SourceUnreachable):
        settle(stage.base, stage.policy, stage.tools)
    assert stage.rows[0].state is MoveState.INTENT


def test_with_nothing_open_nothing_is_asked() -> None:
    stage = Stage()
    stage.vcenter.outages.append((0, 1e9))
    settle(stage.base, stage.policy, stage.tools)


def test_settling_sends_nothing() -> None:
    stage = Stage()
    leave_row(stage, MoveState.INTENT)
    settled(stage, OLD)
    assert stage.vcenter.orders == []

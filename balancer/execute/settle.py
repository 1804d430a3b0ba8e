"""Finds out what became of the moves whose end an earlier run did not see, before a new plan is made.

Asks vCenter for the tasks first and for the VMs afterwards, so that a place is never older than the
task it is compared with. Writes what is proven and leaves the rest open: an open row keeps its slot,
its budget and its VM. Sends nothing.
"""

import logging
from datetime import datetime

from balancer.execute.failures import failure_kind
from balancer.execute.sight import Ending, Sight, end_by_place, sight_of
from balancer.execute.tools import Tools
from balancer.model.outcome import JournalRow, JournalStep, MoveState, TaskState, TaskView
from balancer.model.snapshot import Snapshot
from balancer.model.units import Seconds
from balancer.policy.types import Limits, Policy

log = logging.getLogger(__name__)


def settle(snapshot: Snapshot, policy: Policy, tools: Tools) -> None:
    """Resolve this cluster's open rows from what vCenter shows.

    Raises:
        SourceError: vCenter could not be asked; rows not yet settled stay open.
        StoreError: the journal could not be read or written; likewise.
    """
    rows = [
        row
        for row in tools.store.open_rows(tools.vcenter)
        if row.entry.cluster == snapshot.cluster.id
    ]
    if not rows:
        return
    tasks = sorted({row.task for row in rows if row.task})
    views = tools.inventory.tasks(tasks) if tasks else {}
    fresh = tools.inventory.refresh(snapshot, vms=sorted({r.entry.vm for r in rows}), hosts=[])
    for row in rows:
        sight = sight_of(fresh, row.entry.vm, row.entry.vm_uuid)
        step = _next_step(row, sight, views.get(row.task), limits=policy.limits, tools=tools)
        if step:
            tools.store.advance(row.id, step)
            _tell(row, step)


def _next_step(
    row: JournalRow, sight: Sight, view: TaskView | None, *, limits: Limits, tools: Tools
) -> JournalStep | None:
    """Return what is proven of one row, or None where it stays as it is."""
    at = tools.clock.now()
    age_s = (at - (row.submitted_at or row.entry.intended_at)).total_seconds()
    if view and view.state is TaskState.ERROR:
        kind = failure_kind(view.fault, view.message)
        return JournalStep(
            state=MoveState.FAILED, at=at, fault=view.fault, kind=kind, detail=view.message
        )
    if sight.is_moving or (view and not view.state.has_ended):
        return _still_running(row, sight, at, age_s=age_s, limits=limits)
    ending = end_by_place(
        sight,
        source=row.entry.source,
        target=row.entry.target,
        waited_s=age_s,
        hold_s=tools.hold_s,
    )
    if ending and view and view.state is TaskState.SUCCESS:
        ending = _after_success(ending)
    if ending is None:
        return None
    return JournalStep(state=ending.state, at=at, detail=ending.detail)


def _after_success(ending: Ending) -> Ending:
    """A task that succeeded did move the VM: on its source again means that somebody moved it back."""
    if ending.state is not MoveState.ABORTED:
        return ending
    detail = "the task succeeded, and the VM was seen on its source again"
    return Ending(state=MoveState.EXTERNAL, detail=detail)


def _still_running(
    row: JournalRow, sight: Sight, at: datetime, *, age_s: Seconds, limits: Limits
) -> JournalStep | None:
    """Take over a task that vCenter shows for this move, or call one unknown that runs too long."""
    if sight.task and not row.task and sight.heading == row.entry.target:
        return JournalStep(state=MoveState.SUBMITTED, at=at, task=sight.task, detail="task found")
    time_limit_s = max(
        limits.migration_timeout_s, limits.migration_timeout_factor * row.entry.expected_seconds
    )
    if row.state is not MoveState.UNKNOWN and age_s > time_limit_s:
        return JournalStep(state=MoveState.UNKNOWN, at=at, detail=f"no end after {age_s:.0f} s")
    return None


def _tell(row: JournalRow, step: JournalStep) -> None:
    facts: dict[str, object] = {
        "move_id": row.entry.move_id,
        "vm": row.entry.vm,
        "from_state": str(row.state),
        "state": str(step.state),
        "detail": step.detail,
    }
    log.info("open move settled", extra=facts)

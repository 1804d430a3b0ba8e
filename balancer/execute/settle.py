"""Finds out what became of the moves whose end an earlier run did not see, before a new plan is made.

Also in the middle of a run, when the connection has come back. Asks vCenter for the tasks first and for the
VMs afterwards, so that a place is never older than the task it is compared with. Writes what is proven and
leaves the rest open: an open row keeps its slot, its budget and its VM. Sends nothing.
"""

import logging
from collections.abc import Mapping, Sequence, Set
from datetime import datetime, timedelta

from balancer.execute.rival import tell_rivals
from balancer.execute.sight import JITTER, Sight, adopted, errand_of, judged, recalled, sight_of
from balancer.execute.tools import Tools
from balancer.model.outcome import JournalRow, JournalStep, MoveState, TaskState, TaskView
from balancer.model.snapshot import Snapshot
from balancer.model.units import ClusterId, Seconds
from balancer.policy.types import Limits, Policy

log = logging.getLogger(__name__)

_KNOWN_TASKS = timedelta(days=1)
"""How far back the journal is searched for tasks that belong to other rows."""


def settle(
    snapshot: Snapshot, policy: Policy, tools: Tools, *, but: Set[int] = frozenset()
) -> None:
    """Resolve this cluster's open rows from what vCenter shows; `but` names rows that a run watches itself.

    Raises:
        SourceError: vCenter could not be asked; rows not yet settled stay open.
        StoreError: the journal could not be read or written; likewise.
    """
    tell_rivals(snapshot, tools)
    every_row = tools.store.open_rows(tools.vcenter)
    of_cluster = tuple(row for row in every_row if row.entry.cluster == snapshot.cluster.id)
    tools.vigil.keep(of_cluster, tools.clock.monotonic())
    rows = [row for row in of_cluster if row.id not in but]
    if not rows:
        return
    views = _tasks_of(rows, tools)
    fresh = tools.inventory.refresh(snapshot, vms=sorted({r.entry.vm for r in rows}), hosts=[])
    for row in rows:
        sight = sight_of(fresh, row.entry.vm, row.entry.vm_uuid)
        step = _next_step(
            row, sight, views.get(row.id), there=fresh.taken_at, limits=policy.limits, tools=tools
        )
        if step:
            tools.store.advance(row.id, step)
            _tell(row, step)


def _tasks_of(rows: Sequence[JournalRow], tools: Tools) -> Mapping[int, TaskView]:
    """Return the task of each row, by row: of the tasks that vCenter has at hand, else of its task history."""
    tasks = sorted({row.task for row in rows if row.task})
    found = tools.inventory.tasks(tasks) if tasks else {}
    known = {
        row.id: view
        for row in rows
        if (view := found.get(row.task)) is not None and view.state is not TaskState.MISSING
    }
    lost = [row for row in rows if row.id not in known]
    return known | _recalled(lost, tools) if lost else known


def _recalled(rows: Sequence[JournalRow], tools: Tools) -> dict[int, TaskView]:
    moments = [at for row in rows if (at := row.entry.intended_at_vcenter) is not None]
    if not moments:
        return {}
    vms = sorted({row.entry.vm for row in rows})
    history = tools.inventory.task_history(vms, min(moments) - JITTER)
    if not history:
        return {}
    of_others = tasks_of_others(rows[0].entry.cluster, tools)
    views = {
        row.id: recalled(errand_of(row, tools.hold_s), history, of_others=of_others) for row in rows
    }
    return {key: view for key, view in views.items() if view is not None}


def tasks_of_others(cluster: ClusterId, tools: Tools) -> frozenset[str]:
    """Return the tasks that rows of a cluster are known to have; raises `StoreError`."""
    rows = tools.store.rows_since(tools.vcenter, cluster, tools.clock.now() - _KNOWN_TASKS)
    return frozenset(row.task for row in rows if row.task)


def _next_step(
    row: JournalRow,
    sight: Sight,
    view: TaskView | None,
    *,
    there: datetime,
    limits: Limits,
    tools: Tools,
) -> JournalStep | None:
    """Return what is proven of one row, or None where it stays as it is."""
    at, now_s = tools.clock.now(), tools.clock.monotonic()
    errand = errand_of(row, tools.hold_s)
    waited_s = tools.vigil.waited_s(row, now_s=now_s, here=at, there=there)
    ending = judged(errand, sight, view, waited_s=waited_s)
    if ending:
        return JournalStep(
            state=ending.state,
            at=at,
            task=ending.task,
            fault=ending.fault,
            kind=ending.kind,
            detail=ending.detail,
        )
    task = adopted(errand, sight)
    if task:
        return JournalStep(state=MoveState.SUBMITTED, at=at, task=task, detail="task found")
    is_under_way = sight.flight is not None or (view is not None and not view.state.has_ended)
    is_overdue = waited_s > _time_limit_s(row, limits)
    if is_under_way and is_overdue and row.state is not MoveState.UNKNOWN:
        return JournalStep(state=MoveState.UNKNOWN, at=at, detail=f"no end after {waited_s:.0f} s")
    return None


def _time_limit_s(row: JournalRow, limits: Limits) -> Seconds:
    return max(
        limits.migration_timeout_s, limits.migration_timeout_factor * row.entry.expected_seconds
    )


def _tell(row: JournalRow, step: JournalStep) -> None:
    facts: dict[str, object] = {
        "move_id": row.entry.move_id,
        "vm": row.entry.vm,
        "from_state": str(row.state),
        "state": str(step.state),
        "detail": step.detail,
    }
    log.info("open move settled", extra=facts)

"""Which VMs and targets are left alone for long, and for how long, after what has happened. Pure.

A VM is out after two failures or two returns within a day, a target after two failures with the same fault
within an hour; the next one of the same kind lasts twice as long. One journal row brings one quarantine at
most, and what was under way when one began brings none. The result depends on what is remembered alone, not
on its order: a quarantine that is stored already is found again by its cause.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeVar

from balancer.execute.contention import counts
from balancer.model.outcome import FailureKind, JournalRow, MoveState
from balancer.model.past import ForeignMove, Past, Quarantine, SubjectKind
from balancer.model.reasons import Reason
from balancer.model.units import ClusterId, Seconds
from balancer.policy.types import Limits

DAY = timedelta(hours=24)
"""The window in which a VM's failures and returns are counted."""

TARGET_WINDOW = timedelta(hours=1)
"""Two failures of a target with one fault within this time send it out."""

NOT_THE_VMS_FAULT = frozenset({FailureKind.SKIP_TARGET, FailureKind.STOP, FailureKind.STOP_CLUSTER})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cause:
    """What sends something out: the second of two events, and how long the first quarantine for it lasts."""

    kind: SubjectKind
    subject: str
    identity: str
    reason: Reason
    row: int
    begun_at: datetime
    at: datetime
    lasts_s: Seconds
    detail: str


def new_quarantines(
    past: Past, limits: Limits, *, vcenter: str, cluster: ClusterId
) -> tuple[Quarantine, ...]:
    """Return the quarantines that `past` gives cause for and does not hold yet, in the order of their causes."""
    rows = sorted({row.id: row for row in past.rows}.values(), key=lambda r: (r.last_at, r.id))
    causes = [
        *_failures_of_vms(rows, limits),
        *_returns_of_ours(rows, limits),
        *_undone_by_others(rows, past.foreign_moves, limits),
        *_failures_of_targets(rows, limits),
    ]
    known = list(past.quarantines)
    found = []
    for cause in sorted(causes, key=lambda c: (c.at, c.row, c.reason, c.subject)):
        alike = [q for q in known if _is_of(q, cause)]
        if any(q.cause == cause.row or cause.begun_at <= q.since <= cause.at for q in alike):
            continue
        made = _made(cause, alike, limits)
        made = replace(made, vcenter=vcenter, cluster=cluster)
        known.append(made)
        found.append(made)
    return tuple(found)


def _is_of(quarantine: Quarantine, cause: _Cause) -> bool:
    return (
        quarantine.kind is cause.kind
        and quarantine.subject == cause.subject
        and quarantine.identity == cause.identity
        and quarantine.reason is cause.reason
    )


def _made(cause: _Cause, alike: Sequence[Quarantine], limits: Limits) -> Quarantine:
    level = 1 + max((q.level for q in alike), default=0)
    # Compared as a power of two, so that no level makes a number that a float cannot hold.
    lasts_s = min(cause.lasts_s * 2.0 ** min(level - 1, 30), limits.quarantine_at_most_s)
    return Quarantine(
        vcenter="",
        cluster=ClusterId(""),
        kind=cause.kind,
        subject=cause.subject,
        identity=cause.identity,
        level=level,
        since=cause.at,
        until=cause.at + timedelta(seconds=lasts_s),
        reason=cause.reason,
        detail=cause.detail,
        cause=cause.row,
    )


def _failures_of_vms(rows: Iterable[JournalRow], limits: Limits) -> Iterator[_Cause]:
    """Yield each second failure of a VM's own within 24 hours."""
    own = (r for r in rows if _has_failed(r) and r.kind not in NOT_THE_VMS_FAULT)
    for failed in _by(own, _vm_of).values():
        for first, second in pairwise(failed):
            if second.last_at - first.last_at <= DAY:
                yield _of_vm(
                    second, limits, f"2 moves failed within 24 h, the last with {_fault(second)}"
                )


def _returns_of_ours(rows: Iterable[JournalRow], limits: Limits) -> Iterator[_Cause]:
    """Yield each second time within 24 hours that a VM went back to the host it had just left."""
    done = (r for r in rows if r.state is MoveState.DONE)
    for moves in _by(done, _vm_of).values():
        back = [second for first, second in pairwise(moves) if is_return(first, second)]
        for first, second in pairwise(back):
            if second.last_at - first.last_at <= DAY:
                yield _of_vm(second, limits, "returned twice within 24 h to the host it had left")


def is_return(first: JournalRow, second: JournalRow) -> bool:
    """Whether the second of two moves of a VM took it back where the first had found it."""
    went, came = first.entry, second.entry
    return went.target == came.source and went.source == came.target


def _undone_by_others(
    rows: Iterable[JournalRow], moves: Iterable[ForeignMove], limits: Limits
) -> Iterator[_Cause]:
    """Yield each second move of a VM by us that somebody else undid within 24 hours."""
    by_id = {row.id: row for row in rows}
    undone: dict[int, ForeignMove] = {}
    for move in sorted(moves, key=lambda m: (m.seen_at, m.row, m.target)):
        row = by_id.get(move.row)
        if row and row.entry.vm == move.vm and counts(move):
            undone.setdefault(row.id, move)
    for sightings in _by(undone.values(), lambda m: _vm_of(by_id[m.row])).values():
        for first, second in pairwise(sightings):
            if second.seen_at - first.seen_at <= DAY:
                cause = _of_vm(
                    by_id[second.row], limits, "somebody else undid 2 moves of it within 24 h"
                )
                yield replace(cause, reason=Reason.CONTENDED, at=second.seen_at)


def _failures_of_targets(rows: Iterable[JournalRow], limits: Limits) -> Iterator[_Cause]:
    """Yield each second failure of a target with the same fault within an hour."""
    blamed = (r for r in rows if _has_failed(r) and r.kind is FailureKind.SKIP_TARGET)
    for failed in _by(blamed, lambda r: (r.entry.target, r.fault)).values():
        for first, second in pairwise(failed):
            if second.last_at - first.last_at <= TARGET_WINDOW:
                yield _Cause(
                    kind=SubjectKind.HOST,
                    subject=second.entry.target,
                    identity="",
                    reason=Reason.TARGET_FAILED_RECENTLY,
                    row=second.id,
                    begun_at=second.entry.intended_at,
                    at=second.last_at,
                    lasts_s=limits.failed_target_quarantine_s,
                    detail=f"2 migrations to it failed with {_fault(second)} within an hour",
                )


def _of_vm(row: JournalRow, limits: Limits, detail: str) -> _Cause:
    return _Cause(
        kind=SubjectKind.VM,
        subject=row.entry.vm,
        identity=row.entry.vm_uuid,
        reason=Reason.VM_FAILED_RECENTLY,
        row=row.id,
        begun_at=row.entry.intended_at,
        at=row.last_at,
        lasts_s=limits.failed_vm_quarantine_s,
        detail=detail,
    )


Event = TypeVar("Event")
Key = TypeVar("Key", bound=Hashable)


def _by(events: Iterable[Event], key: Callable[[Event], Key]) -> Mapping[Key, list[Event]]:
    found: defaultdict[Key, list[Event]] = defaultdict(list)
    for event in events:
        found[key(event)].append(event)
    return found


def _vm_of(row: JournalRow) -> tuple[str, str]:
    return row.entry.vm, row.entry.vm_uuid


def _has_failed(row: JournalRow) -> bool:
    """Whether a move failed; a call that found no connection leaves no fault and says nothing."""
    return row.state is MoveState.FAILED and bool(row.fault or row.submitted_at)


def _fault(row: JournalRow) -> str:
    return row.fault or row.detail or "no fault named"

"""When a run of failures stops a cluster, for how long, and what ends the stop. Pure: rows in, a breaker out.

The breaker opens after failures in a row, after too large a share of them, or at once where nobody but a
person can mend what is wrong. It stays open for a while that doubles, then lets one move try (the probe): if
that succeeds it closes, if that fails it opens for longer. What had been sent when it opened cannot open it
further. The result depends on the rows alone, not on their order or on how often it is asked for.

What counts, by the kind of the failure:

| kind | counts | why |
| --- | --- | --- |
| `stop_cluster`, `unmapped` | opens at once | rights, licences, or a fault that is not known: all would fail |
| `transient`, `skip_target` | yes | network, storage or hosts are at fault: the next move may fail alike |
| `skip_vm` | only where the fault says nothing but that it failed | else the VM is at fault, and is left alone |
| `cancelled` | yes | a person who cancels one move after another wants it to stop |
| `pair`, `capacity`, `stop` | no | the pair was impossible, the room was gone, or the session: not the cluster |
| none (never left) | no | no connection was found: the link waits by itself |
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from balancer.model.faults import TOLD_BY_TEXT
from balancer.model.outcome import FailureKind, JournalRow, MoveState
from balancer.model.past import Breaker
from balancer.policy.types import Limits

LAST_ROWS = 20
"""How many moves the share of failures is taken of."""

LEAST_ROWS = 5
"""Fewer moves have no share: one failure of two is a half, and says as little as one failure."""

LEAST_FAILURES = 2
"""A single failure is no share either: it would be a fifth of five moves."""

_AT_ONCE = frozenset({FailureKind.STOP_CLUSTER, FailureKind.UNMAPPED})
_COUNTED = frozenset({FailureKind.TRANSIENT, FailureKind.SKIP_TARGET, FailureKind.CANCELLED})


def judged(
    breaker: Breaker, rows: Iterable[JournalRow], limits: Limits, *, now: datetime
) -> Breaker:
    """Return the breaker after all that has ended. `rows` are those of memory, in any order.

    An opening counts as one that follows the last where it comes within `breaker_open_at_most_s` of the last
    one's end; later ones begin anew at the first level.
    """
    known = sorted({row.id: row for row in rows}.values(), key=_order)
    while True:
        after = _step(breaker, known, limits, now)
        if after == breaker:
            return breaker
        breaker = after


def is_probing(breaker: Breaker, *, now: datetime) -> bool:
    """Whether the open time is over, so that one move may try."""
    return breaker.is_open and breaker.until is not None and now >= breaker.until


def probe_under_way(breaker: Breaker, rows: Iterable[JournalRow]) -> JournalRow | None:
    """Return a move that was sent as the probe and has no known end."""
    tries = [row for row in rows if row.state.is_open and _is_probe(breaker, row)]
    return min(tries, key=lambda row: row.id, default=None)


def is_failure(row: JournalRow) -> bool:
    """Whether a move's end says that something is wrong with more than this move."""
    if row.state is not MoveState.FAILED:
        return False
    told_nothing = row.kind is FailureKind.SKIP_VM and row.fault in TOLD_BY_TEXT
    return row.kind in _AT_ONCE or told_nothing or (row.kind in _COUNTED and bool(row.fault))


def _step(breaker: Breaker, rows: Sequence[JournalRow], limits: Limits, now: datetime) -> Breaker:
    """Take the next opening or closing that follows from rows in the order of their ends, if there is one."""
    if breaker.is_open:
        return _after_probe(breaker, rows, limits, now)
    calm = _after_calm(breaker, limits, now)
    seen: list[JournalRow] = []
    for row in rows:
        if row.id > breaker.counted_to and (is_failure(row) or row.state is MoveState.DONE):
            seen.append(row)
            cause = _cause(seen, limits)
            if cause:
                return _opened(breaker, row, rows, cause=cause, limits=limits, now=now)
    return calm


def _after_probe(
    breaker: Breaker, rows: Sequence[JournalRow], limits: Limits, now: datetime
) -> Breaker:
    for row in rows:
        if not _is_probe(breaker, row):
            continue
        if is_failure(row):
            return _opened(
                breaker, row, rows, cause=f"the probe failed: {_fault(row)}", limits=limits, now=now
            )
        if row.state is MoveState.DONE:
            return replace(breaker, is_open=False, counted_to=max(breaker.counted_to, row.id - 1))
    return breaker


def _is_probe(breaker: Breaker, row: JournalRow) -> bool:
    began_after = breaker.until is not None and row.entry.intended_at >= breaker.until
    return breaker.is_open and row.id > breaker.counted_to and began_after


def _after_calm(breaker: Breaker, limits: Limits, now: datetime) -> Breaker:
    """Forget the level once nothing has followed for long enough."""
    if breaker.level == 0 or breaker.until is None or now < breaker.until + _calm(limits):
        return breaker
    return Breaker(counted_to=breaker.counted_to)


def _cause(seen: Sequence[JournalRow], limits: Limits) -> str:
    """Return why the last of these ends opens the breaker, empty where it does not."""
    last = seen[-1]
    if not is_failure(last):
        return ""
    if last.kind in _AT_ONCE:
        return f"a move failed with {_fault(last)}, which a person must look into"
    in_row = _in_row(seen)
    if in_row >= limits.breaker_failures_in_row:
        return f"{in_row} moves in a row failed, the last with {_fault(last)}"
    recent = seen[-LAST_ROWS:]
    failed = sum(map(is_failure, recent))
    is_share = len(recent) >= LEAST_ROWS and failed >= LEAST_FAILURES
    if is_share and failed >= limits.breaker_failed_ratio * len(recent):
        return f"{failed} of the last {len(recent)} moves failed, the last with {_fault(last)}"
    return ""


def _in_row(seen: Sequence[JournalRow]) -> int:
    count = 0
    for row in reversed(seen):
        if not is_failure(row):
            break
        count += 1
    return count


def _opened(
    breaker: Breaker,
    last: JournalRow,
    rows: Sequence[JournalRow],
    *,
    cause: str,
    limits: Limits,
    now: datetime,
) -> Breaker:
    """Return the breaker open from the end of the last failure on; what was under way then is dealt with."""
    since = min(last.last_at, now)
    follows = breaker.until is not None and since < breaker.until + _calm(limits)
    level = breaker.level + 1 if follows else 1
    # Compared as a power of two, so that no level makes a number that a float cannot hold.
    lasts_s = min(limits.breaker_open_s * 2.0 ** min(level - 1, 30), limits.breaker_open_at_most_s)
    under_way = (row.id for row in rows if row.entry.intended_at <= last.last_at)
    return Breaker(
        level=level,
        since=since,
        until=since + timedelta(seconds=lasts_s),
        cause=cause,
        counted_to=max(breaker.counted_to, last.id, *under_way),
        is_open=True,
    )


def _calm(limits: Limits) -> timedelta:
    return timedelta(seconds=limits.breaker_open_at_most_s)


def _fault(row: JournalRow) -> str:
    return row.fault or "no fault named"


def _order(row: JournalRow) -> tuple[datetime, int]:
    return row.last_at, row.id

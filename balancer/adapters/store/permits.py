"""Whether an intent may be written: lease, pauses, the VM, the allowance. Pure, shared by both stores.

Decided from what the store reads in the transaction that writes the intent, so that nothing can come between.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from balancer.model.control import Pause
from balancer.model.errors import IntentRefused, RowOpen
from balancer.model.lease import Allowance, Lease, Permit
from balancer.model.outcome import JournalEntry, JournalRow, MoveState
from balancer.model.reasons import Reason, Refusal

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def check_intent(
    entry: JournalEntry,
    permit: Permit,
    *,
    newest: Lease | None,
    pauses: Iterable[Pause],
    rows: Sequence[JournalRow],
) -> None:
    """Pass where the intent may be written.

    `newest` is the shard's lease as it stands; `rows` are those of the vCenter that are open or were begun
    within a day before the entry.

    Raises:
        IntentRefused: the lease is not live, a pause covers the shard, or the allowance is used up.
        RowOpen: the VM has an open row.
    """
    check_lease(permit.lease, newest)
    if entry.intended_at >= permit.lease.expires_at:
        raise IntentRefused(Refusal.of(Reason.LEASE_HELD, "the lease has run out"))
    for pause in pauses:
        if covers(pause.shard, permit.lease.shard):
            raise IntentRefused(Refusal.of(Reason.PAUSED, paused(pause)))
    for row in rows:
        if row.state.is_open and row.entry.vm == entry.vm:
            raise RowOpen.of(entry.vm_name, row.id, entry.vm)
    refusal = _over(entry, permit.allowance, rows)
    if refusal:
        raise IntentRefused(refusal)


def check_lease(lease: Lease, newest: Lease | None) -> None:
    """Pass where a lease is the newest of its shard; raises `IntentRefused`."""
    if newest is None or newest.token != lease.token:
        holder = newest.holder if newest else "nobody"
        detail = f"the lease of {lease.shard} went to {holder}"
        raise IntentRefused(Refusal.of(Reason.LEASE_HELD, detail))


def covers(scope: str, shard: str) -> bool:
    """Whether a pause of `scope` holds for a shard: that of all, of its vCenter, or its own."""
    return scope in ("", shard) or shard.startswith(f"{scope}/")


def paused(pause: Pause) -> str:
    """Say who paused what, and why."""
    what = pause.shard or "everything"
    because = f": {pause.reason}" if pause.reason else ""
    return f"{pause.by} paused {what} at {pause.at:%Y-%m-%d %H:%M} UTC{because}"


def _over(entry: JournalEntry, allowance: Allowance, rows: Sequence[JournalRow]) -> Refusal | None:
    """Return the first number that one more row would pass."""
    is_mandatory = entry.reason.is_mandatory
    here = [row for row in rows if row.entry.cluster == entry.cluster]
    sent = [row for row in here if row.state is not MoveState.ABORTED]
    alike = [row for row in sent if row.entry.reason.is_mandatory == is_mandatory]
    open_here = [row for row in here if row.state.is_open]
    counts = (
        (Reason.CLUSTER_SLOTS, sum(r.state.is_open for r in rows), allowance.open_in_vcenter),
        (Reason.CLUSTER_SLOTS, len(open_here), allowance.open_in_cluster),
        (Reason.HOST_SLOTS, _on(open_here, entry.source), allowance.open_on_source),
        (Reason.HOST_SLOTS, _on(open_here, entry.target), allowance.open_on_target),
        (
            Reason.RUN_BUDGET,
            sum(r.state.is_open or r.entry.cycle_id == entry.cycle_id for r in alike),
            allowance.in_cycle,
        ),
        (Reason.HOUR_BUDGET, _within(alike, entry, HOUR, or_open=True), allowance.in_hour),
        (
            Reason.VM_BUDGET,
            _within([r for r in sent if r.entry.vm == entry.vm], entry, DAY),
            allowance.of_vm_in_day,
        ),
    )
    for reason, count, most in counts:
        if most is not None and count >= most:
            return Refusal.of(reason, f"{count} of {most} are used", vm=entry.vm)
    return None


def _on(rows: Iterable[JournalRow], host: str) -> int:
    return sum(host in (row.entry.source, row.entry.target) for row in rows)


def _within(
    rows: Iterable[JournalRow], entry: JournalEntry, span: timedelta, *, or_open: bool = False
) -> int:
    since = entry.intended_at - span
    return sum(row.entry.intended_at > since or (or_open and row.state.is_open) for row in rows)

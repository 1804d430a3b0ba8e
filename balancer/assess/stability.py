"""What experience says to leave alone: residence, budget per VM, failures, returns, running migrations.

Reads the snapshot and the journal's rows, decides what is held still until when, and stores nothing:
the journal is the memory. The planner obeys the holds; evacuations and broken must-rules may override
those of `Holds.vms`, nothing overrides a pin. A VM whose own migration failed is pinned as well: an
evacuation that tries it again at once would only fail again.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from types import MappingProxyType

from balancer.model.need import Holds
from balancer.model.outcome import FailureKind, JournalRow, MoveState
from balancer.model.past import Past
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.policy.types import Limits

DAY = timedelta(hours=24)
"""The window in which a VM's moves, failures and returns are counted, and a refused pair is remembered."""

TARGET_WINDOW = timedelta(hours=1)
"""Two failures of a target within this time send it out."""

_NOT_THE_VMS_FAULT = frozenset(
    {FailureKind.SKIP_TARGET, FailureKind.STOP, FailureKind.STOP_CLUSTER}
)

_NOT_THERE = frozenset({FailureKind.SKIP_TARGET, FailureKind.CAPACITY})
"""Failures after which another target may do: not even an evacuation tries the same one again at once."""

_PINNING = frozenset(
    {
        FailureKind.SKIP_VM,
        FailureKind.TRANSIENT,
        FailureKind.CANCELLED,
        FailureKind.UNMAPPED,
    }
)
"""Failures after which another target would not help: not even an evacuation tries again at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hold:
    """One reason to leave something alone, and when it ends."""

    until: datetime
    reason: Reason
    detail: str


def holds_from(snapshot: Snapshot, past: Past, limits: Limits, *, now: datetime) -> Holds:
    """Return what must not be touched at `now`. VMs and hosts that are not in `snapshot` are left out.

    The rows of `past` are at least those of the last 24 hours and every open one, in any order; a row
    given twice counts once. Where several holds apply to a VM, the one that
    ends last is told.
    """
    unique = sorted({row.id: row for row in past.rows}.values(), key=lambda row: row.id)
    known = [r for r in unique if r.entry.vm in snapshot.vm_by_id and not _never_left(r)]
    holds = _residence(snapshot, known, limits)
    for found in (_budgets(known, limits, now), _failures(known, limits), _returns(known, limits)):
        for vm, hold in found.items():
            holds[vm].extend(hold)
    own = [row for row in known if row.kind in _PINNING]
    failing = _vm_refusals(_failures(own, limits), now)
    return Holds(
        vms=_vm_refusals(holds, now),
        pinned=MappingProxyType({**failing, **_pinned(snapshot, known)}),
        targets=_targets(snapshot, unique, limits, now),
        pairs=_pairs(snapshot, known, limits, now),
    )


def _never_left(row: JournalRow) -> bool:
    """Whether the call found no connection: that says nothing of the VM, and it leaves no fault."""
    return row.state is MoveState.FAILED and not row.fault and row.submitted_at is None


def _ended(row: JournalRow) -> datetime:
    return row.ended_at or row.submitted_at or row.entry.intended_at


def _in_state(rows: Iterable[JournalRow], state: MoveState) -> Mapping[VmId, list[JournalRow]]:
    """Return the rows of one state for each VM, by the time of their end."""
    found: defaultdict[VmId, list[JournalRow]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (_ended(row), row.id)):
        if row.state is state:
            found[row.entry.vm].append(row)
    return found


def _residence(
    snapshot: Snapshot, rows: Sequence[JournalRow], limits: Limits
) -> defaultdict[VmId, list[_Hold]]:
    """Hold VMs that arrived a short while ago, whoever moved them."""
    arrived = {vm.id: vm.last_moved_at for vm in snapshot.vms if vm.last_moved_at is not None}
    for vm, done in _in_state(rows, MoveState.DONE).items():
        arrived[vm] = max(_ended(done[-1]), arrived.get(vm, _ended(done[-1])))
    stay = timedelta(seconds=limits.residence_s)
    holds: defaultdict[VmId, list[_Hold]] = defaultdict(list)
    for vm, at in arrived.items():
        holds[vm].append(
            _Hold(until=at + stay, reason=Reason.RECENTLY_MOVED, detail=f"moved at {_clock(at)}")
        )
    return holds


def _budgets(rows: Sequence[JournalRow], limits: Limits, now: datetime) -> dict[VmId, list[_Hold]]:
    """Hold VMs that have used up their moves of the day, until the oldest of them is forgotten."""
    allowed, holds = limits.moves_per_vm_per_day, {}
    for vm, done in _in_state(rows, MoveState.DONE).items():
        recent = [row for row in done if _ended(row) > now - DAY]
        if len(recent) >= allowed:
            oldest = recent[max(len(recent) - allowed, 0)]
            detail = f"{len(recent)} moves in 24 h, {allowed} are allowed"
            holds[vm] = [_Hold(until=_ended(oldest) + DAY, reason=Reason.VM_BUDGET, detail=detail)]
    return holds


def _failures(rows: Sequence[JournalRow], limits: Limits) -> dict[VmId, list[_Hold]]:
    """Hold VMs whose move failed: briefly after one failure, long after two within 24 hours.

    A failure that the target or the whole connection is to blame for holds briefly, but does not add
    up to a quarantine.
    """
    holds = {}
    for vm, failed in _in_state(rows, MoveState.FAILED).items():
        last = failed[-1]
        brief = _ended(last) + timedelta(seconds=limits.failed_vm_hold_s)
        detail = f"a move failed at {_clock(_ended(last))}: {last.fault or last.detail}"
        found = [_Hold(until=brief, reason=Reason.VM_FAILED_RECENTLY, detail=detail)]
        own = [row for row in failed if row.kind not in _NOT_THE_VMS_FAULT]
        found += _quarantines(own, limits, "2 moves failed within 24 h")
        holds[vm] = found
    return holds


def _returns(rows: Sequence[JournalRow], limits: Limits) -> dict[VmId, list[_Hold]]:
    """Hold VMs that went back to the host they had just left, twice within 24 hours."""
    holds = {}
    for vm, done in _in_state(rows, MoveState.DONE).items():
        back = [second for first, second in pairwise(done) if _is_return(first, second)]
        holds[vm] = _quarantines(back, limits, "returned twice within 24 h to the host it had left")
    return holds


def _is_return(first: JournalRow, second: JournalRow) -> bool:
    went, came = first.entry, second.entry
    return went.target == came.source and went.source == came.target


def _quarantines(rows: Sequence[JournalRow], limits: Limits, detail: str) -> list[_Hold]:
    """Return one hold for each two rows that follow each other within 24 hours."""
    out = timedelta(seconds=limits.failed_vm_quarantine_s)
    return [
        _Hold(until=_ended(second) + out, reason=Reason.VM_FAILED_RECENTLY, detail=detail)
        for first, second in pairwise(rows)
        if _ended(second) - _ended(first) <= DAY
    ]


def _vm_refusals(holds: Mapping[VmId, list[_Hold]], now: datetime) -> Mapping[VmId, Refusal]:
    refusals = {}
    for vm in sorted(holds):
        active = [hold for hold in holds[vm] if hold.until > now]
        if active:
            last = max(active, key=lambda hold: (hold.until, hold.reason))
            detail = f"{last.detail}; held until {_clock(last.until)}"
            refusals[vm] = Refusal.of(last.reason, detail, vm=vm)
    return MappingProxyType(refusals)


def _pinned(snapshot: Snapshot, rows: Sequence[JournalRow]) -> Mapping[VmId, Refusal]:
    """Pin VMs that are on their way, and those of which this cannot be told."""
    pinned = {}
    for row in rows:
        if row.state.is_open:
            where = _host_name(snapshot, row.entry.target)
            detail = f"its move to {where} has not ended, as far as is known"
            pinned[row.entry.vm] = Refusal.of(Reason.IN_FLIGHT, detail, vm=row.entry.vm)
    for flight in snapshot.in_flight:
        if flight.vm in snapshot.vm_by_id:
            detail = f"a migration to {_host_name(snapshot, flight.target)} is running"
            pinned[flight.vm] = Refusal.of(Reason.IN_FLIGHT, detail, vm=flight.vm)
    return MappingProxyType(dict(sorted(pinned.items())))


def _host_name(snapshot: Snapshot, host: HostId) -> str:
    known = snapshot.host_by_id.get(host)
    return known.name if known else host


def _targets(
    snapshot: Snapshot, rows: Sequence[JournalRow], limits: Limits, now: datetime
) -> Mapping[HostId, Refusal]:
    """Send out targets that were at fault twice within an hour."""
    blamed: defaultdict[HostId, list[datetime]] = defaultdict(list)
    for row in rows:
        if row.state is MoveState.FAILED and row.kind is FailureKind.SKIP_TARGET:
            blamed[row.entry.target].append(_ended(row))
    out, refusals = timedelta(seconds=limits.failed_target_quarantine_s), {}
    for host in sorted(blamed.keys() & snapshot.host_by_id.keys()):
        times = pairwise(sorted(blamed[host]))
        ends = [second + out for first, second in times if second - first <= TARGET_WINDOW]
        if ends and max(ends) > now:
            detail = f"2 migrations to it failed within an hour; out until {_clock(max(ends))}"
            refusals[host] = Refusal.of(Reason.TARGET_FAILED_RECENTLY, detail, host=host)
    return MappingProxyType(refusals)


def _pairs(
    snapshot: Snapshot, rows: Sequence[JournalRow], limits: Limits, now: datetime
) -> Mapping[tuple[VmId, HostId], Refusal]:
    """Forbid pairs that the server found impossible in the last 24 hours, or that failed just now.

    A host that failed as a target for one VM, or had no room for it, is none for it as long as the VM is
    held for other moves; an evacuation, which no hold stops, goes elsewhere meanwhile.
    """
    brief = timedelta(seconds=limits.failed_vm_hold_s)
    refusals = {}
    for row in sorted(rows, key=lambda row: (row.kind is FailureKind.PAIR, _ended(row), row.id)):
        vm, host = row.entry.vm, row.entry.target
        if row.state is not MoveState.FAILED or host not in snapshot.host_by_id:
            continue
        detail = f"at {_clock(_ended(row))}: {row.fault or row.detail}"
        if row.kind is FailureKind.PAIR and _ended(row) + DAY > now:
            why = Refusal.of(Reason.SERVER_CHECK, f"refused {detail}", vm=vm, host=host)
            refusals[vm, host] = why
        elif row.kind in _NOT_THERE and _ended(row) + brief > now:
            reason = Reason.TARGET_FAILED_RECENTLY
            refusals[vm, host] = Refusal.of(reason, f"failed {detail}", vm=vm, host=host)
    return MappingProxyType(refusals)


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"

"""What experience says to leave alone: residence, budget per VM, failures, quarantines, running migrations.

Reads the snapshot and what is remembered, decides what is held still until when, and stores nothing. The
planner obeys the holds; evacuations and broken must-rules may override those of `Holds.vms`, nothing overrides
a pin. A VM whose own migration failed is pinned as well: an evacuation that tries it again at once would only
fail again. So is a VM that somebody else moves back: two must not pull at one VM, and whoever moves it can
evacuate it too. A VM that only went to and fro by our own moves is held, not pinned: it can be moved.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from balancer.model.need import Holds
from balancer.model.outcome import FailureKind, JournalRow, MoveState
from balancer.model.past import ForeignMove, Past, Quarantine, SubjectKind
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.policy.types import Limits

DAY = timedelta(hours=24)
"""The window in which a VM's moves are counted, and a refused pair is remembered."""

_SAME_ARRIVAL = timedelta(minutes=10)
"""An arrival is seen by the journal, by vCenter and by a later look at slightly different times."""

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
    given twice counts once. A VM is known by its instance uuid: another one of the same id has no past.
    Where several holds apply to a VM, the one that ends last is told.
    """
    unique = sorted({row.id: row for row in past.rows}.values(), key=lambda row: row.id)
    known = [r for r in unique if _is_here(snapshot, r.entry.vm, r.entry.vm_uuid)]
    told = [row for row in known if not _never_left(row)]
    holds = _residence(snapshot, told, past.foreign_moves, limits)
    pinning: defaultdict[VmId, list[_Hold]] = defaultdict(list)
    pinned_too, only_held = _quarantined(snapshot, past)
    failing = [row for row in told if row.kind in _PINNING]
    _add(holds, _budgets(told, limits, now), _failures(told, limits), pinned_too, only_held)
    _add(pinning, _failures(failing, limits), pinned_too)
    return Holds(
        vms=_vm_refusals(holds, now),
        pinned=MappingProxyType({**_vm_refusals(pinning, now), **_pinned(snapshot, unique)}),
        targets=_targets(snapshot, past.quarantines, now),
        pairs=_pairs(snapshot, told, limits, now),
    )


def _add(into: defaultdict[VmId, list[_Hold]], *found: Mapping[VmId, list[_Hold]]) -> None:
    for one in found:
        for vm, holds in one.items():
            into[vm].extend(holds)


def _is_here(snapshot: Snapshot, key: VmId, uuid: str) -> bool:
    """Whether the VM that was known by this id and uuid is in the snapshot; an empty uuid is any."""
    vm = snapshot.vm_by_id.get(key)
    return vm is not None and (not uuid or not vm.uuid or vm.uuid == uuid)


def _never_left(row: JournalRow) -> bool:
    """Whether the call found no connection: that says nothing of the VM, and it leaves no fault."""
    return row.state is MoveState.FAILED and not row.fault and row.submitted_at is None


def _in_state(rows: Iterable[JournalRow], state: MoveState) -> Mapping[VmId, list[JournalRow]]:
    """Return the rows of one state for each VM, by the time of their end."""
    found: defaultdict[VmId, list[JournalRow]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.last_at, row.id)):
        if row.state is state:
            found[row.entry.vm].append(row)
    return found


def _residence(
    snapshot: Snapshot,
    rows: Sequence[JournalRow],
    foreign: Iterable[ForeignMove],
    limits: Limits,
) -> defaultdict[VmId, list[_Hold]]:
    """Hold VMs that arrived a short while ago, whoever moved them; the longer, the more often they move."""
    arrivals: defaultdict[VmId, set[datetime]] = defaultdict(set)
    for vm in snapshot.vms:
        if vm.last_moved_at:
            arrivals[vm.id].add(vm.last_moved_at)
    for vm_id, done in _in_state(rows, MoveState.DONE).items():
        arrivals[vm_id].update(row.last_at for row in done)
    for move in foreign:
        if move.vm in snapshot.vm_by_id:
            arrivals[move.vm].add(move.seen_at)
    holds: defaultdict[VmId, list[_Hold]] = defaultdict(list)
    for vm_id in filter(arrivals.__contains__, snapshot.vm_by_id):
        times = arrivals[vm_id]
        holds[vm_id].append(_stay(max(times), _moves_before(times), limits))
    return holds


def _moves_before(times: Iterable[datetime]) -> int:
    """Return how many moves preceded the last one within a day; arrivals seen twice count once."""
    ordered = sorted(times, reverse=True)
    apart = [ordered[0]]
    for at in ordered[1:]:
        if apart[-1] - at > _SAME_ARRIVAL:
            apart.append(at)
    return sum(1 for at in apart[1:] if ordered[0] - at < DAY)


def _stay(at: datetime, before: int, limits: Limits) -> _Hold:
    """Return the hold after an arrival; with each further move within a day it grows, up to a day."""
    longest_s = max(limits.residence_s, DAY.total_seconds())
    # Grown step by step, so that no number of moves makes a number that a float cannot hold.
    stays_s = limits.residence_s
    for _ in range(before):
        stays_s = min(stays_s * limits.residence_growth, longest_s)
    told = f"moved at {_clock(at)}" + (f", {before + 1} times within a day" if before else "")
    until = at + timedelta(seconds=stays_s)
    return _Hold(until=until, reason=Reason.RECENTLY_MOVED, detail=told)


def _budgets(rows: Sequence[JournalRow], limits: Limits, now: datetime) -> dict[VmId, list[_Hold]]:
    """Hold VMs that have used up their moves of the day, until the oldest of them is forgotten."""
    allowed, holds = limits.moves_per_vm_per_day, {}
    for vm, done in _in_state(rows, MoveState.DONE).items():
        recent = [row for row in done if row.last_at > now - DAY]
        if len(recent) >= allowed:
            oldest = recent[max(len(recent) - allowed, 0)]
            detail = f"{len(recent)} moves in 24 h, {allowed} are allowed"
            holds[vm] = [_Hold(until=oldest.last_at + DAY, reason=Reason.VM_BUDGET, detail=detail)]
    return holds


def _failures(rows: Sequence[JournalRow], limits: Limits) -> dict[VmId, list[_Hold]]:
    """Hold VMs whose last move failed a short while ago."""
    holds = {}
    for vm, failed in _in_state(rows, MoveState.FAILED).items():
        last = failed[-1]
        brief = last.last_at + timedelta(seconds=limits.failed_vm_hold_s)
        detail = f"a move failed at {_clock(last.last_at)}: {last.fault or last.detail}"
        holds[vm] = [_Hold(until=brief, reason=Reason.VM_FAILED_RECENTLY, detail=detail)]
    return holds


def _quarantined(
    snapshot: Snapshot, past: Past
) -> tuple[Mapping[VmId, list[_Hold]], Mapping[VmId, list[_Hold]]]:
    """Return the VMs in quarantine: those that not even an evacuation may move, and those that it may."""
    by_id = {row.id: row for row in past.rows}
    pinned: defaultdict[VmId, list[_Hold]] = defaultdict(list)
    held: defaultdict[VmId, list[_Hold]] = defaultdict(list)
    for quarantine in past.quarantines:
        vm = VmId(quarantine.subject)
        is_vm = quarantine.kind is SubjectKind.VM
        if not is_vm or not _is_here(snapshot, vm, quarantine.identity):
            continue
        if quarantine.reason is Reason.CONTENDED and _is_acknowledged(quarantine, past):
            continue
        times = f" (time {quarantine.level} in a row)" if quarantine.level > 1 else ""
        hold = _Hold(
            until=quarantine.until, reason=quarantine.reason, detail=quarantine.detail + times
        )
        cause = by_id.get(quarantine.cause)
        into = held if cause and not _pins(quarantine, cause) else pinned
        into[vm].append(hold)
    return pinned, held


def _pins(quarantine: Quarantine, cause: JournalRow) -> bool:
    return quarantine.reason is Reason.CONTENDED or cause.kind in _PINNING


def _is_acknowledged(quarantine: Quarantine, past: Past) -> bool:
    """Whether somebody has looked into who moves the VM: then it is as free as any other."""
    seen = [move for move in past.foreign_moves if move.row == quarantine.cause]
    return bool(seen) and all(move.acknowledged_at is not None for move in seen)


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
        if row.state.is_open and row.entry.vm in snapshot.vm_by_id:
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
    snapshot: Snapshot, quarantines: Iterable[Quarantine], now: datetime
) -> Mapping[HostId, Refusal]:
    """Send out targets that are in quarantine."""
    last: dict[HostId, Quarantine] = {}
    for quarantine in sorted(quarantines, key=lambda q: (q.until, q.cause)):
        host = HostId(quarantine.subject)
        if quarantine.kind is SubjectKind.HOST and host in snapshot.host_by_id:
            last[host] = quarantine
    return MappingProxyType(
        {
            host: Refusal.of(
                quarantine.reason,
                f"{quarantine.detail}; out until {_clock(quarantine.until)}",
                host=host,
            )
            for host, quarantine in sorted(last.items())
            if quarantine.until > now
        }
    )


def _pairs(
    snapshot: Snapshot, rows: Sequence[JournalRow], limits: Limits, now: datetime
) -> Mapping[tuple[VmId, HostId], Refusal]:
    """Forbid pairs that the server found impossible in the last 24 hours, or that failed just now.

    A host that failed as a target for one VM, or had no room for it, is none for it as long as the VM is
    held for other moves; an evacuation, which no hold stops, goes elsewhere meanwhile.
    """
    brief = timedelta(seconds=limits.failed_vm_hold_s)
    refusals = {}
    for row in sorted(rows, key=lambda row: (row.kind is FailureKind.PAIR, row.last_at, row.id)):
        vm, host = row.entry.vm, row.entry.target
        if row.state is not MoveState.FAILED or host not in snapshot.host_by_id:
            continue
        detail = f"at {_clock(row.last_at)}: {row.fault or row.detail}"
        if row.kind is FailureKind.PAIR and row.last_at + DAY > now:
            why = Refusal.of(Reason.SERVER_CHECK, f"refused {detail}", vm=vm, host=host)
            refusals[vm, host] = why
        elif row.kind in _NOT_THERE and row.last_at + brief > now:
            reason = Reason.TARGET_FAILED_RECENTLY
            refusals[vm, host] = Refusal.of(reason, f"failed {detail}", vm=vm, host=host)
    return MappingProxyType(refusals)


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"

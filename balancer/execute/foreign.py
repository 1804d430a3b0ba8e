"""Which VMs somebody else moved after us: what two looks at a cluster and the journal show. Pure.

A VM that is not where our last move of it had put it was moved by somebody else. That speaks against us
where it undoes within a day what we did: the VM went back or on, or another VM took its way back. It does not
where its host had to be emptied, or was lost.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from balancer.model.outcome import JournalRow, MoveState
from balancer.model.past import ForeignMove, Past
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.model.vm import Vm

DAY = timedelta(hours=24)
"""A move that has stood so long is not undone by what comes later: the load is another one."""

WAY_BACK = timedelta(hours=1)
"""For so long a VM that goes from a host we filled to one we relieved undoes our moves, whichever VM it is."""

Places = Mapping[VmId, HostId]

_REACHED = frozenset({MoveState.DONE, MoveState.EXTERNAL})
"""Ends after which the VM had been moved by us, or by others while we did: its place means something."""


def foreign_moves(
    snapshot: Snapshot,
    past: Past,
    *,
    vcenter: str,
    before: Places,
    asked_at: datetime,
    is_shaken: bool,
) -> tuple[ForeignMove, ...]:
    """Return what others have moved, as far as it is not in `past` already, by VM.

    `before` is where each VM was at the last look, nothing where there was none. `asked_at` is when the reading
    of the snapshot began: what ended later is not in it. `is_shaken` says that HA may have restarted VMs
    elsewhere: then nothing speaks against us.
    """
    last = _last_of_each(past.rows, snapshot)
    known = {(move.row, move.target) for move in past.foreign_moves}
    busy = {r.entry.vm for r in past.rows if r.state.is_open or r.last_at >= asked_at}
    busy |= {flight.vm for flight in snapshot.in_flight}
    found: list[ForeignMove] = []
    for vm in snapshot.running_vms:
        row, move = last.get(vm.id), None
        if vm.id in busy or (row and vm.host == row.entry.target):
            continue
        if row and is_same(vm, row):
            move = _of_ours(snapshot, vm, row, now=asked_at, is_shaken=is_shaken)
        if not is_shaken and not (move and move.is_against):
            move = _way_back(snapshot, vm, last, before.get(vm.id), now=asked_at) or move
        if move and (move.row, move.target) not in known:
            found.append(replace(move, vcenter=vcenter))
    return tuple(found)


def is_same(vm: Vm, row: JournalRow) -> bool:
    """Whether a row is about this VM: another instance uuid is another VM, whatever its id."""
    return not row.entry.vm_uuid or not vm.uuid or row.entry.vm_uuid == vm.uuid


def _last_of_each(rows: Iterable[JournalRow], snapshot: Snapshot) -> dict[VmId, JournalRow]:
    """Return the last row after which a VM had moved; one that failed has, where the VM is on its target."""
    return {
        row.entry.vm: row
        for row in sorted(rows, key=lambda row: (row.last_at, row.id))
        if row.state in _REACHED or _is_there(snapshot, row)
    }


def _is_there(snapshot: Snapshot, row: JournalRow) -> bool:
    vm = snapshot.vm_by_id.get(row.entry.vm)
    return vm is not None and vm.host == row.entry.target


def _of_ours(
    snapshot: Snapshot, vm: Vm, row: JournalRow, *, now: datetime, is_shaken: bool
) -> ForeignMove:
    """Return the move by others of a VM that is not where we had put it."""
    is_forced = is_shaken or not _takes(snapshot, row.entry.target)
    is_against = not is_forced and now - row.last_at <= DAY
    return _noted(snapshot, vm, row, source=row.entry.target, now=now, is_against=is_against)


def _way_back(
    snapshot: Snapshot,
    vm: Vm,
    last: Mapping[VmId, JournalRow],
    source: HostId | None,
    *,
    now: datetime,
) -> ForeignMove | None:
    """Return the move of ours that another VM undoes: from a host that we filled to one that we relieved."""
    if source is None or source == vm.host or not _takes(snapshot, source):
        return None
    load = [
        row
        for row in last.values()
        if row.state is MoveState.DONE
        and not row.entry.reason.is_mandatory
        and now - row.last_at <= WAY_BACK
    ]
    filled = [row for row in load if row.entry.target == source]
    if not filled or not any(row.entry.source == vm.host for row in load):
        return None
    undone = max(filled, key=lambda row: (row.entry.source == vm.host, row.last_at, row.id))
    return _noted(snapshot, vm, undone, source=source, now=now, is_against=True)


def _takes(snapshot: Snapshot, host: HostId) -> bool:
    known = snapshot.host_by_id.get(host)
    return known is not None and known.state.takes


def _noted(
    snapshot: Snapshot,
    vm: Vm,
    row: JournalRow,
    *,
    source: HostId,
    now: datetime,
    is_against: bool,
) -> ForeignMove:
    return ForeignMove(
        vcenter="",
        cluster=snapshot.cluster.id,
        vm=vm.id,
        vm_name=vm.name,
        source=source,
        target=vm.host,
        seen_at=now,
        row=row.id,
        is_return=vm.id == row.entry.vm and vm.host == row.entry.source,
        is_against=is_against,
    )

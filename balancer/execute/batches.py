"""Batches: the moves that one cycle sent, as the journal's rows tell of them. Pure.

A batch is known from its rows alone, so that none is forgotten where a process ended before it could say
that there is one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from balancer.model.outcome import JournalRow, MoveState
from balancer.model.plan import MoveReason
from balancer.model.units import HostId, VmId


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """What a batch did to one VM: from where to where, over a parking host or not, and why."""

    vm: VmId
    vm_uuid: str
    origin: HostId
    destination: HostId
    reason: MoveReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The rows of one cycle, oldest first; at least one."""

    rows: tuple[JournalRow, ...]

    @property
    def cycle_id(self) -> str:
        """Return the cycle that sent it."""
        return self.rows[0].entry.cycle_id

    @property
    def plan_id(self) -> str:
        """Return the plan that it is of."""
        return self.rows[0].entry.plan_id

    @property
    def is_over(self) -> bool:
        """Whether the end of every move is known."""
        return not any(row.state.is_open for row in self.rows)

    @property
    def ended_at(self) -> datetime:
        """Return when the last move ended; of one that is not over, the last that is known."""
        return max(row.ended_at or row.submitted_at or row.entry.intended_at for row in self.rows)

    @property
    def moved(self) -> tuple[JournalRow, ...]:
        """Return the rows of moves that were made."""
        return tuple(row for row in self.rows if row.state is MoveState.DONE)

    @property
    def shifts(self) -> tuple[Shift, ...]:
        """Return what was done to each VM, by VM; a VM that came back to where it was is left out."""
        return shifts_of(self.moved)


def batches_of(rows: Iterable[JournalRow]) -> tuple[Batch, ...]:
    """Return the batches of one cluster's rows, in the order in which they began."""
    found: dict[str, list[JournalRow]] = {}
    for row in sorted(rows, key=lambda row: row.id):
        found.setdefault(row.entry.cycle_id, []).append(row)
    return tuple(Batch(rows=tuple(rows)) for rows in found.values())


def shifts_of(moved: Sequence[JournalRow]) -> tuple[Shift, ...]:
    """Return what moves that were made did to each VM, by VM. `moved` is oldest first."""
    ways: dict[VmId, list[JournalRow]] = {}
    for row in moved:
        ways.setdefault(row.entry.vm, []).append(row)
    shifts = (_shift(ways[vm]) for vm in sorted(ways))
    return tuple(shift for shift in shifts if shift.origin != shift.destination)


def _shift(way: Sequence[JournalRow]) -> Shift:
    first, last = way[0].entry, way[-1].entry
    real = [row.entry.reason for row in way if row.entry.reason is not MoveReason.PARKING]
    return Shift(
        vm=first.vm,
        vm_uuid=first.vm_uuid,
        origin=first.source,
        destination=last.target,
        reason=real[-1] if real else MoveReason.PARKING,
    )

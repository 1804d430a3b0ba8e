"""The rules of mending figures on the grid: each one a function that counts what it changes.

Arrays have the shape (slots, VMs); places are told by slot and VM, as rows were put into slots before.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from balancer.adapters.traces.matrix import Floats, Matrix
from balancer.adapters.traces.mends import FIRST_PLACES, Ledger, MendRule
from balancer.model.history import Figures

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bounds:
    """The size of the memory in force, and when VMs are off: both of shape (slots, VMs)."""

    memory_mib: Floats
    is_off: Mask


def without_impossible(matrix: Matrix, most: Floats, ledger: Ledger) -> Matrix:
    """Return rows as read without negative figures, and without those above `most`: no sample."""
    figures = matrix.figures.copy()
    for rule, mask in (
        (MendRule.NEGATIVE, figures < 0.0),
        (MendRule.ABSURD, figures > most),
    ):
        rows, columns = np.nonzero(mask)
        first = zip(rows[:FIRST_PLACES], columns[:FIRST_PLACES], strict=True)
        ledger.note(rule, len(rows), [matrix.place(int(row), int(vm)) for row, vm in first])
        figures[mask] = np.nan
    return replace(matrix, figures=figures)


def consumed_where_on(consumed: Floats | None, sampled: Floats, cpu: Figures) -> Figures | None:
    """Return consumed memory of VMs while they are on, NaN where it is not known; None where it nowhere is.

    Where CPU (`sampled`) had a gap that was filled (`cpu`), the last figure is held like the CPU's. It is not cut
    to the size, as it holds the hypervisor's share (`quickStats.hostMemoryUsage`).
    """
    if consumed is None:
        return None
    is_on = ~np.isnan(cpu)
    is_filled = is_on & np.isnan(sampled) & np.isnan(consumed)
    known = np.where(is_on, _last(consumed, ~is_filled), np.nan)
    known[known > np.finfo(np.float32).max] = np.nan
    return None if np.isnan(known).all() else known.astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mender:
    """Mends CPU and memory together; `most_gap` is the longest gap that is filled, in slots."""

    vms: tuple[str, ...]
    first_slot: int
    bounds: Bounds
    most_gap: int
    ledger: Ledger

    def mended(self, cpu: Floats, memory: Floats) -> tuple[Figures, Figures]:
        """Return CPU and memory as the lab uses them: both are known, or both are NaN."""
        is_off = self.bounds.is_off
        self._note(MendRule.SAMPLE_WHILE_OFF, is_off & (cpu > 0.0))
        cpu = np.where(is_off, np.nan, cpu)
        gaps, left = self._gaps(cpu)
        self._note(MendRule.GAP_FILLED, gaps)
        self._note(MendRule.GAP_LEFT, left)
        cpu = np.where(gaps, _held(cpu), cpu)
        is_on = ~np.isnan(cpu)
        self._note(MendRule.CPU_MISSING, ~is_on & ~is_off & ~np.isnan(memory))
        missing = is_on & np.isnan(memory)
        self._note(MendRule.MEMORY_HELD, missing & ~gaps)
        memory = np.where(missing, _known_around(memory), memory)
        above = is_on & (memory > self.bounds.memory_mib)
        self._note(MendRule.MEMORY_ABOVE_SIZE, above)
        memory = np.where(is_on, np.minimum(memory, self.bounds.memory_mib), np.nan)
        return cpu.astype(np.float32), memory.astype(np.float32)

    def _gaps(self, figures: Floats) -> tuple[Mask, Mask]:
        """Return the slots between two samples of a VM that is on: of gaps to be filled, and of longer ones."""
        known = ~np.isnan(figures)
        slots = np.arange(len(figures), dtype=np.int32)[:, None]
        before = np.maximum.accumulate(np.where(known, slots, -1), axis=0)
        after = np.minimum.accumulate(np.where(known, slots, len(figures))[::-1], axis=0)[::-1]
        is_gap = ~known & (before >= 0) & (after < len(figures)) & ~self.bounds.is_off
        is_short = after - before - 1 <= self.most_gap
        return is_gap & is_short, is_gap & ~is_short

    def _note(self, rule: MendRule, mask: Mask) -> None:
        slots, columns = np.nonzero(mask)
        first = zip(slots[:FIRST_PLACES], columns[:FIRST_PLACES], strict=True)
        places = [f"slot {slot + self.first_slot}, VM {self.vms[vm]}" for slot, vm in first]
        self.ledger.note(rule, len(slots), places)


def _held(figures: Floats) -> Floats:
    """Return the last known figure at every slot, NaN before the first one."""
    return _last(figures, ~np.isnan(figures))


def _last(figures: Floats, counts: Mask) -> Floats:
    """Return at every slot the figure of the last one that counts, before the first such one that of slot 0."""
    slots = np.arange(len(figures), dtype=np.int32)[:, None]
    before = np.maximum.accumulate(np.where(counts, slots, 0), axis=0)
    return np.take_along_axis(figures, before, axis=0)


def _known_around(figures: Floats) -> Floats:
    """Return the last known figure, before the first one that one, and 0 where there is none at all."""
    held = _held(figures)
    later = _held(held[::-1])[::-1]
    return np.nan_to_num(np.where(np.isnan(held), later, held), nan=0.0)

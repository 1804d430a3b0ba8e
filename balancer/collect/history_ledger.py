"""What is remembered of the VMs, or of the hosts, of one cluster: the last hours exactly, weeks in one byte each.

Owns how columns, rings and the present step go together, and what a block of roll-ups adds to them. Knows steps by
number and no clock. Mutable bookkeeping for one thread.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from balancer.collect.history_columns import Columns
from balancer.collect.history_ring import Places, Ring
from balancer.collect.history_step import OpenStep, SampleFigures
from balancer.model.history import Figures
from balancer.model.rollup import SERIES_OF, Block, Kind, Member, Series, Statistic
from balancer.model.scale import decoded, encoded
from balancer.model.units import Seconds

EXACT_STEPS = 24
"""So many of the newest steps are kept as they were told, with all their statistics: two hours."""

FILLED_AT_ONCE = 48
"""Steps of a block that are taken up at a time, so that it costs little memory beside itself."""

WIDTHS: Mapping[Kind, int] = {Kind.VM: 128, Kind.HOST: 32}
"""Columns for which room is made at a time."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """What one snapshot shows, by name, with sizes.

    `sampled` has a row for each measure of the kind, in the order of `SERIES_OF`, and a column for each name.
    """

    names: Sequence[str]
    vcpus: np.ndarray[tuple[int], np.dtype[np.int64]]
    memory_mib: np.ndarray[tuple[int], np.dtype[np.float64]]
    sampled: SampleFigures


class Ledger:
    """All series of the newest `EXACT_STEPS` steps, and those in `kept` of the newest `steps` steps."""

    def __init__(self, kind: Kind, *, steps: int, step_s: Seconds, kept: Sequence[Series]) -> None:
        self.kind, self.steps, self._step_s = kind, steps, step_s
        self.series = SERIES_OF[kind]
        self._layer = {series: at for at, series in enumerate(self.series)}
        self._kept = {series: at for at, series in enumerate(kept)}
        width, layers = WIDTHS[kind], len(self.series)
        exact = np.float32(np.nan)
        self._exact = Ring(layers=layers, steps=EXACT_STEPS, width=width, blank=exact)
        self._long = Ring(layers=len(kept), steps=steps, width=width, blank=np.uint8(0))
        self._open = OpenStep(len(self.series) // len(Statistic))
        self.columns = Columns(self._moved)

    @property
    def nbytes(self) -> int:
        """Return the bytes of both rings."""
        return self._exact.nbytes + self._long.nbytes

    def begin(self, step: int, last: int | None) -> None:
        """Begin a step after `last`; what lies between is not known."""
        if last is not None:
            self._exact.clear(last + 1, step)
            self._long.clear(last + 1, step)
            self.columns.drop_absent(last, last - step + self.steps)
        self._open.clear(len(self.columns))

    def rewind(self, step: int, last: int) -> None:
        """Take it that a step comes after none of those from it to `last`."""
        self._exact.clear(step, last)
        self._long.clear(step, last)
        self._open.clear(len(self.columns))
        np.minimum(self.columns.seen, step, out=self.columns.seen)

    def read(self, step: int, reading: Reading) -> None:
        """Take a reading of the present step."""
        before, columns = len(self.columns), self._columns_of(reading, step)
        self._open.fit(len(self.columns))
        self._open.add(columns, reading.sampled)
        if len(self.columns) > before:
            self.columns.drop_absent(step, self.steps)
        row = self._open.figures()[:, : len(self.columns)]
        self._exact.put(step, row)
        codes = [encoded(series.measure, row[self._layer[series]]) for series in self._kept]
        self._long.put(step, np.array(codes, dtype=np.uint8).reshape(len(codes), -1))

    def begin_anew(self, identities: Sequence[str], step: int) -> None:
        """Let nothing be known of them before a step."""
        facts, found = self.columns, self.columns.of(identities)
        found = found[found >= 0]
        is_known = facts.seen[found] >= facts.begun[found]
        for column in found[is_known].tolist():
            self._blank(column, step)
        facts.begun[found] = step

    def figures(self, series: Series, first: int, last: int, columns: slice) -> Figures:
        """Return a series over the steps from first to the present one `last`: (steps, columns)."""
        exact_from = max(first, last - EXACT_STEPS + 1)
        exact = self._exact.rows(self._layer[series], exact_from, last, columns)
        if exact_from == first:
            return exact
        out = np.empty((last - first + 1, exact.shape[1]), dtype=np.float32)
        codes = self._long.rows(self._kept[series], first, exact_from - 1, columns)
        decoded(series.measure, codes, out=out[: len(codes)])
        out[len(codes) :] = exact
        return out

    def block(self, first: int, last: int) -> Block:
        """Return all series of some of the newest `EXACT_STEPS` steps."""
        every = slice(0, len(self.columns))
        return Block(
            kind=self.kind,
            starts_at=datetime.fromtimestamp(first * self._step_s, UTC),
            step_s=self._step_s,
            members=self._members(),
            figures={
                series: self._exact.rows(layer, first, last, every)
                for series, layer in self._layer.items()
            },
        )

    def fill(self, block: Block, last: int) -> None:
        """Add what a block knows of the steps up to `last` of which nothing is known here.

        A member of another size than now, and what was before a VM began anew, is left out. A block of longer steps
        stands for each of the steps that it covers.
        """
        start = round(block.starts_at.timestamp() / self._step_s)
        times = max(round(block.step_s / self._step_s), 1)
        skip = max(last - self.steps + 1 - start, 0)
        count = min(block.steps * times, last - start + 1)
        if skip >= count:
            return
        columns, at = self._columns_to_fill(block.members, start + count - 1)
        begun = self.columns.begun[columns]
        for first in range(start + skip, start + count, FILLED_AT_ONCE):
            steps = np.arange(first, min(first + FILLED_AT_ONCE, start + count))
            is_since = steps[:, np.newaxis] >= begun
            for series, figures in block.figures.items():
                rows = figures[(steps - start) // times][:, at]
                self._fill(
                    series, first, np.where(is_since, rows, np.float32(np.nan)), columns, last
                )

    def _fill(self, series: Series, first: int, rows: Figures, columns: Places, last: int) -> None:
        if series in self._kept:
            codes = encoded(series.measure, rows)
            self._long.fill(self._kept[series], first, columns, codes)
        exact_from = max(first, last - EXACT_STEPS + 1)
        if series in self._layer and exact_from < first + len(rows):
            part = rows[exact_from - first :]
            self._exact.fill(self._layer[series], exact_from, columns, part)

    def _columns_to_fill(self, members: Sequence[Member], last: int) -> tuple[Places, Places]:
        """Return the columns that a block may add to, and the places of their members in it."""
        found = self.columns.of([member.identity for member in members])
        for new in np.flatnonzero(found < 0).tolist():
            found[new] = self._add(members[new])
        vcpus = np.array([_vcpus_of(each) for each in members], dtype=np.int64)
        memory_mib = np.array([_memory_of(each) for each in members])
        is_same = (vcpus < 0) | (vcpus == self.columns.vcpus[found])
        is_same &= (memory_mib < 0.0) | (memory_mib == self.columns.memory_mib[found])
        at = np.flatnonzero(is_same)
        np.maximum.at(self.columns.seen, found[at], last)
        return found[at], at

    def _columns_of(self, reading: Reading, step: int) -> Places:
        """Return the columns of a reading; one that is of another size than before begins now."""
        facts, names = self.columns, reading.names
        found = facts.of(names)
        for at in np.flatnonzero(found < 0).tolist():
            again = int(facts.of([names[at]])[0])  # a name may stand there twice
            found[at] = again if again >= 0 else self._add(Member(identity=names[at]))
        is_sized = facts.vcpus[found] >= 0
        is_other = facts.vcpus[found] != reading.vcpus
        is_other |= facts.memory_mib[found] != reading.memory_mib
        for column in found[is_sized & is_other].tolist():
            self._blank(column, step)
        facts.vcpus[found], facts.memory_mib[found] = reading.vcpus, reading.memory_mib
        facts.seen[found] = step
        return found

    def _blank(self, column: int, step: int) -> None:
        self._exact.column(column)[...] = np.nan
        self._long.column(column)[...] = 0
        self._open.drop(column, column)
        self.columns.begun[column] = step

    def _add(self, member: Member) -> int:
        begun = member.begun_at
        column = self.columns.add(
            member.identity,
            vcpus=_vcpus_of(member),
            memory_mib=_memory_of(member),
            begun=0 if begun is None else round(begun.timestamp() / self._step_s),
        )
        self._exact.fit(column + 1)
        self._long.fit(column + 1)
        return column

    def _members(self) -> tuple[Member, ...]:
        facts = self.columns
        return tuple(
            Member(
                identity=name,
                vcpus=None if vcpus < 0 else int(vcpus),
                memory_mib=None if memory_mib < 0.0 else float(memory_mib),
                begun_at=datetime.fromtimestamp(int(begun) * self._step_s, UTC) if begun else None,
            )
            for name, vcpus, memory_mib, begun in zip(
                facts.names, facts.vcpus, facts.memory_mib, facts.begun, strict=False
            )
        )

    def _moved(self, column: int, last: int) -> None:
        for ring in (self._exact, self._long):
            ring.drop(column, last)
            ring.fit(last)
        self._open.drop(column, last)


def _vcpus_of(member: Member) -> int:
    return -1 if member.vcpus is None else member.vcpus


def _memory_of(member: Member) -> float:
    return -1.0 if member.memory_mib is None else member.memory_mib

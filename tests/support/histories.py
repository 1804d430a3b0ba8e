"""A history in plain dictionaries, figure by figure: what the one on disk is compared with."""

from collections.abc import Collection
from datetime import UTC, datetime

import numpy as np

from balancer.model.rollup import Block, Kind, Member, Series
from balancer.model.units import DAY_S, Seconds

_Cell = tuple[str, Kind, int, str, int]


class MemoryHistory:
    """`ports.History` without a disk. It knows figures exactly, and counts a thousand bytes for each step."""

    def __init__(self) -> None:
        self._members: dict[tuple[str, Kind, str], Member] = {}
        self._cells: dict[_Cell, dict[Series, float]] = {}

    def put(self, cluster: str, block: Block) -> None:
        starts, step_s = int(block.starts_at.timestamp()), round(block.step_s)
        for column, member in enumerate(block.members):
            self._know(cluster, block, member)
            for at in range(block.steps):
                cell = (cluster, block.kind, step_s, member.identity, starts + at * step_s)
                kept = self._cells.setdefault(cell, {})
                for series, figures in block.figures.items():
                    if np.isfinite(figures[at, column]):
                        kept[series] = float(figures[at, column])

    def _know(self, cluster: str, block: Block, member: Member) -> None:
        key = (cluster, block.kind, member.identity)
        old = self._members.get(key, member)
        begins = [old.begun_at, member.begun_at]
        for was, now in ((old.vcpus, member.vcpus), (old.memory_mib, member.memory_mib)):
            if was is not None and now is not None and was != now:
                begins.append(block.starts_at)
        self._members[key] = Member(
            identity=member.identity,
            vcpus=old.vcpus if member.vcpus is None else member.vcpus,
            memory_mib=old.memory_mib if member.memory_mib is None else member.memory_mib,
            begun_at=max((each for each in begins if each), default=None),
        )

    def read(
        self,
        cluster: str,
        kind: Kind,
        step_s: Seconds,
        *,
        since: datetime,
        until: datetime,
        series: Collection[Series],
    ) -> tuple[Block, ...]:
        times = sorted(
            {
                time
                for one, of, step, _, time in self._cells
                if (one, of, step) == (cluster, kind, round(step_s))
                and since.timestamp() <= time < until.timestamp()
            }
        )
        return tuple(self._block(cluster, kind, round(step_s), time, series) for time in times)

    def _block(
        self, cluster: str, kind: Kind, step_s: int, time: int, series: Collection[Series]
    ) -> Block:
        found = {
            name: member
            for (one, of, name), member in self._members.items()
            if (one, of) == (cluster, kind) and (cluster, kind, step_s, name, time) in self._cells
        }
        at = datetime.fromtimestamp(time, UTC)
        rows = {
            each: [
                self._cells[cluster, kind, step_s, name, time].get(each, np.nan)
                if member.begun_at is None or member.begun_at <= at
                else np.nan
                for name, member in found.items()
            ]
            for each in series
        }
        return Block(
            kind=kind,
            starts_at=at,
            step_s=float(step_s),
            members=tuple(found.values()),
            figures={each: np.array([row], dtype=np.float32) for each, row in rows.items()},
        )

    def forget_steps(self, step_s: Seconds, before: datetime) -> None:
        limit = before.timestamp() // DAY_S * DAY_S
        gone = [cell for cell in self._cells if cell[2] == round(step_s) and cell[4] < limit]
        for cell in gone:
            del self._cells[cell]

    def shrink(self, most_bytes: int) -> None:
        while self.size_bytes > most_bytes:
            step_s, time = min((cell[2], cell[4]) for cell in self._cells)
            for cell in [each for each in self._cells if (each[2], each[4]) == (step_s, time)]:
                del self._cells[cell]

    def condense(self, before: datetime) -> None:
        """Change nothing: what is kept has no smaller form."""

    def oldest(self) -> datetime | None:
        times = [cell[4] for cell in self._cells]
        return datetime.fromtimestamp(min(times), UTC) if times else None

    def close(self) -> None:
        """Keep everything, so that a test can look."""

    @property
    def size_bytes(self) -> int:
        return 1_000 * len({(cell[2], cell[4]) for cell in self._cells})

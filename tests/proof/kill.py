"""Kills the process at every point, many times: nothing lost, nothing twice, no slot kept, two cycles to recover.

Each process is a normal one: it settles what the dead one before it left, plans and moves, and dies at its own
point. After each death journal and server are compared; what the death before had left must be closed by then.

`python -m tests.proof.kill [KILLS [MINUTES]]` plays so many kills at each point (1,000), in rounds over all
points until the time is over, and prints the table. Exit code 1 where anything was found.
"""

import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from tests.proof.books import OPEN, Books
from tests.proof.points import POINTS, Point
from tests.proof.theatre import Theatre, pause_s, theatre

LEASE_S, HOLD_S = 0.4, 0.1
"""The dead process's lease must run out, and its open rows are held so long, before the next one starts."""

CHAIN = 20
"""So many kills share one journal."""

MOST_CYCLES = 2

SPARE_ROUNDS = 10
"""Rounds for points that a life did not pass: where a step before took long, a move may wait for the next cycle."""


@dataclass(kw_only=True)
class Tally:
    """What came of the kills at one point."""

    kills: int = 0
    missed: list[str] = field(default_factory=list)
    rows: int = 0
    tasks: int = 0
    cycles: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class KillRun:
    """Kills at all points. `serial` makes every process's name its own, `cycles` counts those of each open row."""

    stage: Theatre
    random: random.Random
    serial: int = 0
    in_chain: int = 0
    rows: int = 0
    tasks: int = 0
    cycles: Counter[int] = field(default_factory=Counter)
    tallies: defaultdict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))

    def kill(self, point: Point) -> None:
        """Kill one process at a point, and look at the books."""
        tally = self.tallies[point.name]
        if self.in_chain == 0:
            self._open_chain()
        self.in_chain += 1
        before = self._die(point.after, 1, tally) if point.after else "unasked"
        end = self._die(point.name, self.random.randint(1, point.most), tally)
        if end == "killed":
            tally.kills += 1
        elif end == "exit 0":
            tally.missed.append(f"the life before: {before}; {self.stage.said(self._label)}")
        else:
            tally.faults.append(f"ended by itself with {end}")
        if self.in_chain >= CHAIN:
            self.close_chain(tally)

    def close_chain(self, tally: Tally) -> None:
        """Let the last process of a chain live on: after it nothing is open, and the audit log holds."""
        self.in_chain = 0
        end = self._live(cycles=MOST_CYCLES, until_settled=True)
        if end != "exit 0":
            tally.faults.append(f"the last process ended with {end}")
        books = self._look(tally)
        tally.faults += books.leaked
        tally.faults += self.stage.audit_faults()

    def _open_chain(self) -> None:
        self.stage.curtain()
        self.cycles.clear()
        self.rows = self.tasks = 0

    def _die(self, point: str, nth: int, tally: Tally) -> str:
        end = self._live(point=point, nth=nth, signal=int(signal.SIGKILL))
        self._look(tally)
        return end

    @property
    def _label(self) -> str:
        return f"life-{self.serial}"

    def _live(self, **facts: object) -> str:
        self.serial += 1
        self.stage.upset()
        end = self.stage.play(self._label, lease_s=LEASE_S, hold_s=HOLD_S, **facts)
        self.stage.quiet()
        pause_s(max(LEASE_S, HOLD_S))
        return end

    def _look(self, tally: Tally) -> Books:
        """Compare the books after a life, and count the cycles that each open row has seen."""
        books = self.stage.books()
        tally.faults += [*books.lost, *books.duplicates, *books.over_budget, *books.damaged]
        tally.faults += [f"too many at once: {one}" for one in self.stage.too_many_at_once()]
        still_open = {row.id for row in books.rows if row.state in OPEN}
        for row in books.rows[: self.rows]:
            if row.id in still_open or row.id in self.cycles:
                self.cycles[row.id] += 1
            if row.id not in still_open:
                tally.cycles = max(tally.cycles, self.cycles.pop(row.id, 0))
            elif self.cycles[row.id] > MOST_CYCLES:
                tally.faults.append(f"open after {self.cycles[row.id]} cycles: {row}")
        for row in books.rows[self.rows :]:
            if row.id in still_open:
                self.cycles[row.id] = 0
        tally.rows += len(books.rows) - self.rows
        tally.tasks += books.relocations - self.tasks
        self.rows, self.tasks = len(books.rows), books.relocations
        return books

    def faults(self) -> list[str]:
        """Return all that was found, by point."""
        return [
            f"{name}: {fault}" for name, tally in self.tallies.items() for fault in tally.faults
        ]

    def table(self) -> str:
        """Return the table of all points in Markdown."""
        head = "| killed at | kills | rows | tasks | faults | most cycles to recover |"
        lines = [head, "| --- | --- | --- | --- | --- | --- |"]
        for point in POINTS:
            t = self.tallies[point.name]
            figures = (t.kills, t.rows, t.tasks, len(t.faults), t.cycles)
            lines.append(f"| {point.name} | {' | '.join(map(str, figures))} |")
        return "\n".join(lines)


def play_kills(stage: Theatre, kills: int, *, seed: int, until_s: float = float("inf")) -> KillRun:
    """Kill so often at each point, in rounds, or until a monotonic time."""
    run = KillRun(stage=stage, random=random.Random(seed))
    stage.warm()
    last = POINTS[0]
    for _ in range(2 * kills + SPARE_ROUNDS):
        for point in POINTS:
            if run.tallies[point.name].kills < kills and time.monotonic() < until_s:
                run.kill(point)
                last = point
    run.close_chain(run.tallies[last.name])
    return run


def main(words: list[str]) -> int:
    """Play, and print the table."""
    kills = int(words[0]) if words else 1000
    until_s = time.monotonic() + 60 * float(words[1]) if len(words) > 1 else float("inf")
    with tempfile.TemporaryDirectory() as folder, theatre(Path(folder)) as stage:
        run = play_kills(stage, kills, seed=1, until_s=until_s)
    total = sum(tally.kills for tally in run.tallies.values())
    sys.stdout.write(f"{run.table()}\n\n{total} kills at {len(POINTS)} points\n")
    sys.stdout.write("".join(f"{fault}\n" for fault in run.faults()))
    return 1 if run.faults() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

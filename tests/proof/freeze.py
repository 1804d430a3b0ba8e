"""Freezes the process at every point of a run for longer than its lease, while another one takes over.

The frozen one then goes on. It must send nothing under a lease that is over, except from the few moments between
the last check and the call (`Point.is_late`), where the row is still open and nobody else sends for that VM.

`python -m tests.proof.freeze [TIMES [MINUTES]]` freezes so often at each point (20) and prints the table.
"""

import signal
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from tests.proof.points import POINTS, Point
from tests.proof.theatre import Theatre, pause_s, theatre

LEASE_S = 0.5
SHORT_HOLD_S, LONG_HOLD_S = 0.1, 60.0
"""A row is given up after the short time; the long one is longer than any freeze here, as 90 s should be."""

TRIES = 5

FROZEN = tuple(point for point in POINTS if point.name.startswith("run: "))


@dataclass(kw_only=True)
class Thaw:
    """What came of the freezes at one point. `late` counts requests after another had taken the lease."""

    freezes: int = 0
    taken_over: int = 0
    late: int = 0
    tasks: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class FreezeRun:
    """Freezes at many points, each with a journal of its own."""

    stage: Theatre
    thaws: defaultdict[str, Thaw] = field(default_factory=lambda: defaultdict(Thaw))

    def freeze(self, point: Point, *, nth: int = 1) -> None:
        """Freeze one process, let another take over, let the first go on, and look at the books."""
        stage, thaw = self.stage, self.thaws[point.name]
        hold_s = LONG_HOLD_S if point.is_late else SHORT_HOLD_S
        frozen = self._frozen_at(point, nth, hold_s)
        if frozen is None:
            thaw.faults.append("it never came there")
            return
        thaw.freezes += 1
        ends_at = time.time() + LEASE_S
        given = stage.leases_given()
        pause_s(LEASE_S)
        self._take_over(thaw, hold_s)
        has_lost = stage.leases_given() != given
        stage.forks.go_on(frozen)
        end = stage.forks.wait(frozen)
        thaw.taken_over += has_lost
        thaw.faults += [] if end == "exit 0" else [f"the frozen process ended with {end}"]
        self._look(thaw, ends_at, most_late=int(point.is_late) if has_lost else None)

    def _frozen_at(self, point: Point, nth: int, hold_s: float) -> int | None:
        """Return a process that is frozen at a point, each try with a new journal; None where none came there.

        On a busy machine a lease may end before its process has come so far, which then rightly sends nothing.
        """
        for _ in range(TRIES):
            self.stage.curtain()
            self.stage.upset()
            facts = {"point": point.name, "nth": nth, "signal": int(signal.SIGSTOP)}
            process = self.stage.start("frozen", **facts, lease_s=LEASE_S, hold_s=hold_s)
            if self.stage.forks.wait(process) == "stopped":
                return process
        return None

    def _take_over(self, thaw: Thaw, hold_s: float) -> None:
        """Run two cycles of another process beside the frozen one."""
        end = self.stage.play("second", cycles=2, lease_s=LEASE_S, hold_s=hold_s)
        thaw.faults += [] if end == "exit 0" else [f"the second process ended with {end}"]

    def _look(self, thaw: Thaw, ends_at: float, *, most_late: int | None) -> None:
        """Settle what is open, and compare the books.

        Where nobody took the lease meanwhile (the frozen process held the journal's lock) it was renewed, and
        what was sent then was sent under a live lease: `most_late` is None.
        """
        stage = self.stage
        stage.quiet()
        pause_s(max(LEASE_S, SHORT_HOLD_S))
        end = stage.play("last", cycles=2, until_settled=True, lease_s=LEASE_S, hold_s=SHORT_HOLD_S)
        stage.quiet()
        books = stage.books()
        thaw.faults += [] if end == "exit 0" else [f"the last process ended with {end}"]
        thaw.faults += [*books.faults, *stage.audit_faults()]
        thaw.tasks += books.relocations
        late = [s for s in stage.sent() if s["who"] == "frozen" and s["at"] > ends_at]
        if most_late is None:
            return
        thaw.late += len(late)
        if len(late) > most_late:
            thaw.faults.append(f"{len(late)} requests after the lease's end")

    def faults(self) -> list[str]:
        """Return all that was found, by point."""
        return [f"{name}: {fault}" for name, thaw in self.thaws.items() for fault in thaw.faults]

    def table(self) -> str:
        """Return the table of all points in Markdown."""
        head = "| frozen at | freezes | lease taken by the other | tasks | sent late | faults |"
        lines = [head, "| --- | --- | --- | --- | --- | --- |"]
        for name, t in self.thaws.items():
            figures = (t.freezes, t.taken_over, t.tasks, t.late, len(t.faults))
            lines.append(f"| {name} | {' | '.join(map(str, figures))} |")
        return "\n".join(lines)


def play_freezes(
    stage: Theatre, points: tuple[Point, ...], times: int, *, until_s: float = float("inf")
) -> FreezeRun:
    """Freeze so often at each point, in rounds, or until a monotonic time."""
    run = FreezeRun(stage=stage)
    stage.warm()
    for round_ in range(times):
        for point in points:
            if time.monotonic() < until_s:
                run.freeze(point, nth=1 + round_ % point.most)
    return run


def main(words: list[str]) -> int:
    """Play, and print the table."""
    times = int(words[0]) if words else 20
    until_s = time.monotonic() + 60 * float(words[1]) if len(words) > 1 else float("inf")
    with tempfile.TemporaryDirectory() as folder, theatre(Path(folder)) as stage:
        run = play_freezes(stage, FROZEN, times, until_s=until_s)
    total = sum(thaw.freezes for thaw in run.thaws.values())
    sys.stdout.write(f"{run.table()}\n\n{total} freezes at {len(run.thaws)} points\n")
    sys.stdout.write("".join(f"{fault}\n" for fault in run.faults()))
    return 1 if run.faults() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

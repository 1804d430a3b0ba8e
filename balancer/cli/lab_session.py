"""The runs of a replay, done side by side: who waits, what is told, and what is left when somebody interrupts."""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field

from balancer.adapters.replaying import Lost, side_by_side
from balancer.cli.lab_progress import ReplayProgress
from balancer.expose.figures import counted
from balancer.lab.errands import Errand, lost_run, play
from balancer.lab.figures import unmet_percent
from balancer.lab.replayed import LostRun
from balancer.lab.result import Run
from balancer.model.units import Seconds

INTERRUPTED = "interrupted"


@dataclass(slots=True, kw_only=True)
class Played:
    """What came of the errands. `is_interrupted`: somebody stopped it before all had ended."""

    runs: list[Run] = field(default_factory=list)
    lost: list[LostRun] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)
    elapsed_s: Seconds = 0.0
    is_interrupted: bool = False


def play_all(errands: Sequence[Errand], *, jobs: int, is_written: bool = True) -> Played:
    """Do all errands, at most `jobs` at a time, and tell on standard error how far they are.

    `is_written` is whether an interrupt is told that what has ended will be written.
    """
    played, begun_s = Played(), time.monotonic()
    left = dict(enumerate(errands))
    with ReplayProgress([_name(errand) for errand in errands]) as shown:
        try:
            with closing(side_by_side(errands, play, jobs=jobs, heard=shown.heard)) as ends:
                for place, end in ends:
                    _note(played, left.pop(place), end)
                    shown.ended(place, _told(end))
        except KeyboardInterrupt:
            played.is_interrupted = True
            played.lost += [lost_run(errand, INTERRUPTED) for errand in left.values()]
            kept = " and will be written" if is_written and played.runs else ""
            shown.say(
                f"interrupted: {counted(len(played.runs), 'run')} of {len(errands)} had ended{kept}; "
                f"{len(left)} {'is' if len(left) == 1 else 'are'} lost"
            )
    played.elapsed_s = time.monotonic() - begun_s
    return played


def _note(played: Played, errand: Errand, end: Run | Lost) -> None:
    if isinstance(end, Lost):
        played.lost.append(lost_run(errand, end.why))
        played.tracebacks.append(end.traceback)
    else:
        played.runs.append(end)


def _name(errand: Errand) -> str:
    return f"{errand.entrant.name}, placement {errand.scene.start}, seed {errand.seed}"


def _told(end: Run | Lost) -> str:
    if isinstance(end, Lost):
        return f"lost: {end.why}"
    score = end.score
    return (
        f"{unmet_percent(score.unmet_ratio)} % unmet, {counted(score.moves, 'move')}, "
        f"{score.moved_gib:,.0f} GiB, in {end.wall_s:.0f} s"
    )

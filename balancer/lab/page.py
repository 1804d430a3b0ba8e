"""A result as one HTML file: no script, no request to anywhere, light and dark by the reader's setting.

Owns what is shown and how much of it, so that a page of 30 days, 20 hosts and six runs stays under 3 MB.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from balancer.expose.pages import page
from balancer.expose.report_rows import Fact
from balancer.lab.bands import CLASSES, BandChart, band_chart, down_words, move_words
from balancer.lab.figures import OURS, is_ours
from balancer.lab.lines import Drawn, LineChart, looks_of, spread_chart, unmet_chart
from balancer.lab.replayed import PolicyText, Replayed
from balancer.lab.result import Run
from balancer.lab.scatter import Scatter, scatter
from balancer.lab.table import (
    Block,
    Column,
    blocks,
    bound_cells,
    columns_of,
    headline,
    legend_of,
    lost_lines,
)
from balancer.model.units import Seconds

_TRACE = "trace"
"""What the recipe calls the one argument without an option."""

MOST_BANDS = 12
"""Runs whose loads are drawn, ours first: 90 kB each for 20 hosts over 30 days."""

MOST_TOLD = 4000
"""Moves of a page whose arrows say which VM they are; 200 bytes each."""

MOST_LISTED = 200
"""Moves of one run in its list, and VMs that went down in theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What a contender looks like in charts."""

    contender: str
    colour: int
    dash: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The charts of all runs from one placement."""

    start: str
    scatter: Scatter
    unmet: LineChart
    spread: LineChart


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The loads of one run, and in words its first moves and first VMs that went down; counts are of all."""

    contender: str
    start: str
    seed: int
    chart: BandChart
    moves: tuple[str, ...]
    count: int
    downs: tuple[str, ...]
    down_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LabView:
    """What the page says, in its order."""

    trace: str
    headline: str
    lost: tuple[str, ...]
    columns: tuple[Column, ...]
    blocks: tuple[Block, ...]
    bound: tuple[str, ...]
    legend: str
    placements: tuple[Placement, ...]
    keys: tuple[Key, ...]
    classes: tuple[str, ...]
    step_s: Seconds
    bands: tuple[Band, ...]
    not_drawn: tuple[str, ...]
    facts: tuple[Fact, ...]
    policies: tuple[PolicyText, ...]


def page_html(made: Replayed) -> str:
    """Return the page as a complete HTML document that ends with a line break."""
    return page("lab.html.j2", sheets=("lab.css",), view=lab_view(made))


def lab_view(made: Replayed) -> LabView:
    """Return what the page says."""
    result = made.result
    drawn = tuple(zip(result.runs, made.sketches, strict=True))
    contenders = _contenders(result.runs)
    looks = looks_of(contenders)
    shown = _shown(drawn)
    return LabView(
        trace=result.trace,
        headline=headline(result),
        lost=tuple(lost_lines(made)),
        columns=columns_of(result),
        blocks=blocks(result),
        bound=bound_cells(result),
        legend=legend_of(result)
        .replace("marked =", "in bold")
        .replace("A run marked - is", "A pale run is"),
        placements=tuple(
            Placement(
                start=start,
                scatter=scatter([run for run, _ in some], looks),
                unmet=unmet_chart(some, looks),
                spread=spread_chart(some, looks),
            )
            for start, some in _by_start(drawn)
        ),
        keys=tuple(
            Key(contender=name, colour=colour, dash=dash) for name, (colour, dash) in looks.items()
        ),
        classes=CLASSES,
        step_s=made.sketches[0].step_s if made.sketches else result.step_s,
        bands=tuple(_bands(shown, result.hosts)),
        not_drawn=tuple(_name(run) for run, _ in drawn if all(run is not one for one, _ in shown)),
        facts=tuple(_facts(made)),
        policies=made.recipe.policies,
    )


def _contenders(runs: Sequence[Run]) -> list[str]:
    """Return the contenders, ours first, then as they first come by unmet demand."""
    best = sorted(runs, key=lambda run: (run.score.unmet_ghz_h, run.contender))
    names = dict.fromkeys(run.contender for run in best)
    return sorted(names, key=lambda name: (name != OURS, not is_ours(name)))  # stable


def _by_start(drawn: Sequence[Drawn]) -> Iterator[tuple[str, list[Drawn]]]:
    for start in dict.fromkeys(run.start for run, _ in drawn):
        yield start, [one for one in drawn if one[0].start == start]


def _shown(drawn: Sequence[Drawn]) -> list[Drawn]:
    """Return the runs whose loads are drawn: of each start the first seed's, ours first, the least unmet next."""
    first = {start: min(run.seed for run, _ in some) for start, some in _by_start(drawn)}
    chosen = [one for one in drawn if one[0].seed == first[one[0].start]]
    return sorted(chosen, key=lambda one: _rank(one[0]))[:MOST_BANDS]


def _rank(run: Run) -> tuple[bool, bool, float, str, str]:
    return (
        run.contender != OURS,
        not is_ours(run.contender),
        run.score.unmet_ghz_h,
        run.contender,
        run.start,
    )


def _name(run: Run) -> str:
    return f"{run.contender} from {run.start} with seed {run.seed}"


def _bands(shown: Sequence[Drawn], hosts: Sequence[str]) -> Iterator[Band]:
    left = MOST_TOLD
    for run, sketch in shown:
        tells = len(run.moves) <= left
        left -= len(run.moves) if tells else 0
        yield Band(
            contender=run.contender,
            start=run.start,
            seed=run.seed,
            chart=band_chart(run, sketch, hosts, tells=tells),
            moves=tuple(move_words(move) for move in run.moves[:MOST_LISTED]),
            count=len(run.moves),
            downs=tuple(down_words(down) for down in run.downs[:MOST_LISTED]),
            down_count=len(run.downs),
        )


def _command(options: Mapping[str, tuple[str, ...]]) -> str:
    """Return the command line that makes the result again."""
    words = ["balancer", "lab", "replay", *options.get(_TRACE, ())[:1]]
    for option, values in sorted(options.items()):
        if option == _TRACE:
            continue
        words += (
            [option] if values == ("True",) else [w for value in values for w in (option, value)]
        )
    return shlex.join(words)


def _facts(made: Replayed) -> Iterator[Fact]:
    result, recipe = made.result, made.recipe
    yield Fact(label="program", value=f"vsphere-balancer {recipe.program}")
    yield Fact(label="trace", value=f"{result.trace}, digest {result.trace_digest}")
    yield Fact(label="command", value=_command(recipe.options))
    for mend in made.mends:
        places = ", ".join(mend.places)
        yield Fact(label="trace mended", value=f"{mend.rule}: {mend.count:,} ({places})")
    yield Fact(label="made", value=f"{made.clock.made_at}, {made.clock.jobs} at a time")

"""Results as a table for a terminal and as Markdown: a block for each start and seed, the best run first.

What failures of hosts cost has columns of its own where any run has such costs, and no word anywhere else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from balancer.expose.escape import markdown_text
from balancer.expose.figures import counted, duration
from balancer.expose.markdown_parts import table
from balancer.expose.text_layout import Paper, Tone, fit, fit_right
from balancer.lab.figures import (
    copy_minutes,
    has_failures,
    reference_of,
    spread_points,
    times,
    unmet_percent,
)
from balancer.lab.front import dominated
from balancer.lab.means import mean_runs
from balancer.lab.replayed import Replayed
from balancer.lab.result import Result, Run, Score
from balancer.model.units import DAY_S

LEAST_WIDTH = 100
"""Of a table without failures; their columns come on top of it."""

_LEAST_NAME = 14
_MARKS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of figures: its heading in two lines, its name in one, and how wide it is with its gap."""

    above: str
    below: str
    name: str
    width: int


_OUTCOME = (
    Column(above="unmet", below="%", name="unmet %", width=7),
    Column(above="unmet", below="GHz·h", name="unmet GHz·h", width=8),
    Column(above="slots", below=">80%", name="host-slots >80 %", width=6),
    Column(above="slots", below=">100%", name="host-slots >100 %", width=6),
    Column(above="mem", below="full", name="memory full", width=6),
)
_FAILURES = (
    Column(above="down", below="GHz·h", name="down GHz·h", width=8),
    Column(above="re-", below="starts", name="restarts", width=7),
)
_EFFORT = (
    Column(above="", below="moves", name="moves", width=6),
    Column(above="", below="GiB", name="GiB", width=6),
    Column(above="in", below="1 h", name="repeats in 1 h", width=4),
    Column(above="un-", below="done", name="undone in 1 d", width=5),
    Column(above="spread", below="pp", name="spread pp", width=7),
)
_ROOMY = (
    Column(above="copy", below="min", name="copying min", width=5),
    Column(above="wall", below="s", name="wall s", width=5),
    Column(above="times", below="unmet", name="unmet, times", width=6),
    Column(above="times", below="moves", name="moves, times", width=6),
)
"""What a terminal narrower than `LEAST_WIDTH` goes without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A run: its cells under `columns_of`, whether another run beats it, whether the others are set against it."""

    contender: str
    cells: tuple[str, ...]
    is_dominated: bool
    is_reference: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The runs of one start and seed, or the means of several."""

    title: str
    rows: tuple[Row, ...]


def columns_of(result: Result) -> tuple[Column, ...]:
    """Return the columns of a result; those of failures only where a run has VMs that went down with a host."""
    return (*_OUTCOME, *(_FAILURES if _tells_failures(result) else ()), *_EFFORT, *_ROOMY)


def _tells_failures(result: Result) -> bool:
    return any(has_failures(run.score) for run in result.runs)


def blocks(result: Result) -> tuple[Block, ...]:
    """Return the blocks of a result, by start and seed; rows by unmet demand, then moves, then name.

    Where there are several, the first holds the means of the contenders that are in all of them.
    """
    each = _each(result)
    means = mean_runs(result.runs, len(each))
    if len(each) < 2 or not means:
        return each
    rows = tuple(_rows(list(enumerate(means)), dominated(means), tells=_tells_failures(result)))
    return (Block(title=f"mean over {len(each)} placements and seeds", rows=rows), *each)


def _each(result: Result) -> tuple[Block, ...]:
    beaten, tells = dominated(result.runs), _tells_failures(result)
    placed = sorted(enumerate(result.runs), key=lambda one: (one[1].start, one[1].seed))
    return tuple(
        Block(
            title=f"placement {start}, seed {seed}",
            rows=tuple(_rows(list(group), beaten, tells=tells)),
        )
        for (start, seed), group in groupby(placed, key=lambda one: (one[1].start, one[1].seed))
    )


def _rows(placed: list[tuple[int, Run]], beaten: frozenset[int], *, tells: bool) -> Iterator[Row]:
    reference = reference_of([run for _, run in placed])
    for place, run in sorted(placed, key=lambda one: _rank(one[1])):
        yield Row(
            contender=run.contender,
            cells=_cells(run, reference, tells=tells),
            is_dominated=place in beaten,
            is_reference=run is reference,
        )


def _rank(run: Run) -> tuple[float, int, str]:
    return run.score.unmet_ghz_h, run.score.moves, run.contender


def _cells(run: Run, reference: Run, *, tells: bool) -> tuple[str, ...]:
    score, its = run.score, reference.score
    return (
        *_outcome(score),
        *((f"{score.down_ghz_h:.2f}", str(score.restarts)) if tells else ()),
        str(score.moves),
        f"{score.moved_gib:.0f}",
        str(score.repeats),
        str(score.undone),
        spread_points(score.spread),
        f"{copy_minutes(score):.0f}",
        f"{run.wall_s:.0f}",
        times(score.unmet_ghz_h, its.unmet_ghz_h),
        times(score.moves, its.moves),
    )


def _outcome(score: Score) -> tuple[str, ...]:
    return (
        unmet_percent(score.unmet_ratio),
        f"{score.unmet_ghz_h:.1f}",
        str(score.slots_over_80),
        str(score.slots_over_100),
        str(score.memory_slots_full),
    )


def bound_cells(result: Result) -> tuple[str, ...]:
    """Return the cells of the bound: what is unmet, and nothing of failures and moves."""
    return (*_outcome(result.bound), *([""] * (len(columns_of(result)) - len(_OUTCOME))))


_LEGEND = (
    "unmet: CPU demand beyond what hosts can give, a migration's own CPU included. Host-slots: pairs of a host "
    "and a slot of the trace. Memory full: host-slots with more consumed memory than the policy's ceiling. In 1 h: "
    "moves of a VM within an hour after its last one. Undone: moves back to a host left within a day. Spread: mean "
    "standard deviation of host CPU load. Times: against the run marked =. A run marked - is dominated: another "
    "one of its block is no worse in unmet demand, moves and GiB, and better in one of them."
)


_FAILURES_LEGEND = (
    " Down: the part of unmet that VMs wanted while they were down with a host that failed. Restarts: how many of "
    "them were started again."
)


_NARROW = (
    f" Minutes of copying, seconds of the run and times need {LEAST_WIDTH} columns, more where hosts failed, "
    "and are left out here."
)


def legend_of(result: Result) -> str:
    """Return what the columns of a result mean."""
    return _LEGEND + (_FAILURES_LEGEND if _tells_failures(result) else "")


def table_text(made: Replayed, paper: Paper) -> str:
    """Return the table for a terminal; on a narrow one without the last columns, and 78 columns wide at least.

    Where hosts failed it is 15 columns wider.
    """
    lines = [paper.paint(paper.safe(headline(made.result)), Tone.TITLE)]
    shown = _shown(made.result, paper)
    name_width = _name_width(made.result, shown, paper)
    for block in blocks(made.result):
        lines += ["", *_block_lines(block, made.result, shown, name_width, paper)]
    is_whole = shown == columns_of(made.result)
    lines += ["", *paper.wrap(legend_of(made.result) + ("" if is_whole else _NARROW), "")]
    lines += [line for one in lost_lines(made) for line in paper.wrap(one, "  ", first="")]
    return "\n".join(lines) + "\n"


def _shown(result: Result, paper: Paper) -> tuple[Column, ...]:
    """Return the columns for which there is room."""
    columns = columns_of(result)
    has_room = paper.width >= _MARKS + _LEAST_NAME + sum(column.width for column in columns)
    return columns if has_room else columns[: -len(_ROOMY)]


def _name_width(result: Result, shown: Sequence[Column], paper: Paper) -> int:
    room = paper.width - sum(column.width for column in shown) - _MARKS
    widest = max([0, *(len(paper.safe(run.contender)) for run in result.runs)])
    return max(min(room, widest), _LEAST_NAME)


def headline(result: Result) -> str:
    """Return what was replayed in a sentence."""
    span = duration(result.slots * result.step_s) if result.slots else "nothing"
    days = result.slots * result.step_s / DAY_S
    span = f"{days:.3g} days" if days >= 2.0 else span
    return (
        f"{result.trace or 'a trace'}: {span} of {counted(result.vms, 'VM')} on "
        f"{counted(len(result.hosts), 'host')}, a cycle every {duration(result.interval_s)}"
    )


def _block_lines(
    block: Block, result: Result, columns: Sequence[Column], name: int, paper: Paper
) -> Iterator[str]:
    yield paper.paint(paper.safe(block.title), Tone.TITLE)
    for part in ("above", "below"):
        heads = (fit_right(_plain(getattr(c, part), paper), c.width) for c in columns)
        label = "contender" if part == "below" else ""
        yield paper.paint(f"   {label.ljust(name)}{''.join(heads)}".rstrip(), Tone.FAINT)
    for row in block.rows:
        mark = f"{'=' if row.is_reference else ' '}{'-' if row.is_dominated else ' '}"
        line = _line(mark, row.contender, name, _fitted(row.cells, columns), paper)
        yield paper.paint(line, Tone.FAINT if row.is_dominated else Tone.PLAIN)
    bound = _fitted(bound_cells(result), columns)
    yield paper.paint(_line("  ", "perfect spread", name, bound, paper), Tone.FAINT)


def _plain(text: str, paper: Paper) -> str:
    return text.replace("·", "") if paper.ascii_only else text


def _fitted(cells: Sequence[str], columns: Sequence[Column]) -> str:
    return "".join(
        fit_right(cell, column.width) for cell, column in zip(cells, columns, strict=False)
    )


def _line(mark: str, contender: str, name: int, told: str, paper: Paper) -> str:
    return f"{mark} {fit(paper.safe(contender), name)}{told}".rstrip()


def lost_lines(made: Replayed) -> list[str]:
    """Return a sentence for each run that did not come to its end."""
    return [
        f"not done: {one.contender} from placement {one.start} with seed {one.seed}: {one.why}"
        for one in made.lost
    ]


def table_markdown(made: Replayed) -> str:
    """Return the tables as Markdown that ends with a line break."""
    lines, columns = [markdown_text(headline(made.result)) + "."], columns_of(made.result)
    for block in blocks(made.result):
        lines += ["", f"**{markdown_text(block.title)}**", ""]
        lines += table(["contender", *(column.name for column in columns)], _markdown_rows(block))
        bound = ["perfect spread", *bound_cells(made.result)]
        lines.append(f"| {' | '.join(bound)} |")
    legend = legend_of(made.result).replace("marked =", "in bold").replace("marked -", "in italics")
    lines += ["", markdown_text(legend)]
    lines += [f"- {markdown_text(one)}" for one in lost_lines(made)]
    return "\n".join(lines) + "\n"


def _markdown_rows(block: Block) -> list[list[str]]:
    rows = []
    for row in block.rows:
        name = markdown_text(row.contender)
        name = f"_{name}_" if row.is_dominated else name
        rows.append([f"**{name}**" if row.is_reference else name, *row.cells])
    return rows

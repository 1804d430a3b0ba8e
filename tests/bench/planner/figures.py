"""The figures to reach: what each asks for, what was measured, and whether it holds. Computed, never asserted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.bench.planner.commands import Command
from tests.bench.planner.comparisons import Relief, balances, name_of, reliefs
from tests.bench.planner.contradictions import Contradiction
from tests.bench.planner.evacuations import Evacuation
from tests.bench.planner.pair_runs import PairRow
from tests.bench.planner.runs import BY_COUNT, COST_AWARE, FEWEST, OURS, SUMMED, UNPOLISHED, Row
from tests.bench.planner.schedules import MOST_PROVED, ScheduleRow
from tests.bench.planner.tables import table

LARGEST, HARD_SET, PAIR_SIZE = "96x10000", "16x400", "32x1000"
RULE_HEAVY = "rules"
NOT_MEASURED = "not measured"


@dataclass(kw_only=True)
class Results:
    """Everything that one run of the benchmark measured."""

    rows: list[Row] = field(default_factory=list)
    evacuations: list[Evacuation] = field(default_factory=list)
    schedules: list[ScheduleRow] = field(default_factory=list)
    contradictions: list[Contradiction] = field(default_factory=list)
    pairs: list[PairRow] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the summary. `holds` is None where nothing was measured."""

    aim: str
    measured: str
    holds: bool | None


def figures_of(results: Results) -> list[Figure]:
    """Return every figure to reach, in the order in which they were set."""
    rows = results.rows
    return [
        *_times(rows),
        *_commands(results.commands),
        *_relief(reliefs(rows)),
        *_equal_balance(rows),
        *_prices(rows),
        *_evacuations(results.evacuations),
        *_schedules(results.schedules),
        *_contradictions(results.contradictions),
        *_idempotence(rows),
        *_pairs(results.pairs),
    ]


def figure_table(found: Sequence[Figure]) -> str:
    """Return the summary."""
    words = {True: "yes", False: "**no**", None: "-"}
    head = ("figure to reach", "measured", "holds")
    return table(head, ((figure.aim, figure.measured, words[figure.holds]) for figure in found))


def at_most(aim: str, limit: float, found: Iterable[tuple[float, str]], form: str) -> Figure:
    """Return a figure that the worst of some measurements must keep; `form` puts the value in words."""
    measured = list(found)
    if not measured:
        return Figure(aim=aim, measured=NOT_MEASURED, holds=None)
    worst, case = max(measured)
    words = f"worst {form.format(worst)} ({case})"
    if len(measured) > 1:
        words += f", median {form.format(median(value for value, _ in measured))}"
    return Figure(aim=aim, measured=words, holds=worst <= limit)


def median_at_most(aim: str, limit: float, found: Iterable[tuple[float, str]]) -> Figure:
    """Return a figure that the median of some ratios must keep."""
    measured = list(found)
    if not measured:
        return Figure(aim=aim, measured=NOT_MEASURED, holds=None)
    middle, (worst, case) = median(value for value, _ in measured), max(measured)
    words = f"median {middle:.0%}, worst {worst:.0%} ({case})"
    return Figure(aim=aim, measured=words, holds=middle <= limit)


def _times(rows: Sequence[Row]) -> list[Figure]:
    largest = [row for row in rows if row.size == LARGEST]
    plain = [r for r in largest if r.planner == UNPOLISHED and r.scenario != RULE_HEAVY]
    ruled = [r for r in largest if r.planner == UNPOLISHED and r.scenario == RULE_HEAVY]
    polished = [r for r in largest if r.planner == OURS]
    return [
        at_most(f"{LARGEST}: plan without polish <= 0.5 s", 0.5, _walls(plain), "{:.2f} s"),
        at_most(f"{LARGEST}, rule-heavy: <= 1 s", 1.0, _walls(ruled), "{:.2f} s"),
        at_most(f"{LARGEST}: with polish <= 2 s", 2.0, _walls(polished), "{:.2f} s"),
        _reached(f"{LARGEST}: 1 pp reached without polish", [*plain, *ruled]),
    ]


def _walls(rows: Iterable[Row]) -> list[tuple[float, str]]:
    return [(row.took.wall_s, name_of(row)) for row in rows]


def _reached(aim: str, rows: Sequence[Row]) -> Figure:
    if not rows:
        return Figure(aim=aim, measured=NOT_MEASURED, holds=None)
    missed = [
        f"{row.scenario} {100 * row.after.imbalance:.2f}" for row in rows if not row.is_reached
    ]
    words = f"{len(rows) - len(missed)} of {len(rows)}"
    return Figure(
        aim=aim,
        measured=words + (f" (not: {', '.join(missed)})" if missed else ""),
        holds=not missed,
    )


def _commands(commands: Sequence[Command]) -> list[Figure]:
    largest = [command for command in commands if command.size == LARGEST]
    walls = [(command.wall_s, command.case) for command in largest]
    peaks = [(command.peak_mib, command.case) for command in largest]
    return [
        at_most(f"{LARGEST}: whole command <= 6 s", 6.0, walls, "{:.1f} s"),
        at_most(f"{LARGEST}: whole command <= 600 MiB", 600.0, peaks, "{:.0f} MiB"),
    ]


def _relief(found: Sequence[Relief]) -> list[Figure]:
    """Return the figures of contention; medians are of cases in which more than one host is over.

    Where one move cures the only host, no planner can do with fewer: such cases say nothing of the median.
    """
    moves = [(r.moves_ratio, r.case) for r in found if r.moves_ratio is not None]
    gib = [(r.gib_ratio, r.case) for r in found if r.gib_ratio is not None]
    several = {relief.case for relief in found if relief.hosts_over > 1}
    stuck = [relief.case for relief in found if relief.ours.cleared is None and relief.least_moves]
    told = f"not: {', '.join(stuck)}" if stuck else f"{len(found)} cases"
    return [
        median_at_most(
            f"{SEVERAL}: median moves <= 60 % of the best climb", 0.6, _of(moves, several)
        ),
        median_at_most(f"{SEVERAL}: median GiB <= 70 % of the best climb", 0.7, _of(gib, several)),
        at_most("contention: never more than 100 % of the moves", 1.0, moves, "{:.0%}"),
        at_most("contention: never more than 100 % of the GiB", 1.0, gib, "{:.0%}"),
        Figure(
            aim="contention: cleared wherever a climb clears it",
            measured=told if found else NOT_MEASURED,
            holds=not stuck if found else None,
        ),
    ]


SEVERAL = "contention, 2 or more hosts over"


def _of(measured: Iterable[tuple[float, str]], cases: set[str]) -> list[tuple[float, str]]:
    return [(value, case) for value, case in measured if case in cases]


def _equal_balance(rows: Sequence[Row]) -> list[Figure]:
    largest = [b for b in balances(rows, COST_AWARE) if b.size == LARGEST]
    hard = [b for b in balances(rows, BY_COUNT, FEWEST) if b.size == HARD_SET]
    summed = [b for b in balances(rows, SUMMED, FEWEST) if b.size == HARD_SET]
    reached = [balance.ours for balance in hard]
    moves = [(b.moves_ratio, b.case) for b in largest if b.moves_ratio is not None]
    spent = [(b.seconds_ratio, b.case) for b in largest if b.seconds_ratio is not None]
    plain = [(b.moves_ratio, b.case) for b in summed if b.moves_ratio is not None]
    few = [(b.moves_ratio, b.case) for b in hard if b.moves_ratio is not None]
    count = sum(row.is_reached for row in reached)
    return [
        at_most(f"{LARGEST}: moves <= 85 % of climb /s^0.5", 0.85, moves, "{:.0%}"),
        at_most(f"{LARGEST}: seconds <= 103 % of climb /s^0.5", 1.03, spent, "{:.0%}"),
        median_at_most(f"{HARD_SET}: median moves by count <= 80 % of climb, summed", 0.8, plain),
        median_at_most(f"{HARD_SET}: median moves by count <= 80 % of climb", 0.8, few),
        Figure(
            aim=f"{HARD_SET}: 1 pp reached in at least 8 of 9 scenarios",
            measured=f"{count} of {len(reached)}" if reached else NOT_MEASURED,
            holds=count * 9 >= 8 * len(reached) if reached else None,
        ),
    ]


def _prices(rows: Sequence[Row]) -> list[Figure]:
    known = [(row, row.price_ratio) for row in rows if row.price_ratio is not None]
    largest = [(ratio, name_of(row)) for row, ratio in known if row.size == LARGEST]
    every = [(ratio, name_of(row)) for row, ratio in known]
    aim = "price <= 1.4 x its lower bound where 1 pp is reached"
    return [
        at_most(f"{LARGEST}: {aim}", 1.4, largest, "{:.2f}"),
        at_most(f"every size: {aim}", 1.4, every, "{:.2f}"),
    ]


def _evacuations(found: Sequence[Evacuation]) -> list[Figure]:
    left = [(float(row.left), row.case) for row in found]
    ordered = [(_ordered_left(row), row.case) for row in found]
    times = {size: [(r.took.wall_s, r.case) for r in found if r.size == size] for size in TIMED}
    return [
        at_most("evacuation: every solvable case solved (VMs left)", 0.0, left, "{:.0f}"),
        at_most("evacuation: likewise after sequencing", 0.0, ordered, "{:.0f}"),
        *(
            at_most(f"evacuation {size}: <= {limit:g} s", limit, times[size], "{:.1f} s")
            for size, limit in TIMED.items()
        ),
    ]


def _ordered_left(row: Evacuation) -> float:
    """Return how many VMs are left by the schedule; all of them where there is no sound plan."""
    return float(row.to_leave if row.ordered_left is None else row.ordered_left)


TIMED = {"96x2880": 3.0, "96x9600": 8.0}


def _schedules(found: Sequence[ScheduleRow]) -> list[Figure]:
    slots = [(row.ratio, _slots(row)) for row in found if row.is_bound_by_slots]
    chains = [row for row in found if row.binds == "chains" and row.is_proven is not None]
    proved = [row.is_proven is True for row in chains]
    times = [(row.proof_s, _slots(row)) for row in chains if row.proof_s is not None]
    return [
        at_most("makespan <= 1.10 x bound where slots bind", 1.10, slots, "{:.2f}"),
        _all_of(f"proof of optimality where chains bind, up to {MOST_PROVED} moves", proved),
        at_most("sequencing with proof there <= 0.5 s", 0.5, times, "{:.2f} s"),
    ]


def _slots(row: ScheduleRow) -> str:
    return f"{row.case}, {row.slots[0]} per host"


def _contradictions(found: Sequence[Contradiction]) -> list[Figure]:
    scoped = [(row.naming_s, row.case) for row in found if row.naming_s is not None]
    whole = [(row.took.wall_s, row.case) for row in found]
    named = [row.written <= row.named for row in found]
    return [
        at_most("smallest conflict: <= 100 ms for naming it", 0.1, scoped, "{:.3f} s"),
        at_most("smallest conflict: <= 2 s with all of planning", 2.0, whole, "{:.2f} s"),
        _all_of("smallest conflict: names the rules that contradict each other", named),
    ]


def _idempotence(rows: Sequence[Row]) -> list[Figure]:
    again = [(float(row.again), name_of(row)) for row in rows if row.again is not None]
    return [at_most("second plan on the result: no moves", 0.0, again, "{:.0f}")]


def _pairs(found: Sequence[PairRow]) -> list[Figure]:
    largest = [row for row in found if row.size == PAIR_SIZE]
    slowest = min((row.speed for row in largest), default=None)
    even = [row.our_after.imbalance <= row.after.imbalance for row in largest]
    better = [row.our_objective <= row.objective for row in largest]
    return [
        Figure(
            aim=f"{PAIR_SIZE}: 100 times faster than one boolean per pair",
            measured=NOT_MEASURED if slowest is None else f"{slowest:.0f} times",
            holds=None if slowest is None else slowest >= 100,
        ),
        _all_of(f"{PAIR_SIZE}: more even than one boolean per pair", even),
        _all_of(f"{PAIR_SIZE}: better by that model's own objective", better),
    ]


def _all_of(aim: str, found: Sequence[bool]) -> Figure:
    """Return a figure that every one of some cases must keep."""
    if not found:
        return Figure(aim=aim, measured=NOT_MEASURED, holds=None)
    return Figure(aim=aim, measured=f"{sum(found)} of {len(found)}", holds=all(found))

"""What a run of the benchmark covers: scenarios, sizes, seeds, tables; full, quick, or as told."""

import argparse
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.planner.contradictions import KINDS
from tests.bench.planner.runs import RUNS
from tests.bench.planner.scenarios import SCENARIOS, SIZES, Size
from tests.bench.planner.tight import TIGHT_CASES, TightCase

TABLES = ("plans", "evacuation", "schedule", "conflict", "pairs", "command")
QUICK_SIZES = (Size.of("16x400"),)
QUICK_SCENARIOS = ("homog", "tightmem", "rules", "hot", "maint")
LARGEST = SIZES[-1]
SMALL_HOSTS, SMALL_SEEDS = 16, (1, 2, 3)
SCHEDULE_SIZES = tuple(Size.of(text) for text in ("32x1000", "96x10000"))
QUICK_SCHEDULES = ("homog", "tightmem", "maint")
PAIR_SIZES = tuple(Size.of(text) for text in ("8x120", "16x400", "32x1000"))
CONFLICT_SIZE = Size.of("32x1000")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One run. `target` is a ratio; `pair_limit_s` the time limit of the model with pairs."""

    is_quick: bool
    scenarios: tuple[str, ...]
    sizes: tuple[Size, ...] | None
    seeds: tuple[int, ...] | None
    tables: tuple[str, ...]
    planners: tuple[str, ...]
    target: float
    repeats: int
    pair_limit_s: float
    page: Path | None

    def seeds_of(self, size: Size) -> tuple[int, ...]:
        """Return the seeds as told; else three for small clusters in a full run, one otherwise."""
        if self.seeds is not None:
            return self.seeds
        return SMALL_SEEDS if size.hosts <= SMALL_HOSTS and not self.is_quick else SMALL_SEEDS[:1]

    @property
    def plan_cases(self) -> list[tuple[str, Size]]:
        """Return scenario and size of the plans, small sizes first."""
        if self.sizes is not None:
            return [(name, size) for size in self.sizes for name in self.scenarios]
        if self.is_quick:
            names = [name for name in self.scenarios if name in QUICK_SCENARIOS]
            small = [(name, size) for size in QUICK_SIZES for name in names]
            return [*small, (self.scenarios[0], LARGEST)]
        return [(name, size) for size in SIZES for name in self.scenarios]

    @property
    def schedule_cases(self) -> list[tuple[str, Size]]:
        """Return scenario and size of the schedules."""
        if self.is_quick:
            names = [name for name in self.scenarios if name in QUICK_SCHEDULES]
            return [(name, SCHEDULE_SIZES[0]) for name in names]
        return [(name, size) for size in self.sizes or SCHEDULE_SIZES for name in self.scenarios]

    @property
    def pair_cases(self) -> list[tuple[str, Size]]:
        """Return scenario and size for the model with pairs: one scenario, up to 32 hosts."""
        sizes = PAIR_SIZES[-1:] if self.is_quick else PAIR_SIZES
        return [(self.scenarios[0], size) for size in sizes]

    @property
    def command_cases(self) -> list[tuple[str, Size]]:
        """Return scenario and size for the whole command."""
        names = self.scenarios[:1]
        if not self.is_quick and "rules" in self.scenarios and "rules" not in names:
            names = (*names, "rules")
        return [(name, LARGEST) for name in names]

    @property
    def tight_cases(self) -> tuple[TightCase, ...]:
        """Return the evacuations."""
        return TIGHT_CASES[:3] if self.is_quick else TIGHT_CASES

    @property
    def contradictions(self) -> tuple[str, ...]:
        """Return the kinds of contradictory rules."""
        return tuple(KINDS)


def read_options(words: Sequence[str]) -> Options:
    """Read the command line; `BENCH=quick` in the environment is `--quick`."""
    found = _parser().parse_args(words)
    is_quick = found.quick or os.environ.get("BENCH") == "quick"
    return Options(
        is_quick=is_quick,
        scenarios=found.scenarios,
        sizes=tuple(Size.of(text) for text in found.sizes) if found.sizes else None,
        seeds=tuple(int(text) for text in found.seeds) if found.seeds else None,
        tables=found.tables,
        planners=found.planners,
        target=found.target / 100,
        repeats=found.repeats or (1 if is_quick else 3),
        pair_limit_s=found.pair_limit or (20.0 if is_quick else 60.0),
        page=found.page,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench-plan BENCH_ARGS=...", description="Measure the planner against rivals."
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="under 3 minutes: small sizes and one large row")
    add("--scenarios", type=_some(SCENARIOS), default=tuple(SCENARIOS), metavar="A,B")
    add("--sizes", type=lambda text: tuple(text.split(",")), metavar="8x120,96x10000")
    add("--seeds", type=lambda text: tuple(text.split(",")), metavar="1,2")
    add("--tables", type=_some(TABLES), default=TABLES, metavar=",".join(TABLES))
    add("--planners", type=_some(RUNS), default=tuple(RUNS), metavar="A,B")
    add("--target", type=float, default=1.0, metavar="PP", help="spread to reach, in points")
    add("--repeats", type=int, metavar="N", help="runs of ours per case; the median is told")
    add("--pair-limit", type=float, metavar="S", help="seconds for the model with pairs")
    add("--page", type=Path, metavar="FILE", help="also write the tables between its markers")
    return parser


def _some(known: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    """Return a reader of lists of known names."""
    names = tuple(known)

    def read(text: str) -> tuple[str, ...]:
        wanted = tuple(text.split(","))
        unknown = [name for name in wanted if name not in names]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of: {'; '.join(names)}")
        return wanted

    return read

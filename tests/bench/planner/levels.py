"""What DRS's migration threshold comes to: moves and spread by level on the clusters of the benchmark.

Run: `python -m tests.bench.planner.levels [SCENARIO HOSTSxVMS SEED]...`; prints one Markdown table.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from balancer.model.plan import Plan
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.levels import LEVELS, level_settings
from balancer.policy.types import Policy
from tests.bench.planner.scenarios import Size, make
from tests.bench.planner.tables import table

CASES = (
    ("homog", "8x120", 1),
    ("hot", "8x120", 1),
    ("newhost", "8x120", 1),
    ("maint", "8x120", 1),
    ("rules", "8x120", 1),
    ("homog", "16x400", 1),
    ("hot", "16x400", 1),
    ("tightmem", "16x400", 1),
    ("hetero", "16x400", 1),
    ("rules", "16x400", 1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One cluster planned at one level. Ratios; `moves` is a number."""

    level: int
    moves: int
    imbalance: float
    cpu_stddev: float
    memory_stddev: float


def policy_at(level: int) -> Policy:
    """Return the default policy with a migration threshold."""
    policy = Policy(migration_threshold=level)
    settings = level_settings(level)
    parts = {name: replace(getattr(policy, name), **settings[name]) for name in settings}
    return replace(policy, **parts)


def steps_of(snapshot: Snapshot) -> tuple[Step, ...]:
    """Return the levels in order, all planned from the same snapshot."""
    return tuple(_step(level, _plan(snapshot, level)) for level in LEVELS)


def _plan(snapshot: Snapshot, level: int) -> Plan:
    return plan_snapshot(snapshot, policy_at(level), settings=PlanSettings(time_limit_s=60.0))


def _step(level: int, plan: Plan) -> Step:
    after = plan.after
    return Step(
        level=level,
        moves=len(plan.moves),
        imbalance=after.imbalance,
        cpu_stddev=after.cpu.stddev,
        memory_stddev=after.memory.stddev,
    )


def main(words: Sequence[str]) -> None:
    """Print the table of the named cases, or of all."""
    given = [(words[n], words[n + 1], int(words[n + 2])) for n in range(0, len(words), 3)]
    sys.stdout.write(level_table(given or CASES) + "\n")


def level_table(cases: Iterable[tuple[str, str, int]]) -> str:
    """Return moves and the spread afterwards, in percentage points, by level."""
    rows = [
        [f"{name} {size}", *map(_cell, steps_of(make(name, Size.of(size), seed)))]
        for name, size, seed in cases
    ]
    return table(["cluster", *(f"level {level}" for level in LEVELS)], rows)


def _cell(step: Step) -> str:
    return f"{step.moves}, {100 * step.imbalance:.1f}"


if __name__ == "__main__":
    main(sys.argv[1:])

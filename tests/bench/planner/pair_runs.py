"""The table of the model with one boolean per VM and host, against ours on the same cluster."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from balancer.lab.rivals.facts import Facts
from balancer.plan import PlanSettings, make_draft
from tests.bench.planner.cases import Case
from tests.bench.planner.measuring import Standing, Targets, bill_of, standing_of
from tests.bench.planner.meter import Metered, metered
from tests.bench.planner.pairs import pair_objective, solve_pairs
from tests.bench.planner.population import Ints
from tests.bench.planner.tables import number, points, table


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """Ours (without polish) and the model on one case; objectives are the model's own."""

    case: str
    size: str
    booleans: int
    status: str
    took: Metered
    moves: int
    after: Standing
    objective: float
    solver_bound: float
    our_took: Metered
    our_moves: int
    our_after: Standing
    our_objective: float

    @property
    def speed(self) -> float:
        """Return how many times faster ours is, by wall time."""
        return self.took.wall_s / self.our_took.wall_s


def run_pairs(case: Case, time_limit_s: float) -> PairRow:
    """Run the model and ours."""
    facts = case.facts
    solved, took = metered(lambda: solve_pairs(facts, time_limit_s=time_limit_s))
    settings = PlanSettings(polish_windows=0, refine_rounds=0)
    draft, ours = metered(lambda: make_draft(case.need, case.policy, settings), repeats=3)
    targets = {move.vm: move.target for move in draft.moves}
    found = facts.targets(solved.at)
    return PairRow(
        case=f"{case.scenario} {case.size}",
        size=str(case.size),
        booleans=solved.booleans,
        status=solved.status,
        took=took,
        moves=bill_of(case.need, found).moves,
        after=standing_of(case.need, case.policy, found),
        objective=solved.objective,
        solver_bound=solved.bound,
        our_took=ours,
        our_moves=len(draft.moves),
        our_after=standing_of(case.need, case.policy, targets),
        our_objective=pair_objective(facts, _placement(case, facts, targets)),
    )


def pair_table(found: Sequence[PairRow]) -> str:
    """Return the table."""
    head = (
        "case",
        "booleans",
        "status",
        "wall s",
        "peak MiB",
        "moves",
        "spread pp",
        "own objective",
        "own bound",
        "ours: wall s",
        "moves ",
        "spread pp ",
        "model's objective",
        "times faster",
    )
    return table(head, (_line(row) for row in found))


def _line(row: PairRow) -> tuple[str, ...]:
    return (
        row.case,
        str(row.booleans),
        row.status,
        number(row.took.wall_s, 1),
        number(row.took.peak_mib),
        str(row.moves),
        points(row.after.imbalance),
        number(row.objective),
        number(row.solver_bound),
        number(row.our_took.wall_s, 3),
        str(row.our_moves),
        points(row.our_after.imbalance),
        number(row.our_objective),
        number(row.speed),
    )


def _placement(case: Case, facts: Facts, targets: Targets) -> Ints:
    """Return where ours puts each unit, by the host of its first member."""
    row = {host.id: number for number, host in enumerate(case.need.snapshot.hosts)}
    vms = case.need.snapshot.running_vms
    firsts = (vms[unit[0]] for unit in facts.members)
    return np.array([row[targets.get(vm.id, vm.host)] for vm in firsts], dtype=np.int64)

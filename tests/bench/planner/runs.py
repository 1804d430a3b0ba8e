"""Runs every planner on one case and measures what came of it: one row per planner."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from balancer.adapters.solver import SolverProcesses
from balancer.assess.need import assess
from balancer.lab.rivals.climb import Climb, climb
from balancer.lab.rivals.ordered import ordered_greedy
from balancer.model.errors import PlanInvalid
from balancer.model.need import Holds
from balancer.model.plan import Draft
from balancer.plan import PlanSettings, make_draft
from balancer.planner import plan_snapshot
from balancer.policy.types import Policy
from tests.bench.planner.bounds import Bounds, bounds_of
from tests.bench.planner.cases import Case, policy_for
from tests.bench.planner.measuring import Bill, Standing, Targets, bill_of, standing_of
from tests.bench.planner.meter import Metered, metered
from tests.support.replay import replayed

OURS, UNPOLISHED, RELIEF = "ours", "ours, no polish", "ours, contention only"
FEWEST = "ours, by count"
SUMMED, BY_COUNT = "climb, summed", "climb"
COST_AWARE, COST_BOUND = "climb /s^0.5", "climb /s"
ORDERED, PAIRS = "ordered greedy", "pair booleans"
TIME_LIMIT_S = 60.0
EXPONENTS = {SUMMED: 0.0, BY_COUNT: 0.0, COST_AWARE: 0.5, COST_BOUND: 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One planner on one case. `cleared` is the bill until no host was over a threshold, if that came.

    `again` is the number of moves of a second plan on the result, None where that was not asked.
    """

    scenario: str
    size: str
    seed: int
    target: float
    planner: str
    took: Metered
    status: str
    before: Standing
    after: Standing
    bill: Bill
    cleared: Bill | None = None
    again: int | None = None
    bounds: Bounds = Bounds()
    makespan_s: float | None = None

    @property
    def price_ratio(self) -> float | None:
        """Return the price over its lower bound, None where the bound is unknown or the target missed."""
        return self.bounds.price_ratio if self.is_reached else None

    @property
    def is_reached(self) -> bool:
        """Whether the target of balance was reached."""
        return self.after.imbalance <= self.target * (1 + 1e-9)


def run_ours(case: Case, planner: str, *, repeats: int = 1) -> Row:
    """Run the engine in one of its ways: as a command does, without refinement, with one aim, by count."""
    policy = policy_for(case.target, balance=planner != RELIEF, by_count=planner == FEWEST)
    settings = PlanSettings(time_limit_s=TIME_LIMIT_S, open_solver=SolverProcesses)
    if planner == UNPOLISHED:
        settings = PlanSettings(polish_windows=0, refine_rounds=0)
    need = case.need if planner != RELIEF else replace(case.need, wants_balance=False)
    draft, took = metered(lambda: make_draft(need, policy, settings), repeats=repeats)
    row = _row(case, planner, took, {move.vm: move.target for move in draft.moves})
    again = _again(case, policy, draft, settings)
    cleared = row.bill if row.after.over == 0 else None
    row = replace(row, status=_status(row, draft), again=again, cleared=cleared)
    return _with_plan(case, row, policy, settings) if planner == OURS else row


def _status(row: Row, draft: Draft) -> str:
    if draft.conflicts:
        return "degraded"
    if row.planner == RELIEF:
        return "over" if row.after.over else "cleared"
    return row.status


def _with_plan(case: Case, row: Row, policy: Policy, settings: PlanSettings) -> Row:
    """Return the row with what only a whole plan has: makespan and bounds; "unsound" if it is refused."""
    try:
        plan = plan_snapshot(case.need.snapshot, policy, settings=settings)
    except PlanInvalid:
        return replace(row, status="unsound")
    bounds = bounds_of(case.need, policy, plan)
    return replace(row, bounds=bounds, makespan_s=plan.makespan_seconds)


def run_climb(case: Case, planner: str) -> Row:
    """Run one of the climbs."""
    facts, exponent, is_summed = case.facts, EXPONENTS[planner], planner == SUMMED
    found, took = metered(
        lambda: climb(facts, target=case.target, exponent=exponent, is_summed=is_summed)
    )
    row = _row(case, planner, took, facts.targets(found.end))
    return replace(row, cleared=_cleared(case, found))


def run_ordered(case: Case) -> Row:
    """Run the ordered greedy."""
    at, took = metered(lambda: ordered_greedy(case.facts))
    return _row(case, ORDERED, took, case.facts.targets(at))


def _cleared(case: Case, found: Climb) -> Bill | None:
    if found.cleared is None:
        return None
    return bill_of(case.need, case.facts.targets(found.cleared))


def _again(case: Case, policy: Policy, draft: Draft, settings: PlanSettings) -> int:
    after = replayed(case.need.snapshot, draft.moves)
    return len(make_draft(assess(after, policy, Holds()), policy, settings).moves)


def _row(case: Case, planner: str, took: Metered, targets: Targets) -> Row:
    after = standing_of(case.need, case.policy, targets)
    return Row(
        scenario=case.scenario,
        size=str(case.size),
        seed=case.seed,
        target=case.target,
        planner=planner,
        took=took,
        status="reached" if after.imbalance <= case.target else "stalled",
        before=case.before,
        after=after,
        bill=bill_of(case.need, targets),
    )


Run = Callable[[Case, int], Row]

RUNS: Mapping[str, Run] = MappingProxyType(
    {
        OURS: lambda case, repeats: run_ours(case, OURS, repeats=repeats),
        FEWEST: lambda case, repeats: run_ours(case, FEWEST, repeats=repeats),
        UNPOLISHED: lambda case, repeats: run_ours(case, UNPOLISHED, repeats=repeats),
        RELIEF: lambda case, repeats: run_ours(case, RELIEF, repeats=repeats),
        SUMMED: lambda case, _: run_climb(case, SUMMED),
        BY_COUNT: lambda case, _: run_climb(case, BY_COUNT),
        COST_AWARE: lambda case, _: run_climb(case, COST_AWARE),
        COST_BOUND: lambda case, _: run_climb(case, COST_BOUND),
        ORDERED: lambda case, _: run_ordered(case),
    }
)
"""Every planner by name; given a case and how often ours is to be run for its time."""

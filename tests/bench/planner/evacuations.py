"""The evacuation table: tight cases that are known to be solvable, planned and put in order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from balancer.assess.need import assess
from balancer.lab.rivals.climb import Field, evacuate
from balancer.lab.rivals.facts import facts_of
from balancer.model.errors import PlanInvalid
from balancer.model.need import Holds, Need
from balancer.model.plan import Plan
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings, make_draft
from balancer.planner import plan_snapshot
from balancer.policy.types import Goals, Policy
from tests.bench.planner.measuring import Standing, bill_of, standing_of
from tests.bench.planner.meter import Metered, metered
from tests.bench.planner.tables import number, table
from tests.bench.planner.tight import TightCase, tight_evacuation

POLICY = replace(Policy(), goals=Goals(contention=False, balance=False))
"""Evacuation alone: in these clusters every host is above the contention threshold of memory for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evacuation:
    """One case. `greedy_left` is what placing largest first leaves, `ordered_left` what the schedule does.

    `ordered_left` and `makespan_s` are None where the whole plan did not pass its independent check.
    """

    case: str
    seed: int
    size: str
    to_leave: int
    greedy_left: int
    left: int
    ordered_left: int | None
    moves: int
    gib: float
    overfull: int
    took: Metered
    whole: Metered
    makespan_s: float | None


def run_evacuation(case: TightCase, seed: int) -> Evacuation:
    """Plan one evacuation, alone and with its schedule."""
    snapshot = tight_evacuation(case, seed)
    need = assess(snapshot, POLICY, Holds())
    draft, took = metered(lambda: make_draft(need, POLICY, PlanSettings()))
    targets = {move.vm: move.target for move in draft.moves}
    plan, whole = metered(lambda: _planned(snapshot))
    after, bill = standing_of(need, POLICY, targets), bill_of(need, targets)
    return Evacuation(
        case=str(case),
        seed=seed,
        size=str(case.size),
        to_leave=standing_of(need, POLICY, {}).stranded,
        greedy_left=_greedy_left(need),
        left=after.stranded,
        ordered_left=None if plan is None else _after_all(need, plan).stranded,
        moves=bill.moves,
        gib=bill.gib,
        overfull=after.overfull,
        took=took,
        whole=whole,
        makespan_s=None if plan is None else plan.makespan_seconds,
    )


def evacuation_table(found: Sequence[Evacuation]) -> str:
    """Return the table."""
    head = (
        "hosts x VMs, memory used after",
        "seed",
        "VMs to leave",
        "greedy leaves",
        "ours leaves",
        "left by the schedule",
        "moves",
        "GiB",
        "plan s",
        "cpu s",
        "whole plan s",
        "makespan s",
    )
    return table(head, (_line(row) for row in found))


def _line(row: Evacuation) -> tuple[str, ...]:
    return (
        row.case,
        str(row.seed),
        str(row.to_leave),
        str(row.greedy_left),
        str(row.left),
        number(row.ordered_left),
        str(row.moves),
        number(row.gib),
        number(row.took.wall_s, 2),
        number(row.took.cpu_s, 2),
        number(row.whole.wall_s, 2),
        number(row.makespan_s),
    )


def _planned(snapshot: Snapshot) -> Plan | None:
    try:
        return plan_snapshot(snapshot, POLICY, settings=PlanSettings())
    except PlanInvalid:
        return None


def _greedy_left(need: Need) -> int:
    facts = facts_of(need, POLICY)
    field = Field(facts)
    evacuate(field)
    return int(facts.leaving[field.at].sum())


def _after_all(need: Need, plan: Plan) -> Standing:
    return standing_of(need, POLICY, {move.vm: move.target for move in plan.moves})

"""The finished desk as a draft: moves best first with gain and reason, conflicts, refusals, seconds by stage."""

from collections.abc import Sequence

from balancer.model.plan import Draft, ProposedMove
from balancer.model.stopwatch import Stopwatch
from balancer.plan.codes import Floats
from balancer.plan.conflicts import unmet
from balancer.plan.desk import Desk
from balancer.plan.explain import label, sentence
from balancer.plan.ledger import Ledger
from balancer.plan.loadcost import LoadCost, load_cost
from balancer.plan.order import in_order
from balancer.plan.problem import Problem
from balancer.plan.refusals import grouped
from balancer.plan.tasks import Task


def write_draft(desk: Desk, stuck: Sequence[Task], watch: Stopwatch) -> Draft:
    """Write down what the desk came to. `gain` sums up to the fall in cost over all moves."""
    moves = tuple(_moves(desk))
    conflicts, refusals = unmet(desk, stuck) if stuck else ((), ())
    refusals = (*refusals, *grouped(desk))
    watch.lap("draft")
    return Draft(moves=moves, conflicts=conflicts, refusals=refusals, stage_seconds=watch.laps)


def _moves(desk: Desk) -> list[ProposedMove]:
    """Replay the moves; each one's gain is the difference of two neighbouring costs."""
    problem, found = desk.problem, list[ProposedMove]()
    for vm, target, ledger in in_order(desk):
        cost = load_cost(ledger)
        note = desk.notes[vm]
        move = ProposedMove(
            vm=problem.vms[vm].id,
            source=problem.hosts[int(problem.at[vm])].id,
            target=problem.hosts[target].id,
            reason=label(cost, ledger, vm, note),
            why=sentence(ledger, cost, vm, target, note),
            gain=_gain(desk, ledger, vm, target),
        )
        found.append(move)
    return found


def _gain(desk: Desk, ledger: Ledger, vm: int, target: int) -> float:
    problem, load = desk.problem, ledger.load[:, :2]
    then = load.copy()
    then[ledger.at[vm]] -= problem.size[vm, :2]
    then[target] += problem.size[vm, :2]
    mended = -float(desk.should.change(ledger, (vm,))[target])
    before, after = (whole_cost(problem, loads) for loads in (load, then))
    return before - after + problem.policy.prices.soft_rule * mended


def whole_cost(problem: Problem, load: Floats) -> float:
    """Return the load cost of any load (H, 2), whatever the serving hosts hold in total."""
    total = load[problem.serving].sum(axis=0)
    cost = LoadCost(problem.capacity, problem.serving, total, problem.policy.thresholds)
    return float(cost.of(slice(None), load).sum())

"""The finished desk as a draft: moves best first with gain and reason, conflicts, refusals, seconds by stage."""

from collections.abc import Sequence

import numpy as np

from balancer.model.plan import Draft, ProposedMove
from balancer.model.stopwatch import Stopwatch
from balancer.plan import failover
from balancer.plan.conflict_set import Patience
from balancer.plan.conflicts import unmet
from balancer.plan.desk import Desk
from balancer.plan.explain import label, sentence
from balancer.plan.ledger import Ledger
from balancer.plan.loadcost import LoadCost, load_cost
from balancer.plan.order import in_order
from balancer.plan.refusals import grouped
from balancer.plan.tasks import Task


def write_draft(desk: Desk, stuck: Sequence[Task], patience: Patience, watch: Stopwatch) -> Draft:
    """Write down what the desk came to. `gain` sums up to the fall in cost over all moves.

    `patience` is for the explanation of what is stuck.
    """
    moves = tuple(_moves(desk))
    conflicts, refusals = unmet(desk, stuck, patience) if stuck else ((), ())
    refusals = (*refusals, *failover.refusals(desk), *desk.refused[:1], *grouped(desk))
    watch.lap("draft")
    return Draft(moves=moves, conflicts=conflicts, refusals=refusals, stage_seconds=watch.laps)


def _moves(desk: Desk) -> list[ProposedMove]:
    """Replay the moves; each one's gain is the difference of two neighbouring costs."""
    problem, found = desk.problem, list[ProposedMove]()
    cost: LoadCost | None = None
    is_total_changed = False
    for vm, target, ledger in in_order(desk):
        if cost is None or is_total_changed:
            cost = load_cost(ledger)
        is_total_changed = bool(problem.serving[problem.at[vm]] != problem.serving[target])
        note = desk.notes[vm]
        move = ProposedMove(
            vm=problem.vms[vm].id,
            source=problem.hosts[int(problem.at[vm])].id,
            target=problem.hosts[target].id,
            reason=label(cost, ledger, vm, note),
            why=sentence(ledger, cost, vm, target, note),
            gain=_gain(desk, cost, ledger, vm, target),
        )
        found.append(move)
    return found


def _gain(desk: Desk, cost: LoadCost, ledger: Ledger, vm: int, target: int) -> float:
    """Return by how much a move lowers the objective: load, and should-rules that it mends.

    Where hosts are emptied, unevenness is no part of the objective (see `rules.standing`).
    """
    problem, source = desk.problem, int(ledger.at[vm])
    mended = -float(desk.should.change(ledger, (vm,))[target]) * desk.should.price
    if not (problem.serving[source] and problem.serving[target]):
        return _whole_gain(ledger, vm, target) + mended
    rows, size = np.array([source, target]), problem.size[vm]
    load = ledger.load[rows]
    then = load + np.array([-size, size])
    of = cost.contention_of if problem.policy.goals.consolidation else cost.of
    return float((of(rows, load) - of(rows, then)).sum()) + mended


def _whole_gain(ledger: Ledger, vm: int, target: int) -> float:
    """Return the same for a move that changes what the serving hosts hold in total."""
    after = ledger.copy()
    after.move([vm], target)
    if ledger.problem.policy.goals.consolidation:
        return load_cost(ledger).contention(ledger) - load_cost(after).contention(after)
    return load_cost(ledger).total(ledger) - load_cost(after).total(after)

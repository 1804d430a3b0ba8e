"""Mend broken should-rules where that is worth the moves: all moves for one rule, or none of them.

The gain is the policy's `soft_rule` per rule mended; against it stand the price of the moves and what
they do to the load. Judged by the laws of moves that are not mandatory; held VMs stay.
"""

from collections.abc import Callable, Iterable

import numpy as np

from balancer.model.plan import MoveReason
from balancer.model.rule import RuleType
from balancer.plan.codes import Bools
from balancer.plan.desk import Desk, Note
from balancer.plan.loadcost import LEAST_GAIN, LoadCost, load_cost
from balancer.plan.problem import CPU, FOOTPRINT, Group
from balancer.plan.targets import gathering_target, placing_cost


def mend_should_rules(desk: Desk) -> None:
    """Try each broken should-rule in the order of the snapshot."""
    for number, group in enumerate(desk.should.groups):
        if desk.should.is_broken(desk.ledger, number):
            _try(desk, group)


def _try(desk: Desk, group: Group) -> None:
    at, notes, cost = desk.ledger.at.copy(), dict(desk.notes), load_cost(desk.ledger)
    before = _objective(desk, cost)
    _mend(desk, cost, group)
    moved = np.flatnonzero(desk.ledger.at != at).tolist()
    paid = sum(float(desk.price((vm,))[desk.ledger.at[vm]]) for vm in moved)
    if _objective(desk, cost) + paid > before - LEAST_GAIN:
        desk.restore(at, notes)


def _objective(desk: Desk, cost: LoadCost) -> float:
    broken = desk.should.broken(desk.ledger)
    return cost.total(desk.ledger) + desk.problem.policy.prices.soft_rule * broken


def _mend(desk: Desk, cost: LoadCost, group: Group) -> None:
    match group.rule.type:
        case RuleType.AFFINITY:
            _gather(desk, cost, group)
        case RuleType.ANTI_AFFINITY:
            _send(desk, cost, group, _sharing(desk, group), lambda: _with_place(desk, group))
        case _:
            right = [group.rule.allows_host(host.id) for host in desk.problem.hosts]
            wrong = [vm for vm in group.members if not right[desk.ledger.at[vm]]]
            _send(desk, cost, group, wrong, lambda: np.array(right, dtype=bool))


def _gather(desk: Desk, cost: LoadCost, group: Group) -> None:
    family = tuple(sorted({mate for vm in group.members for mate in desk.together(vm)}))
    movers = [vm for vm in family if not _may_move(desk, vm)]
    target = None if movers else gathering_target(desk, cost, family, is_mandatory=False)
    if target is not None:
        desk.move(family, target, _note(group))


def _send(
    desk: Desk,
    cost: LoadCost,
    group: Group,
    vms: Iterable[int],
    fitting: Callable[[], Bools],
) -> None:
    for vm in sorted(vms, key=lambda vm: _smallest_first(desk, vm)):
        movers = desk.together(vm)
        if not all(_may_move(desk, mover) for mover in movers):
            continue
        takes = desk.takes(movers, is_mandatory=False) & fitting()
        if takes.any():
            score = np.where(takes, placing_cost(desk, cost, movers), np.inf)
            desk.move(movers, int(np.argmin(score)), _note(group))


def _may_move(desk: Desk, vm: int) -> bool:
    problem = desk.problem
    return bool(problem.serving[desk.ledger.at[vm]]) and not (problem.held[vm] or desk.stays[vm])


def _smallest_first(desk: Desk, vm: int) -> tuple[float, float, int]:
    """Return by what VMs are ordered: memory to copy, then CPU demand; other names change nothing."""
    size = desk.problem.size[vm]
    return float(size[FOOTPRINT]), float(size[CPU]), vm


def _sharing(desk: Desk, group: Group) -> list[int]:
    """Return the members that are too many on their hosts: those stay that may not move, or are dearest to move."""
    found, stays = [], np.zeros(len(desk.problem.hosts), dtype=np.int64)
    dearest = sorted(group.members, key=lambda vm: _smallest_first(desk, vm), reverse=True)
    for vm in sorted(dearest, key=lambda vm: _may_move(desk, vm)):
        host = int(desk.ledger.at[vm])
        if stays[host] >= group.rule.most:
            found.append(vm)
        else:
            stays[group.beside(host)] += 1
    return found


def _with_place(desk: Desk, group: Group) -> Bools:
    """Return the hosts on which one more member is not too many, (H,)."""
    counts = group.spread(desk.ledger.at[list(group.members)], len(desk.problem.hosts))
    result: Bools = counts < group.rule.most
    return result


def _note(group: Group) -> Note:
    return Note(reason=MoveReason.SHOULD_RULE, cause=group.rule.name)

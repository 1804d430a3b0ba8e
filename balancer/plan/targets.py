"""Where to put VMs that must move: the legal host at which the cluster's load comes out best."""

import numpy as np

from balancer.model.host import HostState
from balancer.plan.codes import Bools, Floats
from balancer.plan.desk import Desk
from balancer.plan.loadcost import LoadCost
from balancer.plan.problem import COUNT, Problem
from balancer.plan.tasks import stands_well

QUARANTINE_COST = 1e3
"""A host in quarantine is a target only where no other is."""

OPENING_COST = 0.02
"""Where the policy empties hosts, one that runs no VM is a target where the others would come too high."""

CROWDING_COST = 1e6
"""Each member of a kept-apart group that is too many on a host is worse still."""


def best_target(
    desk: Desk,
    cost: LoadCost,
    movers: tuple[int, ...],
    *,
    is_mandatory: bool,
    barred: int | Bools | None = None,
) -> int | None:
    """Return the legal host with the least cost for all the VMs at once, ties by id; None where none is.

    `barred` are hosts that would not help, as an index into arrays over hosts.
    """
    takes = desk.takes(movers, is_mandatory=is_mandatory)
    if barred is not None:
        takes[barred] = False
    if not takes.any():
        return None
    score = np.where(takes, placing_cost(desk, cost, movers), np.inf)
    return int(np.argmin(score))


def gathering_target(
    desk: Desk, cost: LoadCost, family: tuple[int, ...], *, is_mandatory: bool = True
) -> int | None:
    """Return the host on which a scattered family is best gathered, or None.

    Members that stand there already stay, if they may: no rule and no evacuation drives them away.
    """
    score = np.full(len(desk.problem.hosts), np.inf)
    homes = sorted(set(desk.ledger.at[list(family)].tolist()))
    takes = desk.takes(family, is_mandatory=is_mandatory)
    takes[homes] = False
    score[takes] = placing_cost(desk, cost, family)[takes]
    for host in homes:
        movers = tuple(vm for vm in family if desk.ledger.at[vm] != host)
        may_stay = not desk.problem.leaving[host] and all(
            stands_well(desk, v, host) for v in family
        )
        if may_stay and desk.takes(movers, is_mandatory=is_mandatory)[host]:
            score[host] = placing_cost(desk, cost, movers)[host]
    best = int(np.argmin(score))
    return best if np.isfinite(score[best]) else None


def placing_cost(desk: Desk, cost: LoadCost, movers: tuple[int, ...]) -> Floats:
    """Return what having the VMs on each host costs: load, price, should-rules, last resorts, (H,)."""
    problem, load = desk.problem, desk.ledger.load
    rows = list(movers)
    size = problem.size[rows].sum(axis=0)
    gone = np.zeros_like(load)
    np.add.at(gone, desk.ledger.at[rows], problem.size[rows])
    everywhere = slice(None)
    result: Floats = cost.of(everywhere, load - gone + size) - cost.of(everywhere, load - gone)
    result = result + cost.of(everywhere, load - gone).sum() - cost.of(everywhere, load).sum()
    result += desk.price(movers)
    result += desk.should.price * desk.should.change(desk.ledger, movers)
    result += OPENING_COST * _unused(desk)
    return result + QUARANTINE_COST * _quarantined(problem) + CROWDING_COST * _crowd(desk, movers)


def _quarantined(problem: Problem) -> Floats:
    states = [host.state is HostState.QUARANTINE for host in problem.hosts]
    return np.array(states, dtype=np.float64)


def _unused(desk: Desk) -> Floats:
    """Return which hosts run no VM, where the policy wants such hosts."""
    unused = desk.ledger.load[:, COUNT] < 1
    unused &= desk.problem.policy.goals.consolidation
    return unused.astype(np.float64)


def _crowd(desk: Desk, movers: tuple[int, ...]) -> Floats:
    """Return how many members too many of the movers' kept-apart groups would be on each host."""
    ledger = desk.ledger
    crowd = np.zeros(len(desk.problem.hosts))
    for vm in movers:
        for number in ledger.apart_of(vm):
            group = desk.problem.apart[number]
            then = ledger.crowd[number] + 1 - group.rule.most
            then[group.beside(int(ledger.at[vm]))] -= 1
            crowd += np.maximum(then, 0)
    return crowd

"""The rivals as the planner's search: need in, draft out. What runs around them is the same as for ours."""

from collections.abc import Callable, Iterator

import numpy as np

from balancer.lab.rivals.climb import Field, best_step, evacuate
from balancer.lab.rivals.facts import Facts, facts_of
from balancer.lab.rivals.ordered import ordered_greedy
from balancer.model.need import Need
from balancer.model.plan import Draft, MoveReason, ProposedMove
from balancer.model.units import Ratio
from balancer.plan import PlanSettings
from balancer.plan.codes import Ints
from balancer.plan.engine import Search
from balancer.policy.types import Policy

MOST_STEPS = 40
"""No run admits as many moves."""

MOST_REACTIONS = 8


Steps = Callable[[Field, Policy], Iterator[tuple[int, int]]]
"""Yields units and their hosts one by one; each is moved before the next one is asked for."""


def by_climb(*, exponent: float) -> Search:
    """Return a DRS-style climb: above the policy's trigger, step by step to its target."""

    def climb(field: Field, policy: Policy) -> Iterator[tuple[int, int]]:
        facts, limits = field.facts, policy.thresholds
        if facts.imbalance(field.load) <= limits.balance_trigger:
            return
        worth = facts.seconds**exponent
        for _ in range(MOST_STEPS):
            if facts.imbalance(field.load) <= limits.balance_target:
                return
            step = best_step(field, worth)
            if step is None:
                return
            yield step

    return _by_steps(climb, MoveReason.BALANCE, "climb of the deviation")


def by_reaction(limit: Ratio) -> Search:
    """Return the reactive rule: while a host is above `limit`, the VM that lowers the peak most per MiB."""

    def react(field: Field, policy: Policy) -> Iterator[tuple[int, int]]:
        del policy
        for _ in range(MOST_REACTIONS):
            step = _reaction(field, limit)
            if step is None:
                return
            yield step

    return _by_steps(react, MoveReason.CONTENTION, "a host above the limit")


def by_memory_order() -> Search:
    """Return the ProxLB-like pass over the VMs of the fullest host."""

    def search(need: Need, policy: Policy, settings: PlanSettings) -> Draft:
        del settings
        if _has_nothing_to_place(need):
            return Draft(moves=())
        facts = facts_of(need, policy)
        at = ordered_greedy(facts)
        order = dict.fromkeys(np.flatnonzero(at != facts.at).tolist())
        return _draft(facts, at, order, MoveReason.BALANCE, "from the fullest to the emptiest host")

    return search


def _by_steps(steps: Steps, reason: MoveReason, why: str) -> Search:
    """Return the search that empties the hosts to be left, and then goes step by step."""

    def search(need: Need, policy: Policy, settings: PlanSettings) -> Draft:
        del settings
        if _has_nothing_to_place(need):
            return Draft(moves=())
        facts = facts_of(need, policy)
        field = Field(facts)
        evacuate(field)
        order = dict.fromkeys(np.flatnonzero(field.at != facts.at).tolist())
        for step in steps(field, policy):
            field.move(*step)
            order[step[0]] = None
        return _draft(facts, field.at, order, reason, why)

    return search


def _has_nothing_to_place(need: Need) -> bool:
    return not (need.snapshot.running_vms and need.snapshot.serving_hosts)


def _reaction(field: Field, limit: Ratio) -> tuple[int, int] | None:
    """Return the unit on the hottest host, and its host, that lower the peak of the two most per MiB."""
    facts = field.facts
    ratio = np.where(facts.serving, field.load[:, 0] / facts.capacity[:, 0], -np.inf)
    hot = int(np.argmax(ratio))
    units = np.flatnonzero(field.at == hot)
    if ratio[hot] <= limit or not len(units):
        return None
    cpu = facts.demand[units, 0][:, None]
    there = (field.load[:, 0] + cpu) / facts.capacity[:, 0]
    here = (field.load[hot, 0] - cpu) / facts.capacity[hot, 0]
    gain = ratio[hot] - np.maximum(there, here)
    allowed = facts.open[units] & field.fits(units)
    allowed[:, hot] = False
    merit = np.where(allowed, gain, -np.inf) / np.maximum(facts.footprint[units], 1.0)[:, None]
    row, host = divmod(int(np.argmax(merit)), merit.shape[1])
    return (int(units[row]), host) if merit[row, host] > 0.0 else None


def _draft(facts: Facts, at: Ints, order: dict[int, None], reason: MoveReason, why: str) -> Draft:
    """Return the moves from the start to `at`, in the order of the units given."""
    vms, hosts = facts.need.snapshot.running_vms, facts.need.snapshot.hosts
    moves = [
        ProposedMove(
            vm=vms[vm].id,
            source=vms[vm].host,
            target=hosts[int(at[unit])].id,
            reason=MoveReason.EVACUATE if facts.leaving[facts.at[unit]] else reason,
            why=why,
        )
        for unit in order
        if at[unit] != facts.at[unit]
        for vm in facts.members[unit]
    ]
    return Draft(moves=tuple(moves))

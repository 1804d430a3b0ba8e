"""A mandatory task: VMs that must leave their hosts together, and whether that is still to be done."""

from dataclasses import dataclass

import numpy as np

from balancer.model.rule import RuleType
from balancer.plan.desk import Desk, Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """VMs that must move together. `rule` is the type of the broken rule, None for an evacuation."""

    movers: tuple[int, ...]
    note: Note
    rule: RuleType | None = None


def is_open(desk: Desk, task: Task) -> bool:
    """Whether the VMs still stand where they must not."""
    problem, at = desk.problem, desk.ledger.at
    hosts = at[list(task.movers)]
    match task.rule:
        case None:
            return bool(problem.leaving[hosts].any())
        case RuleType.AFFINITY:
            return len(set(hosts.tolist())) > 1
        case RuleType.ANTI_AFFINITY:
            return any(is_crowded(desk, vm, task.note.cause) for vm in task.movers)
        case _:
            return any(not stands_well(desk, vm, int(at[vm])) for vm in task.movers)


def is_crowded(desk: Desk, vm: int, rule: str) -> bool:
    """Whether a VM stands, or will stand, with more members of the named group than it allows."""
    problem = desk.problem
    ends = np.where(problem.at == problem.end, desk.ledger.at, problem.end)
    for number in problem.apart_of.get(vm, ()):
        group = problem.apart[number]
        if group.rule.name != rule:
            continue
        count = group.spread(ends[list(group.members)], len(problem.hosts))
        if count[ends[vm]] > group.rule.most:
            return True
    return False


def stands_well(desk: Desk, vm: int, host: int) -> bool:
    """Whether the VM-host must-rules allow a VM to be on a host."""
    problem = desk.problem
    rules = problem.ground.must_rules_of.get(problem.vms[vm].id, ())
    return all(rule.allows_host(problem.hosts[host].id) for rule in rules)

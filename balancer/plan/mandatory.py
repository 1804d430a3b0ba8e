"""First goal: empty the hosts that must be left, and mend broken must-rules. Greedy; best target first.

Owns the order of the tasks. What finds no target is handed on as a `Task`, for `plan.repair` to make
room for. Never makes a must-rule worse than it is.
"""

import numpy as np

from balancer.model.goal import Goal
from balancer.model.host import Host
from balancer.model.plan import MoveReason
from balancer.model.rule import RuleType
from balancer.plan.codes import Bools
from balancer.plan.desk import Desk, Note
from balancer.plan.loadcost import LoadCost, load_cost
from balancer.plan.problem import FOOTPRINT, Group
from balancer.plan.targets import best_target, gathering_target
from balancer.plan.tasks import Task, is_open


def fulfil(desk: Desk) -> list[Task]:
    """Move what must move; return the tasks that found no target, biggest first.

    What a rule or a tag excludes from the goal is no task: the plan's conclusion names what stays unmet.
    """
    goals = desk.problem.policy.goals
    cost = _cost(desk)
    stuck: list[Task] = []
    if goals.rules:
        with desk.working_for(Goal.RULES):
            stuck += _gather(desk, cost)
    if goals.evacuation:
        with desk.working_for(Goal.EVACUATION):
            stuck += _evacuate(desk, cost)
    if goals.rules:
        with desk.working_for(Goal.RULES):
            stuck += _obey_hosts(desk, cost)
            for number, group in enumerate(desk.problem.apart):
                stuck += _spread(desk, cost, number, group)
    still = [task for task in stuck if is_open(desk, task)]
    return sorted(still, key=lambda task: (-_footprint(desk, task.movers), task.movers))


def _cost(desk: Desk) -> LoadCost:
    """Return the objective as it will be once the hosts that must be left are empty."""
    problem = desk.problem
    waiting = problem.leaving[desk.ledger.at] & ~problem.pinned
    waiting &= ~problem.excluded[Goal.EVACUATION]
    arriving = problem.size[waiting].sum(axis=0)
    return load_cost(desk.ledger, arriving=arriving if problem.policy.goals.evacuation else None)


def _footprint(desk: Desk, movers: tuple[int, ...]) -> float:
    return float(desk.problem.size[list(movers), FOOTPRINT].sum())


def _place(desk: Desk, cost: LoadCost, task: Task, barred: int | Bools | None = None) -> bool:
    target = best_target(desk, cost, task.movers, is_mandatory=True, barred=barred)
    if target is None:
        return False
    desk.move(task.movers, target, task.note)
    return True


def _gather(desk: Desk, cost: LoadCost) -> list[Task]:
    stuck = []
    for family in desk.families:
        if desk.home(family) is not None or _is_torn_for_good(desk, family):
            continue
        task = Task(movers=family, note=_rule_note(_name(desk, family)), rule=RuleType.AFFINITY)
        target = gathering_target(desk, cost, family)
        if target is None:
            stuck.append(task)
        else:
            desk.move(family, target, task.note)
    return stuck


def _is_torn_for_good(desk: Desk, family: tuple[int, ...]) -> bool:
    """Whether members that are left alone stand on more hosts than one."""
    alone = [vm for vm in family if desk.leaves_alone((vm,))]
    return len(set(desk.ledger.at[alone].tolist())) > 1


def _name(desk: Desk, family: tuple[int, ...]) -> str:
    numbers = desk.problem.together_of[family[0]]
    return desk.problem.together[numbers[0]].rule.name


def _rule_note(rule: str) -> Note:
    return Note(reason=MoveReason.RULE, cause=rule)


def _evacuate(desk: Desk, cost: LoadCost) -> list[Task]:
    problem = desk.problem
    waiting = np.flatnonzero(problem.leaving[desk.ledger.at] & (problem.at == problem.end))
    biggest_first = sorted(waiting.tolist(), key=lambda vm: (-problem.size[vm, FOOTPRINT], vm))
    stuck, tried = [], set[int]()
    for vm in biggest_first:
        if vm in tried or not problem.leaving[desk.ledger.at[vm]]:
            continue
        movers = desk.together(vm)
        tried.update(movers)
        if desk.leaves_alone(movers):
            continue
        host = problem.hosts[int(desk.ledger.at[vm])]
        task = Task(movers=movers, note=Note(reason=_why_left(host), cause=host.id))
        if not _place(desk, cost, task):
            stuck.append(task)
    return stuck


def _why_left(host: Host) -> MoveReason:
    """Return evacuation where vSphere says that the host is left, a person's request otherwise."""
    return MoveReason.REQUESTED if host.state.takes else MoveReason.EVACUATE


def _obey_hosts(desk: Desk, cost: LoadCost) -> list[Task]:
    at = desk.ledger.at
    table = desk.start_masks.tables["vm_host"]
    wrong = np.flatnonzero(table.codes[table.row_of, at] != 0)
    stuck = []
    for vm in wrong.tolist():
        movers = desk.together(vm)
        if desk.leaves_alone(movers):
            continue
        note = _rule_note(_broken_host_rule(desk, vm))
        task = Task(movers=movers, note=note, rule=RuleType.VM_HOST_AFFINE)
        if is_open(desk, task) and not _place(desk, cost, task):
            stuck.append(task)
    return stuck


def _broken_host_rule(desk: Desk, vm: int) -> str:
    problem = desk.problem
    host = problem.hosts[int(desk.ledger.at[vm])].id
    rules = problem.ground.must_rules_of.get(problem.vms[vm].id, ())
    return next((rule.name for rule in rules if not rule.allows_host(host)), "")


def _spread(desk: Desk, cost: LoadCost, number: int, group: Group) -> list[Task]:
    """Part the members of one group as far as targets allow; each step leaves fewer pairs together."""
    note = _rule_note(group.rule.name)
    tasks: list[Task] = []
    for _ in range(len(group.members) ** 2):
        tasks = _crowded(desk, group, note)
        if not any(_part(desk, cost, group, task) for task in tasks):
            break
    return tasks


def _part(desk: Desk, cost: LoadCost, group: Group, task: Task) -> bool:
    """Move out of the domain; where each host counts by itself the laws close the own one anyway."""
    barred = None
    if group.domain is not None:
        barred = group.beside(int(desk.ledger.at[task.movers[0]]))
    return _place(desk, cost, task, barred)


def _crowded(desk: Desk, group: Group, note: Note) -> list[Task]:
    """Return a task for each member on a host that has too many: fullest host first, cheapest first."""
    ends = np.where(desk.problem.at == desk.problem.end, desk.ledger.at, desk.problem.end)
    count = group.spread(ends[list(group.members)], len(desk.problem.hosts))
    stays = ends == desk.ledger.at
    members = [vm for vm in group.members if count[ends[vm]] > group.rule.most and stays[vm]]
    movers = {vm: desk.together(vm) for vm in members}
    members = [vm for vm in members if not desk.leaves_alone(movers[vm])]
    members.sort(key=lambda vm: (-count[ends[vm]], _footprint(desk, movers[vm]), vm))
    return [Task(movers=movers[vm], note=note, rule=RuleType.ANTI_AFFINITY) for vm in members]

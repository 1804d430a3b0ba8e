"""Why a VM moves, in one sentence with numbers for an administrator."""

from balancer.model.goal import Goal
from balancer.model.host import HostState
from balancer.model.plan import MoveReason
from balancer.model.rule import RuleType
from balancer.model.units import percent
from balancer.plan import counts
from balancer.plan.desk import Note
from balancer.plan.ledger import Ledger
from balancer.plan.loadcost import LEAST_GAIN, LoadCost

_RESOURCE = ("CPU", "memory")

_STATE = {
    HostState.ENTERING_MAINTENANCE: "is entering maintenance",
    HostState.MAINTENANCE: "is in maintenance",
}


def sentence(ledger: Ledger, cost: LoadCost, vm: int, target: int, note: Note) -> str:
    """Return why `vm` goes to `target` in the state of `ledger`, which is that just before the move."""
    match note.reason:
        case MoveReason.EVACUATE | MoveReason.REQUESTED:
            return _evacuation(ledger, cost, vm, target)
        case MoveReason.RULE | MoveReason.SHOULD_RULE:
            return _rule(ledger, cost, vm, target, note)
        case MoveReason.MAKE_ROOM:
            return f"makes room on {_name(ledger, vm)} {note.cause}; {_arrival(ledger, cost, vm, target)}"
        case MoveReason.CONSOLIDATE:
            return f"{_name(ledger, vm)} is to run no VM; {_arrival(ledger, cost, vm, target)}"
        case _ if note.cause == counts.CAUSE:
            return counts.sentence(ledger, target, int(ledger.at[vm]))
        case _:
            return _load(ledger, cost, vm, target)


def _evacuation(ledger: Ledger, cost: LoadCost, vm: int, target: int) -> str:
    host = ledger.problem.hosts[int(ledger.at[vm])]
    state = _STATE.get(host.state, "is to be emptied")
    return f"{host.name} {state}; {_arrival(ledger, cost, vm, target)}"


def _rule(ledger: Ledger, cost: LoadCost, vm: int, target: int, note: Note) -> str:
    problem, source = ledger.problem, _name(ledger, vm)
    for group in (*problem.apart, *problem.should):
        if group.rule.name == note.cause and vm in group.members:
            domain = group.numbers(len(problem.hosts))
            here = domain[ledger.at[vm]]
            mates = [m for m in group.members if m != vm and domain[ledger.at[m]] == here]
            if mates and group.rule.type is RuleType.ANTI_AFFINITY:
                names = ", ".join(problem.vms[mate].name for mate in mates[:3])
                where = source if group.domain is None else f"the domain of {source}"
                return f"shares {where} with {names} against rule '{note.cause}'"
    for group in (*problem.together, *problem.should):
        if group.rule.name == note.cause and group.rule.type == "affinity":
            return f"rule '{note.cause}' keeps its VMs together; {problem.hosts[target].name} takes all"
    return f"rule '{note.cause}' does not allow {source}; {_arrival(ledger, cost, vm, target)}"


def _load(ledger: Ledger, cost: LoadCost, vm: int, target: int) -> str:
    problem, source = ledger.problem, int(ledger.at[vm])
    column = _telling_column(ledger, cost, vm)
    ratio = ledger.load[source, column] / cost.capacity[source, column]
    stress = float(cost.stress_of(source, ledger.load[source])[column])
    name, what = problem.hosts[source].name, _RESOURCE[column]
    if stress > cost.limit[column]:
        peaks = " in lasting peaks" if stress > ratio + LEAST_GAIN else ""
        cause = f"{name} at {percent(stress)} {what}{peaks}, above {percent(cost.limit[column])}"
    else:
        cause = f"{name} at {percent(ratio)} {what}, mean {percent(cost.mean[column])}"
    return f"{cause}; {_arrival(ledger, cost, vm, target, column)}"


def _arrival(
    ledger: Ledger, cost: LoadCost, vm: int, target: int, column: int | None = None
) -> str:
    problem = ledger.problem
    if column is None:
        column = _telling_column(ledger, cost, vm)
    load, capacity = ledger.load[target, column], cost.capacity[target, column]
    then = load + problem.size[vm, column]
    name, what = problem.hosts[target].name, _RESOURCE[column]
    return f"{name} goes from {percent(load / capacity)} to {percent(then / capacity)} {what}"


def _telling_column(ledger: Ledger, cost: LoadCost, vm: int) -> int:
    """Return the resource for which leaving the source matters more."""
    source, best = int(ledger.at[vm]), 0
    relief, stress = [], cost.stress_of(source, ledger.load[source])
    for column in (0, 1):
        ratio = ledger.load[source, column] / cost.capacity[source, column]
        over = max(stress[column] - cost.limit[column], 0.0)
        above = ratio - cost.mean[column]
        share = ledger.problem.size[vm, column] / cost.capacity[source, column]
        relief.append(share * (over * 1e3 + cost.weight[column] * above))
    if relief[1] > relief[0]:
        best = 1
    return best


def _name(ledger: Ledger, vm: int) -> str:
    return ledger.problem.hosts[int(ledger.at[vm])].name


def label(cost: LoadCost, ledger: Ledger, vm: int, note: Note) -> MoveReason:
    """Return what to call a move: a load move off a host above a threshold is one for contention.

    Unless the VM is left alone for that goal: then it keeps its own reason.
    """
    problem = ledger.problem
    may_relieve = problem.policy.goals.contention and not problem.excluded[Goal.CONTENTION][vm]
    if note.reason is MoveReason.BALANCE and may_relieve:
        return MoveReason.CONTENTION if cost.is_over(ledger)[ledger.at[vm]] else note.reason
    return note.reason

"""What cannot be met, in words: which VM or rule, what stands in the way, and the cheapest change.

Asks the judges themselves for the reasons, on the placement that the draft leads to, so that a person
reads the same words here as in a refused move.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from balancer.model.plan import Conflict
from balancer.model.reasons import Reason, Refusal
from balancer.model.units import HostId, VmId, percent
from balancer.plan.desk import Desk
from balancer.plan.problem import FOOTPRINT, Problem
from balancer.plan.tasks import Task
from balancer.rules.judge import judge_move
from balancer.rules.placement import Candidate, Placement
from balancer.rules.violations import violations

NAMED = 8
"""How many names a sentence lists before it says how many more there are."""

WORDS = {
    Reason.MEMORY_CEILING: "memory is full",
    Reason.CPU_RESERVATION: "CPU reservations are full",
    Reason.MEMORY_RESERVATION: "memory reservations are full",
    Reason.HOST_VM_LIMIT: "the number of VMs is at its limit",
    Reason.ANTI_AFFINITY: "another VM of a kept-apart group is there",
    Reason.AFFINITY: "the VMs that it is kept with cannot go there",
    Reason.VM_HOST_AFFINE: "a VM-host rule does not allow it",
    Reason.VM_HOST_ANTI_AFFINE: "a VM-host rule forbids it",
    Reason.EVC: "the processors are too old",
    Reason.EVC_UNKNOWN: "the processors cannot be compared",
    Reason.CPU_VENDOR: "the processors are of another vendor",
    Reason.CPU_FEATURES: "processor features are missing",
    Reason.DATASTORE: "a datastore is not reachable",
    Reason.NETWORK: "a network is missing",
    Reason.TARGET_HOST_STATE: "the host takes no VMs now",
    Reason.FAILOVER_HOST: "the host is kept free for HA",
    Reason.VMOTION_DISABLED: "vMotion is off",
    Reason.SOURCE_HOST_STATE: "its own host gives no VMs now",
}


_NEW_HOST = "add a host that may take {names}, or make {rule} a should-rule"

RELAXATIONS = {
    Reason.ANTI_AFFINITY: _NEW_HOST,
    Reason.AFFINITY: _NEW_HOST,
    Reason.VM_HOST_AFFINE: _NEW_HOST,
    Reason.VM_HOST_ANTI_AFFINE: _NEW_HOST,
    Reason.DATASTORE: "connect the datastores of {names} on another host ({detail})",
    Reason.NETWORK: "provide the networks of {names} on another host ({detail})",
    Reason.TARGET_HOST_STATE: "bring another host into service that can take {names}",
    Reason.FAILOVER_HOST: "bring another host into service that can take {names}",
}


def unmet(desk: Desk, stuck: Sequence[Task]) -> tuple[tuple[Conflict, ...], tuple[Refusal, ...]]:
    """Return one conflict per task that stays open, and one refusal per VM of it."""
    placement = final_placement(desk)
    conflicts: list[Conflict] = []
    refusals: list[Refusal] = []
    for task in stuck:
        reasons = why_not(placement, desk.problem, task.movers)
        main = _main(reasons)
        conflicts.append(_conflict(desk.problem, desk, task, reasons, main))
        refusals.extend(_refusal(desk, vm, reasons, main) for vm in task.movers)
    return tuple(conflicts), tuple(refusals)


def final_placement(desk: Desk) -> Placement:
    """Return the placement that the draft leads to, for the judges."""
    placement = Placement(desk.problem.ground)
    for vm in desk.ledger.moved().tolist():
        placement.move(desk.problem.vms[vm].id, desk.problem.hosts[int(desk.ledger.at[vm])].id)
    placement.begin_flights()
    return placement


def why_not(
    placement: Placement, problem: Problem, movers: tuple[int, ...]
) -> dict[HostId, Refusal]:
    """Return the first refusal of each host for moving the VMs there together; hosts that take them are left out.

    Hosts on which all of them stand already are left out too.
    """
    holds = problem.need.holds
    vms = [problem.vms[vm].id for vm in movers]
    found: dict[HostId, Refusal] = {}
    for host in problem.hosts:
        going = [vm for vm in vms if placement.host_of[vm] != host.id]
        held = [holds.pinned[vm] for vm in going if vm in holds.pinned]
        held += [holds.pairs[vm, host.id] for vm in going if (vm, host.id) in holds.pairs]
        held += [holds.targets[host.id]] if host.id in holds.targets and going else []
        refusal = held[0] if held else _judge_together(placement, going, host.id)
        if refusal is not None:
            found[host.id] = refusal
    return found


def _judge_together(placement: Placement, vms: list[VmId], target: HostId) -> Refusal | None:
    if any(vm in placement.heading for vm in vms):
        flying = next(vm for vm in vms if vm in placement.heading)
        return Refusal.of(Reason.IN_FLIGHT, "a migration is running", vm=flying, host=target)
    refusal = None
    for vm in vms:
        placement.start(vm, target)
    for vm in vms:
        placement.cancel(vm)
        candidate = Candidate(vm=vm, target=target, is_mandatory=True)
        refusal = refusal or judge_move(placement, candidate)
        placement.start(vm, target)
    for vm in vms:
        placement.cancel(vm)
    return refusal


def _main(reasons: dict[HostId, Refusal]) -> Refusal | None:
    """Return a refusal of the most frequent reason, hosts that take no VM at all counting last."""
    shut = {Reason.TARGET_HOST_STATE, Reason.FAILOVER_HOST, Reason.ON_SOURCE_ALREADY}
    count = Counter(refusal.reason for refusal in reasons.values())
    if not count:
        return None
    best = min(count, key=lambda reason: (reason in shut, -count[reason], reason))
    return next(reasons[host] for host in sorted(reasons) if reasons[host].reason is best)


def _refusal(desk: Desk, vm: int, reasons: dict[HostId, Refusal], main: Refusal | None) -> Refusal:
    reason = main.reason if main else Reason.NO_TARGET
    return Refusal.of(reason, _obstacles(reasons), vm=desk.problem.vms[vm].id)


def _obstacles(reasons: dict[HostId, Refusal]) -> str:
    """Return what stands in the way, with the number of hosts: "memory is full on 3 hosts"."""
    details = {refusal.detail for refusal in reasons.values() if not refusal.host}
    if len(details) == 1:
        return details.pop()
    count = Counter(refusal.reason for refusal in reasons.values())
    count.pop(Reason.ON_SOURCE_ALREADY, None)
    ranked = sorted(count, key=lambda reason: (-count[reason], reason))
    words = [
        f"{WORDS.get(reason, str(reason).replace('_', ' '))} on {count[reason]} "
        f"host{'s' if count[reason] != 1 else ''}"
        for reason in ranked
    ]
    return "; ".join(words) or "no way was found that keeps every law at every step"


def _conflict(
    problem: Problem, desk: Desk, task: Task, reasons: dict[HostId, Refusal], main: Refusal | None
) -> Conflict:
    names = _listed([problem.vms[vm].name for vm in task.movers])
    hosts = sorted({problem.hosts[int(desk.ledger.at[vm])].id for vm in task.movers})
    where = _listed([problem.need.snapshot.host_by_id[host].name for host in hosts])
    rules = _open_rules(desk, task)
    wish = f"{names} cannot leave {where}, which is to be empty"
    if task.rule:
        wish = f"rule '{task.note.cause}' stays broken by {names} on {where}"
    return Conflict(
        kind="rule" if task.rule else "evacuation",
        message=f"{wish}: {_obstacles(reasons)}",
        rules=rules,
        vms=tuple(problem.vms[vm].id for vm in task.movers),
        hosts=tuple(hosts),
        relax=_relaxation(desk, task, names, main),
    )


def _open_rules(desk: Desk, task: Task) -> tuple[str, ...]:
    """Return the must-rules that stay broken by the task's VMs, the one that it is about first."""
    if task.rule is None:
        return ()
    ids = {desk.problem.vms[vm].id for vm in task.movers}
    placement = final_placement(desk)
    broken = [v.rule for v in violations(placement) if v.mandatory and ids & set(v.vms)]
    return tuple(dict.fromkeys([task.note.cause, *broken]))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _relaxation(desk: Desk, task: Task, names: str, main: Refusal | None) -> str:
    """Return the cheapest change that would let the VMs go, in a sentence."""
    if main is None:
        return f"free a host that may take {names}, so that the moves can be ordered safely"
    if main.reason is Reason.MEMORY_CEILING:
        return _more_memory(desk, task)
    if main.host is None:
        return f"remove what ties {names} to its host ({main.detail}), or power it off"
    rule = f"rule '{task.note.cause}'" if task.rule else main.detail
    change = RELAXATIONS.get(main.reason, "make room for {names} on another host, or power it off")
    return change.format(names=names, rule=rule, detail=main.detail)


def _more_memory(desk: Desk, task: Task) -> str:
    problem, ledger = desk.problem, desk.ledger
    size = problem.size[list(task.movers), FOOTPRINT].sum()
    allowed = np.all(desk.start_masks.allowed(task.movers, is_mandatory=True), axis=0)
    spare = problem.limits[:, FOOTPRINT] - ledger.held[:, FOOTPRINT]
    rows = np.flatnonzero(allowed).tolist()
    if not rows:
        return "free memory on a host that may take it"
    best = max(rows, key=lambda row: (spare[row], -row))
    lacking_gib = (size - spare[best]) / 1024
    then = (ledger.held[best, FOOTPRINT] + size) / problem.hosts[best].usable_memory_mib
    ceiling = problem.policy.thresholds.memory_ceiling
    return (
        f"free {lacking_gib:.1f} GiB on {problem.hosts[best].name}, "
        f"or raise memory_ceiling from {percent(ceiling, 1)} to {percent(then, 1)}"
    )

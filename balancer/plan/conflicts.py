"""What cannot be met, in words: which VM or rule, what stands in the way, and the cheapest change.

Owns what becomes of the stuck tasks of a draft: alike ones are told as one conflict. Where no smallest
set of contradicting laws was found, the judges themselves are asked for reasons, on the placement that
the draft leads to, so that a person reads the same words as in a refused move.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from balancer.model.plan import Conflict
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import RuleType
from balancer.model.units import HostId, VmId
from balancer.plan.conflict_member import Kind, Member
from balancer.plan.conflict_mend import mend, more_memory
from balancer.plan.conflict_question import Facts
from balancer.plan.conflict_set import ConflictSet, Finding, Patience, carries_over, find_set
from balancer.plan.conflict_words import (
    displaced,
    listed,
    reach_words,
    rows_of,
    sentence,
    tie_words,
    wish,
)
from balancer.plan.desk import Desk
from balancer.plan.obstacles import obstacles
from balancer.plan.problem import FOOTPRINT, Problem
from balancer.plan.tasks import Task
from balancer.rules.judge import judge_move
from balancer.rules.placement import Candidate, Placement
from balancer.rules.violations import violations

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


def unmet(
    desk: Desk, stuck: Sequence[Task], patience: Patience
) -> tuple[tuple[Conflict, ...], tuple[Refusal, ...]]:
    """Return what stays open as conflicts, alike ones as one, and one refusal per stuck VM.

    Searches for the smallest contradiction behind each task; once patience is over the rest is told without.
    """
    placement, facts = final_placement(desk), Facts(desk)
    sets = _sets(facts, stuck, patience)
    refusals: list[Refusal] = []
    alike: dict[tuple[object, ...], list[_Told]] = {}
    for task, found in zip(stuck, sets, strict=True):
        reasons = why_not(placement, desk.problem, task.movers)
        main = _main(reasons)
        refusals.extend(_refusal(desk, vm, reasons, main) for vm in task.movers)
        one = _Told(task=task, reasons=reasons, main=main, found=found)
        alike.setdefault(_key(facts, one), []).append(one)
    return tuple(_conflict(desk, facts, group) for group in alike.values()), tuple(refusals)


def _sets(facts: Facts, stuck: Sequence[Task], patience: Patience) -> list[ConflictSet]:
    """Return what is known of each task; the last first, for what stops a small VM stops a large one."""
    known: list[tuple[Task, ConflictSet]] = []
    for task in reversed(stuck):
        earlier = (found for other, found in known if carries_over(facts, other, found, task))
        known.append((task, next(earlier, None) or find_set(facts, task, patience)))
    return [found for _task, found in reversed(known)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """A stuck task, what the judges say of each host, and what the search for its cause came to."""

    task: Task
    reasons: Mapping[HostId, Refusal]
    main: Refusal | None
    found: ConflictSet


def _key(facts: Facts, one: _Told) -> tuple[object, ...]:
    """Return what tasks must have in common to be told as one: the same set, but for what holds each VM."""
    task, found = one.task, one.found
    about = (task.rule, task.note.cause if task.rule else "", found.finding)
    if not found.members:
        return (*about, frozenset(facts.draft[list(task.movers)].tolist()), _obstacles(one.reasons))
    own = [m for m in found.members if m.kind in (Kind.TIE, Kind.REACH) and m.at in task.movers]
    shared = frozenset(found.members) - frozenset(own)
    holding = frozenset(
        tie_words(facts.problem, m.at) if m.kind is Kind.TIE else reach_words(m) for m in own
    )
    return (*about, shared, holding, len(found.remedy.lift))


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


def _main(reasons: Mapping[HostId, Refusal]) -> Refusal | None:
    """Return a refusal of the most frequent reason, hosts that take no VM at all counting last."""
    shut = {Reason.TARGET_HOST_STATE, Reason.FAILOVER_HOST, Reason.ON_SOURCE_ALREADY}
    count = Counter(refusal.reason for refusal in reasons.values())
    if not count:
        return None
    best = min(count, key=lambda reason: (reason in shut, -count[reason], reason))
    return next(reasons[host] for host in sorted(reasons) if reasons[host].reason is best)


def _refusal(
    desk: Desk, vm: int, reasons: Mapping[HostId, Refusal], main: Refusal | None
) -> Refusal:
    reason = main.reason if main else Reason.NO_TARGET
    return Refusal.of(reason, _obstacles(reasons), vm=desk.problem.vms[vm].id)


def _obstacles(reasons: Mapping[HostId, Refusal]) -> str:
    """Return what stands in the way, with the number of hosts: "memory is full on 3 hosts"."""
    details = {refusal.detail for refusal in reasons.values() if not refusal.host}
    if len(details) == 1:
        return details.pop()
    return obstacles(reasons.values()) or "no way was found that keeps every law at every step"


def _conflict(desk: Desk, facts: Facts, group: Sequence[_Told]) -> Conflict:
    """Return one conflict for tasks that are alike."""
    problem = desk.problem
    tasks, sets = [one.task for one in group], [one.found for one in group]
    members = {member for found in sets for member in found.members}
    movers = {vm for task in tasks for vm in task.movers}
    held = {m.at for m in members if m.kind in (Kind.TIE, Kind.REACH)}
    at = {int(desk.ledger.at[vm]) for vm in movers}
    message, relax = _words(desk, facts, group)
    return Conflict(
        kind="rule" if tasks[0].rule else "evacuation",
        message=message,
        rules=_rules(desk, tasks, members),
        vms=tuple(problem.vms[vm].id for vm in sorted(movers | held | _kept(facts, sets))),
        hosts=tuple(
            problem.hosts[host].id
            for host in sorted({m.at for m in members if m.kind in (Kind.HOST, Kind.ROOM)} | at)
        ),
        relax=relax,
    )


def _words(desk: Desk, facts: Facts, group: Sequence[_Told]) -> tuple[str, str]:
    """Return message and change."""
    tasks, sets = [one.task for one in group], [one.found for one in group]
    if sets[0].members:
        return sentence(facts, tasks, sets), mend(facts, tasks, sets)
    first = group[0]
    ending = "whether any placement would do was not determined"
    if sets[0].finding is Finding.POSSIBLE:
        ending = "a placement that obeys every law exists, but no way to it was found"
        ending += displaced(facts, first.task, sets[0])
    message = f"{wish(facts, tasks)}: {_obstacles(first.reasons)}; {ending}"
    names = listed([desk.problem.vms[vm].name for task in tasks for vm in task.movers])
    return message, _relaxation(desk, first.task, names, first.main)


def _kept(facts: Facts, sets: Sequence[ConflictSet]) -> set[int]:
    """Return the VMs that the rules of the sets name, of the VMs that were asked about."""
    return {
        vm
        for found in sets
        for member in found.members
        if member.kind is Kind.RULE
        for vm in rows_of([found], member)
    }


def _rules(desk: Desk, tasks: Sequence[Task], members: Iterable[Member]) -> tuple[str, ...]:
    """Return the rules of the set, the broken one first, and what else of its kind the VMs break."""
    named = [
        desk.problem.need.snapshot.rules[m.at].name for m in sorted(members) if m.kind is Kind.RULE
    ]
    own = [task.note.cause for task in tasks if task.rule]
    also = _open_rules(desk, tasks) if not named or tasks[0].rule is RuleType.AFFINITY else ()
    return tuple(dict.fromkeys([*own, *named, *also]))


def _open_rules(desk: Desk, tasks: Sequence[Task]) -> tuple[str, ...]:
    """Return the must-rules that stay broken by VMs of broken rules."""
    ids = {desk.problem.vms[vm].id for task in tasks if task.rule for vm in task.movers}
    broken = violations(final_placement(desk)) if ids else ()
    return tuple(v.rule for v in broken if v.mandatory and ids & set(v.vms))


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
    ceiling = problem.policy.thresholds.memory_ceiling
    return more_memory(problem.hosts[best], float(size - spare[best]), ceiling)

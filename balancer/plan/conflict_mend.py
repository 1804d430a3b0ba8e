"""The cheapest change as a sentence for an administrator: what to do, to what, and how much of it.

Owns the sentence of `Conflict.relax` where a set was found. Takes figures from the placement that was
shown to be possible once the change is made, and names no host or amount where there is none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from types import MappingProxyType

import numpy as np

from balancer.model.host import Host
from balancer.model.rule import Rule, RuleType
from balancer.model.units import Mib, Ratio, percent
from balancer.plan.codes import Ints
from balancer.plan.conflict_apart import loosened
from balancer.plan.conflict_cost import Change, change_of
from balancer.plan.conflict_member import REACH_LAWS, ROOMS, Member
from balancer.plan.conflict_question import Facts
from balancer.plan.conflict_set import ConflictSet
from balancer.plan.conflict_words import listed, missing, tie_words
from balancer.plan.problem import CPU_RESERVED, FOOTPRINT
from balancer.plan.tasks import Task
from balancer.plan.window import SCALE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One member to lift, of the first of several sets that are alike."""

    facts: Facts
    tasks: Sequence[Task]
    found: ConflictSet
    lift: Member

    @property
    def host(self) -> Host:
        """Return the host that the member is about."""
        return self.facts.problem.hosts[self.lift.at]

    @property
    def rule(self) -> Rule:
        """Return the rule that the member is."""
        return self.facts.problem.need.snapshot.rules[self.lift.at]

    @property
    def names(self) -> str:
        """Return the stuck VMs of all tasks."""
        vms = sorted({vm for task in self.tasks for vm in task.movers})
        return listed([self.facts.problem.vms[vm].name for vm in vms])

    @property
    def then(self) -> Ints | None:
        """Return where all VMs would be once the change is made, (N,)."""
        remedy = self.found.remedy
        if remedy.question is None or remedy.at is None:
            return None
        everywhere = self.facts.draft.copy()
        everywhere[remedy.question.vms] = remedy.at
        return everywhere

    @property
    def excess(self) -> float:
        """Return by how much the host would then be over the ceiling, in MiB, MHz or VMs; 0 if not known."""
        if self.then is None:
            return 0.0
        held = self.facts.size[self.then == self.lift.at, self.lift.what].sum()
        return float(max(held - self.facts.room[self.lift.at, self.lift.what], 0)) / SCALE


def mend(facts: Facts, tasks: Sequence[Task], sets: Sequence[ConflictSet]) -> str:
    """Return the change that mends tasks whose sets are alike; several joined where one is not enough."""
    first = sets[0]
    if first.question is None:
        return ""
    cases = [_Case(facts=facts, tasks=tasks, found=first, lift=m) for m in first.remedy.lift]
    changes = [change_of(first.question, case.lift) for case in cases]
    if len(sets) > 1 and len(changes) == 1 and changes[0] in _FOR_ALL:
        lifts = list(dict.fromkeys(lift for found in sets for lift in found.remedy.lift))
        return _FOR_ALL[changes[0]](cases[0], lifts)
    return "; and ".join(
        _SENTENCES[change](case) for change, case in zip(changes, cases, strict=True)
    )


def _loosen(case: _Case) -> str:
    """Rules between VMs are must-rules whatever their flag says, so that only switching them off helps."""
    if case.rule.type in (RuleType.AFFINITY, RuleType.ANTI_AFFINITY):
        return f"disable rule '{case.rule.name}'"
    return f"make rule '{case.rule.name}' a should-rule"


def _loosen_apart(case: _Case) -> str:
    """Return what lets the VMs stand as the draft has them where the rule is the task's own, else as found.

    What was found is about the first task; the VMs of the others are taken to go where its VM goes.
    """
    problem, at = case.facts.problem, case.facts.draft
    group = next(group for group in problem.apart if group.rule is case.rule)
    if case.tasks[0].rule is not RuleType.ANTI_AFFINITY and case.then is not None:
        at = case.then
        for task in case.tasks[1:]:
            at[list(task.movers)] = at[case.tasks[0].movers[0]]
    return loosened(problem, group, at)


def _extend(case: _Case) -> str:
    problem, remedy = case.facts.problem, case.found.remedy
    used: set[int] = set()
    if remedy.question is not None and remedy.at is not None:
        ban = remedy.question.bans[case.lift]
        used = set(ban.hosts[remedy.at[ban.rows] == ban.hosts].tolist())
    if not used:
        return _loosen(case)
    hosts = listed([problem.hosts[host].name for host in sorted(used)])
    if case.rule.type is RuleType.VM_HOST_AFFINE:
        return f"add {hosts} to the hosts of rule '{case.rule.name}', or make it a should-rule"
    return f"take {hosts} out of rule '{case.rule.name}', or make it a should-rule"


def _free_memory(case: _Case) -> str:
    host, excess_mib = case.host, case.excess
    size_mib = float(case.facts.problem.size[list(case.tasks[0].movers), FOOTPRINT].sum())
    if size_mib > host.usable_memory_mib:
        return f"bring in a host with {size_mib / 1024:.1f} GiB for {case.names}, or shrink what it holds"
    if not excess_mib:
        return f"free memory on {host.name}"
    return more_memory(host, excess_mib, case.facts.problem.policy.thresholds.memory_ceiling)


def more_memory(host: Host, excess_mib: Mib, ceiling: Ratio) -> str:
    """Return what makes room for so much memory on a host. Rounded up, so that to do as told is enough.

    The ceiling is named only where a policy may have the one that is needed: at most all of the host.
    """
    freed = f"free {_up(excess_mib / 1024, 10):.1f} GiB on {host.name}"
    needed = _up(ceiling + excess_mib / host.usable_memory_mib, 1000)
    if needed > 1.0:
        return freed
    return f"{freed}, or raise memory_ceiling from {percent(ceiling, 1)} to {percent(needed, 1)}"


def _up(value: float, parts: int) -> float:
    """Round up to so many parts of one, what is left of sums in floating point apart."""
    return ceil(value * parts - 1e-6) / parts


def _raise_count(case: _Case) -> str:
    """Return the limit that binds: the host's own, the policy's, or both where they are equal."""
    own, ours = case.host.max_running_vms, case.facts.problem.policy.thresholds.vms_per_host
    least = min(limit for limit in (own, ours) if limit is not None)
    changes = []
    if ours == least:
        changes.append(f"raise vms_per_host above {ours}")
    if own == least:
        changes.append(
            f"raise the limit of {own} {'VM' if own == 1 else 'VMs'} on {case.host.name}"
        )
    return " and ".join(changes)


def _lower_reservation(case: _Case) -> str:
    whose = f"on {case.host.name}"
    if _has_guarantees(case):
        whose = f"of VMs or of their resource pools {whose}"
    if ROOMS[case.lift.what] == CPU_RESERVED:
        return f"lower CPU reservations {whose} by {np.ceil(case.excess):.0f} MHz"
    return f"lower memory reservations {whose} by {_up(case.excess / 1024, 10):.1f} GiB"


def _has_guarantees(case: _Case) -> bool:
    """Whether a pool guarantees to a VM of the host, as it would then be, more than it has reserved itself."""
    problem = case.facts.problem
    there = case.facts.draft if case.then is None else case.then
    vms = [problem.vms[row] for row in np.flatnonzero(there == case.lift.at).tolist()]
    if ROOMS[case.lift.what] == CPU_RESERVED:
        return any(problem.need.demand[v.id].cpu_reserved_mhz > v.cpu_reservation_mhz for v in vms)
    given = [(problem.need.demand[v.id].memory_reserved_mib, v.memory_reservation_mib) for v in vms]
    return any(promised > own for promised, own in given)


def _untie(case: _Case) -> str:
    return _untie_all(case, [case.lift])


def _keep_host(case: _Case) -> str:
    return f"keep {case.host.name} in service"


def _add_host(case: _Case) -> str:
    return f"bring {case.host.name} or another host into service that can take {case.names}"


def _reach(case: _Case) -> str:
    problem, then = case.facts.problem, case.then
    vm, law = problem.vms[case.lift.at], REACH_LAWS[case.lift.what]
    host = problem.hosts[int(then[case.lift.at])] if then is not None else None
    where = host.name if host else "another host"
    if law in ("storage", "network"):
        noun = "datastore" if law == "storage" else "network"
        lost = problem.ground.names_of(missing(vm, host, law)) if host else []
        what = f"{noun} {lost[0]}" if len(lost) == 1 else f"{noun}s {listed(lost)}".strip()
        return f"connect {what} of {vm.name} to {where}"
    if law == "evc":
        return f"power {vm.name} off and on with an EVC mode that {where} offers"
    if law == "encryption":
        return f"let {where} do encrypted vMotion, or do not require it for {vm.name}"
    return f"let {vm.name} be tried again on {where} later"


_SENTENCES: Mapping[Change, Callable[[_Case], str]] = MappingProxyType(
    {
        Change.LOOSEN_AFFINITY: _loosen,
        Change.EXTEND_HOSTS: _extend,
        Change.LOOSEN_ANTI_AFFINITY: _loosen_apart,
        Change.FREE_MEMORY: _free_memory,
        Change.RAISE_COUNT: _raise_count,
        Change.LOWER_RESERVATION: _lower_reservation,
        Change.CONNECT: _reach,
        Change.WAIT: _reach,
        Change.UNTIE: _untie,
        Change.RENEW: _reach,
        Change.ADD_HOST: _add_host,
        Change.KEEP_HOST: _keep_host,
    }
)


def _untie_all(case: _Case, lifts: Sequence[Member]) -> str:
    problem, vms = case.facts.problem, [lift.at for lift in lifts]
    names = listed([problem.vms[vm].name for vm in vms])
    words = "; ".join(dict.fromkeys(tie_words(problem, vm) for vm in vms))
    their, it = ("its", "it") if len(vms) == 1 else ("their", "them")
    host = "host" if len({int(case.facts.draft[vm]) for vm in vms}) == 1 else "hosts"
    return f"remove what ties {names} to {their} {host} ({words}), or power {it} off"


def _free_for_all(case: _Case, lifts: Sequence[Member]) -> str:
    vms = sorted({vm for task in case.tasks for vm in task.movers})
    gib = case.facts.problem.size[vms, FOOTPRINT].sum() / 1024
    return f"free {gib:.1f} GiB on hosts that may take {case.names}, or bring in another host"


def _add_for_all(case: _Case, lifts: Sequence[Member]) -> str:
    return f"bring a host into service that can take {case.names}"


_FOR_ALL: Mapping[Change, Callable[[_Case, Sequence[Member]], str]] = MappingProxyType(
    {
        Change.UNTIE: _untie_all,
        Change.FREE_MEMORY: _free_for_all,
        Change.ADD_HOST: _add_for_all,
    }
)

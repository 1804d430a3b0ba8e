"""A conflict set in words: what cannot be had, and what stands against it, with the names that people use.

Owns the sentence of `Conflict.message` where a set was found; never decides anything.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from balancer.model.blocker_words import blocker_words
from balancer.model.host import Host
from balancer.model.rule import Rule, RuleType
from balancer.model.vm import Automation, Vm
from balancer.plan.conflict_apart import (
    cannot_be_spread,
    crowds,
    keeps_apart,
    place_of,
    too_few_places,
)
from balancer.plan.conflict_member import REACH_LAWS, ROOMS, Kind, Member
from balancer.plan.conflict_question import Facts, Question
from balancer.plan.conflict_set import ConflictSet, Finding
from balancer.plan.problem import COUNT, CPU_RESERVED, FOOTPRINT, MEMORY_RESERVED, Group, Problem
from balancer.plan.tasks import Task
from balancer.rules.exclusion import MANDATORY_GOALS

NAMED = 8
"""How many names a sentence lists before it says how many more there are."""

SHARED = 3
"""Of how many hosts a sentence says which members of a kept-apart group share them."""

_FULL = {
    FOOTPRINT: "memory is full",
    CPU_RESERVED: "CPU reservations are full",
    MEMORY_RESERVED: "memory reservations are full",
    COUNT: "the number of VMs is at its limit",
}
_REACH = {
    "evc": "the processors do not suit",
    "storage": "a datastore is not reachable",
    "network": "a network is missing",
    "encryption": "there is no encrypted vMotion",
    "earlier tries": "the server or an earlier try refused it",
}


def listed(names: Sequence[str]) -> str:
    """Return names as people write them: "a, b and c", or the first few "and 12 more"."""
    if len(names) > NAMED:
        return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def sentence(facts: Facts, tasks: Sequence[Task], sets: Sequence[ConflictSet]) -> str:
    """Return what cannot be had and why, for tasks whose sets are alike."""
    first = sets[0]
    against = [*_numbers(facts, tasks[0], first), *_against(facts, tasks, sets)]
    text = f"{wish(facts, tasks)}: {'; '.join(against) or _nothing_left(facts, tasks[0])}"
    if first.finding is Finding.AS_THEY_STAND:
        text += ", as the other VMs stand (whether moving them would help was not determined)"
    if not first.is_smallest:
        text += " (perhaps more than need be is named)"
    elif first.remedy.at is not None and not first.remedy.is_only:
        text += " (one of several causes)"
    return text + _standing(facts, tasks[0])


def displaced(facts: Facts, task: Task, found: ConflictSet) -> str:
    """Return which other VMs would have to move for the placement that was found, in brackets."""
    question, at = found.remedy.question, found.remedy.at
    if question is None or at is None:
        return ""
    rows = [int(vm) for vm in question.vms[at != question.draft] if vm not in task.movers]
    if not rows:
        return ""
    return f" (it would take moving {listed([facts.problem.vms[vm].name for vm in rows])} as well)"


def _nothing_left(facts: Facts, task: Task) -> str:
    """Return what stands against a wish where only itself does."""
    if task.rule in (RuleType.VM_HOST_AFFINE, RuleType.VM_HOST_ANTI_AFFINE):
        return "no host of the cluster is left to them by the rule"
    return "no host is left that takes VMs"


def wish(facts: Facts, tasks: Sequence[Task]) -> str:
    """Return what the tasks are about and cannot be had."""
    problem, task = facts.problem, tasks[0]
    rows = sorted({vm for each in tasks for vm in each.movers})
    names = listed([problem.vms[vm].name for vm in rows])
    match task.rule:
        case None:
            hosts = sorted({int(facts.draft[vm]) for vm in rows})
            where = listed([problem.hosts[host].name for host in hosts])
            verb = "is" if len(hosts) == 1 else "are"
            return f"{names} cannot leave {where}, which {verb} to be empty"
        case RuleType.ANTI_AFFINITY:
            group = _group(facts, task)
            return cannot_be_spread(
                group.rule, listed([problem.vms[vm].name for vm in group.members])
            )
        case RuleType.AFFINITY:
            return f"{names} cannot be brought together (rule '{task.note.cause}')"
        case _:
            return f"{names} cannot be where rule '{task.note.cause}' wants {_them(rows)}"


def _group(facts: Facts, task: Task) -> Group:
    """Return the group that a task is to spread; one of its VMs is in it."""
    numbers = sorted({n for vm in task.movers for n in facts.problem.apart_of.get(vm, ())})
    groups = [facts.problem.apart[number] for number in numbers]
    return next(group for group in groups if group.rule.name == task.note.cause)


def _numbers(facts: Facts, task: Task, found: ConflictSet) -> list[str]:
    """Return how many VMs of a kept-apart group there are for how many places, where these are too few."""
    if task.rule is not RuleType.ANTI_AFFINITY or found.question is None:
        return []
    group, count = _group(facts, task), len(facts.problem.hosts)
    rows = np.isin(found.question.vms, group.members)
    hosts = np.flatnonzero(found.question.allowed(found.members)[rows].any(axis=0)).tolist()
    text = too_few_places(group, hosts, count)
    return [text] if text else []


def _standing(facts: Facts, task: Task) -> str:
    """Return which members of a kept-apart group share hosts after the plan."""
    if task.rule is not RuleType.ANTI_AFFINITY:
        return ""
    problem, group = facts.problem, _group(facts, task)
    pairs = [
        f"{_few([problem.vms[vm].name for vm in vms])} share "
        f"{'the domain of ' if group.domain is not None else ''}"
        f"{listed([problem.hosts[host].name for host in hosts])}"
        for hosts, vms in crowds(group, facts.draft, len(problem.hosts))
    ]
    left = _count(len(pairs) - SHARED, f"more {place_of(group.rule)}")
    more = f" and so on for {left}" if len(pairs) > SHARED else ""
    return f"; {', '.join(pairs[:SHARED])}{more}" if pairs else ""


def _few(names: Sequence[str]) -> str:
    return listed(names) if len(names) < 4 else f"{len(names)} of them"


def _against(facts: Facts, tasks: Sequence[Task], sets: Sequence[ConflictSet]) -> list[str]:
    """Return what stands against the wish, in the order of the members; what the wish has said is left out."""
    own = _own(facts, tasks)
    members = sorted({m for found in sets for m in found.members} - own)
    question = next(q for found in sets if (q := found.question) is not None)
    of = {kind: [m for m in members if m.kind is kind] for kind in Kind}
    problem = facts.problem
    movers = [problem.vms[vm].name for task in tasks for vm in task.movers]
    return [
        *(_rule_words(facts, sets, m, tasks) for m in of[Kind.RULE]),
        *_host_words(problem, [problem.hosts[m.at] for m in of[Kind.HOST]]),
        *_room_words(problem, question, of[Kind.ROOM]),
        *_grouped(
            [(tie_words(problem, m.at), problem.vms[m.at].name) for m in of[Kind.TIE]], movers
        ),
        *_grouped(_reach_pairs(problem, sets, of[Kind.REACH]), movers),
    ]


def _own(facts: Facts, tasks: Sequence[Task]) -> set[Member]:
    found: set[Member] = set()
    for task in tasks:
        if task.rule is None:
            found |= {Member(kind=Kind.HOST, at=int(facts.draft[vm])) for vm in task.movers}
        rules = facts.problem.need.snapshot.rules
        found |= {
            Member(kind=Kind.RULE, at=number)
            for number, rule in enumerate(rules)
            if task.rule and rule.name == task.note.cause
        }
    return found


def _rule_words(
    facts: Facts, sets: Sequence[ConflictSet], member: Member, tasks: Sequence[Task]
) -> str:
    problem = facts.problem
    rule = problem.need.snapshot.rules[member.at]
    rows = rows_of(sets, member)
    movers = {vm for task in tasks for vm in task.movers}
    names = _them(rows) if set(rows) == movers else listed([problem.vms[vm].name for vm in rows])
    match rule.type:
        case RuleType.AFFINITY:
            return f"rule '{rule.name}' keeps {names} together"
        case RuleType.ANTI_AFFINITY:
            return keeps_apart(rule, names)
        case RuleType.VM_HOST_AFFINE:
            return f"{_only(problem, rule)} may take {names} (rule '{rule.name}')"
        case RuleType.VM_HOST_ANTI_AFFINE:
            hosts = listed([host.name for host in problem.hosts if host.id in rule.hosts])
            return f"{names} must stay off {hosts} (rule '{rule.name}')"


def _only(problem: Problem, rule: Rule) -> str:
    hosts = [host.name for host in problem.hosts if host.id in rule.hosts]
    return f"only {listed(hosts)}" if hosts else "no host of the cluster"


def rows_of(sets: Sequence[ConflictSet], member: Member) -> list[int]:
    """Return the VMs that a rule of the sets is about, of those that were asked about."""
    rows: set[int] = set()
    for found in sets:
        if found.question is None:
            continue
        team = found.question.apart.get(member) or found.question.together.get(member)
        ban = found.question.bans.get(member)
        inside = list(team.rows) if team else ban.rows.tolist() if ban else []
        rows |= set(found.question.vms[inside].tolist())
    return sorted(rows)


def _host_words(problem: Problem, hosts: Sequence[Host]) -> list[str]:
    by_words: dict[str, list[str]] = {}
    for host in hosts:
        by_words.setdefault(_state_words(problem, host), []).append(host.name)
    return [
        f"vMotion is off on {listed(names)}"
        if words == "off"
        else f"{listed(names)} {'is' if len(names) == 1 else 'are'} {words}"
        for words, names in by_words.items()
    ]


def _state_words(problem: Problem, host: Host) -> str:
    if not host.takes:
        return host.phrase
    if host.id in problem.need.snapshot.cluster.ha.failover_hosts:
        return "kept free for HA"
    if host.id in problem.need.holds.targets:
        return f"held back ({problem.need.holds.targets[host.id].detail or 'for now'})"
    return "off"


def _room_words(problem: Problem, question: Question, members: Sequence[Member]) -> list[str]:
    found: dict[str, list[str]] = {}
    size = question.size[question.movers].sum(axis=0)
    for member in members:
        is_small = bool(size[member.what] > question.room[member.at, member.what])
        words = "too small" if is_small else _FULL[ROOMS[member.what]]
        found.setdefault(words, []).append(problem.hosts[member.at].name)
    return [
        f"{listed(names)} {'is' if len(names) == 1 else 'are'} {words}"
        if words == "too small"
        else f"{words} on {listed(names)}"
        for words, names in found.items()
    ]


def tie_words(problem: Problem, vm: int) -> str:
    """Return what ties a VM to its host."""
    facts = problem.vms[vm]
    if facts.id in problem.need.holds.pinned:
        return problem.need.holds.pinned[facts.id].detail or "held for now"
    if problem.at[vm] != problem.end[vm]:
        return "a migration is running"
    excluded = [problem.need.holds.excludes(facts.id, goal) for goal in MANDATORY_GOALS]
    for refusal in filter(None, excluded):
        return refusal.detail or "excluded"
    if facts.blockers:
        return blocker_words(facts.blockers)
    return f"DRS override {Automation(facts.automation).value}"


def _reach_pairs(
    problem: Problem, sets: Sequence[ConflictSet], members: Sequence[Member]
) -> list[tuple[str, str]]:
    return [
        (f"{reach_words(m)} on {_barred(problem, sets, m)}", problem.vms[m.at].name)
        for m in members
    ]


def reach_words(member: Member) -> str:
    """Return why a law closes hosts to a VM."""
    return _REACH[REACH_LAWS[member.what]]


def _barred(problem: Problem, sets: Sequence[ConflictSet], member: Member) -> str:
    bans = [f.question.bans[member] for f in sets if f.question and member in f.question.bans]
    hosts = sorted({host for ban in bans for host in ban.hosts.tolist()})
    return listed([problem.hosts[host].name for host in hosts])


def _grouped(pairs: Iterable[tuple[str, str]], movers: Sequence[str]) -> list[str]:
    """Return "names: words" for each of the words; the names of all stuck VMs are not said again."""
    found: dict[str, list[str]] = {}
    for words, name in pairs:
        found.setdefault(words, []).append(name)
    return [
        f"{'all of them' if len(names) > 1 and set(names) == set(movers) else listed(names)}: {words}"
        for words, names in found.items()
    ]


def _them(rows: Sequence[int]) -> str:
    return "it" if len(rows) == 1 else "them"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def missing(vm: Vm, host: Host, law: str) -> list[str]:
    """Return the ids of the datastores or networks of a VM that a host lacks."""
    wanted, there = (
        (vm.datastores, host.datastores) if law == "storage" else (vm.networks, host.networks)
    )
    return sorted(wanted - (there if there is not None else wanted))

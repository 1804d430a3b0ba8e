"""The question behind a conflict: is there a placement in which one stuck task is done and every law holds?

Owns the translation of the laws into bans, groups and rooms, each of them with the `Member` that answers
for it, so that any of them can be lifted. The judges' leniency is kept: a VM may stay where it stands
though it might not go there, and what the draft leaves broken elsewhere need not be mended, only not
be made worse. Never searches; `plan.conflict_search` and `plan.conflict_model` do.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from balancer.model.rule import Rule, RuleType
from balancer.model.vm import Encryption
from balancer.plan.codes import Bools, Ints
from balancer.plan.conflict_member import REACH_LAWS, ROOMS, Kind, Member, drop_key
from balancer.plan.desk import Desk
from balancer.plan.encode import STATIC
from balancer.plan.problem import Group, Problem
from balancer.plan.tasks import Task
from balancer.plan.window import SCALE
from balancer.rules.exclusion import MANDATORY_GOALS

UNBOUNDED = 2**60
"""Room of a column without a limit; sums of sizes stay far below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ban:
    """Pairs that one member forbids: VM `rows[i]` of the question on host `hosts[i]`."""

    rows: Ints
    hosts: Ints


NO_BAN = Ban(rows=np.zeros(0, dtype=np.int64), hosts=np.zeros(0, dtype=np.int64))


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Rows of a group. Kept together: on at most `most[0]` hosts. Kept apart: at most `most[domain]` in a domain.

    `domain` is the number of each host's domain; where each host counts by itself, that of the host.
    """

    rows: tuple[int, ...]
    most: tuple[int, ...]
    domain: tuple[int, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether VMs that are kept together must all be on one host, and not merely on no more than now."""
        return max(self.most) <= 1

    def counts(self, at: Ints) -> Ints:
        """Return how many members of a kept-apart group are in each domain of a placement (V,)."""
        result: Ints = np.bincount(
            np.array(self.domain)[at[list(self.rows)]], minlength=len(self.most)
        )
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """V VMs, H hosts, R rooms (the columns of `ROOMS`); integers as in `plan.window`.

    `vms` are rows of the problem; `start` where they stand or will stand when their migration ends,
    `draft` where the draft has them. `fixed` is what VMs outside of the question hold, and `is_entered`
    which hosts such VMs have entered, so that their ceilings bind in any case. `members` is everything
    that can be lifted, in the order in which it is tried to be left out.
    """

    problem: Problem
    vms: Ints  # (V,)
    start: Ints  # (V,)
    draft: Ints  # (V,)
    movers: Ints  # rows of the stuck VMs
    bans: Mapping[Member, Ban]
    apart: Mapping[Member, Team]
    together: Mapping[Member, Team]
    size: Ints  # (V, R)
    room: Ints  # (H, R)
    fixed: Ints  # (H, R)
    lacking: Ints  # (H, R) what the stuck VMs lack on each host as the draft has it; negative where they fit
    is_entered: Bools  # (H,)
    closed: Ints  # (V, H) how many members forbid each pair
    members: tuple[Member, ...]

    def allowed(self, active: Sequence[Member]) -> Bools:
        """Return which hosts the active members leave to each VM, groups and rooms aside, (V, H)."""
        if 2 * len(active) > len(self.members):
            left = self.closed.copy()
            for member in set(self.members) - set(active):
                ban = self.bans.get(member)
                if ban is not None:
                    left[ban.rows, ban.hosts] -= 1
            result: Bools = left == 0
            return result
        result = np.ones(self.closed.shape, dtype=bool)
        for member in active:
            ban = self.bans.get(member)
            if ban is not None:
                result[ban.rows, ban.hosts] = False
        return result

    def arrives(self, room: int) -> Bools:
        """Return which VMs are refused by a room that is too small: reservations of nothing are not, (V,)."""
        if ROOMS[room] in _RESERVED:
            result: Bools = self.size[:, room] > 0
            return result
        return np.ones(len(self.vms), dtype=bool)


_RESERVED = ROOMS[1:3]


class Facts:
    """What all questions of one draft share: the static laws of each VM, the numbers of the rules, the loads."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.problem = desk, desk.problem
        problem = desk.problem
        rules = problem.need.snapshot.rules
        self.number = {id(rule): number for number, rule in enumerate(rules)}
        self.end = problem.end
        self.draft: Ints = np.where(problem.at == problem.end, desk.ledger.at, problem.end)
        self.tied: Bools = problem.pinned | (_static(problem, "devices")[:, 0] != 0)
        for goal in MANDATORY_GOALS:
            self.tied = self.tied | problem.excluded[goal]
        self.takes = np.array([_takes(problem, row) for row in range(len(problem.hosts))])
        self.gives = np.array([h.state.gives and h.vmotion.enabled for h in problem.hosts])
        self.barred = {law: self._barred(law) for law in REACH_LAWS}
        self.size = np.ceil(problem.size[:, ROOMS] * SCALE).astype(np.int64)
        self.room = _rooms(problem)
        self.held = np.zeros_like(self.room)
        np.add.at(self.held, self.draft, self.size)
        self._right: dict[int, list[bool]] = {}
        self.shared: Question | None = None

    def right_hosts(self, rule: Rule) -> list[bool]:
        """Return which hosts a VM-host rule allows."""
        number = self.number[id(rule)]
        if number not in self._right:
            self._right[number] = [rule.allows_host(host.id) for host in self.problem.hosts]
        return self._right[number]

    def _barred(self, law: str) -> Bools:
        """Return the hosts that one law closes to each VM, its own host left out, (N, H)."""
        problem = self.problem
        if law in STATIC_NAMES:
            closed: Bools = _static(problem, law) != 0
        elif law == "encryption":
            closed = _unencrypted(problem)
        else:
            closed = np.zeros((len(problem.vms), len(problem.hosts)), dtype=bool)
            for vm, host in problem.need.holds.pairs:
                if vm in problem.vm_at and host in problem.host_at:
                    closed[problem.vm_at[vm], problem.host_at[host]] = True
        closed[np.arange(len(problem.vms)), self.end] = False
        return closed


STATIC_NAMES = ("evc", "storage", "network")


def _static(problem: Problem, law: str) -> Ints:
    result: Ints = STATIC[law](problem, problem.at, True).expand().astype(np.int64)
    return result


def _takes(problem: Problem, row: int) -> bool:
    host, need = problem.hosts[row], problem.need
    is_spare = host.id in need.snapshot.cluster.ha.failover_hosts or host.id in need.holds.targets
    return host.takes and host.vmotion.enabled and not is_spare


def _unencrypted(problem: Problem) -> Bools:
    can = np.array([host.vmotion.encrypted_supported for host in problem.hosts], dtype=bool)
    must = np.array([vm.encryption is Encryption.REQUIRED for vm in problem.vms], dtype=bool)
    result: Bools = must[:, None] & ~(can[None, :] & can[problem.at][:, None])
    return result


def _rooms(problem: Problem) -> Ints:
    limits = np.minimum(problem.limits[:, ROOMS] * SCALE, float(UNBOUNDED))
    result: Ints = np.floor(limits).astype(np.int64)
    return result


def close_to(facts: Facts, task: Task) -> Ints:
    """Return the stuck VMs and the other members of their rules, of large groups only as many as tell.

    One member more than all hosts or domains may have suffices to show that a group is too large to be
    kept apart; those that may go to the fewest hosts come first.
    """
    problem = facts.problem
    chosen = set(task.movers)
    reach = facts.desk.start_masks.allowed(np.arange(len(problem.vms)), is_mandatory=True).sum(
        axis=1
    )
    for vm in task.movers:
        for number in problem.apart_of.get(vm, ()):
            group = problem.apart[number]
            others = sorted(group.members, key=lambda v: (int(reach[v]), v))
            domains = len(np.unique(group.numbers(len(problem.hosts))))
            chosen.update(others[: group.rule.most * domains + 1])
        for number in problem.together_of.get(vm, ()):
            chosen.update(problem.together[number].members)
    return np.array(sorted(chosen), dtype=np.int64)


def near(facts: Facts, task: Task) -> Ints:
    """Return the VMs close to the task, and those on the hosts that all the stuck VMs may go to."""
    allowed = facts.desk.start_masks.allowed(task.movers, is_mandatory=True)
    inside: Bools = np.logical_and.reduce(allowed)[facts.draft]
    inside[close_to(facts, task)] = True
    return np.flatnonzero(inside)


def ask(facts: Facts, task: Task, vms: Ints, *, others_stay: bool = False) -> Question:
    """Return the question of one task over some VMs.

    The VMs outside of it take no room unless `others_stay`, and the rules that bind them to those inside
    are left out: without `others_stay` a "no" therefore holds for every placement of all VMs.
    """
    rows = {int(vm): row for row, vm in enumerate(vms)}
    bans = _bans(facts, task, vms)
    apart = _teams(facts, facts.problem.apart, rows, task)
    together = _teams(facts, facts.problem.together, rows, task)
    fixed, is_entered = _rest(facts, vms, others_stay=others_stay)
    size = facts.size[vms]
    rooms = [
        Member(kind=Kind.ROOM, at=int(host), what=column)
        for host, column in np.argwhere(size.sum(axis=0) + fixed > facts.room).tolist()
    ]
    return Question(
        problem=facts.problem,
        vms=vms,
        start=facts.end[vms],
        draft=facts.draft[vms],
        movers=np.array([rows[vm] for vm in task.movers], dtype=np.int64),
        bans=bans,
        apart=apart,
        together=together,
        size=size,
        room=facts.room,
        fixed=fixed,
        lacking=_lacking(facts, task),
        is_entered=is_entered,
        closed=_closed(bans, len(vms), len(facts.room)),
        members=_in_order({*bans, *apart, *together, *rooms}),
    )


def ask_all(facts: Facts, task: Task) -> Question:
    """Return the question of one task over all VMs. What evacuations have in common is worked out once."""
    if task.rule is not None:
        return ask(facts, task, np.arange(len(facts.size)))
    if facts.shared is None:
        nobody = replace(task, movers=())
        facts.shared = ask(facts, nobody, np.arange(len(facts.size)))
    base, bans = facts.shared, dict(facts.shared.bans)
    closed = base.closed.copy()
    for vm in task.movers:
        host = int(facts.end[vm])
        if facts.problem.leaving[host] and facts.problem.leaving[facts.draft[vm]]:
            member = Member(kind=Kind.HOST, at=host)
            ban = bans.get(member, NO_BAN)
            bans[member] = Ban(rows=np.append(ban.rows, vm), hosts=np.append(ban.hosts, host))
            closed[vm, host] += 1
    members = base.members if len(bans) == len(base.bans) else _in_order({*base.members, *bans})
    return replace(
        base,
        movers=np.array(task.movers, dtype=np.int64),
        bans=bans,
        closed=closed,
        members=members,
        lacking=_lacking(facts, task),
    )


def _in_order(members: Iterable[Member]) -> tuple[Member, ...]:
    return tuple(sorted(members, key=drop_key))


def _lacking(facts: Facts, task: Task) -> Ints:
    result: Ints = facts.held + facts.size[list(task.movers)].sum(axis=0) - facts.room
    return result


def _rest(facts: Facts, vms: Ints, *, others_stay: bool) -> tuple[Ints, Bools]:
    fixed, is_entered = np.zeros_like(facts.room), np.zeros(len(facts.room), dtype=bool)
    if others_stay:
        rest = np.ones(len(facts.size), dtype=bool)
        rest[vms] = False
        np.add.at(fixed, facts.draft[rest], facts.size[rest])
        is_entered[facts.draft[rest & (facts.draft != facts.end)]] = True
    return fixed, is_entered


def _bans(facts: Facts, task: Task, vms: Ints) -> dict[Member, Ban]:
    bans: dict[Member, Ban] = {}
    start, hosts = facts.end[vms], np.arange(len(facts.room))
    elsewhere = start[:, None] != hosts
    for host in hosts.tolist():
        bans[Member(kind=Kind.HOST, at=host)] = _closed_by_host(facts, task, vms, host)
    for row in np.flatnonzero(facts.tied[vms]).tolist():
        at = np.flatnonzero(elsewhere[row])
        bans[Member(kind=Kind.TIE, at=int(vms[row]))] = Ban(rows=np.full(len(at), row), hosts=at)
    for law, name in enumerate(REACH_LAWS):
        barred = facts.barred[name][vms]
        for row in np.flatnonzero(barred.any(axis=1)).tolist():
            at = np.flatnonzero(barred[row])
            member = Member(kind=Kind.REACH, at=int(vms[row]), what=law)
            bans[member] = Ban(rows=np.full(len(at), row), hosts=at)
    _add_host_rules(bans, facts, task, vms)
    return {member: ban for member, ban in bans.items() if len(ban.rows)}


def _closed(bans: Mapping[Member, Ban], vms: int, hosts: int) -> Ints:
    closed = np.zeros((vms, hosts), dtype=np.int64)
    for ban in bans.values():
        closed[ban.rows, ban.hosts] += 1
    return closed


def _closed_by_host(facts: Facts, task: Task, vms: Ints, host: int) -> Ban:
    """Return the pairs that a host's state closes: to enter it, to stay on it, to leave it."""
    problem, start = facts.problem, facts.end[vms]
    here = start == host
    shut = np.zeros(len(vms), dtype=bool)
    if not facts.takes[host]:
        shut |= ~here
    if problem.leaving[host]:
        has_left = ~problem.leaving[facts.draft[vms]]
        is_own = np.isin(vms, task.movers) if task.rule is None else np.zeros_like(here)
        shut |= here & (has_left | is_own)
    rows = np.flatnonzero(shut)
    hosts = np.full(len(rows), host)
    if not facts.gives[host]:
        others = np.delete(np.arange(len(facts.room)), host)
        stay = np.flatnonzero(here)
        rows = np.concatenate([rows, np.repeat(stay, len(others))])
        hosts = np.concatenate([hosts, np.tile(others, len(stay))])
    return Ban(rows=rows, hosts=hosts)


def _add_host_rules(bans: dict[Member, Ban], facts: Facts, task: Task, vms: Ints) -> None:
    problem = facts.problem
    found: dict[Member, tuple[list[int], list[int]]] = {}
    for row, vm in enumerate(vms.tolist()):
        is_own = task.rule is RuleType.VM_HOST_AFFINE and vm in task.movers
        for rule in problem.ground.must_rules_of.get(problem.vms[vm].id, ()):
            member = Member(kind=Kind.RULE, at=facts.number[id(rule)])
            right = facts.right_hosts(rule)
            may_stay = not is_own and not right[int(facts.draft[vm])]
            for host, is_right in enumerate(right):
                if not is_right and not (may_stay and host == int(facts.end[vm])):
                    rows, hosts = found.setdefault(member, ([], []))
                    rows.append(row)
                    hosts.append(host)
    for member, (rows, hosts) in found.items():
        bans[member] = Ban(rows=np.array(rows), hosts=np.array(hosts))


def _teams(
    facts: Facts, groups: Sequence[Group], rows: Mapping[int, int], task: Task
) -> dict[Member, Team]:
    found: dict[Member, Team] = {}
    for group in groups:
        inside = tuple(rows[vm] for vm in group.members if vm in rows)
        if len(inside) > 1:
            member = Member(kind=Kind.RULE, at=facts.number[id(group.rule)])
            domain = group.numbers(len(facts.room))
            most = _most(facts, group, domain, task)
            found[member] = Team(rows=inside, most=most, domain=tuple(domain.tolist()))
    return found


def _most(facts: Facts, group: Group, domain: Ints, task: Task) -> tuple[int, ...]:
    """Return how far a rule must hold: in full for the task's own and for one that holds in the draft."""
    count = np.bincount(domain[facts.draft[list(group.members)]], minlength=int(domain.max()) + 1)
    is_about = task.rule is group.rule.type and bool(set(task.movers) & set(group.members))
    if group.rule.type is RuleType.AFFINITY:
        return (1,) if is_about else (int((count > 0).sum()),)
    is_own = is_about and group.rule.name == task.note.cause
    most = group.rule.most
    return tuple(np.where(is_own, most, np.maximum(count, most)).tolist())

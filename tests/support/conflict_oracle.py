"""Every placement of a small cluster, and which of them obey a member of a conflict, as the judges say.

Shares nothing with the planner but the names of the members. What a stuck task leaves broken elsewhere
may stay as the draft has it; all else must hold.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from balancer.model.host import Host, HostState
from balancer.model.need import Need
from balancer.model.reasons import Reason
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.plan.codes import Bools, Ints
from balancer.plan.conflict_member import Kind, Member
from balancer.policy.types import Policy
from balancer.rules import capacity, devices, evc, host_state, network, reservations, storage
from balancer.rules.placement import Candidate, Ground, Placement
from balancer.rules.violations import offenders

_LAWS = (evc.judge, storage.judge, network.judge)
"""The first laws of `REACH_LAWS`; the fourth is encryption, which the law of host states judges."""

_ROOMS = (
    Reason.MEMORY_CEILING,
    Reason.CPU_RESERVATION,
    Reason.MEMORY_RESERVATION,
    Reason.HOST_VM_LIMIT,
)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the stuck task wants, and where the draft has every VM."""

    movers: frozenset[VmId]
    rule: RuleType | None
    cause: str
    draft: dict[VmId, HostId]


class Everywhere:
    """All placements of the running VMs, (P, VMs), judged one member at a time."""

    def __init__(self, need: Need, policy: Policy, wish: Wish, rooms: dict[Member, Bools]) -> None:
        """Keep in `rooms` what does not depend on the wish."""
        self._rooms = rooms
        self.need, self.policy, self.wish = need, policy, wish
        self.snapshot = need.snapshot
        self.vms = [vm.id for vm in self.snapshot.running_vms]
        self.hosts = [host.id for host in self.snapshot.hosts]
        rows = product(range(len(self.hosts)), repeat=len(self.vms))
        self.all: Ints = np.array(list(rows), dtype=np.int64)

    def every_member(self) -> tuple[Member, ...]:
        """Return all that could stand against a placement, whether or not the planner thought of it."""
        rules = [n for n, r in enumerate(self.snapshot.rules) if r.enabled and r.mandatory]
        hosts, vms = range(len(self.hosts)), range(len(self.vms))
        return (
            *(Member(kind=Kind.RULE, at=number) for number in rules),
            *(Member(kind=Kind.HOST, at=host) for host in hosts),
            *(Member(kind=Kind.TIE, at=vm) for vm in vms),
            *(
                Member(kind=Kind.REACH, at=vm, what=law)
                for vm in vms
                for law in range(len(_LAWS) + 1)
            ),
            *(
                Member(kind=Kind.ROOM, at=host, what=room)
                for host in hosts
                for room in range(len(_ROOMS))
            ),
        )

    def feasible(self, members: Iterable[Member]) -> bool:
        """Whether some placement obeys all the members."""
        good = np.ones(len(self.all), dtype=bool)
        for member in members:
            good &= self._obeying(member)
            if not good.any():
                return False
        return bool(good.any())

    def _obeying(self, member: Member) -> Bools:
        if member.kind is Kind.ROOM:
            if member not in self._rooms:
                self._rooms[member] = self._fitting(member)
            return self._rooms[member]
        if member.kind is Kind.RULE:
            return self._keeping(self.snapshot.rules[member.at])
        pairs = np.array(
            [[self._may(member, vm, host) for host in self.hosts] for vm in self.vms], dtype=bool
        )
        result: Bools = np.logical_and.reduce(pairs[np.arange(len(self.vms)), self.all], axis=1)
        return result

    def _may(self, member: Member, vm: VmId, target: HostId) -> bool:
        """Whether a VM may end on a host by a member that looks at the pair alone."""
        start = self.snapshot.vm_by_id[vm].host
        if member.kind is Kind.HOST:
            return self._host_allows(self.hosts[member.at], vm, target)
        if self.vms[member.at] != vm or target == start:
            return True
        move = Candidate(vm=vm, target=target, is_mandatory=True)
        placement = Placement(Ground(self.snapshot, self.policy, self.need.demand))
        if member.kind is Kind.TIE:
            return devices.judge(placement, move) is None
        if member.what < len(_LAWS):
            return _LAWS[member.what](placement, move) is None
        refusal = host_state.judge(placement, move)
        return refusal is None or refusal.reason is not Reason.ENCRYPTION_UNSUPPORTED

    def _host_allows(self, host: HostId, vm: VmId, target: HostId) -> bool:
        """Whether one host's state allows a VM to end where it does, all other hosts being in order."""
        start = self.snapshot.vm_by_id[vm].host
        if target == start:
            return not (host == start and self._must_leave(vm))
        cluster = self.snapshot.cluster
        spare = cluster.ha.failover_hosts & {host}
        snap = replace(
            self.snapshot,
            cluster=replace(cluster, ha=replace(cluster.ha, failover_hosts=spare)),
            hosts=tuple(h if h.id == host else _in_order(h) for h in self.snapshot.hosts),
            vms=tuple(replace(other, encryption=None) for other in self.snapshot.vms),
        )
        placement = Placement(Ground(snap, self.policy, self.need.demand))
        move = Candidate(vm=vm, target=target, is_mandatory=True)
        return host_state.judge(placement, move) is None

    def _must_leave(self, vm: VmId) -> bool:
        hosts = self.snapshot.host_by_id
        if not hosts[self.snapshot.vm_by_id[vm].host].is_leaving:
            return False
        has_left = not hosts[self.wish.draft[vm]].is_leaving
        return has_left or (self.wish.rule is None and vm in self.wish.movers)

    def _keeping(self, rule: Rule) -> Bools:
        """Return the placements that keep a rule, each way to place its VMs judged once."""
        rows = [self.vms.index(vm) for vm in rule.vms if vm in self.vms]
        ways = sorted({tuple(way) for way in self.all[:, rows].tolist()})
        verdict = {way: self._keeps(rule, rows, way) for way in ways}
        return np.array([verdict[tuple(way)] for way in self.all[:, rows].tolist()], dtype=bool)

    def _keeps(self, rule: Rule, rows: Sequence[int], way: Sequence[int]) -> bool:
        now = {self.vms[r]: self.hosts[h] for r, h in zip(rows, way, strict=True)}
        wrong = offenders(self._placed(now), rule)
        if rule.type in (RuleType.VM_HOST_AFFINE, RuleType.VM_HOST_ANTI_AFFINE):
            return all(self._may_stay_wrong(rule, vm, now[vm]) for vm in wrong)
        is_about = rule.type is self.wish.rule and bool(self.wish.movers & set(now))
        is_cause = rule.type is RuleType.AFFINITY or rule.name == self.wish.cause
        return not wrong or (not (is_about and is_cause) and self._is_no_worse(rule, now))

    def _may_stay_wrong(self, rule: Rule, vm: VmId, host: HostId) -> bool:
        is_own = self.wish.rule is RuleType.VM_HOST_AFFINE and vm in self.wish.movers
        is_open = not rule.allows_host(self.wish.draft[vm])
        return is_open and not is_own and host == self.snapshot.vm_by_id[vm].host

    def _is_no_worse(self, rule: Rule, now: dict[VmId, HostId]) -> bool:
        draft = {vm: self.wish.draft[vm] for vm in now}
        if rule.type is RuleType.AFFINITY:
            return len(set(now.values())) <= len(set(draft.values()))
        before, after = list(draft.values()), list(now.values())
        return all(after.count(host) <= max(before.count(host), 1) for host in set(after))

    def _placed(self, where: dict[VmId, HostId]) -> Placement:
        placement = Placement(Ground(self.snapshot, self.policy, self.need.demand))
        for vm, host in where.items():
            if placement.host_of[vm] != host:
                placement.move(vm, host)
        return placement

    def _fitting(self, member: Member) -> Bools:
        """Return the placements in which a host is not too small for those who came, by who is on it."""
        here = self.all == member.at
        keys = here @ (1 << np.arange(len(self.vms)))
        verdict = {int(key): self._fits(member, int(key)) for key in np.unique(keys)}
        return np.array([verdict[key] for key in keys.tolist()], dtype=bool)

    def _fits(self, member: Member, key: int) -> bool:
        host = self.hosts[member.at]
        inside = [vm for row, vm in enumerate(self.vms) if key >> row & 1]
        snap, policy = self._only(_ROOMS[member.what])
        elsewhere = next((h for h in self.hosts if h != host), None)
        for vm in inside:
            if self.snapshot.vm_by_id[vm].host == host or elsewhere is None:
                continue
            ground = Ground(snap, policy, self.need.demand)
            placement = Placement(ground)
            for other in self.vms:
                goal = host if other in inside and other != vm else elsewhere
                if placement.host_of[other] != goal:
                    placement.move(other, goal)
            move = Candidate(vm=vm, target=host, is_mandatory=True)
            refusal = capacity.judge(placement, move) or reservations.judge(placement, move)
            if refusal is not None and refusal.reason is _ROOMS[member.what]:
                return False
        return True

    def _only(self, reason: Reason) -> tuple[Snapshot, Policy]:
        """Return the snapshot and policy in which no other ceiling speaks first."""
        snap, policy = self.snapshot, self.policy
        if reason is not Reason.MEMORY_CEILING:
            limits = replace(policy.thresholds, memory_ceiling=1e9)
            policy = replace(policy, thresholds=limits)
        if reason is not Reason.HOST_VM_LIMIT:
            snap = replace(snap, hosts=tuple(replace(h, max_running_vms=None) for h in snap.hosts))
        if reason is not Reason.CPU_RESERVATION:
            snap = replace(snap, vms=tuple(replace(v, cpu_reservation_mhz=0.0) for v in snap.vms))
        return snap, policy


def _in_order(host: Host) -> Host:
    link = replace(host.vmotion, enabled=True, encrypted_supported=True)
    return replace(host, state=HostState.CONNECTED, vmotion=link)

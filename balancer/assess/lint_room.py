"""How many of a rule's VMs find a place: the hosts that each may run on, matched with what a host may run.

Exact for one rule between VMs together with every VM-host rule of its members; what other rules, memory and
devices ask is not counted, so that too little room here is too little room whatever else holds. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence

from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId

OF_HOSTS = (RuleType.VM_HOST_AFFINE, RuleType.VM_HOST_ANTI_AFFINE)


def allowed_hosts(
    snapshot: Snapshot, musts: Iterable[Rule], hosts: frozenset[HostId]
) -> dict[VmId, frozenset[HostId]]:
    """Return on which of the hosts VM-host rules let each VM run; VMs without such rules are left out."""
    allowed: dict[VmId, frozenset[HostId]] = {}
    for rule in musts:
        if rule.type not in OF_HOSTS:
            continue
        lets = rule.hosts if rule.type is RuleType.VM_HOST_AFFINE else hosts - rule.hosts
        for vm in rule.vms:
            if vm in snapshot.vm_by_id:
                allowed[vm] = allowed.get(vm, hosts) & lets
    return allowed


def find_places(
    rule: Rule,
    vms: Sequence[VmId],
    allowed: Mapping[VmId, frozenset[HostId]],
    hosts: frozenset[HostId],
) -> int:
    """Return how many of `vms` can be placed on `hosts` at once without breaking `rule`.

    For a rule that keeps VMs together: all of them or none.
    """
    if rule.type is RuleType.AFFINITY:
        common = hosts.intersection(*(allowed.get(vm, hosts) for vm in vms))
        return len(vms) if common else 0
    if rule.type is RuleType.ANTI_AFFINITY:
        return _matched(rule, vms, allowed, hosts)
    return sum(bool(allowed.get(vm, hosts) & hosts) for vm in vms)


def _matched(
    rule: Rule,
    vms: Sequence[VmId],
    allowed: Mapping[VmId, frozenset[HostId]],
    hosts: frozenset[HostId],
) -> int:
    """Match VMs with places by augmenting paths; a place is a host, or a group of hosts, `most` times."""
    domain_of = {host: index for index, group in enumerate(rule.domains) for host in group}
    places: dict[HostId, object] = {host: domain_of.get(host, host) for host in hosts}
    if not any(vm in allowed for vm in vms):
        return min(len(vms), len(set(places.values())) * rule.most)
    wanted = {vm: {places[h] for h in allowed.get(vm, hosts) if h in places} for vm in vms}
    taken: dict[object, list[VmId]] = {}
    return sum(_seat(vm, wanted, taken, rule.most, set()) for vm in vms)


def _seat(
    vm: VmId,
    wanted: Mapping[VmId, Iterable[object]],
    taken: dict[object, list[VmId]],
    most: int,
    tried: set[object],
) -> bool:
    """Find a place for one VM, letting others give way; a place is tried once, so the depth is bounded."""
    for place in sorted(wanted[vm], key=str):
        if len(taken.get(place, ())) < most:
            taken.setdefault(place, []).append(vm)
            return True
    for place in sorted(wanted[vm], key=str):
        if place in tried:
            continue
        tried.add(place)
        for index, other in enumerate(taken.get(place, ())):
            if _seat(other, wanted, taken, most, tried):
                taken[place][index] = vm
                return True
    return False

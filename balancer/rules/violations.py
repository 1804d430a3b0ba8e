"""Which rules a placement breaks: the same laws read over a whole placement instead of one move."""

from collections import defaultdict
from collections.abc import Iterator

from balancer.model.plan import Violation
from balancer.model.rule import Rule, RuleType
from balancer.model.units import HostId, VmId
from balancer.rules.placement import Placement


def violations(placement: Placement) -> tuple[Violation, ...]:
    """Return the broken rules, must and should, in the order of the snapshot's rules.

    VMs that do not run take no part. A VM on its way counts where it is and where it goes (kept apart),
    and where it will be (kept together, VM-host).
    """
    found = []
    for rule in placement.ground.snapshot.active_rules():
        vms = offenders(placement, rule)
        if vms:
            found.append(
                Violation(rule=rule.name, type=rule.type, mandatory=rule.mandatory, vms=vms)
            )
    return tuple(found)


def offenders(placement: Placement, rule: Rule) -> tuple[VmId, ...]:
    """Return the VMs that break `rule`, by id; empty where it holds."""
    members = [vm for vm in rule.vms if vm in placement.host_of]
    if rule.type is RuleType.AFFINITY:
        return _scattered(placement, members)
    if rule.type is RuleType.ANTI_AFFINITY:
        return _crowded(placement, rule, members)
    wrong = [vm for vm in members if not rule.allows_host(_end(placement, vm))]
    return tuple(sorted(wrong))


def breaches(placement: Placement, rule: Rule) -> int:
    """Return how badly a rule is broken, 0 where it holds: pairs that stand together, else offenders.

    Pairs, because a move that the law of kept-apart VMs allows always leaves fewer of them, while the
    VMs that share a host with another may become more when a crowd is spread evenly. Where `most` may
    share a host: 1 for the first that is too many there, 2 for the second and so on, which is the same.
    """
    if rule.type is not RuleType.ANTI_AFFINITY:
        return len(offenders(placement, rule))
    members = [vm for vm in rule.vms if vm in placement.host_of]
    over = [len(crowd) - rule.most for crowd in _crowds(placement, rule, members)]
    return sum(count * (count + 1) // 2 for count in over if count > 0)


def _scattered(placement: Placement, members: list[VmId]) -> tuple[VmId, ...]:
    hosts = {_end(placement, vm) for vm in members}
    return tuple(sorted(members)) if len(hosts) > 1 else ()


def _crowded(placement: Placement, rule: Rule, members: list[VmId]) -> tuple[VmId, ...]:
    crowded: set[VmId] = set()
    for together in _crowds(placement, rule, members):
        if len(together) > rule.most:
            crowded |= together
    return tuple(sorted(crowded))


def _crowds(placement: Placement, rule: Rule, members: list[VmId]) -> Iterator[set[VmId]]:
    """Yield the members on each host or in each domain that has any."""
    group, hosts = set(members), _hosts(placement, members)
    if not rule.domains:
        for host in hosts:
            yield group & placement.present[host]
        return
    found: defaultdict[frozenset[HostId], set[VmId]] = defaultdict(set)
    for host in hosts:
        found[rule.domain_of(host)] |= group & placement.present[host]
    yield from found.values()


def _hosts(placement: Placement, members: list[VmId]) -> set[HostId]:
    return {placement.host_of[vm] for vm in members} | {_end(placement, vm) for vm in members}


def _end(placement: Placement, vm: VmId) -> HostId:
    return placement.heading.get(vm, placement.host_of[vm])

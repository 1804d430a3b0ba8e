"""Law: VMs that must be kept apart, also while they are on their way."""

from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import Rule, RuleType
from balancer.model.units import HostId, VmId
from balancer.rules.placement import Candidate, Placement


def judge(placement: Placement, move: Candidate) -> Refusal | None:
    """Refuse a target that holds as many others as the rule lets share it, unless the source holds more.

    Hosts of one domain count as one: a move within it changes nothing. The exception lets a group that
    is too large be spread: no target gets more members than are allowed without the source having more.
    """
    for rule in placement.ground.musts(move.vm, RuleType.ANTI_AFFINITY):
        there = len(members_on(placement, rule, move.target) - {move.vm})
        if there < rule.most:
            continue
        source = placement.host_of[move.vm]
        if stays_inside(rule, source, move.target):
            continue
        if there >= len(members_on(placement, rule, source) - {move.vm}):
            detail = _detail(rule, move.target, there)
            return Refusal.of(Reason.ANTI_AFFINITY, detail, vm=move.vm, host=move.target)
    return None


def stays_inside(rule: Rule, source: HostId, target: HostId) -> bool:
    """Whether a move between two hosts is one within a domain, and so no business of the rule."""
    return bool(rule.domains) and source != target and source in rule.domain_of(target)


def members_on(placement: Placement, rule: Rule, host: HostId) -> set[VmId]:
    """Return the VMs of a rule that are on a host or in its domain, those on their way at both ends."""
    if not rule.domains:
        return placement.present[host].intersection(rule.vms)
    domain, host_of = rule.domain_of(host), placement.host_of
    here = {vm for vm in rule.vms if host_of.get(vm) in domain}
    going = placement.heading.items()
    arriving = {vm for vm, end in going if end in domain and vm in placement.present[end]}
    return here | arriving.intersection(rule.vms)


def _detail(rule: Rule, target: HostId, there: int) -> str:
    if rule.most == 1:
        place = "in the domain of" if len(rule.domain_of(target)) > 1 else "on"
        return f"rule '{rule.name}' keeps it apart from a VM {place} the target"
    place = "one domain" if len(rule.domain_of(target)) > 1 else "one host"
    return f"rule '{rule.name}' lets {rule.most} of its VMs share {place}, {there} others are there"

"""What conflicts say of VMs that are kept apart: of how many a host or a domain may have, and has.

Owns the words for the two forms of such rules: each VM on a host of its own, or so many to a host or a
domain. Decides nothing.
"""

from collections.abc import Sequence

import numpy as np

from balancer.model.rule import Rule, RuleOrigin
from balancer.plan.codes import Ints
from balancer.plan.problem import Group, Problem


def place_of(rule: Rule) -> str:
    """Return what a rule counts by."""
    return "domain" if rule.domains else "host"


def is_plain(rule: Rule) -> bool:
    """Whether a rule asks for nothing but a host of its own for each VM."""
    return rule.most == 1 and not rule.domains


def cannot_be_spread(rule: Rule, names: str) -> str:
    """Return what cannot be had where the VMs find no places."""
    if is_plain(rule):
        return f"{names} cannot all be kept apart (rule '{rule.name}')"
    return f"{names} cannot be spread {rule.most} to a {place_of(rule)} (rule '{rule.name}')"


def keeps_apart(rule: Rule, names: str) -> str:
    """Return what a rule that stands against something asks for."""
    if is_plain(rule):
        return f"rule '{rule.name}' keeps {names} apart"
    return f"rule '{rule.name}' lets {rule.most} of {names} share a {place_of(rule)}"


def too_few_places(group: Group, hosts: Sequence[int], count: int) -> str:
    """Return how many VMs there are for how many places on the `hosts` that are open to them; "" if enough."""
    rule, vms = group.rule, len(group.members)
    found = len(set(group.numbers(count)[list(hosts)].tolist()))
    if found * rule.most >= vms:
        return ""
    noun = place_of(rule) if found == 1 else f"{place_of(rule)}s"
    text = f"{vms} VMs for {found} {noun}"
    return text if rule.most == 1 else f"{text} of {rule.most}"


def crowds(group: Group, at: Ints, count: int) -> list[tuple[list[int], list[int]]]:
    """Return the hosts and the VMs of each domain that has too many, in the order of hosts."""
    members = np.array(group.members, dtype=np.int64)
    domain = group.numbers(count)
    found = []
    for number in dict.fromkeys(domain.tolist()):
        inside = members[domain[at[members]] == number]
        if len(inside) > group.rule.most:
            found.append((sorted(set(at[inside].tolist())), inside.tolist()))
    return found


def loosened(problem: Problem, group: Group, at: Ints) -> str:
    """Return the changes that let a group stand as in a placement: of the rule, or of what it counts by."""
    rule, count = group.rule, len(problem.hosts)
    domain = group.numbers(count)
    present = np.bincount(domain[at[list(group.members)]])
    surplus = int(np.maximum(present - rule.most, 0).sum())
    more = max(-(-surplus // rule.most), 1)
    noun = place_of(rule)
    add = f"bring in {f'one more {noun}' if more == 1 else f'{more} more {noun}s'} that may take its VMs"
    needed = int(present.max())
    if rule.origin is not RuleOrigin.POLICY or needed <= rule.most:
        return f"disable rule '{rule.name}', or {add}"
    return f"raise most of rule '{rule.name}' from {rule.most} to {needed}, or {add}"

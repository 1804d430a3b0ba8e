"""Refusals put together for reading: thousands of ruled-out pairs become a list that fits a page.

Used by the plan document and by every report. Adds up and orders; never drops a VM or a reason.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from balancer.model.reasons import Reason, Refusal
from balancer.model.units import HostId, VmId

MOST_GROUPS_PER_REASON = 20
"""Above this many VMs (or hosts) with one reason, the reason becomes one group."""

_ORDER = {reason: place for place, reason in enumerate(Reason)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalGroup:
    """Refusals with one reason. `vms` and `hosts` are sorted; `count` adds up what is grouped.

    `detail` is the one detail of all, or the first of several with "for example" before it.
    """

    reason: Reason
    vms: tuple[VmId, ...]
    hosts: tuple[HostId, ...]
    detail: str
    count: int


def group_refusals(refusals: Iterable[Refusal]) -> tuple[RefusalGroup, ...]:
    """Return one group for each reason and VM, or for each reason where that would be too many.

    Ordered by the reason's place in its enumeration, then by VM and host.
    """
    groups: list[RefusalGroup] = []
    for members in _by_reason(refusals):
        parts: defaultdict[tuple[str, str], list[Refusal]] = defaultdict(list)
        for refusal in members:
            parts[refusal.vm or "", "" if refusal.vm else refusal.host or ""].append(refusal)
        if len(parts) > MOST_GROUPS_PER_REASON:
            groups.append(_group(members))
        else:
            groups.extend(_group(parts[key]) for key in sorted(parts))
    return tuple(groups)


def group_by_reason(refusals: Iterable[Refusal]) -> tuple[RefusalGroup, ...]:
    """Return exactly one group for each reason, in the order of the enumeration."""
    return tuple(_group(members) for members in _by_reason(refusals))


def _by_reason(refusals: Iterable[Refusal]) -> list[list[Refusal]]:
    found: defaultdict[Reason, list[Refusal]] = defaultdict(list)
    for refusal in refusals:
        found[refusal.reason].append(refusal)
    return [sorted(found[reason], key=_key) for reason in sorted(found, key=_ORDER.__getitem__)]


def _group(members: Sequence[Refusal]) -> RefusalGroup:
    details = list(dict.fromkeys(refusal.detail for refusal in members if refusal.detail))
    detail = details[0] if details else ""
    return RefusalGroup(
        reason=members[0].reason,
        vms=tuple(sorted({refusal.vm for refusal in members if refusal.vm})),
        hosts=tuple(sorted({refusal.host for refusal in members if refusal.host})),
        detail=f"for example {detail}" if len(details) > 1 else detail,
        count=sum(refusal.count for refusal in members),
    )


def _key(refusal: Refusal) -> tuple[str, str, str]:
    return (refusal.vm or "", refusal.host or "", refusal.detail)

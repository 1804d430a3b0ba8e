"""The cluster's own DRS rules, read whether or not DRS is switched on."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from balancer.model.units import HostId, VmId


class RuleType(StrEnum):
    """What a rule says of its VMs (and, for the last two, of a host group's members)."""

    AFFINITY = "affinity"
    ANTI_AFFINITY = "anti_affinity"
    VM_HOST_AFFINE = "vm_host_affine"
    VM_HOST_ANTI_AFFINE = "vm_host_anti_affine"


class RuleOrigin(StrEnum):
    """Who made a rule."""

    DRS = "drs"  # it stands in the cluster
    POLICY = "policy"
    TAG = "tag"  # a tag on its VMs


def _disjoint(domains: Iterable[frozenset[HostId]]) -> Iterator[frozenset[HostId]]:
    seen: set[HostId] = set()
    for domain in domains:
        yield domain - seen
        seen |= domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. Mandatory rules are "must"; a "should" costs `weight` times the policy's `soft_rule`.

    vSphere's own rules know no weight: theirs is 1. Of VMs that are kept apart, `most` may share a host, or
    one of `domains` (groups of hosts that count as one each; a host in none counts by itself, one in
    several is left in the first alone).

    Raises:
        ValueError: `most` is below 1.
    """

    name: str
    type: RuleType
    vms: tuple[VmId, ...]
    hosts: frozenset[HostId] = frozenset()
    enabled: bool = True
    mandatory: bool = True
    weight: float = 1.0
    most: int = 1
    domains: tuple[frozenset[HostId], ...] = ()
    origin: RuleOrigin = RuleOrigin.DRS

    def __post_init__(self) -> None:
        """Refuse what cannot be counted, and leave each host in one domain."""
        if self.most < 1:
            raise ValueError(
                f"rule '{self.name}' lets {self.most} VMs share a host; 1 is the least"
            )
        if sum(map(len, self.domains)) > len(frozenset[HostId]().union(*self.domains)):
            object.__setattr__(self, "domains", tuple(_disjoint(self.domains)))

    def domain_of(self, host: HostId) -> frozenset[HostId]:
        """Return the hosts that count as one with `host`, itself included."""
        return next((one for one in self.domains if host in one), frozenset((host,)))

    def allows_host(self, host: HostId) -> bool:
        """Whether a VM of this VM-host rule may run on `host` (True for rules between VMs)."""
        if self.type is RuleType.VM_HOST_AFFINE:
            return host in self.hosts
        if self.type is RuleType.VM_HOST_ANTI_AFFINE:
            return host not in self.hosts
        return True

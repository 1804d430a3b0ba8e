"""What a generated cluster looks like: every share and count, with defaults of an uneven, busy cluster.

Values only: `inventory.generate` turns a spec and a seed into a snapshot. It must never draw anything
itself.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from balancer.model.units import Mhz, Mib, Ratio

FIXED_TIME = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
"""A Monday morning, so that two runs with one seed are byte-identical."""

_MOST_AFTER_EVACUATION = 0.92


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRange:
    """Host load at the start: capacity-weighted mean, coldest and hottest host, ratios of usable."""

    mean: Ratio
    low: Ratio
    high: Ratio

    def __post_init__(self) -> None:
        """Refuse a range that cannot have its mean."""
        if not 0.0 <= self.low < self.mean < self.high:
            raise ValueError(f"load range needs 0 <= low < mean < high, got {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKind:
    """One hardware model. `evc_mode` is the newest mode that its processors offer."""

    cores: int
    core_mhz: Mhz
    memory_mib: Mib
    link_mbps: float
    evc_mode: str


OLDER = HostKind(
    cores=32,
    core_mhz=2600.0,
    memory_mib=512 * 1024.0,
    link_mbps=10_000.0,
    evc_mode="intel-broadwell",
)
NEWER = HostKind(
    cores=48,
    core_mhz=2500.0,
    memory_mib=768 * 1024.0,
    link_mbps=25_000.0,
    evc_mode="intel-icelake",
)
EVC_CHAIN = (
    "intel-haswell",
    "intel-broadwell",
    "intel-skylake",
    "intel-cascadelake",
    "intel-icelake",
)
"""Oldest first. Source: vSphere API, keys of `supportedEVCMode`; each mode runs all before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleShares:
    """How many VMs stand under which rule. Shares are of all VMs; one group at least where above 0.

    `broken_pairs` anti-affinity pairs stand together at the start; every other must-rule holds.
    `should_rules` are not mandatory: broken pairs that ought to be apart and VMs off their hosts.
    """

    triples_apart: Ratio = 0.01
    pairs_together: Ratio = 0.005
    pinned: Ratio = 0.005
    broken_pairs: int = 2
    should_rules: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class VmShares:
    """Shares of VMs that are out of the ordinary.

    `newer_evc` counts among the VMs on newer hosts, and only while EVC is off. `partial_reach` is
    the share of VMs on a datastore, and likewise on a network, that a quarter of the hosts lacks.
    """

    blocked: Ratio = 0.02
    manual: Ratio = 0.005
    reserved: Ratio = 0.02
    powered_off: Ratio = 0.0
    newer_evc: Ratio = 0.25
    partial_reach: Ratio = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class InventorySpec:
    """One cluster to be generated. `number` keeps the ids of several clusters apart (1-9).

    `cpu` and `memory_configured` spread over the hosts; a running VM's active memory is
    `memory_active.mean / memory_configured.mean` of its size on the mean. `hottest_cpu` sets the CPU
    demand of one connected host exactly. `evc` switches the cluster's EVC mode on, at the oldest
    host's mode. Hosts that enter maintenance hold VMs that can all leave.

    Raises:
        ValueError: too few hosts or VMs, or what remains after evacuation could not hold the memory.
    """

    hosts: int = 24
    vms: int = 600
    number: int = 1
    name: str = "cluster-1"
    cpu: LoadRange = field(default_factory=lambda: LoadRange(mean=0.50, low=0.15, high=0.92))
    memory_configured: LoadRange = field(
        default_factory=lambda: LoadRange(mean=0.72, low=0.25, high=0.95)
    )
    memory_active_mean: Ratio = 0.53
    memory_ceiling: Ratio = 0.96
    kinds: tuple[HostKind, ...] = (OLDER, NEWER)
    evc: bool = False
    rules: RuleShares = field(default_factory=RuleShares)
    shares: VmShares = field(default_factory=VmShares)
    entering_maintenance: int = 0
    hottest_cpu: Ratio | None = None
    taken_at: datetime = FIXED_TIME

    def __post_init__(self) -> None:
        """Refuse what cannot be generated."""
        if self.hosts < 2 or self.vms < self.hosts:
            raise ValueError(f"needs 2 hosts and a VM for each, got {self.hosts} and {self.vms}")
        if not 1 <= self.number <= 9:
            raise ValueError(f"cluster number must be 1-9, got {self.number}")
        if not 0 <= self.entering_maintenance < self.hosts:
            raise ValueError(f"{self.entering_maintenance} hosts cannot enter maintenance")
        remaining = self.hosts - self.entering_maintenance
        if self.memory_configured.mean * self.hosts / remaining > _MOST_AFTER_EVACUATION:
            raise ValueError("the hosts that remain after the evacuation could not hold the memory")

    @classmethod
    def sized(cls, hosts: int, vms: int) -> Self:
        """Return the defaults at a given size, as the comparison tables use them."""
        return cls(hosts=hosts, vms=vms)

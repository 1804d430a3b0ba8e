"""A host as one snapshot saw it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from balancer.model.units import HostId, Mhz, Mib, check_figures

NO_FEATURES: Mapping[str, str] = MappingProxyType({})


class HostState(StrEnum):
    """What may be done with a host. The comments say who may give and who may take VMs."""

    CONNECTED = "connected"  # gives and takes
    QUARANTINE = "quarantine"  # gives; takes only when nothing else can
    ENTERING_MAINTENANCE = "entering_maintenance"  # must give every movable VM, takes none
    MAINTENANCE = "maintenance"  # holds no running VM, takes none
    STANDBY = "standby"  # holds no running VM, takes none
    DISCONNECTED = "disconnected"  # its VMs cannot move, nothing can move there
    NOT_RESPONDING = "not_responding"  # likewise

    @property
    def gives(self) -> bool:
        """Whether a running VM can leave a host in this state."""
        return self in _GIVES

    @property
    def takes(self) -> bool:
        """Whether a host in this state may be a target (quarantine only as a last resort)."""
        return self in _TAKES

    @property
    def answers(self) -> bool:
        """Whether vCenter hears from a host in this state; what it tells of another one was last known."""
        return self not in _SILENT

    @property
    def is_idle(self) -> bool:
        """Whether a host in this state holds no running VM: nobody misses it while it is started anew."""
        return self in _IDLE

    @property
    def phrase(self) -> str:
        """Return what a host in this state is: "in maintenance", "not responding"."""
        plain = self.value.replace("_", " ")
        return f"in {plain}" if self in _BEING_IN else plain


_GIVES = frozenset(
    {
        HostState.CONNECTED,
        HostState.QUARANTINE,
        HostState.ENTERING_MAINTENANCE,
        HostState.MAINTENANCE,
    }
)
_SILENT = frozenset({HostState.DISCONNECTED, HostState.NOT_RESPONDING})
_IDLE = frozenset({HostState.MAINTENANCE, HostState.STANDBY})
_TAKES = frozenset({HostState.CONNECTED, HostState.QUARANTINE})
_LEAVING = frozenset({HostState.ENTERING_MAINTENANCE, HostState.MAINTENANCE})
_BEING_IN = frozenset({HostState.QUARANTINE, HostState.MAINTENANCE, HostState.STANDBY})


@dataclass(frozen=True, slots=True, kw_only=True)
class VmotionLink:
    """The vMotion side of a host: enabled, speed of all links behind it, encrypted vMotion.

    `streams` is the number of streams of one copy where it is fixed; None where it follows the link.
    `networks` are the IP networks of the vMotion adapters, such as `10.1.2.0/24`; empty where not known.
    """

    enabled: bool = True
    link_mbps: float = 10_000.0
    encrypted_supported: bool = True
    streams: int | None = None
    networks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One ESXi host. `datastores` and `networks` of None mean that every one is reachable.

    `sampled_at` is the time of the newest sample behind its usage, None where the source gives none. The 95th
    percentile and the greatest of the samples of late are for what is remembered: no plan reads them.
    `swap_datastore` is where it keeps the swap files of VMs placed so, None for the VMs' own directories.
    What a host can do with storage decides no move between hosts yet; None: not known.
    Source: vSphere API, `HostConfigInfo.localSwapDatastore`, `HostCapability.unsharedSwapVMotionSupported`
    and `vmotionWithStorageVMotionSupported`.
    `recent_cpu_mhz` and `recent_memory_mib` (active) are what the VMs that stand on it now wanted over the last
    steps (`Snapshot.recent_step_seconds`), oldest first; empty where nothing is remembered.
    `is_asked_empty` is no fact of vSphere: a person asked here that it be emptied and kept empty.

    Raises:
        ValueError: a figure is negative, infinite or not a number. A capacity of 0 is one: see `usable_cpu_mhz`.
    """

    id: HostId
    name: str
    cpu_capacity_mhz: Mhz
    memory_capacity_mib: Mib
    state: HostState = HostState.CONNECTED
    cpu_cores: int | None = None
    cpu_overhead_mhz: Mhz = 0.0
    memory_overhead_mib: Mib = 0.0
    cpu_usage_mhz: Mhz | None = None
    cpu_usage_p95_mhz: Mhz | None = None
    cpu_usage_max_mhz: Mhz | None = None
    memory_usage_mib: Mib | None = None
    memory_usage_p95_mib: Mib | None = None
    memory_usage_max_mib: Mib | None = None
    numa_nodes: int | None = None
    cpu_vendor: str | None = None
    max_evc_mode: str | None = None
    cpu_features: Mapping[str, str] = field(default_factory=lambda: NO_FEATURES)
    vmotion: VmotionLink = field(default_factory=VmotionLink)
    max_running_vms: int | None = None
    datastores: frozenset[str] | None = None
    networks: frozenset[str] | None = None
    groups: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    sampled_at: datetime | None = None
    swap_datastore: str | None = None
    unshared_swap_supported: bool | None = None
    storage_vmotion_supported: bool | None = None
    is_asked_empty: bool = False
    recent_cpu_mhz: tuple[Mhz, ...] = ()
    recent_memory_mib: tuple[Mib, ...] = ()

    def __post_init__(self) -> None:
        """Refuse figures that are none."""
        figures = (
            self.cpu_capacity_mhz,
            self.memory_capacity_mib,
            self.cpu_overhead_mhz,
            self.memory_overhead_mib,
            self.cpu_usage_mhz or 0.0,
            self.cpu_usage_p95_mhz or 0.0,
            self.cpu_usage_max_mhz or 0.0,
            self.memory_usage_mib or 0.0,
            self.memory_usage_p95_mib or 0.0,
            self.memory_usage_max_mib or 0.0,
            self.cpu_cores or 0,
            self.numa_nodes or 0,
            self.max_running_vms or 0,
            self.vmotion.link_mbps,
            *self.recent_cpu_mhz,
            *self.recent_memory_mib,
        )
        check_figures(f"host {self.id}", figures)

    @property
    def takes(self) -> bool:
        """Whether a VM may be moved here (to a host in quarantine only as a last resort)."""
        return self.state.takes and not self.is_asked_empty

    @property
    def is_leaving(self) -> bool:
        """Whether every movable VM must leave it."""
        return self.state in _LEAVING or self.is_asked_empty

    @property
    def phrase(self) -> str:
        """Return what it is, in words: "in maintenance", "asked to be emptied"."""
        if self.is_asked_empty and self.state.takes:
            return "asked to be emptied"
        return self.state.phrase

    def without_usage(self) -> "Host":
        """Return the host with nothing known of what it used."""
        return replace(
            self,
            cpu_usage_mhz=None,
            cpu_usage_p95_mhz=None,
            cpu_usage_max_mhz=None,
            memory_usage_mib=None,
            memory_usage_p95_mib=None,
            memory_usage_max_mib=None,
        )

    @property
    def usable_cpu_mhz(self) -> Mhz:
        """Return what VMs can use: capacity less the hypervisor's own share, at least 1 MHz."""
        return max(self.cpu_capacity_mhz - self.cpu_overhead_mhz, 1.0)

    @property
    def usable_memory_mib(self) -> Mib:
        """Return what VMs can use: capacity less the hypervisor's own share, at least 1 MiB."""
        return max(self.memory_capacity_mib - self.memory_overhead_mib, 1.0)

"""One vSphere cluster at one instant: what a planner needs and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from types import MappingProxyType

from balancer.model.evc import EvcMode
from balancer.model.host import Host
from balancer.model.rule import Rule, RuleType
from balancer.model.units import ClusterId, HostId, Mhz, Mib, VmId
from balancer.model.vm import Automation, PowerState, Vm


class SourceKind(StrEnum):
    """Where a snapshot comes from."""

    VCENTER = "vcenter"
    SIMULATED = "simulated"
    FILE = "file"


class Statistics(StrEnum):
    """Where the figures of hosts and VMs come from."""

    REAL_TIME = "real_time"  # samples of the last minutes, with their times
    PARTLY = "partly"  # samples for some, the server's summary for the others
    QUICK_STATS = "quick_stats"  # the server's summary alone; of what age is not known


class TagsState(StrEnum):
    """Whether the tags in a snapshot are those that the objects have. What selects by tag must ask."""

    KNOWN = "known"
    INCOMPLETE = "incomplete"  # some tags are not shown to the account
    OFF = "off"  # not asked for, by configuration
    REFUSED = "refused"  # no login or no right
    UNREACHABLE = "unreachable"
    UNSUPPORTED = "unsupported"  # the server has no such interface
    UNREADABLE = "unreadable"

    @property
    def is_known(self) -> bool:
        """Whether an object without a tag is known not to have it."""
        return self is TagsState.KNOWN

    @property
    def shows_some(self) -> bool:
        """Whether the tags that an object has in the snapshot are some that it has."""
        return self in (TagsState.KNOWN, TagsState.INCOMPLETE)

    @property
    def may_hide_rules(self) -> bool:
        """Whether there may be rules written as tags that cannot be seen.

        Nobody who knows the site writes rules as tags where tags are not read, or not shown.
        """
        return self not in (TagsState.KNOWN, TagsState.OFF, TagsState.UNSUPPORTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Which system was read.

    `rejected_objects` are hosts and VMs that could not be read whole, `denied_objects` those of which the
    account may not see every property. `statistics` of None: the source does not say. `unknown_words` are
    words of the source that this program does not know, with kind and path; each was taken for the stricter
    side.
    """

    kind: SourceKind = SourceKind.FILE
    name: str = ""
    instance_uuid: str | None = None
    api_version: str | None = None
    rejected_objects: int = 0
    denied_objects: int = 0
    statistics: Statistics | None = None
    tags: TagsState = TagsState.KNOWN
    unknown_words: tuple[str, ...] = ()


MANDATORY_MOVES_ONLY = 5
"""The most conservative `vmotionRate`: DRS then makes the moves that it must make and no others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drs:
    """The cluster's own DRS: on or off, how far it acts by itself, and how eagerly.

    `vmotion_rate` runs from 1, which is the most eager, to 5, at which only mandatory moves are made: the
    reverse of the slider in the user interface. Source: vSphere API, `ClusterDrsConfigInfo.vmotionRate`.
    """

    enabled: bool = False
    automation: Automation | None = None
    vmotion_rate: int | None = None

    @property
    def acts_alone(self) -> bool:
        """Whether DRS moves VMs for balance by itself, so that a second balancer would fight it.

        From 7.0 on, a rate of 5 is the advised way to switch balancing off. Source: vSphere API,
        `ClusterDrsConfigInfo.enabled`.
        """
        is_eager = self.vmotion_rate != MANDATORY_MOVES_ONLY
        return self.enabled and is_eager and self.automation in (None, Automation.FULLY_AUTOMATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ha:
    """HA admission control that a plan must leave intact."""

    enabled: bool = False
    host_failures_to_tolerate: int = 0
    cpu_reserve_percent: float = 0.0
    memory_reserve_percent: float = 0.0
    failover_hosts: frozenset[HostId] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The cluster itself. `evc_mode` of None means that EVC is off."""

    id: ClusterId
    name: str
    evc_mode: str | None = None
    evc_modes: tuple[EvcMode, ...] = ()
    drs: Drs = field(default_factory=Drs)
    ha: Ha = field(default_factory=Ha)


class DatastoreState(StrEnum):
    """Whether a datastore can be relied on."""

    NORMAL = "normal"
    ENTERING_MAINTENANCE = "entering_maintenance"
    MAINTENANCE = "maintenance"
    INACCESSIBLE = "inaccessible"


@dataclass(frozen=True, slots=True, kw_only=True)
class Datastore:
    """One datastore."""

    id: str
    name: str
    kind: str | None = None
    capacity_mib: Mib | None = None
    free_mib: Mib | None = None
    state: DatastoreState = DatastoreState.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One network or distributed port group."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcePool:
    """One resource pool below the cluster."""

    id: str
    name: str
    parent: str | None = None
    cpu_reservation_mhz: Mhz | None = None
    cpu_limit_mhz: Mhz | None = None
    cpu_shares: float | None = None
    memory_reservation_mib: Mib | None = None
    memory_limit_mib: Mib | None = None
    memory_shares: float | None = None


class FlightKind(StrEnum):
    """What a task does to a VM, as far as the server tells: it decides what the task costs its hosts."""

    VMOTION = "vmotion"
    STORAGE = "storage"  # disks move, with or without the host
    PROVISIONING = "provisioning"  # the VM is being copied


@dataclass(frozen=True, slots=True, kw_only=True)
class InFlight:
    """A migration that is running or queued, ours or somebody else's; or a task that holds a VM like one.

    Where the server does not tell the target (yet), `target` equals `source`. `queued_at` is the server's
    clock. `is_ours` says whether our own account asked for a relocation, None where that is not told; two
    processes with one account cannot be told apart by it.
    """

    vm: VmId
    source: HostId
    target: HostId
    queued_at: datetime | None = None
    started_at: datetime | None = None
    task: str | None = None
    kind: FlightKind = FlightKind.VMOTION
    is_ours: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One cluster at one instant. Hosts and VMs are sorted by id; ids are unique and references hold.

    `running_vms` are the powered-on VMs, by id.

    Raises:
        ValueError: an id occurs twice, or a VM stands on a host that is not in the snapshot.
            (Readers of files report such faults with their place before they come here.)
    """

    taken_at: datetime
    cluster: Cluster
    hosts: tuple[Host, ...]
    vms: tuple[Vm, ...]
    rules: tuple[Rule, ...] = ()
    source: Source = field(default_factory=Source)
    datastores: tuple[Datastore, ...] = ()
    networks: tuple[Network, ...] = ()
    resource_pools: tuple[ResourcePool, ...] = ()
    in_flight: tuple[InFlight, ...] = ()
    profile_slot_seconds: float | None = None
    recent_step_seconds: float | None = None
    host_by_id: Mapping[HostId, Host] = field(init=False, repr=False, compare=False)
    vm_by_id: Mapping[VmId, Vm] = field(init=False, repr=False, compare=False)
    running_vms: tuple[Vm, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sort, index and check the references."""
        put = object.__setattr__
        put(self, "hosts", tuple(sorted(self.hosts, key=attrgetter("id"))))
        put(self, "vms", tuple(sorted(self.vms, key=attrgetter("id"))))
        put(self, "host_by_id", MappingProxyType({host.id: host for host in self.hosts}))
        put(self, "vm_by_id", MappingProxyType({vm.id: vm for vm in self.vms}))
        put(self, "running_vms", tuple(vm for vm in self.vms if vm.power is PowerState.ON))
        self._check()

    def _check(self) -> None:
        if len(self.host_by_id) != len(self.hosts):
            raise ValueError("a host id occurs twice in the snapshot")
        if len(self.vm_by_id) != len(self.vms):
            raise ValueError("a VM id occurs twice in the snapshot")
        lost = sorted({vm.host for vm in self.vms} - self.host_by_id.keys())
        if lost:
            raise ValueError(f"VMs stand on hosts that are not in the snapshot: {', '.join(lost)}")

    @property
    def serving_hosts(self) -> tuple[Host, ...]:
        """Return the hosts that may run VMs, by id: those that take some and are not kept for HA.

        Balance and contention are measured over these.
        """
        spare = self.cluster.ha.failover_hosts
        return tuple(host for host in self.hosts if host.takes and host.id not in spare)

    def active_rules(self, *types: RuleType) -> tuple[Rule, ...]:
        """Return the enabled rules of the given types (all types where none is given), in file order."""
        return tuple(r for r in self.rules if r.enabled and (not types or r.type in types))

"""The snapshot file, version 1, as pydantic reads it: every key with its type and range.

It owns the shape of the file and nothing else: defaults stand in the model alone (a key that is absent
is not passed on), and references between entries are checked afterwards. Entries become the model's
frozen values as they are read. A test compares the keys with the published JSON Schema and the model.
"""

from collections.abc import Callable
from datetime import UTC
from typing import Annotated, Literal, Required

from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    Field,
    GetPydanticSchema,
    TypeAdapter,
    with_config,
)
from pydantic_core import core_schema
from typing_extensions import TypedDict

from balancer.model.evc import EvcMode
from balancer.model.host import Host, HostState, VmotionLink
from balancer.model.rule import Rule, RuleOrigin, RuleType
from balancer.model.snapshot import (
    Cluster,
    Datastore,
    DatastoreState,
    Drs,
    FlightKind,
    Ha,
    InFlight,
    Network,
    ResourcePool,
    Source,
    SourceKind,
    Statistics,
    TagsState,
)
from balancer.model.units import ClusterId, HostId, VmId
from balancer.model.vm import (
    Automation,
    Blocker,
    DemandBasis,
    Disk,
    DiskKind,
    Encryption,
    PowerState,
    Profile,
    SwapPlacement,
    Vm,
)

SNAPSHOT_SCHEMA = "balancer/snapshot/v1"

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Percent = Annotated[float, Field(ge=0, le=100)]
Count = Annotated[int, Field(ge=0)]
AtLeastOne = Annotated[int, Field(ge=1)]
Id = Annotated[str, Field(min_length=1)]
HostRef = Annotated[HostId, Field(min_length=1)]
VmRef = Annotated[VmId, Field(min_length=1)]
Instant = Annotated[AwareDatetime, AfterValidator(lambda at: at.astimezone(UTC))]
_strict = with_config(ConfigDict(strict=True, allow_inf_nan=False))


def _built(entry: object, build: Callable[..., object]) -> GetPydanticSchema:
    """Read an entry and hand its keys to `build`, so that what is absent takes the model's default."""
    return GetPydanticSchema(
        lambda _, handler: core_schema.no_info_after_validator_function(
            lambda fields: build(**fields), handler.generate_schema(entry)
        )
    )


@_strict
class SourceEntry(TypedDict, total=False):
    """Key `source`."""

    kind: SourceKind
    name: str
    instance_uuid: str
    api_version: str
    rejected_objects: Count
    denied_objects: Count
    statistics: Statistics
    tags: TagsState
    unknown_words: tuple[str, ...]


@_strict
class EvcModeEntry(TypedDict, total=False):
    """Key `cluster.evc_modes`."""

    key: Required[Id]
    vendor: Required[str]
    tier: Required[int]
    track: Required[frozenset[str]]


@_strict
class DrsEntry(TypedDict, total=False):
    """Key `cluster.drs`."""

    enabled: bool
    automation: Annotated[
        Literal["manual", "partiallyAutomated", "fullyAutomated"], AfterValidator(Automation)
    ]
    vmotion_rate: Annotated[int, Field(ge=1, le=5)]


@_strict
class HaEntry(TypedDict, total=False):
    """Key `cluster.ha`."""

    enabled: bool
    host_failures_to_tolerate: Count
    cpu_reserve_percent: Percent
    memory_reserve_percent: Percent
    failover_hosts: frozenset[HostId]


@_strict
class ClusterEntry(TypedDict, total=False):
    """Key `cluster`."""

    id: Required[Annotated[ClusterId, Field(min_length=1)]]
    name: Required[str]
    evc_mode: str | None
    evc_modes: tuple[Annotated[EvcMode, _built(EvcModeEntry, EvcMode)], ...]
    drs: Annotated[Drs, _built(DrsEntry, Drs)]
    ha: Annotated[Ha, _built(HaEntry, Ha)]


@_strict
class VmotionEntry(TypedDict, total=False):
    """Key `hosts[].vmotion`."""

    enabled: bool
    link_mbps: Positive
    encrypted_supported: bool
    streams: AtLeastOne | None
    networks: frozenset[str]


@_strict
class HostEntry(TypedDict, total=False):
    """Key `hosts`."""

    id: Required[HostRef]
    name: Required[str]
    state: HostState
    cpu_cores: AtLeastOne
    cpu_capacity_mhz: Required[Positive]
    memory_capacity_mib: Required[Positive]
    cpu_overhead_mhz: NotNegative
    memory_overhead_mib: NotNegative
    cpu_usage_mhz: NotNegative
    cpu_usage_p95_mhz: NotNegative
    cpu_usage_max_mhz: NotNegative
    memory_usage_mib: NotNegative
    memory_usage_p95_mib: NotNegative
    memory_usage_max_mib: NotNegative
    numa_nodes: AtLeastOne
    cpu_vendor: str
    max_evc_mode: str
    cpu_features: dict[str, str]
    vmotion: Annotated[VmotionLink, _built(VmotionEntry, VmotionLink)]
    max_running_vms: Count
    datastores: frozenset[str]
    networks: frozenset[str]
    groups: frozenset[str]
    tags: frozenset[str]
    sampled_at: Instant
    swap_datastore: str
    unshared_swap_supported: bool
    storage_vmotion_supported: bool
    recent_cpu_mhz: tuple[NotNegative, ...]
    recent_memory_mib: tuple[NotNegative, ...]


@_strict
class ProfileEntry(TypedDict, total=False):
    """Key `vms[].profile`."""

    cpu_demand_mhz: tuple[NotNegative, ...]
    memory_demand_mib: tuple[NotNegative, ...]


@_strict
class DiskEntry(TypedDict, total=False):
    """Key `vms[].disks`."""

    datastore: Required[Id]
    capacity_mib: Required[NotNegative]
    kind: DiskKind
    is_shared: bool


@_strict
class VmEntry(TypedDict, total=False):
    """Key `vms`."""

    id: Required[VmRef]
    uuid: str
    name: Required[str]
    host: Required[HostRef]
    power: PowerState
    vcpus: Required[AtLeastOne]
    memory_mib: Required[Positive]
    cpu_demand_mhz: NotNegative
    cpu_demand_stddev_mhz: NotNegative
    cpu_demand_p95_mhz: NotNegative
    cpu_demand_max_mhz: NotNegative
    cpu_usage_mhz: NotNegative
    cpu_ready_percent: NotNegative
    memory_active_mib: NotNegative
    memory_consumed_mib: NotNegative
    memory_granted_mib: NotNegative
    memory_swapped_mib: NotNegative
    memory_ballooned_mib: NotNegative
    dirty_rate_mbps: NotNegative
    swap_in_mbps: NotNegative
    network_mbps: NotNegative
    sampled_at: Instant
    profile: Annotated[Profile, _built(ProfileEntry, Profile)]
    demand_basis: DemandBasis
    cpu_reservation_mhz: NotNegative
    cpu_limit_mhz: NotNegative
    cpu_shares: NotNegative
    memory_reservation_mib: NotNegative
    memory_limit_mib: NotNegative
    memory_shares: NotNegative
    resource_pool: str
    folder: str
    guest_os: str
    min_evc_mode: str
    evc_mode: str
    hardware_version: AtLeastOne
    cpu_features: dict[str, str]
    datastores: frozenset[str]
    networks: frozenset[str]
    groups: frozenset[str]
    tags: frozenset[str]
    attributes: dict[str, str]
    automation: Automation
    blockers: tuple[Blocker, ...]
    encryption: Encryption
    last_moved_at: Instant
    config_version: str
    disks: tuple[Annotated[Disk, _built(DiskEntry, Disk)], ...]
    swap_placement: SwapPlacement
    storage_committed_mib: NotNegative
    storage_uncommitted_mib: NotNegative


@_strict
class RuleEntry(TypedDict, total=False):
    """Key `rules`."""

    name: Required[Id]
    type: Required[RuleType]
    enabled: bool
    mandatory: bool
    weight: NotNegative
    most: AtLeastOne
    domains: tuple[frozenset[HostId], ...]
    origin: RuleOrigin
    vms: Required[tuple[VmId, ...]]
    hosts: frozenset[HostId]


@_strict
class DatastoreEntry(TypedDict, total=False):
    """Key `datastores`."""

    id: Required[Id]
    name: Required[str]
    kind: str
    capacity_mib: NotNegative
    free_mib: NotNegative
    state: DatastoreState


@_strict
class NetworkEntry(TypedDict, total=False):
    """Key `networks`."""

    id: Required[Id]
    name: Required[str]


@_strict
class ResourcePoolEntry(TypedDict, total=False):
    """Key `resource_pools`."""

    id: Required[Id]
    name: Required[str]
    parent: str | None
    cpu_reservation_mhz: NotNegative
    cpu_limit_mhz: NotNegative
    cpu_shares: NotNegative
    memory_reservation_mib: NotNegative
    memory_limit_mib: NotNegative
    memory_shares: NotNegative


InFlightEntry = TypedDict(
    "InFlightEntry",
    {
        "vm": Required[VmRef],
        "from": Required[HostRef],
        "to": Required[HostRef],
        "queued_at": Instant,
        "started_at": Instant,
        "task": str,
        "kind": FlightKind,
        "is_ours": bool,
    },
    total=False,
)
_strict(InFlightEntry)


def _in_flight(**entry: object) -> InFlight:
    renamed = {"from": "source", "to": "target"}
    return InFlight(**{renamed.get(key, key): value for key, value in entry.items()})  # type: ignore[arg-type]


@_strict
class SnapshotEntry(TypedDict, total=False):
    """The whole file. `schema` is only checked; the rest are the fields of `Snapshot`."""

    schema: Required[Literal["balancer/snapshot/v1"]]
    taken_at: Required[Instant]
    source: Annotated[Source, _built(SourceEntry, Source)]
    cluster: Required[Annotated[Cluster, _built(ClusterEntry, Cluster)]]
    hosts: Required[tuple[Annotated[Host, _built(HostEntry, Host)], ...]]
    vms: Required[tuple[Annotated[Vm, _built(VmEntry, Vm)], ...]]
    rules: tuple[Annotated[Rule, _built(RuleEntry, Rule)], ...]
    profile_slot_seconds: Positive
    recent_step_seconds: Positive
    datastores: tuple[Annotated[Datastore, _built(DatastoreEntry, Datastore)], ...]
    networks: tuple[Annotated[Network, _built(NetworkEntry, Network)], ...]
    resource_pools: tuple[Annotated[ResourcePool, _built(ResourcePoolEntry, ResourcePool)], ...]
    migrations_in_flight: tuple[Annotated[InFlight, _built(InFlightEntry, _in_flight)], ...]


SNAPSHOT_READER: TypeAdapter[SnapshotEntry] = TypeAdapter(SnapshotEntry)

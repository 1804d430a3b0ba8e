"""Snapshots of every shape, for properties of the file format."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

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
    Snapshot,
    Source,
    SourceKind,
)
from balancer.model.units import ClusterId, HostId, VmId
from balancer.model.vm import (
    Automation,
    Blocker,
    Disk,
    DiskKind,
    Encryption,
    PowerState,
    Profile,
    SwapPlacement,
    Vm,
)
from tests.support import builders

_ids = st.text("abc-0123456789", min_size=1, max_size=6)
_names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_amounts = st.floats(0, 1e7, allow_nan=False).map(abs)
_sizes = st.floats(0.5, 1e7)
_words = st.frozensets(_ids, max_size=3)
_features = st.dictionaries(_names, _names, max_size=3)
_times = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_maybe_amount = st.none() | _amounts
_maybe_name = st.none() | _names


def _hosts(id_: HostId) -> st.SearchStrategy[Host]:
    return st.builds(
        Host,
        id=st.just(id_),
        name=_names,
        cpu_capacity_mhz=_sizes,
        memory_capacity_mib=_sizes,
        state=st.sampled_from(HostState),
        cpu_cores=st.none() | st.integers(1, 512),
        cpu_overhead_mhz=_amounts,
        memory_overhead_mib=_amounts,
        cpu_usage_mhz=_maybe_amount,
        cpu_usage_p95_mhz=_maybe_amount,
        cpu_usage_max_mhz=_maybe_amount,
        memory_usage_mib=_maybe_amount,
        memory_usage_p95_mib=_maybe_amount,
        memory_usage_max_mib=_maybe_amount,
        numa_nodes=st.none() | st.integers(1, 8),
        cpu_vendor=_maybe_name,
        max_evc_mode=_maybe_name,
        cpu_features=_features,
        vmotion=st.builds(
            VmotionLink,
            enabled=st.booleans(),
            link_mbps=_sizes,
            encrypted_supported=st.booleans(),
            streams=st.none() | st.integers(1, 8),
        ),
        max_running_vms=st.none() | st.integers(0, 1024),
        datastores=st.none() | _words,
        networks=st.none() | _words,
        groups=_words,
        tags=_words,
        swap_datastore=_maybe_name,
        unshared_swap_supported=st.none() | st.booleans(),
        storage_vmotion_supported=st.none() | st.booleans(),
        recent_cpu_mhz=st.lists(_amounts, max_size=3).map(tuple),
        recent_memory_mib=st.lists(_amounts, max_size=3).map(tuple),
    )


def _vms(id_: VmId, hosts: list[HostId]) -> st.SearchStrategy[Vm]:
    figures = [
        *("cpu_demand_mhz", "cpu_usage_mhz", "cpu_ready_percent", "memory_active_mib"),
        *("memory_consumed_mib", "memory_granted_mib", "memory_swapped_mib", "cpu_limit_mhz"),
        *("memory_ballooned_mib", "dirty_rate_mbps", "cpu_shares", "memory_limit_mib"),
        *("memory_shares", "cpu_demand_stddev_mhz", "swap_in_mbps", "network_mbps"),
        *("cpu_demand_p95_mhz", "cpu_demand_max_mhz"),
        *("storage_committed_mib", "storage_uncommitted_mib"),
    ]
    texts = ["uuid", "resource_pool", "folder", "guest_os", "min_evc_mode", "evc_mode"]
    disk = st.builds(
        Disk,
        datastore=st.sampled_from(["datastore-1", "datastore-2"]),
        capacity_mib=st.integers(0, 2**40).map(float),
        kind=st.sampled_from(DiskKind),
        is_shared=st.booleans(),
    )
    profile = st.builds(
        Profile,
        cpu_demand_mhz=st.lists(_amounts, max_size=3).map(tuple),
        memory_demand_mib=st.lists(_amounts, max_size=3).map(tuple),
    )
    return st.builds(
        Vm,
        id=st.just(id_),
        name=_names,
        host=st.sampled_from(hosts),
        vcpus=st.integers(1, 128),
        memory_mib=_sizes,
        power=st.sampled_from(PowerState),
        cpu_reservation_mhz=_amounts,
        memory_reservation_mib=_amounts,
        profile=st.none() | profile,
        disks=st.lists(disk, max_size=2).map(tuple),
        swap_placement=st.none() | st.sampled_from(SwapPlacement),
        config_version=st.none() | st.text(max_size=4),
        cpu_features=_features,
        hardware_version=st.none() | st.integers(1, 99),
        attributes=_features,
        datastores=_words,
        networks=_words,
        groups=_words,
        tags=_words,
        automation=st.sampled_from(Automation),
        blockers=st.lists(st.sampled_from(Blocker), unique=True, max_size=3).map(tuple),
        encryption=st.none() | st.sampled_from(Encryption),
        last_moved_at=st.none() | _times,
        sampled_at=st.none() | _times,
        **dict.fromkeys(figures, _maybe_amount),
        **dict.fromkeys(texts, _maybe_name),
    )


def _tuples(kind: type, /, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    items = st.builds(kind, id=_ids, name=_names, **fields)
    return st.lists(items, max_size=2, unique_by=lambda item: item.id).map(tuple)


def _clusters(hosts: list[HostId]) -> st.SearchStrategy[Cluster]:
    automations = [a for a in Automation if a is not Automation.DISABLED]
    return st.builds(
        Cluster,
        id=_ids.map(ClusterId),
        name=_names,
        evc_mode=_maybe_name,
        evc_modes=st.sampled_from([(), builders.INTEL_MODES]),
        drs=st.builds(
            Drs,
            enabled=st.booleans(),
            automation=st.none() | st.sampled_from(automations),
            vmotion_rate=st.none() | st.integers(1, 5),
        ),
        ha=st.builds(
            Ha,
            enabled=st.booleans(),
            host_failures_to_tolerate=st.integers(0, 4),
            cpu_reserve_percent=st.floats(0, 100),
            memory_reserve_percent=st.floats(0, 100),
            failover_hosts=st.frozensets(st.sampled_from(hosts), max_size=2),
        ),
    )


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    hosts = [HostId(f"host-{n}") for n in range(draw(st.integers(1, 3)))]
    vms = [VmId(f"vm-{n}") for n in range(draw(st.integers(1, 4)))]
    rules = st.builds(
        Rule,
        name=_ids,
        type=st.sampled_from(RuleType),
        vms=st.lists(st.sampled_from(vms), unique=True, max_size=3).map(tuple),
        hosts=st.frozensets(st.sampled_from(hosts)),
        enabled=st.booleans(),
        mandatory=st.booleans(),
        weight=_amounts,
        origin=st.sampled_from(RuleOrigin),
    )
    counts = st.builds(
        lambda rule, most, first: replace(
            rule,
            type=RuleType.ANTI_AFFINITY,
            most=most,
            domains=(first, frozenset(hosts) - first),
        ),
        rules,
        st.integers(1, 5),
        st.frozensets(st.sampled_from(hosts)),
    )
    flights = st.builds(
        InFlight,
        vm=st.sampled_from(vms),
        source=st.sampled_from(hosts),
        target=st.sampled_from(hosts),
        queued_at=st.none() | _times,
        started_at=st.none() | _times,
        task=_maybe_name,
        kind=st.sampled_from(FlightKind),
        is_ours=st.none() | st.booleans(),
    )
    pools = ["cpu_limit_mhz", "cpu_shares", "memory_limit_mib", "memory_shares"]
    pools += ["cpu_reservation_mhz", "memory_reservation_mib"]
    return Snapshot(
        taken_at=draw(_times),
        cluster=draw(_clusters(hosts)),
        hosts=tuple(draw(_hosts(id_)) for id_ in hosts),
        vms=tuple(draw(_vms(id_, hosts)) for id_ in vms),
        rules=tuple(draw(st.lists(rules | counts, max_size=3))),
        source=draw(
            st.builds(
                Source,
                kind=st.sampled_from(SourceKind),
                name=_names,
                instance_uuid=_maybe_name,
                api_version=_maybe_name,
            )
        ),
        datastores=draw(
            _tuples(
                Datastore,
                kind=_maybe_name,
                capacity_mib=_maybe_amount,
                free_mib=_maybe_amount,
                state=st.sampled_from(DatastoreState),
            )
        ),
        networks=draw(_tuples(Network)),
        resource_pools=draw(
            _tuples(ResourcePool, parent=_maybe_name, **dict.fromkeys(pools, _maybe_amount))
        ),
        in_flight=tuple(draw(st.lists(flights, max_size=2))),
        profile_slot_seconds=draw(st.none() | _sizes),
        recent_step_seconds=draw(st.none() | _sizes),
    )

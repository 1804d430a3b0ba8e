"""Builders with defaults, so that a test shows only what matters to it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from balancer.model.evc import EvcMode
from balancer.model.host import Host
from balancer.model.need import Demand
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Cluster, Snapshot
from balancer.model.units import ClusterId, HostId, VmId
from balancer.model.vm import Vm
from balancer.policy.types import Policy
from balancer.rules.placement import Ground, Placement

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

_TRACK = ("intel-haswell", "intel-broadwell", "intel-skylake", "intel-cascadelake", "intel-icelake")
INTEL_MODES = tuple(
    EvcMode(key=key, vendor="intel", tier=tier, track=frozenset(_TRACK[: tier + 1]))
    for tier, key in enumerate(_TRACK)
)


def host(number: int, **facts: Any) -> Host:
    """Return host-N named esxN: 20,000 MHz and 100,000 MiB unless told otherwise."""
    defaults: dict[str, Any] = {
        "id": HostId(f"host-{number}"),
        "name": f"esx{number}",
        "cpu_capacity_mhz": 20_000.0,
        "memory_capacity_mib": 100_000.0,
    }
    return Host(**(defaults | facts))


def vm(number: int, on: int, **facts: Any) -> Vm:
    """Return vm-N on host-`on`: 2 vCPUs, 1,000 MHz wanted, 4,096 MiB of which half is active."""
    size = float(facts.get("memory_mib", 4096.0))
    defaults: dict[str, Any] = {
        "id": VmId(f"vm-{number}"),
        "name": f"vm{number}",
        "host": HostId(f"host-{on}"),
        "vcpus": 2,
        "memory_mib": size,
        "cpu_demand_mhz": 1000.0,
        "memory_active_mib": size / 2,
        "memory_consumed_mib": size,
    }
    return Vm(**(defaults | facts))


def rule(name: str, kind: RuleType, vms: Iterable[int], **facts: Any) -> Rule:
    """Return a must-rule over vm-N of the given numbers; `on` and each of `domains` name host numbers."""
    hosts = host_ids(facts.pop("on", ()))
    domains = tuple(host_ids(domain) for domain in facts.pop("domains", ()))
    members = tuple(VmId(f"vm-{number}") for number in vms)
    return Rule(name=name, type=kind, vms=members, hosts=hosts, domains=domains, **facts)


def host_ids(numbers: Iterable[int]) -> frozenset[HostId]:
    """Return the ids of hosts of the given numbers."""
    return frozenset(HostId(f"host-{number}") for number in numbers)


def snapshot(
    hosts: Sequence[Host], vms: Sequence[Vm], rules: Sequence[Rule] = (), **facts: Any
) -> Snapshot:
    """Return a snapshot of cluster domain-c1 taken at noon; `cluster` overrides fields of the cluster."""
    cluster_facts: dict[str, Any] = {
        "id": ClusterId("domain-c1"),
        "name": "prod",
        "evc_modes": INTEL_MODES,
    }
    cluster = Cluster(**(cluster_facts | facts.pop("cluster", {})))
    defaults: dict[str, Any] = {"taken_at": NOON}
    return Snapshot(
        cluster=cluster,
        hosts=tuple(hosts),
        vms=tuple(vms),
        rules=tuple(rules),
        **(defaults | facts),
    )


def placement(snap: Snapshot, policy: Policy | None = None) -> Placement:
    """Return the placement of a snapshot with demand taken as it stands in the snapshot."""
    demand = {
        vm.id: Demand(
            cpu_mhz=vm.cpu_demand_mhz or 0.0,
            memory_mib=vm.memory_active_mib or 0.0,
            footprint_mib=vm.footprint_mib,
            cpu_reserved_mhz=vm.cpu_reservation_mhz,
            memory_reserved_mib=vm.memory_reservation_mib,
        )
        for vm in snap.running_vms
    }
    return Placement(Ground(snap, policy or Policy(), demand))

"""Generated clusters: a spec and a seed give a snapshot, the same one every time.

For the embedded simulated vCenter, benchmarks and tests. Pure: it reads and writes nothing.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from random import Random

from balancer.adapters.simulated.hardware import evc_modes, make_fabric, make_hosts, oldest_mode
from balancer.adapters.simulated.population import make_vms
from balancer.adapters.simulated.rulebook import make_rules
from balancer.adapters.simulated.spec import InventorySpec
from balancer.model.host import Host
from balancer.model.snapshot import Cluster, Snapshot, Source, SourceKind
from balancer.model.units import ClusterId, HostId
from balancer.model.vm import Vm

__all__ = ["InventorySpec", "generate"]


def generate(spec: InventorySpec, seed: int) -> Snapshot:
    """Return a cluster as the spec describes it; equal arguments give equal snapshots.

    At the start every must-rule holds but `spec.rules.broken_pairs`, no host's configured memory is above
    `spec.memory_ceiling`, and every VM reaches its datastores and networks and may run where it stands.
    About 1 s for 96 hosts and 10,000 VMs.
    """
    rng = Random(f"{seed}/{spec.number}")
    fabric = make_fabric(spec)
    hosts = make_hosts(spec, fabric, rng)
    vms = make_vms(spec, hosts, fabric, rng)
    rules = make_rules(spec, hosts, vms, rng)
    cluster = Cluster(
        id=ClusterId(f"domain-c{spec.number}"),
        name=spec.name,
        evc_mode=oldest_mode(spec) if spec.evc else None,
        evc_modes=evc_modes(),
    )
    return Snapshot(
        taken_at=spec.taken_at,
        cluster=cluster,
        hosts=with_usage(hosts, vms),
        vms=tuple(vms),
        rules=rules,
        source=Source(kind=SourceKind.SIMULATED, name="simulated"),
        datastores=fabric.datastores,
        networks=fabric.networks,
    )


def with_usage(hosts: Iterable[Host], vms: Iterable[Vm]) -> tuple[Host, ...]:
    """Return the hosts with the CPU and memory that the VMs on them use, the hypervisor's included."""
    cpu: defaultdict[HostId, float] = defaultdict(float)
    memory: defaultdict[HostId, float] = defaultdict(float)
    for vm in vms:
        cpu[vm.host] += vm.cpu_usage_mhz or 0.0
        memory[vm.host] += vm.memory_consumed_mib or 0.0
    return tuple(
        replace(
            host,
            cpu_usage_mhz=round(min(cpu[host.id] + host.cpu_overhead_mhz, host.cpu_capacity_mhz)),
            memory_usage_mib=round(memory[host.id] + host.memory_overhead_mib),
        )
        for host in hosts
    )

"""Generated hosts with their datastores and networks, and the EVC modes of the generated server.

Used by `inventory.generate` before any VM is placed. It must know nothing of VMs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from balancer.adapters.simulated.spec import EVC_CHAIN, HostKind, InventorySpec
from balancer.model.evc import EvcMode
from balancer.model.host import Host, HostState, VmotionLink
from balancer.model.snapshot import Datastore, DatastoreState, Network
from balancer.model.units import HostId

CPU_OVERHEAD_RATIO = 0.01
MEMORY_OVERHEAD_RATIO = 0.015
"""The hypervisor's own share of a generated host."""

_DATASTORE_MIB = 64 * 1024 * 1024.0
_LACKING_EVERY = 4


LICENSED = "licence:database"
"""The tag of hosts that are licensed for a database, and of VMs that need such a host."""

_HOSTS_PER_RACK = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Fabric:
    """Datastores and networks. The last of each (`partial_*`) is lacking on every fourth host."""

    datastores: tuple[Datastore, ...]
    networks: tuple[Network, ...]

    @property
    def partial_datastore(self) -> str:
        """Return the datastore that not every host reaches."""
        return self.datastores[-1].id

    @property
    def partial_network(self) -> str:
        """Return the network that not every host has."""
        return self.networks[-1].id


def evc_modes() -> tuple[EvcMode, ...]:
    """Return the modes that the generated server supports, oldest first."""
    return tuple(
        EvcMode(key=key, vendor="intel", tier=tier, track=frozenset(EVC_CHAIN[: tier + 1]))
        for tier, key in enumerate(EVC_CHAIN)
    )


def oldest_mode(spec: InventorySpec) -> str:
    """Return the mode that every host of the spec offers."""
    return min((kind.evc_mode for kind in spec.kinds), key=EVC_CHAIN.index)


def make_fabric(spec: InventorySpec) -> Fabric:
    """Return one datastore for about 8 hosts, three port groups, and one more of each of partial reach."""
    base = spec.number * 1000
    count = 2 + spec.hosts // 8
    datastores = tuple(
        Datastore(
            id=f"datastore-{base + row}",
            name=f"{spec.name}-ds{row}",
            kind="VMFS",
            capacity_mib=_DATASTORE_MIB,
            free_mib=_DATASTORE_MIB / 2,
            state=DatastoreState.NORMAL,
        )
        for row in range(1, count + 1)
    )
    names = ("web", "app", "db", "backup")
    networks = tuple(
        Network(id=f"dvportgroup-{base + row}", name=f"{spec.name}-{name}")
        for row, name in enumerate(names, start=1)
    )
    return Fabric(datastores=datastores, networks=networks)


def make_hosts(spec: InventorySpec, fabric: Fabric, rng: Random) -> tuple[Host, ...]:
    """Return the hosts by id: kinds in turn, the leaving ones drawn, reach as the fabric says."""
    leaving = set(rng.sample(range(spec.hosts), spec.entering_maintenance))
    return tuple(_host(spec, fabric, row, is_leaving=row in leaving) for row in range(spec.hosts))


def _host(spec: InventorySpec, fabric: Fabric, row: int, *, is_leaving: bool) -> Host:
    kind: HostKind = spec.kinds[row % len(spec.kinds)]
    lacks_storage = row % _LACKING_EVERY == 1
    lacks_network = row % _LACKING_EVERY == 2
    datastores = {store.id for store in fabric.datastores}
    networks = {network.id for network in fabric.networks}
    cpu_mhz = kind.cores * kind.core_mhz
    return Host(
        id=HostId(f"host-{spec.number * 1000 + row + 1}"),
        name=f"esx{spec.number}-{row + 1:02d}",
        state=HostState.ENTERING_MAINTENANCE if is_leaving else HostState.CONNECTED,
        cpu_cores=kind.cores,
        cpu_capacity_mhz=cpu_mhz,
        memory_capacity_mib=kind.memory_mib,
        cpu_overhead_mhz=cpu_mhz * CPU_OVERHEAD_RATIO,
        memory_overhead_mib=kind.memory_mib * MEMORY_OVERHEAD_RATIO,
        numa_nodes=2,
        cpu_vendor="intel",
        max_evc_mode=kind.evc_mode,
        vmotion=VmotionLink(link_mbps=kind.link_mbps),
        datastores=frozenset(datastores - ({fabric.partial_datastore} if lacks_storage else set())),
        networks=frozenset(networks - ({fabric.partial_network} if lacks_network else set())),
        tags=frozenset(_tags(spec, row)),
    )


def _tags(spec: InventorySpec, row: int) -> Iterator[str]:
    """Yield where a host stands, and whether it is licensed: the first quarter is, two hosts at least."""
    yield "site:a" if 2 * row < spec.hosts else "site:b"
    yield f"rack:{row // _HOSTS_PER_RACK + 1}"
    if row < max(spec.hosts // 4, 2):
        yield LICENSED

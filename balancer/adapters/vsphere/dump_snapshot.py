"""Objects of a dump as the snapshot of one cluster: put together as `inventory` does with what it reads.

Owns which objects belong to a cluster and the count of what is not whole. Asks no server: what a dump does not
hold (statistics over time, tags, the server's list of EVC modes) is not known.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from balancer.adapters.vsphere.assembly import (
    Ground,
    Tally,
    hosts_of,
    note_surroundings,
    on_known_hosts,
    vms_of,
)
from balancer.adapters.vsphere.cluster import cluster_from, within
from balancer.adapters.vsphere.dump import About
from balancer.adapters.vsphere.facts import Facts
from balancer.adapters.vsphere.hosts import Overhead, overhead_from
from balancer.adapters.vsphere.places import datastore_from, network_from, pool_from
from balancer.adapters.vsphere.retrieve import Retrieved
from balancer.adapters.vsphere.tasks import (
    Heading,
    OpenTasks,
    copy_from,
    in_flight_from,
    open_tasks_from,
)
from balancer.model.evc import EvcMode
from balancer.model.host import NO_FEATURES
from balancer.model.snapshot import InFlight, Snapshot, Source, SourceKind, Statistics, TagsState
from balancer.model.units import HostId, VmId

_POOLS = ("ResourcePool", "VirtualApp")
_NETWORKS = ("Network", "DistributedVirtualPortgroup", "OpaqueNetwork")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """The objects of a dump by class and id, and what the server said of itself."""

    objects: Mapping[str, Mapping[str, Facts]]
    about: About
    taken_at: datetime

    def of(self, *kinds: str) -> tuple[Facts, ...]:
        """Return the objects of some classes, by id."""
        found = {key: facts for kind in kinds for key, facts in self.objects.get(kind, {}).items()}
        return tuple(found[key] for key in sorted(found))

    def hosts_in(self, cluster: str) -> tuple[Facts, ...]:
        """Return the hosts of a cluster."""
        return tuple(f for f in self.of("HostSystem") if f.ref("parent") == cluster)

    def vms_on(self, hosts: Iterable[str]) -> tuple[Facts, ...]:
        """Return the VMs that stand on the named hosts."""
        known = frozenset(hosts)
        return tuple(f for f in self.of("VirtualMachine") if f.ref("runtime.host") in known)


class _Known:
    """What `assembly` asks for beside the objects themselves; in a dump all there is has been read."""

    def __init__(self, hosts: Iterable[Facts]) -> None:
        self._overheads = {HostId(facts.id): overhead_from(facts) for facts in hosts}

    def of(self, hosts: Iterable[HostId], /) -> Mapping[HostId, Overhead]:
        return {host: self._overheads[host] for host in hosts if host in self._overheads}

    def minimum_of(self, keys: Iterable[VmId], /) -> Retrieved:
        del keys
        return Retrieved()


def snapshot_of(dump: Dump, cluster: Facts, evc_modes: tuple[EvcMode, ...]) -> Snapshot | None:
    """Return a cluster's snapshot; None where the file of the cluster lacks its configuration.

    `evc_modes` stand in for the server's list. Hosts and VMs that are not whole are counted as unread.
    """
    facts, tally = cluster_from(cluster, evc_modes), Tally()
    if facts is None:
        return None
    tasks = open_tasks_from(dump.of("Task"))
    found_hosts = dump.hosts_in(cluster.id)
    known = _Known(found_hosts)
    ground = _ground(
        dump, cluster, Ground(cluster=facts, entering=tasks.entering, attributes=_fields(dump))
    )
    ground = replace(ground, consolidating=tasks.consolidating)
    hosts = hosts_of(Retrieved(objects=found_hosts), ground, known, tally=tally)
    found = dump.vms_on(facts.id for facts in found_hosts)
    vms = vms_of(Retrieved(objects=found), ground, reader=known, tally=tally)
    vms = on_known_hosts(vms, (host.id for host in hosts), tally)
    note_surroundings(ground, tally)
    if (
        facts.cluster.evc_mode is not None
    ):  # then no feature decides a move, and their lists are long
        hosts = tuple(replace(host, cpu_features=NO_FEATURES) for host in hosts)
        vms = tuple(replace(vm, cpu_features=NO_FEATURES) for vm in vms)
    on_hosts = frozenset(host.id for host in hosts)
    networks = cluster.refs("network")
    read = Snapshot(
        taken_at=dump.taken_at,
        cluster=facts.cluster,
        source=_source(dump, tally),
        hosts=hosts,
        vms=vms,
        rules=tuple(within(rule, frozenset(vm.id for vm in vms), on_hosts) for rule in facts.rules),
        datastores=tuple(map(datastore_from, ground.datastores)),
        networks=tuple(network_from(f) for f in dump.of(*_NETWORKS) if f.id in networks),
        resource_pools=tuple(map(pool_from, ground.pools)),
    )
    return replace(read, in_flight=_in_flight(read, tasks))


def _ground(dump: Dump, cluster: Facts, ground: Ground) -> Ground:
    stores = cluster.refs("datastore")
    return replace(
        ground,
        datastores=tuple(facts for facts in dump.of("Datastore") if facts.id in stores),
        pools=tuple(facts for facts in dump.of(*_POOLS) if facts.ref("owner") == cluster.id),
        folders=dump.of("Folder"),
    )


def _fields(dump: Dump) -> Facts:
    found = dump.of("CustomFieldsManager")
    return found[0] if found else Facts(id="", kind="CustomFieldsManager")


def _source(dump: Dump, tally: Tally) -> Source:
    return Source(
        kind=SourceKind.FILE,
        name="govc object.save",
        instance_uuid=dump.about.instance_uuid or None,
        api_version=dump.about.api_version or None,
        rejected_objects=tally.rejected,
        statistics=Statistics.QUICK_STATS,
        tags=TagsState.UNSUPPORTED,
        unknown_words=tally.unknown_words,
    )


def _in_flight(read: Snapshot, tasks: OpenTasks) -> tuple[InFlight, ...]:
    """Return what was under way; its targets stand in events, which a dump does not hold."""
    vms = read.vm_by_id
    moving = {key: task for key, task in sorted(tasks.migrations.items()) if key in vms}
    copies = {key: task for key, task in sorted(tasks.copies.items()) if key in vms}
    return (
        *(in_flight_from(task, vms[key], Heading(), is_ours=None) for key, task in moving.items()),
        *(copy_from(task, vms[key]) for key, task in copies.items() if key not in moving),
    )

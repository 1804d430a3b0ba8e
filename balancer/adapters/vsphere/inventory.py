"""The inventory of one vCenter: implements `ports.Inventory` on the wire.

Owns the order of the reads and the putting together. What cannot be read is counted and told, never
dropped in silence. Holds no state but caches of fixed facts, EVC modes and surroundings. Sits between
the cycle and `reader`.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from balancer.adapters.vsphere.agents import suspects
from balancer.adapters.vsphere.assembly import (
    Ground,
    Tally,
    hosts_of,
    note_surroundings,
    on_known_hosts,
    vms_of,
)
from balancer.adapters.vsphere.caches import Caches
from balancer.adapters.vsphere.cluster import ClusterFacts, cluster_from, evc_modes_from, within
from balancer.adapters.vsphere.evc import Masks, masks_by_mode
from balancer.adapters.vsphere.faults import refusals_of
from balancer.adapters.vsphere.initiator import asked_by_us_from
from balancer.adapters.vsphere.observer import RequestObserver
from balancer.adapters.vsphere.permissions import denied_objects, held_where_denied
from balancer.adapters.vsphere.places import datastore_from, network_from, pool_from
from balancer.adapters.vsphere.reader import Reader
from balancer.adapters.vsphere.retrieve import Retrieved
from balancer.adapters.vsphere.session import Session
from balancer.adapters.vsphere.statistics import StatisticsReader
from balancer.adapters.vsphere.tags import Tags
from balancer.adapters.vsphere.tasks import (
    Heading,
    OpenTasks,
    check_faults_from,
    copy_from,
    in_flight_from,
    open_tasks_from,
    task_view_from,
)
from balancer.model.errors import SourceAnswerInvalid
from balancer.model.evc import EvcMode
from balancer.model.host import Host
from balancer.model.insight import ServerAnswer
from balancer.model.outcome import PastTask, TaskState, TaskView
from balancer.model.snapshot import InFlight, Snapshot, Source, SourceKind
from balancer.model.units import ClusterId, HostId, Seconds, VmId
from balancer.model.vm import Vm
from balancer.ports import ClusterRef

Item = TypeVar("Item", Host, Vm)


class VsphereInventory:
    """Reads clusters of one vCenter. Safe for several threads, as the session is."""

    def __init__(
        self,
        session: Session,
        *,
        observer: RequestObserver,
        tags: Tags | None = None,
        sleep: Callable[[Seconds], None] = time.sleep,
        monotonic: Callable[[], Seconds] = time.monotonic,
    ) -> None:
        self._session = session
        self._observer = observer
        self._tags = tags or Tags(None, observer=observer)
        self._reader = Reader(session, sleep=sleep)
        self.caches = Caches(
            self._reader, kept_s=session.settings.full_read_every_s, monotonic=monotonic
        )
        self._statistics = StatisticsReader(
            session, observer=observer, sleep=sleep, monotonic=monotonic
        )
        self._grounds: dict[ClusterId, Ground] = {}
        self._modes: _Modes | None = None

    def clusters(self) -> tuple[ClusterRef, ...]:
        """Return the clusters that can be read, by name."""
        found = [
            ClusterRef(id=ClusterId(facts.id), name=facts.text("name") or facts.id)
            for facts in self._reader.clusters().objects
        ]
        return tuple(sorted(found, key=lambda ref: (ref.name, ref.id)))

    def snapshot(self, cluster: ClusterRef) -> Snapshot:
        """Read one cluster whole; see `ports.Inventory`.

        About twenty calls, and one more for each further page; the first of a cluster and those after
        `full_read_every_s` some more, for what is kept in between. Not atomic: a VM that moved between
        two reads stands where its own reading found it.
        """
        reader, tally = self._reader, Tally()
        taken_at = reader.now()
        facts = self._cluster(cluster.id)
        tasks = open_tasks_from(reader.recent_tasks().objects)
        found_hosts, any_changed = self._hosts(reader.hosts_in(cluster.id), facts)
        ground = self._ground(facts, tasks, mounts_anew=any_changed)
        hosts = hosts_of(found_hosts, ground, self.caches.overheads, tally=tally)
        found_vms = self._vms(reader.vms_in(cluster.id), hosts, ground, cluster=cluster.id)
        vms = vms_of(found_vms, ground, reader=reader, tally=tally)
        vms = held_where_denied(vms, found_vms)
        sampled = self._statistics.applied(hosts, vms, now=taken_at, all_hosts=hosts)
        read = Snapshot(
            taken_at=taken_at,
            cluster=facts.cluster,
            source=Source(
                denied_objects=denied_objects(found_hosts, found_vms), statistics=sampled.statistics
            ),
            hosts=sampled.hosts,
            vms=on_known_hosts(sampled.vms, (host.id for host in hosts), tally),
            datastores=tuple(map(datastore_from, ground.datastores)),
            networks=tuple(map(network_from, reader.networks_of(cluster.id).objects)),
            resource_pools=tuple(map(pool_from, ground.pools)),
        )
        note_surroundings(ground, tally)
        tally.tell(self._observer)
        return self._tags.told(self._completed(read, facts, tasks, tally))

    def refresh(self, base: Snapshot, *, vms: Iterable[VmId], hosts: Iterable[HostId]) -> Snapshot:
        """Return `base` with the named VMs and hosts read anew; see `ports.Inventory`.

        VMs that `base` has on a named host are read too, so that one that left it is seen where it is.
        Datastores, pools, folders and the mounts of hosts are those of the last snapshot that was read
        here. Everything else of the named objects is read past the caches.
        """
        reader, tally, named = self._reader, Tally(), frozenset(hosts)
        taken_at = reader.now()
        facts = self._cluster(base.cluster.id)
        tasks = open_tasks_from(reader.recent_tasks().objects)
        last = self._grounds.get(base.cluster.id) or self._ground(facts, tasks)
        ground = replace(
            last, cluster=facts, entering=tasks.entering, consolidating=tasks.consolidating
        )
        found_hosts, _ = self._hosts(reader.hosts(named), facts, anew=True)
        new_hosts = hosts_of(found_hosts, ground, self.caches.overheads, tally=tally)
        there = {vm.id for vm in base.vms if vm.host in named}
        asked = frozenset(vms) | reader.vms_on(named) | there
        found_vms = self._vms(reader.vms(asked), (*base.hosts, *new_hosts), ground, anew=True)
        new_vms = vms_of(found_vms, ground, reader=reader, tally=tally)
        new_vms = held_where_denied(new_vms, found_vms)
        sampled = self._statistics.applied(
            new_hosts, new_vms, now=taken_at, all_hosts=(*base.hosts, *new_hosts)
        )
        all_hosts = _merged(base.hosts, sampled.hosts, named)
        read = replace(
            base,
            taken_at=taken_at,
            cluster=facts.cluster,
            hosts=all_hosts,
            vms=on_known_hosts(
                _merged(base.vms, sampled.vms, asked), (host.id for host in all_hosts), tally
            ),
        )
        return self._completed(read, facts, tasks, tally)

    def check(self, vm: VmId, target: HostId) -> ServerAnswer:
        """Ask the server whether the vMotion would work; an answer without refusals means that it would.

        Privileges: `System.View`. Source: vSphere API, `CheckRelocate_Task`.
        """
        found = check_faults_from(self._reader.check(vm, target))
        return ServerAnswer(
            refusals=refusals_of(found.errors, vm, target),
            warnings=refusals_of(found.warnings, vm, target),
        )

    def tasks(self, tasks: Sequence[str]) -> Mapping[str, TaskView]:
        """Look at tasks by id. One that the server does not know is MISSING.

        A task whose fault cannot be read is looked at again without it: that it failed is known then.
        """
        found = self._reader.tasks(tasks, with_error=True)
        again = self._reader.tasks(sorted(found.unreadable), with_error=False)
        views = {key: TaskView(task=key, state=TaskState.MISSING) for key in tasks}
        for facts in again.objects:
            views[facts.id] = task_view_from(facts, error_is_readable=False)
        for facts in found.objects:
            views[facts.id] = task_view_from(facts, error_is_readable=True)
        for key in again.unreadable:
            views[key] = TaskView(task=key, state=TaskState.RUNNING)
        return views

    def task_history(self, vms: Sequence[VmId], since: datetime) -> tuple[PastTask, ...] | None:
        """Return the relocations of these VMs since then; see `ports.Inventory`.

        Three calls a VM. Privileges: `System.View`.
        """
        return self._reader.task_history(vms, since)

    def close(self) -> None:
        """Log out."""
        self._session.close()

    def _hosts(
        self, found: Retrieved, facts: ClusterFacts, *, anew: bool = False
    ) -> tuple[Retrieved, bool]:
        """Return hosts with their fixed facts, and whether any of them is not the one it was.

        Features count where no EVC mode makes the hosts alike.
        """
        kept, no_evc = self.caches.hosts, facts.cluster.evc_mode is None
        any_changed = bool(kept.lacking(found, with_features=no_evc))
        whole = kept.completed(found, cluster=facts.cluster.id, with_features=no_evc, anew=anew)
        return whole, any_changed

    def _vms(
        self,
        found: Retrieved,
        hosts: Iterable[Host],
        ground: Ground,
        *,
        cluster: ClusterId | None = None,
        anew: bool = False,
    ) -> Retrieved:
        """Return VMs with their fixed facts, what their devices say, and which of them are agents."""
        features = _features_differ(hosts)
        kept = self.caches.vms
        whole = kept.completed(found, cluster=cluster, with_features=features, anew=anew)
        asked = suspects(whole, ground.of_vms.folders)
        if not asked.objects:
            return whole
        return whole.but(asked).joined(self.caches.extras.completed(asked, anew=anew))

    def _ground(
        self, facts: ClusterFacts, tasks: OpenTasks, *, mounts_anew: bool = False
    ) -> Ground:
        reader, key = self._reader, facts.cluster.id
        datastores = self.caches.mounts.completed(reader.datastores_of(key), anew=mounts_anew)
        ground = Ground(
            cluster=facts,
            entering=tasks.entering,
            consolidating=tasks.consolidating,
            datastores=datastores.objects,
            pools=reader.pools_in(key).objects,
            folders=reader.folders().objects,
            attributes=reader.attributes(),
        )
        self._grounds[key] = ground
        return ground

    def _cluster(self, key: ClusterId) -> ClusterFacts:
        known = self._evc_modes()
        found = cluster_from(self._reader.cluster(key), known.modes, known.masks)
        if found is None:
            settings = self._session.settings
            raise SourceAnswerInvalid(
                f"Could not read the rules of cluster {key} at vCenter {settings.name}"
                f" ({settings.where}) as {settings.username}: the server does not show the cluster's"
                " configuration. Give the account the Read-only role on the vCenter's root."
            )
        return found

    def _evc_modes(self) -> "_Modes":
        about = self._reader.about()
        server = (about.instance_uuid, about.version)
        if self._modes is None or self._modes.server != server:
            facts = self._reader.evc_modes()
            self._modes = _Modes(
                server=server, modes=evc_modes_from(facts), masks=masks_by_mode(facts)
            )
        return self._modes

    def _completed(
        self, read: Snapshot, facts: ClusterFacts, tasks: OpenTasks, tally: Tally
    ) -> Snapshot:
        """Return the snapshot with the rest; what an earlier read could not tell stays told."""
        about, before = self._reader.about(), read.source
        vms, hosts = frozenset(read.vm_by_id), frozenset(read.host_by_id)
        whole = replace(
            read,
            rules=tuple(within(rule, vms, hosts) for rule in facts.rules),
            in_flight=self._in_flight(read, tasks),
            source=replace(
                read.source,
                kind=SourceKind.VCENTER,
                name=self._session.settings.name,
                instance_uuid=about.instance_uuid,
                api_version=about.api_version,
                rejected_objects=max(before.rejected_objects, tally.rejected),
                unknown_words=tuple(sorted({*before.unknown_words, *tally.unknown_words})),
            ),
        )
        return self._tags.put_on(whole)

    def _in_flight(self, read: Snapshot, tasks: OpenTasks) -> tuple[InFlight, ...]:
        """Return what is under way on the snapshot's VMs. Nothing is asked where nothing is."""
        reader, vms = self._reader, read.vm_by_id
        here = {key: task for key, task in sorted(tasks.migrations.items()) if key in vms}
        reasons = {
            facts.id: facts for facts in reader.reasons_of(t.id for t in here.values()).objects
        }
        user = reader.about().user
        found = []
        for key, task in here.items():
            chain = task.count("info.eventChainId")
            heading = reader.heading_of(key, chain) if chain else Heading()  # 0: none yet
            if heading.host not in read.host_by_id:
                heading = replace(heading, host=None)
            reason = reasons.get(task.id)
            is_ours = None if reason is None else asked_by_us_from(reason, user)
            found.append(in_flight_from(task, vms[key], heading, is_ours=is_ours))
        copies = (copy_from(task, vms[key]) for key, task in tasks.copies.items() if key in vms)
        return (*found, *(copy for copy in copies if copy.vm not in here))


@dataclass(frozen=True, slots=True)
class _Modes:
    server: tuple[str, str]
    modes: tuple[EvcMode, ...]
    masks: Mapping[str, Masks]


def _features_differ(hosts: Iterable[Host]) -> bool:
    """Whether hosts differ in processor features, so that what VMs require of them matters."""
    kinds = {tuple(sorted(host.cpu_features.items())) for host in hosts}
    return len(kinds) > 1


def _merged(old: Iterable[Item], new: Iterable[Item], asked: frozenset[str]) -> tuple[Item, ...]:
    """Return the old entries that were not asked for, and the new ones."""
    kept = tuple(entry for entry in old if entry.id not in asked)
    return kept + tuple(new)

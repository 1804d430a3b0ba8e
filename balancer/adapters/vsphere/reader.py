"""The reads of one vCenter, each a repeatable piece of work: what is asked for, not what it means.

Owns which calls are made for hosts, VMs, places and tasks, and their retries (through `ReadClient`).
Returns facts by object, large structures in short (`condense`); translating them is the business of the files
around it. Sits between `inventory` and `retrieve`.
"""

# mypy: disable-error-code="no-untyped-call"
# pyVmomi marks itself as typed, its run-time part is not.

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from pyVmomi import vim, vmodl
from pyVmomi.VmomiSupport import ManagedObject

from balancer.adapters.vsphere import condense, properties
from balancer.adapters.vsphere.facts import Facts, in_utc, object_id
from balancer.adapters.vsphere.history import TaskHistory
from balancer.adapters.vsphere.reading import ReadClient
from balancer.adapters.vsphere.retrieve import (
    Retrieved,
    Wanted,
    reference,
    retrieve_along,
    retrieve_below,
    retrieve_these,
)
from balancer.adapters.vsphere.session import Opened, Session
from balancer.adapters.vsphere.tasks import Heading
from balancer.model.errors import SourceAnswerInvalid, SourceUnreachable
from balancer.model.outcome import PastTask
from balancer.model.units import HostId, Seconds, VmId

_FIRST_POLL_S = 0.05
_LONGEST_POLL_S = 1.0
_Departure = (
    vim.event.VmBeingHotMigratedEvent
    | vim.event.VmBeingMigratedEvent
    | vim.event.VmBeingRelocatedEvent
)
_DEPARTURES = (
    vim.event.VmBeingHotMigratedEvent,
    vim.event.VmBeingMigratedEvent,
    vim.event.VmBeingRelocatedEvent,
)
_ENDED = frozenset({"success", "error"})
_HOST_STATE = Wanted(kind=vim.HostSystem, paths=properties.every_cycle(properties.HOST))
_VM_STATE = Wanted(kind=vim.VirtualMachine, paths=properties.every_cycle(properties.VM))
_DEVICES = Wanted(kind=vim.VirtualMachine, paths=properties.VM_DEVICES, condense=condense.devices)
_REACHABLE = ("summary.accessible",)  # decides for mounts that do not say it themselves


class Reader:
    """Reads from one session. Every method may raise `SourceError`."""

    def __init__(self, session: Session, *, sleep: Callable[[Seconds], None] = time.sleep) -> None:
        self._session = session
        self._settings = session.settings
        self._sleep = sleep
        self._client = ReadClient(session, sleep)
        self._history = TaskHistory(self._client)
        self._shared = condense.Shared()

    def now(self) -> datetime:
        """Return the server's clock in UTC."""
        return self._client.run(
            "read the clock", lambda opened: in_utc(opened.service().CurrentTime())
        )

    def about(self) -> Opened:
        """Return the session with what the server says of itself."""
        return self._client.run("log in", lambda opened: opened)

    def evc_modes(self) -> Facts:
        """Read the EVC modes that the server knows. Long, and the same for a whole session."""
        paths = ("capability.supportedEVCMode",)
        return self._one("the EVC modes", vim.ServiceInstance, "ServiceInstance", paths)

    def clusters(self) -> Retrieved:
        """Read the names of all clusters."""
        wanted = Wanted(kind=vim.ClusterComputeResource, paths=("name",))
        return self._below("the clusters", lambda opened: opened.content.rootFolder, wanted)

    def cluster(self, key: str) -> Facts:
        """Read one cluster with its configuration."""
        kind = vim.ClusterComputeResource
        return self._one(f"the cluster {key}", kind, key, properties.CLUSTER)

    def hosts_in(self, cluster: str) -> Retrieved:
        """Read what changes any time of all hosts of a cluster."""
        return self._below("the hosts", _cluster(cluster), _HOST_STATE)

    def hosts(self, keys: Iterable[HostId]) -> Retrieved:
        """Read what changes any time of the named hosts."""
        return self._these("the hosts", _HOST_STATE, keys)

    def fixed_of_hosts(
        self, keys: Iterable[str], *, cluster: str | None, with_features: bool
    ) -> Retrieved:
        """Read the other facts of hosts: the named ones, or all of a cluster where it is given."""
        paths = properties.fixed(properties.HOST)
        wanted = Wanted(
            kind=vim.HostSystem,
            paths=paths + (properties.HOST_FEATURES if with_features else ()),
            is_bulk=True,
            condense=self._shared.host,
        )
        return self._fixed("the hosts", wanted, keys, cluster)

    def vms_in(self, cluster: str) -> Retrieved:
        """Read what changes any time of all VMs of a cluster."""
        return self._below("the VMs", _cluster(cluster), _VM_STATE)

    def vms(self, keys: Iterable[VmId]) -> Retrieved:
        """Read what changes any time of the named VMs."""
        return self._these("the VMs", _VM_STATE, keys)

    def fixed_of_vms(
        self, keys: Iterable[str], *, cluster: str | None, with_features: bool
    ) -> Retrieved:
        """Read the other facts of VMs, with their devices: the named ones, or all of a cluster.

        A VM of which nothing but the devices could not be read is incomplete.
        """
        paths = properties.fixed(properties.VM)
        wanted = Wanted(
            kind=vim.VirtualMachine,
            paths=paths + (properties.VM_FEATURES if with_features else ()),
            is_bulk=True,
            condense=self._shared.features,
        )
        return self._fixed("the VMs", wanted, keys, cluster, extra=_DEVICES)

    def minimum_of(self, keys: Iterable[VmId]) -> Retrieved:
        """Read what little is needed to keep a VM's place, of VMs that cannot be read whole."""
        wanted = Wanted(kind=vim.VirtualMachine, paths=properties.VM_MINIMUM)
        return self._these("the VMs", wanted, keys)

    def extra_config_of(
        self, keys: Iterable[str], *, cluster: str | None = None, with_features: bool = False
    ) -> Retrieved:
        """Read the extra configuration of the named VMs (heavy)."""
        wanted = Wanted(kind=vim.VirtualMachine, paths=properties.VM_EXTRA, condense=condense.agent)
        return self._fixed("the VMs", wanted, keys, None)

    def resources_of(self, keys: Iterable[HostId]) -> Retrieved:
        """Read the resource groups of the named hosts (heavy)."""
        paths = properties.HOST_RESOURCES
        wanted = Wanted(kind=vim.HostSystem, paths=paths, is_bulk=True)
        return self._these("the hosts' own resources", wanted, keys)

    def vms_on(self, hosts: Iterable[HostId]) -> frozenset[VmId]:
        """Return the VMs that the named hosts hold now."""
        wanted = Wanted(kind=vim.HostSystem, paths=properties.HOST_VMS)
        found = self._these("the hosts", wanted, hosts)
        return frozenset(VmId(key) for facts in found.objects for key in facts.refs("vm"))

    def datastores_of(self, cluster: str) -> Retrieved:
        """Read the datastores of a cluster, without their mounts."""
        wanted = Wanted(kind=vim.Datastore, paths=properties.DATASTORE)
        return self._along("the datastores", _cluster(cluster), "datastore", wanted)

    def mounts_of(
        self, keys: Iterable[str], *, cluster: str | None = None, with_features: bool = False
    ) -> Retrieved:
        """Read which hosts have the named datastores mounted, and how."""
        wanted = Wanted(
            kind=vim.Datastore,
            paths=properties.DATASTORE_MOUNTS + _REACHABLE,
            is_bulk=True,
            condense=condense.mounts,
        )
        return self._these("the mounts", wanted, keys)

    def networks_of(self, cluster: str) -> Retrieved:
        """Read the names of a cluster's networks and port groups."""
        wanted = Wanted(kind=vim.Network, paths=properties.NETWORK)
        return self._along("the networks", _cluster(cluster), "network", wanted)

    def pools_in(self, cluster: str) -> Retrieved:
        """Read all resource pools of a cluster."""
        wanted = Wanted(kind=vim.ResourcePool, paths=properties.POOL)
        return self._below("the resource pools", _cluster(cluster), wanted)

    def folders(self) -> Retrieved:
        """Read all folders."""
        wanted = Wanted(kind=vim.Folder, paths=properties.FOLDER)
        return self._below("the folders", lambda opened: opened.content.rootFolder, wanted)

    def attributes(self) -> Facts:
        """Read the definitions of the custom attributes; no facts where the server has none."""
        wanted = Wanted(kind=vim.CustomFieldsManager, paths=("field",))

        def work(opened: Opened) -> Retrieved:
            manager = opened.content.customFieldsManager
            return Retrieved() if manager is None else self._read(opened, [manager], wanted)

        found = self._client.run("read the custom attributes", work).objects
        return found[0] if found else Facts(id="", kind="CustomFieldsManager")

    def recent_tasks(self) -> Retrieved:
        """Read the tasks that are open or ended a short time ago."""
        wanted = Wanted(kind=vim.Task, paths=properties.RECENT_TASK)
        return self._along(
            "the recent tasks", lambda opened: opened.content.taskManager, "recentTask", wanted
        )

    def reasons_of(self, tasks: Iterable[str]) -> Retrieved:
        """Read who asked for the named tasks. Apart from the list of them: a reason is a structure."""
        wanted = Wanted(kind=vim.Task, paths=properties.TASK_REASON)
        return self._these("who asked for the migrations", wanted, tasks)

    def task_history(self, vms: Sequence[VmId], since: datetime) -> tuple[PastTask, ...] | None:
        """Read the relocations of VMs since then from the task history; None where it is not shown."""
        return self._history.of(vms, since)

    def heading_of(self, vm: VmId, event_chain: int) -> Heading:
        """Return where a running migration of a VM goes, as far as the server tells.

        A task does not name its target; the event at its start does.
        Source: vSphere API, `TaskInfo.eventChainId`, `VmBeingHotMigratedEvent.destHost`, `.destDatastore`.
        """
        events = self._client.run(
            "read the events of a migration", lambda opened: _events(opened, event_chain)
        )
        of_vm = [event for event in events if event.vm and object_id(event.vm.vm) == vm]
        if not of_vm:
            return Heading()
        host = object_id(of_vm[-1].destHost.host)
        store = getattr(of_vm[-1], "destDatastore", None)
        return Heading(
            host=HostId(host) if host else None,
            datastore=None if store is None else object_id(store.datastore),
        )

    def tasks(self, keys: Sequence[str], *, with_error: bool) -> Retrieved:
        """Read the named tasks."""
        paths = properties.TASK + (properties.TASK_ERROR if with_error else ())
        return self._these("the tasks", Wanted(kind=vim.Task, paths=paths), keys)

    def check(self, vm: VmId, target: HostId) -> Facts:
        """Let the server check a migration and return the finished check's facts.

        Raises:
            SourceError: the check could not be made, or did not end in time.
        """
        return self._client.run(
            f"have the migration of {vm} to {target} checked",
            lambda opened: self._checked(opened, vm, target),
        )

    def _checked(self, opened: Opened, vm: VmId, target: HostId) -> Facts:
        checker = opened.content.vmProvisioningChecker
        if checker is None:
            raise SourceAnswerInvalid(f"{self._settings.where} offers no check of migrations.")
        spec = vim.vm.RelocateSpec(host=vim.HostSystem(target, opened.stub))
        task = checker.CheckRelocate_Task(vim.VirtualMachine(vm, opened.stub), spec, None)
        left_s, pause_s = self._settings.read_timeout_s, _FIRST_POLL_S
        paths = (*properties.TASK, *properties.TASK_ERROR)
        while left_s > 0:
            facts = self._alone(opened, task, Wanted(kind=vim.Task, paths=paths))
            if facts.text("info.state") in _ENDED:
                return self._verdict(opened, task, facts)
            self._sleep(pause_s)
            left_s, pause_s = left_s - pause_s, min(2 * pause_s, _LONGEST_POLL_S)
        raise SourceUnreachable(
            f"The check of the migration of {vm} to {target} at {self._settings.where} did not end"
            f" within {self._settings.read_timeout_s:g} s. It is asked again at the next need."
        )

    def _verdict(self, opened: Opened, task: ManagedObject, ended: Facts) -> Facts:
        error = ended.one("info.error", vmodl.MethodFault)
        if error is not None:
            raise error
        return self._alone(opened, task, Wanted(kind=vim.Task, paths=properties.CHECK_RESULT))

    def _alone(self, opened: Opened, ref: ManagedObject, wanted: Wanted) -> Facts:
        found = self._read(opened, [ref], wanted).objects
        if not found:
            raise SourceAnswerInvalid(
                f"{self._settings.where} started {object_id(ref)} and cannot show it."
            )
        return found[0]

    def _one(self, what: str, kind: type[ManagedObject], key: str, paths: tuple[str, ...]) -> Facts:
        found = self._these(what, Wanted(kind=kind, paths=paths), [key])
        if not found.objects:
            why = "it is gone" if found.gone else "the answer cannot be read"
            raise SourceAnswerInvalid(
                f"Could not read {what} at vCenter {self._settings.name} ({self._settings.where})"
                f" as {self._settings.username}: {why}. Check the cluster's name, and that this"
                " vCenter's version is supported."
            )
        return found.objects[0]

    def _fixed(
        self,
        what: str,
        wanted: Wanted,
        keys: Iterable[str],
        cluster: str | None,
        *,
        extra: Wanted | None = None,
    ) -> Retrieved:
        """Read the named objects, or all of a cluster where it is given, in one go.

        Objects that cannot be read so are read once more part by part, structures by pyVmomi, so that one
        which only lacks what is `extra` is not lost.
        """
        whole = wanted.with_extra(extra)
        found = (
            self._these(what, whole, keys)
            if cluster is None
            else self._below(what, _cluster(cluster), whole)
        )
        if not found.unreadable:
            return found
        again = self._apart(what, wanted, extra, found.unreadable)
        return replace(found, unreadable=frozenset()).joined(again)

    def _apart(
        self, what: str, wanted: Wanted, extra: Wanted | None, keys: Iterable[str]
    ) -> Retrieved:
        found = [self._these(what, part, keys) for part in wanted.parts()]
        read = found[0].together(*found[1:])
        read = read if wanted.condense is None else read.condensed(wanted.condense)
        if extra is None:
            return read
        return read.extended(self._these(what, extra, (facts.id for facts in read.objects)))

    def _below(
        self, what: str, start: Callable[[Opened], vim.ManagedEntity], wanted: Wanted
    ) -> Retrieved:
        size = self._settings.page_size
        return self._client.run(
            f"read {what}",
            lambda opened: retrieve_below(opened, start(opened), wanted, page_size=size),
        )

    def _along(
        self, what: str, start: Callable[[Opened], ManagedObject | None], path: str, wanted: Wanted
    ) -> Retrieved:
        def work(opened: Opened) -> Retrieved:
            origin = start(opened)
            if origin is None:
                return Retrieved()
            size = self._settings.page_size
            return retrieve_along(opened, origin, path, wanted, page_size=size)

        return self._client.run(f"read {what}", work)

    def _these(self, what: str, wanted: Wanted, keys: Iterable[str]) -> Retrieved:
        ids = sorted(set(keys))
        if not ids:
            return Retrieved()
        return self._client.run(
            f"read {what}",
            lambda opened: self._read(
                opened, [reference(opened, wanted.kind, key) for key in ids], wanted
            ),
        )

    def _read(self, opened: Opened, refs: Sequence[ManagedObject], wanted: Wanted) -> Retrieved:
        return retrieve_these(opened, refs, wanted, page_size=self._settings.page_size)


def _cluster(key: str) -> Callable[[Opened], vim.ManagedEntity]:
    def start(opened: Opened) -> vim.ManagedEntity:
        made: vim.ManagedEntity = vim.ClusterComputeResource(key, opened.stub)
        return made

    return start


def _events(opened: Opened, chain: int) -> list[_Departure]:
    manager = opened.content.eventManager
    if manager is None:
        return []
    kinds = [kind.__name__.rsplit(".", 1)[-1] for kind in _DEPARTURES]
    found = manager.QueryEvents(vim.event.EventFilterSpec(eventChainId=chain, eventTypeId=kinds))
    return [event for event in found if isinstance(event, _DEPARTURES)]

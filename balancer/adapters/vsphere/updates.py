"""A property collector of our own that waits for changes: its filters, its version token, their meaning.

Owns the server-side objects (collector, filters, views) and removes what it made. Asks for a few leaves:
quickStats never notify, and whole structures could not be read on a newer server. Must never be taken for
an inventory: it tells that something changed, not what is. Sits between `watcher` and the stub.
Source: vSphere API, `PropertyCollector.WaitForUpdatesEx`, `UpdateSet`, `ObjectUpdate`.
"""

# mypy: disable-error-code="no-untyped-call"
# pyVmomi marks itself as typed, its run-time part is not.

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pyVmomi import vim, vmodl
from pyVmomi.VmomiSupport import ManagedObject

from balancer.adapters.vsphere.deadline import call_within
from balancer.adapters.vsphere.facts import Facts, object_id
from balancer.adapters.vsphere.retrieve import known_paths
from balancer.adapters.vsphere.session import Opened
from balancer.adapters.vsphere.stub import CallFailed
from balancer.adapters.vsphere.tasks import open_tasks_from
from balancer.model.changes import Change, ChangeKind
from balancer.model.units import ClusterId, HostId, Seconds, VmId

_QUERY = vmodl.query.PropertyCollector
_MOST_OBJECTS = 1000
_REMOVE_WITHIN_S = 5.0

_VM_PATHS = {
    "runtime.host": ChangeKind.VM_MOVED,
    "runtime.powerState": ChangeKind.VM_POWER,
    "config.changeVersion": ChangeKind.VM_RECONFIGURED,
}
_HOST_PATHS = {
    "runtime.connectionState": ChangeKind.HOST_STATE,
    "runtime.powerState": ChangeKind.HOST_STATE,
    "runtime.inMaintenanceMode": ChangeKind.HOST_STATE,
    "runtime.inQuarantineMode": ChangeKind.HOST_STATE,
    "runtime.bootTime": ChangeKind.HOST_STATE,
    "datastore": ChangeKind.HOST_PLACES,
    "network": ChangeKind.HOST_PLACES,
}
_TASK_PATHS = ("info.entity", "info.descriptionId", "info.state")

# Source: task catalogue of a vCenter (`TaskDescription.methodInfo` keys).
_RECONFIGURED = frozenset(
    {
        "ComputeResource.reconfigureEx",
        "ClusterComputeResource.reconfigure",
        "ClusterComputeResource.reconfigureEx",
    }
)


@dataclass(slots=True)
class _Followed:
    """One cluster: its view, its filter, and the objects in it by id."""

    cluster: ClusterId
    view: vim.view.ContainerView
    filter: vmodl.query.PropertyCollector.Filter
    members: set[str] = field(default_factory=set)
    is_new: bool = True


class UpdateFeed:
    """Waits on one session. Not for several threads. Every method may raise `CallFailed` or a fault."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._collector = opened.content.propertyCollector.CreatePropertyCollector()
        self._followed: dict[str, _Followed] = {}
        self._version = ""
        self._tasks: str | None = None
        self._tasks_are_new = True

    def follow(self, clusters: Iterable[ClusterId]) -> None:
        """Add filters for clusters that have none, and one for the recent tasks."""
        if self._tasks is None:
            self._tasks = self._follow_tasks()
        known = {followed.cluster for followed in self._followed.values()}
        for cluster in sorted(set(clusters) - known):
            self._add(cluster)

    def wait(self, most_s: Seconds) -> tuple[Change, ...]:
        """Return what changed, waiting for it where nothing has; empty after `most_s` seconds.

        What is there when a filter is new is no change.
        """
        options = _QUERY.WaitOptions(maxWaitSeconds=int(most_s), maxObjectUpdates=_MOST_OBJECTS)
        answer = self._collector.WaitForUpdatesEx(self._version, options)
        if answer is None:
            self._settle()
            return ()
        self._version = answer.version
        found = [change for update in answer.filterSet or () for change in self._changes_of(update)]
        if not answer.truncated:
            self._settle()
        return tuple(dict.fromkeys(found))

    def close(self) -> None:
        """Remove filters, views and the collector. What cannot be removed ends with the session."""
        with call_within(_REMOVE_WITHIN_S), contextlib.suppress(CallFailed, vmodl.MethodFault):
            for followed in self._followed.values():
                followed.filter.DestroyPropertyFilter()
                followed.view.DestroyView()
            self._collector.DestroyPropertyCollector()
        self._followed.clear()

    def _add(self, cluster: ClusterId) -> None:
        manager = self._opened.content.viewManager
        if manager is None:
            raise vmodl.fault.NotSupported(msg="the server offers no views")
        root = vim.ClusterComputeResource(cluster, self._opened.stub)
        view = manager.CreateContainerView(root, [vim.VirtualMachine, vim.HostSystem], True)
        step = _QUERY.TraversalSpec(name="view", type=type(view), path="view", skip=False)
        start = _QUERY.ObjectSpec(obj=view, skip=True, selectSet=[step])
        made = self._filter(
            [start], {vim.VirtualMachine: tuple(_VM_PATHS), vim.HostSystem: tuple(_HOST_PATHS)}
        )
        self._followed[str(object_id(made))] = _Followed(cluster, view, made)

    def _follow_tasks(self) -> str:
        manager = self._opened.content.taskManager
        if manager is None:
            return ""
        step = _QUERY.TraversalSpec(
            name="tasks", type=vim.TaskManager, path="recentTask", skip=False
        )
        start = _QUERY.ObjectSpec(obj=manager, skip=True, selectSet=[step])
        return str(object_id(self._filter([start], {vim.Task: _TASK_PATHS})))

    def _filter(
        self,
        starts: list[vmodl.query.PropertyCollector.ObjectSpec],
        paths: dict[type[ManagedObject], tuple[str, ...]],
    ) -> vmodl.query.PropertyCollector.Filter:
        version = self._opened.version
        specs = [
            _QUERY.PropertySpec(type=kind, pathSet=list(known_paths(kind, asked, version)))
            for kind, asked in paths.items()
        ]
        return self._collector.CreateFilter(
            _QUERY.FilterSpec(objectSet=starts, propSet=specs), False
        )

    def _settle(self) -> None:
        """Take note that everything which was there at the start has been told."""
        self._tasks_are_new = False
        for followed in self._followed.values():
            followed.is_new = False

    def _changes_of(self, update: vmodl.query.PropertyCollector.FilterUpdate) -> Iterator[Change]:
        key = str(object_id(update.filter))
        followed = self._followed.get(key)
        for told in update.objectSet or ():
            if followed is not None:
                yield from _change_of_object(followed, told)
            elif key == self._tasks and not self._tasks_are_new:
                yield from self._change_of_task(told)

    def _change_of_task(self, told: vmodl.query.PropertyCollector.ObjectUpdate) -> Iterator[Change]:
        """Translate a new task. What it is about comes once, with the update that brings it in."""
        if told.kind != "enter":
            return
        facts = Facts(id="", kind="Task", values={c.name: c.val for c in told.changeSet or ()})
        what, entity = facts.text("info.descriptionId"), facts.ref("info.entity")
        tasks = open_tasks_from([facts])
        for followed in self._followed.values():
            cluster, members = followed.cluster, followed.members
            if what in _RECONFIGURED and entity == cluster:
                yield Change(kind=ChangeKind.CLUSTER_RECONFIGURED, cluster=cluster)
            for vm in tasks.migrations.keys() & members:
                yield Change(kind=ChangeKind.MIGRATION, cluster=cluster, vm=vm)
            for host in tasks.entering & members:
                yield Change(kind=ChangeKind.MAINTENANCE, cluster=cluster, host=host)


def _change_of_object(
    followed: _Followed, told: vmodl.query.PropertyCollector.ObjectUpdate
) -> Iterator[Change]:
    key, is_vm = str(object_id(told.obj)), isinstance(told.obj, vim.VirtualMachine)
    if told.kind == "enter":
        followed.members.add(key)
        kinds = {ChangeKind.VM_ADDED if is_vm else ChangeKind.HOST_ADDED}
    elif told.kind == "leave":
        followed.members.discard(key)
        kinds = {ChangeKind.VM_REMOVED if is_vm else ChangeKind.HOST_REMOVED}
    else:
        meanings = _VM_PATHS if is_vm else _HOST_PATHS
        kinds = {meanings[c.name] for c in told.changeSet or () if c.name in meanings}
    if followed.is_new:
        return
    for kind in sorted(kinds):
        yield Change(
            kind=kind,
            cluster=followed.cluster,
            vm=VmId(key) if is_vm else None,
            host=None if is_vm else HostId(key),
        )

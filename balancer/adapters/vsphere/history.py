"""The server's task history: what became of relocations that the list of recent tasks has forgotten.

Owns the history collectors: each is made for one VM, read, and destroyed again, whatever happens. Needs no
privilege beyond `System.View`, and does without where the server refuses or keeps no history: then it says so
once, and the place of a VM decides alone. Sits between `inventory` and `reading`.
Source: vSphere API, `TaskManager.CreateCollectorForTasks` (required privileges: System.View),
`TaskHistoryCollector.ReadNextTasks`, `HistoryCollector.DestroyCollector`. `TaskManager.recentTask` drops a task
ten minutes after its end, or when 200 newer ones are there.
"""

# mypy: disable-error-code="no-untyped-call"
# pyVmomi marks itself as typed, its run-time part is not.

import contextlib
import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from pyVmomi import vim, vmodl

from balancer.adapters.vsphere.facts import in_utc, object_id
from balancer.adapters.vsphere.initiator import RELOCATIONS, asked_by_us
from balancer.adapters.vsphere.reading import ReadClient
from balancer.adapters.vsphere.session import Opened
from balancer.adapters.vsphere.stub import CallFailed
from balancer.adapters.vsphere.tasks import ended_view
from balancer.model.errors import SourceAnswerInvalid
from balancer.model.outcome import PastTask
from balancer.model.units import VmId

log = logging.getLogger(__name__)

_PAGE = 100
_MOST_PAGES = 10


class TaskHistory:
    """Reads the history of single VMs. Safe for several threads, as the session is."""

    def __init__(self, client: ReadClient) -> None:
        self._client = client
        self._is_told = False

    def of(self, vms: Sequence[VmId], since: datetime) -> tuple[PastTask, ...] | None:
        """Return the relocations of these VMs since then, oldest first; None where they are not shown.

        Raises:
            SourceUnreachable: the server did not answer.
        """
        try:
            return self._client.run(
                "read the task history",
                lambda opened: tuple(past for vm in vms for past in self._of_vm(opened, vm, since)),
            )
        except SourceAnswerInvalid as err:
            if not self._is_told:
                log.warning("no task history; the place of a VM decides", extra={"error": str(err)})
            self._is_told = True
            return None

    def _of_vm(self, opened: Opened, vm: VmId, since: datetime) -> list[PastTask]:
        manager = opened.content.taskManager
        if manager is None:
            raise SourceAnswerInvalid("The server offers no tasks.")
        try:
            collector = manager.CreateCollectorForTasks(_filter(opened, vm, since))
        except vmodl.fault.ManagedObjectNotFound:
            return []  # the VM is gone, and its tasks with it
        try:
            found = [_past(info, vm, opened.user) for info in _pages(collector)]
        finally:
            with contextlib.suppress(CallFailed, vmodl.MethodFault):
                collector.DestroyCollector()
        return [past for past in found if past is not None]


def _filter(opened: Opened, vm: VmId, since: datetime) -> vim.TaskFilterSpec:
    spec = vim.TaskFilterSpec
    return spec(
        entity=spec.ByEntity(
            entity=vim.VirtualMachine(vm, opened.stub), recursion=spec.RecursionOption.self
        ),
        time=spec.ByTime(timeType=spec.TimeOption.queuedTime, beginTime=since),
    )


def _pages(collector: vim.TaskHistoryCollector) -> Iterable[vim.TaskInfo]:
    for _ in range(_MOST_PAGES):
        page = collector.ReadNextTasks(_PAGE)
        yield from page or ()
        if not page:
            return


def _past(info: Any, vm: VmId, user: str) -> PastTask | None:
    """Translate an entry; None where it is no relocation."""
    key = object_id(info.task) or info.key
    if info.descriptionId not in RELOCATIONS or not key:
        return None
    return PastTask(
        vm=vm,
        view=ended_view(key, str(info.state), info.error),
        queued_at=in_utc(info.queueTime) if info.queueTime else None,
        is_ours=asked_by_us(info.descriptionId, info.reason, user),
    )

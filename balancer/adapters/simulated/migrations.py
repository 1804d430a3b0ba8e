"""Migrations of the simulated vCenter: a queue, slots on both hosts, progress, and how each one ends.

It decides when migrations start and end; `vcenter.py` tells it the time and moves the VMs.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from balancer.adapters.simulated.demand import draw
from balancer.model.duration import vmotion_seconds
from balancer.model.host import Host
from balancer.model.outcome import PastTask, TaskState, TaskView
from balancer.model.units import HostId, Seconds, VmId
from balancer.model.vm import Vm

SLOTS_PER_HOST = 8
"""Running migrations of one host, in and out; more wait. Source: vCenter's limit of 16 cost units a
host, 2 for each vMotion (vSphere 7.0 performance guidance)."""

TASK_MEMORY_S = 600.0
"""A task that ended so long ago is forgotten. Source: vCenter keeps ended tasks for about 10 minutes."""

_SLOWEST, _FASTEST = 1.25, 0.9
_MOST_PROGRESS = 99


@dataclass(slots=True, kw_only=True)
class Migration:
    """One migration from the call to its end. `fault` is known beforehand, and to nobody else."""

    number: int
    vm: Vm
    source: Host
    target: Host
    queued_s: Seconds
    fault: str = ""
    is_foreign: bool = False
    started_s: Seconds | None = None
    ends_s: Seconds | None = None
    has_ended: bool = False

    @property
    def task(self) -> str:
        """Return the task's id."""
        return f"task-{self.number}"

    def view(self, now_s: Seconds) -> TaskView:
        """Return what a client sees."""
        if self.has_ended:
            return self._ended(now_s)
        if self.started_s is None or self.ends_s is None:
            return TaskView(task=self.task, state=TaskState.QUEUED, progress_percent=0)
        share = (now_s - self.started_s) / max(self.ends_s - self.started_s, 1e-9)
        percent = min(int(100 * share), _MOST_PROGRESS)
        return TaskView(task=self.task, state=TaskState.RUNNING, progress_percent=percent)

    def past(self, now_s: Seconds, start: datetime) -> PastTask:
        """Return the entry of the task history; `start` is the server's clock at zero seconds."""
        return PastTask(
            vm=self.vm.id,
            view=self._result() if self.has_ended else self.view(now_s),
            queued_at=start + timedelta(seconds=self.queued_s),
            is_ours=not self.is_foreign,
        )

    def _ended(self, now_s: Seconds) -> TaskView:
        if now_s - (self.ends_s or 0.0) > TASK_MEMORY_S:
            return TaskView(task=self.task, state=TaskState.MISSING)
        return self._result()

    def _result(self) -> TaskView:
        if not self.fault:
            return TaskView(task=self.task, state=TaskState.SUCCESS, progress_percent=100)
        message = f"The migration of {self.vm.name} to {self.target.name} failed: {self.fault}."
        return TaskView(task=self.task, state=TaskState.ERROR, fault=self.fault, message=message)


class Board:
    """Every migration since the start, oldest first, and which of them run."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.all: list[Migration] = []
        self.by_task: dict[str, Migration] = {}
        self.open: list[Migration] = []
        self.peak_running: Counter[HostId] = Counter()
        self._running: Counter[HostId] = Counter()

    def of(self, vm: VmId) -> Migration | None:
        """Return the queued or running migration of a VM."""
        return next((migration for migration in self.open if migration.vm.id == vm), None)

    def heading_to(self, host: HostId) -> list[Migration]:
        """Return the queued and running migrations to a host."""
        return [migration for migration in self.open if migration.target.id == host]

    def next_end_s(self) -> Seconds | None:
        """Return when the next running migration ends."""
        return min((m.ends_s for m in self.open if m.ends_s is not None), default=None)

    def add(self, migration: Migration) -> None:
        """Queue a migration, and start it at once where slots are free."""
        self.all.append(migration)
        self.by_task[migration.task] = migration
        self.open.append(migration)
        self._start_waiting(migration.queued_s)

    def end_due(self, now_s: Seconds, on_end: Callable[[Migration], None]) -> None:
        """End what is due at `now_s`, in the order of submission, then start what waits."""
        for migration in [m for m in self.open if m.ends_s is not None and m.ends_s <= now_s]:
            self.open.remove(migration)
            self._running.subtract((migration.source.id, migration.target.id))
            migration.has_ended = True
            on_end(migration)
        self._start_waiting(now_s)

    def fail_on(
        self, host: HostId, now_s: Seconds, fault: str, on_end: Callable[[Migration], None]
    ) -> None:
        """Let every queued and running migration from or to a host fail at once."""
        for migration in [m for m in self.open if host in (m.source.id, m.target.id)]:
            self.open.remove(migration)
            if migration.started_s is None:
                migration.started_s = now_s
            else:
                self._running.subtract((migration.source.id, migration.target.id))
            migration.fault, migration.ends_s, migration.has_ended = fault, now_s, True
            on_end(migration)
        self._start_waiting(now_s)

    def _start_waiting(self, now_s: Seconds) -> None:
        for migration in self.open:
            ends = (migration.source.id, migration.target.id)
            if migration.started_s is None and self._has_slots(ends):
                self._running.update(ends)
                migration.started_s = now_s
                migration.ends_s = now_s + self._seconds(migration)
                for host in ends:
                    self.peak_running[host] = max(self.peak_running[host], self._running[host])

    def _has_slots(self, hosts: tuple[HostId, HostId]) -> bool:
        return all(self._running[host] < SLOTS_PER_HOST for host in hosts)

    def _seconds(self, migration: Migration) -> Seconds:
        """Return how long it takes; fixed at its start by what runs then. A failing one ends early."""
        vm = migration.vm
        sharing = max(self._running[migration.source.id], self._running[migration.target.id])
        whole = vmotion_seconds(
            migration.source,
            migration.target,
            vm.footprint_mib,
            dirty_rate_mbps=vm.dirty_rate_mbps or 0.0,
            sharing=sharing,
        )
        luck = draw(self._seed, vm.id, "seconds", migration.number)
        taken = whole * (_FASTEST + (_SLOWEST - _FASTEST) * luck)
        return taken * (0.2 + 0.7 * luck) if migration.fault else taken

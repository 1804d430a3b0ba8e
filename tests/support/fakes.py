"""Fakes that implement the ports: a clock that is turned by hand, a listener, and a scripted vCenter.

Everything lives in the virtual time of one `FakeClock`; nothing sleeps. The vCenter does exactly what a
test scripts, also what a real one does only on a bad day: lost replies, faults, vanished tasks, liars.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from balancer.model.errors import (
    SourceUnreachable,
    SubmitNotSent,
    SubmitRefused,
    SubmitUnknown,
)
from balancer.model.events import Event
from balancer.model.host import HostState
from balancer.model.insight import ServerAnswer
from balancer.model.outcome import MigrationOrder, PastTask, TaskState, TaskView
from balancer.model.reasons import Refusal
from balancer.model.snapshot import FlightKind, InFlight, Snapshot
from balancer.model.units import HostId, Seconds, VmId
from balancer.ports import ClusterRef
from tests.support.builders import NOON


class FakeClock:
    """A `ports.Clock` whose time passes only by `sleep`. `naps` lists every sleep."""

    def __init__(self, start: datetime = NOON) -> None:
        self._start = start
        self._elapsed_s = 0.0
        self.naps: list[Seconds] = []

    def now(self) -> datetime:
        """Return the start plus what has been slept."""
        return self._start + timedelta(seconds=self._elapsed_s)

    def jump(self, seconds: Seconds) -> None:
        """Set the wall clock forward, or back; the monotonic one goes on as it was."""
        self._start += timedelta(seconds=seconds)

    def monotonic(self) -> float:
        """Return what has been slept."""
        return self._elapsed_s

    def sleep(self, seconds: Seconds) -> None:
        """Let time pass."""
        if seconds < 0:
            raise ValueError(f"asked to sleep {seconds} s")
        self.naps.append(seconds)
        self._elapsed_s += seconds


class RecordingEvents:
    """A `ports.Events` that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Event] = []

    def tell(self, event: Event) -> None:
        """Keep the event."""
        self.told.append(event)

    def of(self, kind: type[Any]) -> list[Any]:
        """Return the events of one kind, in order."""
        return [event for event in self.told if isinstance(event, kind)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """How the vCenter treats one VM's migration. By default it takes 30 s and succeeds.

    call_fault: the call is refused with this fault. task_fault: the task fails after `seconds`.
    reply_lost: the call gives no answer; with `arrives` False the request never got there.
    hangs: the task never ends. vanishes: the task is forgotten at its end, the VM moved all the same.
    lies: the task succeeds and the VM stays. queued_s: how long the task waits before it runs.
    lands_on: where the VM ends instead of the target. fails_after_switch: fault, yet the VM moved.
    hides_target: the server does not tell where the migration goes. message_keys: of the fault's messages.
    """

    seconds: Seconds = 30.0
    queued_s: Seconds = 0.0
    call_fault: str = ""
    task_fault: str = ""
    message: str = ""
    reply_lost: bool = False
    arrives: bool = True
    hangs: bool = False
    vanishes: bool = False
    lies: bool = False
    lands_on: HostId | None = None
    fails_after_switch: bool = False
    hides_target: bool = False
    kind: FlightKind = FlightKind.VMOTION
    message_keys: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Flight:
    """A migration in the scripted vCenter. Times are monotonic seconds."""

    task: str
    vm: VmId
    source: HostId
    target: HostId
    script: Script
    queued_at_s: Seconds
    queued_at: datetime
    is_over: bool = False
    is_ours: bool | None = True

    @property
    def starts_s(self) -> Seconds:
        """Return when the copy begins."""
        return self.queued_at_s + self.script.queued_s

    @property
    def ends_s(self) -> Seconds:
        """Return when the task ends; never for one that hangs."""
        return float("inf") if self.script.hangs else self.starts_s + self.script.seconds


@dataclass(slots=True, kw_only=True)
class _Due:
    at_s: Seconds
    act: Callable[[], None]
    is_done: bool = False


@dataclass(slots=True)
class ScriptedVCenter:
    """An `Inventory` and a `Migrator` over one snapshot, in the virtual time of `clock`.

    `submits` counts the calls that reached the network for each VM, `peaks` the most simultaneous
    migrations that a host ever took part in, `refreshes` the reads, `recalls` the questions to the task history.
    `outages` are spans in which nothing answers. `ahead` is added to the server's own clock.
    """

    start: Snapshot
    clock: FakeClock
    scripts: dict[VmId, Script] = field(default_factory=dict)
    outages: list[tuple[Seconds, Seconds]] = field(default_factory=list)
    default: Script = field(default_factory=Script)
    check_refusals: dict[VmId, tuple[Refusal, ...]] = field(default_factory=dict)
    check_warnings: dict[VmId, tuple[Refusal, ...]] = field(default_factory=dict)
    submits: Counter[VmId] = field(default_factory=Counter)
    orders: list[MigrationOrder] = field(default_factory=list)
    sent_at_s: dict[VmId, Seconds] = field(default_factory=dict)
    peaks: Counter[HostId] = field(default_factory=Counter)
    peak: int = 0
    refreshes: int = 0
    recalls: int = 0
    keeps_no_history: bool = False
    ahead: timedelta = timedelta(0)
    flights: dict[str, Flight] = field(default_factory=dict)
    after_each: Callable[[Snapshot], None] | None = None
    truth: Snapshot = field(init=False)
    _began: datetime = field(init=False)
    _due: list[_Due] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with the snapshot as the truth, and with our clock."""
        self.truth = self.start
        self._began = self.clock.now() - timedelta(seconds=self.clock.monotonic())

    # scripting

    def at(self, at_s: Seconds, act: Callable[[], None]) -> None:
        """Let something happen."""
        self._due.append(_Due(at_s=at_s, act=act))

    def put_vm(self, vm: VmId, **facts: Any) -> None:
        """Change facts of a VM now, such as its host or power state."""
        vms = tuple(replace(v, **facts) if v.id == vm else v for v in self.truth.vms)
        self._become(vms=vms)

    def put_host(self, host: HostId, state: HostState) -> None:
        """Change a host's state now."""
        hosts = tuple(replace(h, state=state) if h.id == host else h for h in self.truth.hosts)
        self._become(hosts=hosts)

    def drop_vm(self, vm: VmId) -> None:
        """Let a VM be gone."""
        self._become(vms=tuple(v for v in self.truth.vms if v.id != vm))

    def fly_foreign(
        self,
        vm: VmId,
        target: HostId,
        seconds: Seconds = 60.0,
        *,
        is_ours: bool | None = False,
        **facts: Any,
    ) -> str:
        """Let somebody else migrate a VM, from now; `is_ours` says what account the server tells."""
        source = self.truth.vm_by_id[vm].host
        script = Script(seconds=seconds, **facts)
        return self._launch(vm, source, target, script, is_ours=is_ours)

    def now(self) -> datetime:
        """Return the server's clock."""
        return self._began + timedelta(seconds=self.clock.monotonic()) + self.ahead

    # ports.Inventory

    def clusters(self) -> tuple[ClusterRef, ...]:
        """Return the one cluster."""
        self._answer()
        return (ClusterRef(id=self.truth.cluster.id, name=self.truth.cluster.name),)

    def snapshot(self, cluster: ClusterRef) -> Snapshot:
        """Return the truth."""
        self._answer()
        return replace(self.truth, taken_at=self.now(), in_flight=self._in_flight())

    def refresh(self, base: Snapshot, *, vms: Iterable[VmId], hosts: Iterable[HostId]) -> Snapshot:
        """Return `base` with what was named, and the VMs on the named hosts, as it is now."""
        self.refreshes += 1
        self._answer()
        named_hosts, named_vms = set(hosts), set(vms)
        named_vms |= {vm.id for vm in self.truth.vms if vm.host in named_hosts}
        kept_hosts = [host for host in base.hosts if host.id not in named_hosts]
        kept_vms = [vm for vm in base.vms if vm.id not in named_vms]
        new_hosts = [host for host in self.truth.hosts if host.id in named_hosts]
        known = {host.id for host in (*kept_hosts, *new_hosts)}
        new_vms = [v for v in self.truth.vms if v.id in named_vms and v.host in known]
        return replace(
            base,
            taken_at=self.now(),
            cluster=self.truth.cluster,
            hosts=(*kept_hosts, *new_hosts),
            vms=(*(vm for vm in kept_vms if vm.host in known), *new_vms),
            rules=self.truth.rules,
            source=self.truth.source,
            in_flight=self._in_flight(),
        )

    def check(self, vm: VmId, target: HostId) -> ServerAnswer:
        """Return what was scripted for the VM."""
        self._answer()
        return ServerAnswer(
            refusals=self.check_refusals.get(vm, ()), warnings=self.check_warnings.get(vm, ())
        )

    def tasks(self, tasks: Sequence[str]) -> Mapping[str, TaskView]:
        """Look at tasks."""
        self._answer()
        return {task: self._view(task) for task in tasks}

    def task_history(self, vms: Sequence[VmId], since: datetime) -> tuple[PastTask, ...] | None:
        """Return every relocation of the VMs since then, also those that `tasks` has forgotten."""
        self._answer()
        self.recalls += 1
        if self.keeps_no_history:
            return None
        return tuple(
            PastTask(
                vm=flight.vm,
                view=self._view_of(flight),
                queued_at=flight.queued_at,
                is_ours=flight.is_ours,
            )
            for flight in self.flights.values()
            if flight.vm in set(vms) and flight.queued_at >= since
        )

    # ports.Migrator

    def submit(self, order: MigrationOrder) -> str:
        """Start a migration as scripted."""
        self._advance()
        if self._is_out():
            raise SubmitNotSent(f"asking for {order.vm}: no connection")
        self.submits[order.vm] += 1
        self.orders.append(order)
        self.sent_at_s[order.vm] = self.clock.monotonic()
        script = self.scripts.get(order.vm, self.default)
        if script.call_fault:
            raise SubmitRefused(
                script.message or "refused",
                fault=script.call_fault,
                message_keys=script.message_keys,
            )
        source = self.truth.vm_by_id[order.vm].host
        task = ""
        if script.arrives:
            task = self._launch(order.vm, source, order.target, script)
        if script.reply_lost:
            raise SubmitUnknown(f"asking for {order.vm}: no answer in 30 s")
        return task

    # what happens

    def _launch(
        self,
        vm: VmId,
        source: HostId,
        target: HostId,
        script: Script,
        is_ours: bool | None = True,
    ) -> str:
        task = f"task-{len(self.flights) + 1}"
        self.flights[task] = Flight(
            task=task,
            vm=vm,
            source=source,
            target=target,
            script=script,
            queued_at_s=self.clock.monotonic(),
            queued_at=self.now(),
            is_ours=is_ours,
        )
        self._measure()
        return task

    def _measure(self) -> None:
        live = [flight for flight in self.flights.values() if not flight.is_over]
        self.peak = max(self.peak, len(live))
        now = Counter(host for flight in live for host in (flight.source, flight.target))
        for host, count in now.items():
            self.peaks[host] = max(self.peaks[host], count)

    def _answer(self) -> None:
        self._advance()
        if self._is_out():
            raise SourceUnreachable("reading the vCenter: no connection")

    def _is_out(self) -> bool:
        moment_s = self.clock.monotonic()
        return any(start <= moment_s < end for start, end in self.outages)

    def _advance(self) -> None:
        """Let everything happen that is due, in order of time."""
        moment_s = self.clock.monotonic()
        todo: list[tuple[Seconds, int, Callable[[], None]]] = []
        for place, due in enumerate(self._due):
            if not due.is_done and due.at_s <= moment_s:
                due.is_done = True
                todo.append((due.at_s, place, due.act))
        for place, flight in enumerate(self.flights.values(), start=len(self._due)):
            if not flight.is_over and flight.ends_s <= moment_s:
                flight.is_over = True
                todo.append((flight.ends_s, place, partial(self._land, flight)))
        for _, _, act in sorted(todo, key=lambda entry: entry[:2]):
            act()
            if self.after_each:
                self.after_each(self.truth)

    def _land(self, flight: Flight) -> None:
        script = flight.script
        has_failed = script.task_fault and not script.fails_after_switch
        if script.lies or has_failed or flight.vm not in self.truth.vm_by_id:
            return
        self.put_vm(flight.vm, host=script.lands_on or flight.target)

    def _view(self, task: str) -> TaskView:
        flight = self.flights.get(task)
        if flight is None or (flight.is_over and flight.script.vanishes):
            return TaskView(task=task, state=TaskState.MISSING)
        return self._view_of(flight)

    def _view_of(self, flight: Flight) -> TaskView:
        moment_s, script, task = self.clock.monotonic(), flight.script, flight.task
        if moment_s < flight.starts_s:
            return TaskView(task=task, state=TaskState.QUEUED)
        if not flight.is_over:
            done = 0.0 if script.hangs else (moment_s - flight.starts_s) / script.seconds
            return TaskView(task=task, state=TaskState.RUNNING, progress_percent=int(done * 100))
        if script.task_fault:
            return TaskView(
                task=task,
                state=TaskState.ERROR,
                fault=script.task_fault,
                message=script.message,
                message_keys=script.message_keys,
            )
        return TaskView(task=task, state=TaskState.SUCCESS)

    def _in_flight(self) -> tuple[InFlight, ...]:
        return tuple(
            InFlight(
                vm=flight.vm,
                source=flight.source,
                target=flight.source if flight.script.hides_target else flight.target,
                queued_at=flight.queued_at,
                task=flight.task,
                kind=flight.script.kind,
                is_ours=flight.is_ours,
            )
            for flight in self.flights.values()
            if not flight.is_over
        )

    def _become(self, **facts: Any) -> None:
        self.truth = replace(self.truth, **facts)

"""The simulated vCenter itself: the ports `Inventory` and `Migrator` over virtual time.

Every call first lets happen what was due since the last one: migrations end, queued ones start,
scripted events come true. It plays the server, so it must not know plans, journals or policies.
"""

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from threading import RLock

from balancer.adapters.simulated.admission import ServerFault, find_fault
from balancer.adapters.simulated.clock import VirtualClock
from balancer.adapters.simulated.demand import DayShape, DemandModel, Demands, draw
from balancer.adapters.simulated.estate import Estate
from balancer.adapters.simulated.failover import (
    HOST_FAULT,
    RESTART_S,
    RETRY_S,
    Downtime,
    Failover,
)
from balancer.adapters.simulated.migrations import Board, Migration
from balancer.adapters.simulated.script import (
    TASK_FAULTS,
    FaultPlan,
    ForeignMove,
    HostChange,
    HostFailure,
    PowerChange,
    RestartAttempt,
    ScriptedEvent,
    VmRemoved,
)
from balancer.adapters.simulated.view import View
from balancer.model.errors import SourceUnreachable, SubmitNotSent, SubmitRefused, SubmitUnknown
from balancer.model.host import HostState
from balancer.model.insight import ServerAnswer
from balancer.model.outcome import MigrationOrder, PastTask, TaskState, TaskView
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, Mib, Seconds, VmId
from balancer.model.vm import PowerState, Vm
from balancer.ports import ClusterRef

NAME = "simulated"
_UNREACHABLE = (
    f"Connecting to the vCenter '{NAME}' failed: an outage is scripted for this time. "
    "Wait for its end."
)


class SimulatedVCenter:
    """One or several clusters that live on from their snapshots. Safe to call from several threads.

    Without a clock it makes its own, as fast as possible, starting when the first snapshot was taken.
    `shape` says how lively the load is, or what each VM wants; `faults` what goes wrong, `script` what happens
    and when.
    """

    def __init__(
        self,
        snapshot: Snapshot | Sequence[Snapshot],
        seed: int = 0,
        *,
        clock: VirtualClock | None = None,
        shape: DayShape | Demands | None = None,
        faults: FaultPlan | None = None,
        script: Sequence[ScriptedEvent] = (),
    ) -> None:
        snapshots = (snapshot,) if isinstance(snapshot, Snapshot) else tuple(snapshot)
        self.clock = clock or VirtualClock(snapshots[0].taken_at)
        self._seed = seed
        self._start = self.clock.now()
        self._start_s = self.clock.monotonic()
        self._estate = Estate(snapshots)
        self._board = Board(seed)
        self._demand: Demands = (
            DemandModel(seed, self._start, shape or DayShape())
            if shape is None or isinstance(shape, DayShape)
            else shape
        )
        self._failover = Failover(self._estate, self._board, self._held_mib)
        self._faults = faults or FaultPlan()
        self._script = sorted(script, key=lambda event: event.at_s)
        self._lost_replies = set(self._faults.lost_replies)
        self._lock = RLock()

    # --- ports.Inventory

    def clusters(self) -> tuple[ClusterRef, ...]:
        """Return the clusters by name."""
        with self._lock:
            self._connect()
            found = (snapshot.cluster for snapshot in self._estate.snapshots.values())
            refs = (ClusterRef(id=cluster.id, name=cluster.name) for cluster in found)
            return tuple(sorted(refs, key=lambda ref: (ref.name, ref.id)))

    def snapshot(self, cluster: ClusterRef) -> Snapshot:
        """Read one cluster whole."""
        with self._lock:
            self._connect()
            return self._view().snapshot(cluster.id, self.clock.now())

    def refresh(self, base: Snapshot, *, vms: Iterable[VmId], hosts: Iterable[HostId]) -> Snapshot:
        """Return `base` with the named VMs and hosts, and the VMs found on these, read anew."""
        with self._lock:
            self._connect()
            return self._view().refreshed(base, self.clock.now(), vms=vms, hosts=hosts)

    def check(self, vm: VmId, target: HostId) -> ServerAnswer:
        """Return what the call would be refused for."""
        with self._lock:
            self._connect()
            fault = self._refusal(vm, target)
            if fault is None:
                return ServerAnswer()
            detail = f"{fault.name}: {fault.message}"
            no = Refusal.of(Reason.SERVER_CHECK, detail, vm=vm, host=target)
            return ServerAnswer(refusals=(no,))

    def tasks(self, tasks: Sequence[str]) -> Mapping[str, TaskView]:
        """Look at tasks by id."""
        with self._lock:
            self._connect()
            return {task: self._look(task) for task in tasks}

    def task_history(self, vms: Sequence[VmId], since: datetime) -> tuple[PastTask, ...] | None:
        """Return the migrations of the VMs since then, also forgotten ones."""
        with self._lock:
            self._connect()
            asked, begun = frozenset(vms), self._start
            past = (m.past(self._now_s(), begun) for m in self._board.all if m.vm.id in asked)
            return tuple(each for each in past if each.queued_at and each.queued_at >= since)

    # --- ports.Migrator

    def submit(self, order: MigrationOrder) -> str:
        """Begin a migration, or refuse it as a vCenter would."""
        with self._lock:
            try:
                self._connect()
            except SourceUnreachable as err:
                raise SubmitNotSent(str(err)) from err
            fault = self._refusal(order.vm, order.target)
            if fault is not None:
                raise SubmitRefused(fault.message, fault=fault.name)
            migration = self._begin(order.vm, order.target)
            if order.vm in self._lost_replies:
                self._lost_replies.discard(order.vm)
                message = f"The migration of {order.vm_name} was asked for and no answer came."
                raise SubmitUnknown(message)
            return migration.task

    # --- what a test or a page may look at

    @property
    def migrations(self) -> tuple[Migration, ...]:
        """Return every migration since the start, oldest first, foreign ones included."""
        return tuple(self._board.all)

    @property
    def peak_running(self) -> Mapping[HostId, int]:
        """Return the most migrations that ever ran at one time on each host, in and out."""
        return dict(self._board.peak_running)

    @property
    def downtimes(self) -> tuple[Downtime, ...]:
        """Return every VM that ever went down with its host, in the order of the failures."""
        return tuple(self._failover.all)

    # --- inside

    def _connect(self) -> None:
        self._catch_up()
        now_s = self._now_s()
        if any(outage.from_s <= now_s < outage.until_s for outage in self._faults.outages):
            raise SourceUnreachable(_UNREACHABLE)

    def _now_s(self) -> Seconds:
        return self.clock.monotonic() - self._start_s

    def _view(self) -> View:
        return View(self._estate, self._board, self._demand, now_s=self._now_s(), start=self._start)

    def _look(self, task: str) -> TaskView:
        migration = self._board.by_task.get(task)
        if migration is None:
            return TaskView(task=task, state=TaskState.MISSING)
        return migration.view(self._now_s())

    def _refusal(self, vm: VmId, target: HostId) -> ServerFault | None:
        fault = find_fault(self._estate, self._board, vm, target)
        scripted = self._faults.refusing_targets.get(target)
        if fault is None and scripted is not None:
            return ServerFault(name=scripted, message=f"{target} refused: {scripted}.")
        return fault

    def _begin(
        self, vm: VmId, target: HostId, *, at_s: Seconds | None = None, is_foreign: bool = False
    ) -> Migration:
        number = len(self._board.all) + 1
        migration = Migration(
            number=number,
            vm=self._view().vm(vm),
            source=self._estate.hosts[self._estate.host_of[vm]],
            target=self._estate.hosts[target],
            queued_s=self._now_s() if at_s is None else at_s,
            fault=self._fault_of(vm, number),
            is_foreign=is_foreign,
        )
        self._board.add(migration)
        return migration

    def _fault_of(self, vm: VmId, number: int) -> str:
        faults = self._faults
        named = faults.failing_vms.get(vm) or faults.failing_migrations.get(number)
        if named:
            return named
        if draw(self._seed, vm, "fails", number) >= faults.failure_ratio:
            return ""
        return TASK_FAULTS[int(draw(self._seed, vm, "fault", number) * len(TASK_FAULTS))]

    def _catch_up(self) -> None:
        """Let everything happen that is due, in the order of time; migrations end before events."""
        now_s = self._now_s()
        while True:
            end_s = self._board.next_end_s()
            event_s = self._script[0].at_s if self._script else None
            due = [moment for moment in (end_s, event_s) if moment is not None and moment <= now_s]
            if not due:
                return
            moment_s = min(due)
            self._board.end_due(moment_s, self._settle)
            while self._script and self._script[0].at_s <= moment_s:
                self._happen(self._script.pop(0))

    def _settle(self, migration: Migration) -> None:
        """Put the VM of a finished migration where it belongs."""
        if not migration.fault:
            at = self._start + timedelta(seconds=migration.ends_s or 0.0)
            self._estate.move(migration.vm.id, migration.target.id, at)
        for host in (migration.source.id, migration.target.id):
            self._enter_maintenance_if_empty(host)

    def _happen(self, event: ScriptedEvent) -> None:
        match event:
            case HostChange():
                self._change(event)
            case HostFailure():
                self._fail(event)
            case RestartAttempt(at_s=at_s):
                self._failover.attempt(at_s)
                if self._failover.is_waiting:
                    self._attempt_at(at_s + RETRY_S)
            case _ if event.vm in self._estate.vms and self._board.of(event.vm) is None:
                self._happen_to_vm(event)

    def _change(self, event: HostChange) -> None:
        if self._failover.has_failed(event.host) and event.state.answers:
            self._failover.bring_back(event.host, event.at_s)
            self._attempt_at(event.at_s + RESTART_S)
        self._estate.state_of[event.host] = event.state
        self._enter_maintenance_if_empty(event.host)

    def _fail(self, event: HostFailure) -> None:
        self._board.fail_on(event.host, event.at_s, HOST_FAULT, self._settle)
        self._failover.fail(event.host, event.at_s, restarts=event.restarts)
        self._estate.state_of[event.host] = event.state
        self._attempt_at(event.at_s + RESTART_S)

    def _attempt_at(self, at_s: Seconds) -> None:
        """Have VMs that are down started at a moment, unless they are tried at that moment anyway."""
        moments = [each.at_s for each in self._script if isinstance(each, RestartAttempt)]
        if not any(moment == at_s for moment in moments):
            insort(self._script, RestartAttempt(at_s=at_s), key=lambda event: event.at_s)

    def _held_mib(self, vm: Vm, at_s: Seconds) -> Mib:
        [wants] = self._demand.all_at([vm], at_s)
        held_mib = wants.consumed_mib
        return vm.footprint_mib if held_mib is None else held_mib

    def _set_power(self, vm: VmId, power: PowerState) -> None:
        """Switch a VM on or off; one that is down with its host is so once it can be."""
        if not self._failover.wish(vm, power):
            self._estate.power_of[vm] = power

    def _happen_to_vm(self, event: ForeignMove | PowerChange | VmRemoved) -> None:
        estate, host = self._estate, self._estate.host_of[event.vm]
        match event:
            case ForeignMove(vm=vm, target=target, at_s=at_s):
                if find_fault(estate, self._board, vm, target) is None:
                    self._begin(vm, target, at_s=at_s, is_foreign=True)
            case PowerChange(vm=vm, power=power):
                self._set_power(vm, power)
            case VmRemoved(vm=vm):
                self._failover.forget(vm)
                estate.remove(vm)
        self._enter_maintenance_if_empty(host)

    def _enter_maintenance_if_empty(self, host: HostId) -> None:
        is_leaving = self._estate.state_of[host] is HostState.ENTERING_MAINTENANCE
        if is_leaving and not self._estate.running_on(host) and not self._board.heading_to(host):
            self._estate.state_of[host] = HostState.MAINTENANCE

"""One cluster's metrics: hears the events of its cycles, and holds the samples of its last state.

Implements `ports.Events`. Told by the cycle and the executor, on their threads; read by the scrape on
another. Never raises: every label is bounded or made safe before it is used.
"""

from collections.abc import Callable, Iterator, Mapping, Set
from datetime import datetime
from threading import Lock

from balancer.expose.gauge_text import gauge_lines
from balancer.expose.instruments import Instruments
from balancer.expose.learnt_samples import learnt_samples
from balancer.expose.metric_labels import (
    FAILED_PLAN_RESULTS,
    FORECAST_HORIZONS,
    HISTOGRAMS,
    MOVE_REASONS,
    OTHER,
    PHASES,
    PLAN_RESULTS,
    STAGES,
    VMOTION,
    CycleResult,
    Outcome,
    Words,
    outcome_of,
)
from balancer.expose.metric_samples import (
    BYTES_PER_MIB,
    COOLING,
    Sample,
    flight_samples,
    moment_samples,
    paused_samples,
    plan_samples,
    setting_samples,
    snapshot_samples,
    vm_class_samples,
    withheld_samples,
)
from balancer.expose.vcenter_metrics import VcenterMetrics
from balancer.model.errors import PlanInvalid, PlanningFailed, PlanningTimedOut, SourceError
from balancer.model.events import (
    ClusterRead,
    CycleEnded,
    CycleFailed,
    Event,
    ForecastJudged,
    MoveEnded,
    MoveProgressed,
    MoveStarted,
    PastReviewed,
    PlanMade,
    RivalSeen,
    SnapshotTaken,
    Trigger,
    VerdictGiven,
)
from balancer.model.outcome import MoveOutcome
from balancer.model.past import Verdict, VerdictResult
from balancer.model.plan import IncidentKind, Move, Plan, PlanStatus
from balancer.model.reasons import Reason
from balancer.model.snapshot import Snapshot
from balancer.model.units import MoveId, Seconds, VmId
from balancer.policy.mode import Mode
from balancer.policy.types import Policy
from balancer.ports import Clock


class ClusterMetrics:
    """Listener of one cluster. Made by `Metrics.for_cluster`."""

    def __init__(
        self, label: str, vcenter: VcenterMetrics, instruments: Instruments, clock: Clock
    ) -> None:
        self.labels = (vcenter.label, label)
        self.cycles_ended = 0
        self._vcenter = vcenter
        self._instruments = instruments
        self._clock = clock
        self._lock = Lock()
        self._faults = Words()
        self._stages: dict[str, Mapping[str, str]] = {}
        self._queued: dict[MoveId, Move] = {}
        self._flying: dict[VmId, datetime] = {}
        self._snapshot: Snapshot | None = None
        self._plan_id = ""
        self._holder = ""
        self._awaiting: Mapping[str, datetime] = {}
        self._progressed_at: datetime | None = None
        self._unclaimed: frozenset[str] = frozenset()
        self._listeners: list[Callable[[], None]] = []
        self._start_at_zero()

    def configured(self, policy: Policy, mode: Mode, interval_s: Seconds | None) -> None:
        """Take the settings in force."""
        self._keep("settings", setting_samples(policy, mode))
        if interval_s is not None:
            self._keep_one("interval", "balancer_cycle_interval_seconds", interval_s)

    def on_progress(self, listener: Callable[[], None]) -> None:
        """Call `listener` with every event: a cycle that tells something is alive."""
        self._listeners.append(listener)

    def tell(self, event: Event) -> None:
        """Take one event."""
        self._progressed_at = self._clock.now()
        match event:
            case SnapshotTaken():
                self._snapshot_taken(event)
            case PlanMade():
                self._plan_made(event.plan, event.trigger)
            case MoveStarted():
                self._move_started(event)
            case MoveEnded():
                self._move_ended(event.outcome)
            case CycleEnded():
                self._cycle_ended(event)
            case RivalSeen():
                self._rival_seen(event.tasks)
            case PastReviewed() | VerdictGiven() | ForecastJudged():
                self._learnt(event)
            case ClusterRead() | MoveProgressed() | CycleFailed():
                pass
        for listener in self._listeners:
            listener()

    def paused(self, stops: Set[Reason]) -> None:
        """Take note of what people let nothing be sent for, at present."""
        self._keep("paused", paused_samples(stops))

    def cycle_scheduled(self, next_at: datetime) -> None:
        """Take note of when the next cycle is to start; called as one begins."""
        self._progressed_at = self._clock.now()
        self._keep_one("next", "balancer_next_cycle_timestamp_seconds", next_at.timestamp())

    def cycle_missed(self) -> None:
        """Count a cycle that did not start in time."""
        self._count("cycles_missed_total")

    def cycle_failed(self, error: Exception | None = None) -> None:
        """Count a cycle that ended in an error; what kind it was tells which figures it touches."""
        self._progressed_at = self._clock.now()
        self._count("cycles_total", CycleResult.ERROR)
        self._vcenter.take_rejected()
        self._vcenter.take_sampled()
        with self._lock:
            self._queued.clear()
        if isinstance(error, SourceError):
            self._vcenter.down(error)
        if isinstance(error, PlanInvalid | PlanningFailed):
            is_late = isinstance(error, PlanningTimedOut)
            self._count("plans_total", Trigger.INTERVAL, "timed_out" if is_late else "error")

    def led_by(self, holder: str, *, is_us: bool) -> None:
        """Take note of whose the cluster's newest lease is."""
        if self._holder and holder != self._holder:
            self._count("leader_transitions_total")
        self._holder = holder
        self._keep_one("leader", "balancer_leader", float(is_us))

    def awaiting(self, plans: Mapping[str, datetime]) -> None:
        """Take note of the plans that wait for a person, by digest, and of when each expires."""
        self._awaiting = dict(plans)

    def parts(self) -> tuple[tuple[Mapping[str, str], ...], tuple[Sample, ...]]:
        """Return the gauges of the cluster: lines that are kept, and samples as they are at this moment."""
        with self._lock:
            kept = tuple(self._stages.values())
            started = [at.timestamp() for at in self._flying.values()]
            queued = list(self._queued.values())
        now = self._clock.now()
        waiting = sum(1 for expires in self._awaiting.values() if now < expires)
        moment = moment_samples(waiting, self._progressed_at)
        return kept, (*flight_samples(started, queued), *moment)

    def _snapshot_taken(self, event: SnapshotTaken) -> None:
        snapshot = event.snapshot
        self._vcenter.up()
        self._vcenter.clock_offset((snapshot.taken_at - event.asked_at).total_seconds())
        self._keep("snapshot", snapshot_samples(snapshot, event.state))
        self._keep("classes", vm_class_samples(snapshot, frozenset()))
        name = "balancer_snapshot_rejected_objects"
        rejected = sorted(self._vcenter.take_rejected().items())
        self._keep("rejected", (Sample(name, key, count) for key, count in rejected))
        name = "balancer_snapshot_statistics_objects"
        sampled = sorted(self._vcenter.take_sampled().items())
        self._keep("sampled", (Sample(name, key, count) for key, count in sampled))
        self._forget_lost_flights(snapshot)
        self._snapshot = snapshot

    def _forget_lost_flights(self, snapshot: Snapshot) -> None:
        """Drop flights whose end was never told and that vCenter no longer knows."""
        flying = {flight.vm for flight in snapshot.in_flight}
        with self._lock:
            self._flying = {vm: at for vm, at in self._flying.items() if vm in flying}

    def _plan_made(self, plan: Plan, trigger: Trigger) -> None:
        self._plan_id = plan.id
        self._keep("plan", plan_samples(plan))
        self._count("plans_total", trigger, PLAN_RESULTS[plan.status], plan_id=plan.id)
        for stage, seconds in plan.stage_seconds.items():
            word = STAGES.get(stage, OTHER)
            self._observe("plan_duration_seconds", seconds, word, plan_id=plan.id)
        for refusal in plan.refusals:
            self._count("candidates_rejected_total", refusal.reason.value, by=refusal.count)
        for incident in plan.incidents:
            self._count("solver_incidents_total", incident.kind.value)
        if self._snapshot is not None:
            cooling = frozenset(r.vm for r in plan.refusals if r.vm and r.reason in COOLING)
            self._keep("classes", vm_class_samples(self._snapshot, cooling))
        with self._lock:
            self._queued = {move.id: move for move in plan.admitted}

    def _rival_seen(self, tasks: frozenset[str]) -> None:
        """Count each task once: it is told again as long as it runs."""
        self._count("unclaimed_migrations_total", by=len(tasks - self._unclaimed))
        self._unclaimed = tasks

    def _move_started(self, event: MoveStarted) -> None:
        with self._lock:
            self._queued.pop(event.move.id, None)
            self._flying[event.move.vm] = event.at
        waited_s = event.waited_seconds
        word = event.move.priority.value
        self._observe("migration_queue_wait_seconds", waited_s, word, plan_id=self._plan_id)

    def _move_ended(self, ended: MoveOutcome) -> None:
        move, outcome = ended.move, outcome_of(ended)
        with self._lock:
            self._queued.pop(move.id, None)
            if ended.state is None or not ended.state.is_open:
                self._flying.pop(move.vm, None)
        if outcome is None:
            return
        plan_id, reason = self._plan_id, MOVE_REASONS[move.reason]
        self._count("migrations_total", VMOTION, reason, outcome, plan_id=plan_id)
        if ended.fault:
            word = self._faults.word(ended.fault)
            self._count("migration_faults_total", VMOTION, word, plan_id=plan_id)
        if outcome is Outcome.SUCCEEDED:
            self._move_succeeded(move, ended.seconds)

    def _move_succeeded(self, move: Move, seconds: Seconds) -> None:
        plan_id = self._plan_id
        self._observe("migration_duration_seconds", seconds, VMOTION, plan_id=plan_id)
        self._count("migration_memory_bytes_total", VMOTION, by=move.memory_mib * BYTES_PER_MIB)
        if move.expected_seconds > 0.0:
            error = seconds / move.expected_seconds
            self._observe("migration_duration_error_ratio", error, VMOTION, plan_id=plan_id)

    def _learnt(self, event: PastReviewed | VerdictGiven | ForecastJudged) -> None:
        match event:
            case PastReviewed():
                self._keep("learnt", learnt_samples(event))
            case VerdictGiven():
                self._verdict_given(event.verdict)
            case ForecastJudged():
                self._forecast_judged(event)

    def _forecast_judged(self, event: ForecastJudged) -> None:
        for error in event.errors:
            horizon = FORECAST_HORIZONS.get(error.horizon_s, OTHER)
            self._observe("forecast_error_ratio", error.ratio, error.resource, horizon)

    def _verdict_given(self, verdict: Verdict) -> None:
        plan_id = verdict.plan_id
        self._count("batch_verdicts_total", verdict.result.value, plan_id=plan_id)
        if verdict.measured_gain is not None and (verdict.predicted_gain or 0.0) > 0.0:
            realized = verdict.measured_gain / (verdict.predicted_gain or 1.0)
            self._observe("plan_realized_benefit_ratio", realized, plan_id=plan_id)

    def _cycle_ended(self, event: CycleEnded) -> None:
        self.cycles_ended += 1
        with self._lock:
            self._queued.clear()
        self._keep("withheld", withheld_samples(event.held))
        self._count("cycles_total", _result_of(event))
        for phase, seconds in _phases(event).items():
            self._observe("cycle_duration_seconds", seconds, phase)
        name = "balancer_last_successful_cycle_timestamp_seconds"
        self._keep_one("success", name, self._clock.now().timestamp())

    def _keep(self, stage: str, samples: Iterator[Sample]) -> None:
        made = gauge_lines(self.labels, samples)
        with self._lock:
            self._stages[stage] = made

    def _keep_one(self, stage: str, name: str, value: float) -> None:
        self._keep(stage, iter([Sample(name, (), value)]))

    def _count(self, name: str, *labels: str, by: float = 1.0, plan_id: str = "") -> None:
        full = f"balancer_{name}"
        self._instruments.count(full, *self.labels, *labels, by=by, plan_id=plan_id)

    def _observe(self, name: str, value: float, *labels: str, plan_id: str = "") -> None:
        full = f"balancer_{name}"
        self._instruments.observe(full, value, *self.labels, *labels, plan_id=plan_id)

    def _start_at_zero(self) -> None:
        """Make the counters of closed sets exist, so that their first increase is seen as one."""
        self.paused(frozenset())
        self._count("cycles_missed_total", by=0.0)
        self._count("leader_transitions_total", by=0.0)
        self._count("unclaimed_migrations_total", by=0.0)
        for result in CycleResult:
            self._count("cycles_total", result, by=0.0)
        for verdict in sorted(set(VerdictResult) - {VerdictResult.PENDING}):
            self._count("batch_verdicts_total", verdict.value, by=0.0)
        for kind in IncidentKind:
            self._count("solver_incidents_total", kind.value, by=0.0)
        for trigger in Trigger:
            for plan_result in (*PLAN_RESULTS.values(), *FAILED_PLAN_RESULTS):
                self._count("plans_total", trigger, plan_result, by=0.0)
        for name, words in HISTOGRAMS.items():
            for word in words:
                self._instruments.begin(f"balancer_{name}", *self.labels, *word)
        for reason in sorted(set(MOVE_REASONS.values())):
            for outcome in Outcome:
                self._count("migrations_total", VMOTION, reason, outcome, by=0.0)


def _result_of(event: CycleEnded) -> CycleResult:
    if any(outcome.was_sent for outcome in event.outcomes):
        return CycleResult.EXECUTED
    if event.plan.status is PlanStatus.REFUSED:
        return CycleResult.SKIPPED
    return CycleResult.PLANNED if event.plan.moves else CycleResult.NO_CHANGE


def _phases(event: CycleEnded) -> Mapping[str, Seconds]:
    """Return the seconds of the cycle's phases: its own, with planning told apart by stage."""
    phases = {name: event.phase_seconds.get(name, 0.0) for name in ("collect", "execute")}
    for stage, seconds in event.plan.stage_seconds.items():
        phase = PHASES.get(stage, OTHER)
        phases[phase] = phases.get(phase, 0.0) + seconds
    return phases

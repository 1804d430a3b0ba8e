"""A metrics page under test, and the events that it is told."""

from datetime import datetime, timedelta

from prometheus_client.parser import text_string_to_metric_families as parse_text

from balancer.expose.metric_catalog import CATALOGUE, CLUSTER
from balancer.expose.metrics import ClusterMetrics, Metrics
from balancer.model.certificate import Certificate
from balancer.model.events import (
    CycleEnded,
    MoveEnded,
    MoveProgressed,
    MoveStarted,
    PastReviewed,
    PlanMade,
    SnapshotTaken,
    VerdictGiven,
)
from balancer.model.outcome import MoveOutcome, MoveState
from balancer.model.past import Past, Verdict, VerdictResult
from balancer.model.plan import Move, Plan
from balancer.model.snapshot import Snapshot
from balancer.model.units import ClusterId
from balancer.policy.mode import Mode
from balancer.policy.types import Policy
from balancer.ports import Clock
from tests.support.builders import NOON
from tests.support.decided import DECISION
from tests.unit.expose.plans import plan, small_plan, small_snapshot


class StillClock:
    """A clock that stands at noon."""

    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("metrics never wait")


class Board:
    """A page under test with one cluster."""

    def __init__(self, clock: Clock | None = None, **settings: object) -> None:
        self.metrics = Metrics(clock or StillClock())
        facts: dict[str, object] = {"policy": Policy(), "mode": Mode.AUTOMATIC}
        self.cluster: ClusterMetrics = self.metrics.for_cluster("vc1", "prod", **(facts | settings))  # type: ignore[arg-type]

    def series(self, name: str) -> dict[tuple[str, ...], float]:
        """Return the samples of one name by its labels behind vcenter and cluster, as documented."""
        page = self.metrics.page()[0].decode()
        order = next(s.labels for s in CATALOGUE if f"balancer_{name}".startswith(s.name))
        return {
            tuple(sample.labels[label] for label in order if label not in CLUSTER): sample.value
            for family in parse_text(page)
            for sample in family.samples
            if sample.name == f"balancer_{name}"
        }

    def value(self, name: str, *labels: str) -> float:
        """Return one sample."""
        return self.series(name)[labels]

    def show(self, snap: Snapshot, made: Plan | None = None) -> None:
        """Tell a snapshot and the plan that was made of it."""
        made = made or plan(snap)
        self.cluster.tell(SnapshotTaken(snapshot=snap, state=made.before, asked_at=snap.taken_at))
        self.cluster.tell(PlanMade(plan=made))

    def end(self, made: Plan, *outcomes: MoveOutcome) -> None:
        """Tell the end of a cycle."""
        laps = {"collect": 2.0, "plan": 3.0, "execute": 60.0}
        self.cluster.tell(CycleEnded(plan=made, outcomes=outcomes, phase_seconds=laps))


def started(step: Move, seconds: float = 0.0) -> MoveStarted:
    return MoveStarted(
        move=step, task="task-1", at=NOON + timedelta(seconds=seconds), waited_seconds=3.0
    )


def ended(step: Move, state: MoveState | None = MoveState.DONE, **facts: object) -> MoveEnded:
    return MoveEnded(outcome=MoveOutcome(move=step, state=state, **facts), at=NOON)  # type: ignore[arg-type]


def judged(
    result: VerdictResult = VerdictResult.BETTER,
    predicted: float | None = 0.02,
    gain: float | None = 0.015,
) -> VerdictGiven:
    verdict = Verdict(
        vcenter="vc1",
        cluster=ClusterId("domain-c1"),
        plan_id="p",
        cycle_id="c",
        ended_at=NOON,
        predicted_gain=predicted,
        result=result,
        measured_gain=gain,
    )
    return VerdictGiven(verdict=verdict)


BOUND = Certificate(
    cost=1.0,
    imbalance=0.02,
    gap=0.125,
    level=None,
    is_calm=False,
    price=0.0,
    bound_price=None,
    seconds=0.0,
    bound_seconds=None,
)


def busy_board() -> Board:
    """Return a board that has been told one of everything."""
    board = Board(interval_s=300.0)
    made = small_plan(bound=BOUND, decision=DECISION)
    listener = board.metrics.for_vcenter("vc1")
    listener.request("RetrievePropertiesEx", "ok", 0.2)
    listener.login("ok")
    listener.listening(True)
    listener.changed("vm_moved")
    listener.rejected("vm", "incomplete", 2)
    listener.sampled("vm", "fresh", 2)
    listener.faulty_samples("gap", 1)
    listener.clock_offset(-1.5)
    board.metrics.config_loaded("abc")
    board.metrics.store_size(4096)
    board.metrics.store_failed()
    board.metrics.history_told(size_bytes=8192, oldest_s=1.7e9, vms=3)
    board.metrics.history_failed()
    board.metrics.notified("webhook", "delivered")
    board.metrics.recorded("written")
    board.cluster.led_by("us", is_us=True)
    board.cluster.awaiting({"d1": NOON + timedelta(minutes=1)})
    board.cluster.cycle_scheduled(NOON)
    board.end(made)
    board.show(small_snapshot(), made)
    board.cluster.tell(PastReviewed(past=Past(), closed=(), at=NOON))
    board.cluster.tell(started(made.moves[0]))
    board.cluster.tell(MoveProgressed(move=made.moves[0], progress_percent=40))
    board.cluster.tell(started(made.moves[1]))
    board.cluster.tell(ended(made.moves[1], seconds=20.0))
    board.cluster.tell(ended(made.moves[2], MoveState.FAILED, fault="Timedout"))
    board.cluster.tell(judged())
    board.cluster.tell(PastReviewed(past=Past(), closed=(), at=NOON))
    return board

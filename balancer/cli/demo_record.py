"""What the demo remembers of a run: moves done and failed, what runs now, the last decisions in words.

Listens to the events of the cycle. Counts and texts only; it decides nothing.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping

from balancer.expose.figures import counted, gibibytes, percent
from balancer.expose.live import RunningMove
from balancer.model.events import Event, MoveEnded, MoveProgressed, MoveStarted, PlanMade
from balancer.model.outcome import MoveOutcome, MoveState
from balancer.model.plan import Move, MoveReason, Plan, PlanStatus
from balancer.model.reasons import Reason
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, Mib, MoveId

_DECISIONS_KEPT = 6


class DemoRecord:
    """Implements `ports.Events`."""

    def __init__(self, snapshots: Iterable[Snapshot]) -> None:
        self._names: Mapping[HostId, str] = {
            host.id: host.name.partition(".")[0] for snap in snapshots for host in snap.hosts
        }
        self.done: Counter[MoveReason] = Counter()
        self.failed: list[MoveOutcome] = []
        self.sent: list[MoveOutcome] = []
        self.not_sent: Counter[Reason] = Counter()
        self.plans = 0
        self.moved_mib: Mib = 0.0
        self.decisions: deque[str] = deque(maxlen=_DECISIONS_KEPT)
        self._running: dict[MoveId, RunningMove] = {}

    @property
    def running(self) -> tuple[RunningMove, ...]:
        """Return the migrations under way, in the order of their start."""
        return tuple(self._running.values())

    def tell(self, event: Event) -> None:
        """Take one event."""
        match event:
            case PlanMade(plan=plan):
                self._planned(plan)
            case MoveStarted(move=move):
                self._running[move.id] = self._shown(move, 0)
            case MoveProgressed(move=move, progress_percent=progress):
                self._running[move.id] = self._shown(move, progress)
            case MoveEnded(outcome=outcome):
                self._running.pop(outcome.move.id, None)
                self._ended(outcome)
            case _:
                pass

    def _planned(self, plan: Plan) -> None:
        self.plans += 1
        head = f"{plan.created_at:%H:%M} {plan.cluster_name}: "
        if not plan.moves:
            self.decisions.append(head + (plan.reason or "nothing to do"))
            return
        way = f"{percent(plan.before.imbalance, 1)} -> {percent(plan.after.imbalance, 1)}"
        text = (
            f"{counted(len(plan.moves), 'move')} planned, {len(plan.admitted)} now, imbalance {way}"
        )
        note = f" ({plan.reason})" if plan.status is PlanStatus.DEGRADED else ""
        self.decisions.append(head + text + note)

    def _ended(self, outcome: MoveOutcome) -> None:
        move = outcome.move
        if outcome.was_sent:
            self.sent.append(outcome)
        if outcome.refusal is not None:
            self.not_sent[outcome.refusal.reason] += 1
            self.decisions.append(f"{move.vm_name} not sent: {outcome.refusal}")
        elif outcome.state is MoveState.DONE:
            self.done[move.reason] += 1
            self.moved_mib += move.memory_mib
            way = f"{self.name_of(move.source)} -> {self.name_of(move.target)}"
            size = gibibytes(move.memory_mib)
            self.decisions.append(f"{move.vm_name} {way}, {size}: {move.why}")
        else:
            self.failed.append(outcome)
            self.decisions.append(
                f"{move.vm_name} {outcome.state}: {outcome.fault or outcome.detail}"
            )

    def _shown(self, move: Move, progress_percent: int) -> RunningMove:
        return RunningMove(
            vm=move.vm_name,
            source=self.name_of(move.source),
            target=self.name_of(move.target),
            reason=move.reason.word,
            progress_percent=progress_percent,
        )

    def name_of(self, host: HostId) -> str:
        """Return a host's name without its domain."""
        return self._names.get(host, host)

"""Which moves of a plan may start next: order, dependencies, and groups that start together or not at all.

Pure bookkeeping over the admitted moves: it asks nobody and sends nothing. The executor reads what is
ready and writes down what became of each move.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto

from balancer.model.outcome import MoveOutcome, MoveState, TaskView
from balancer.model.plan import Move
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import Rule
from balancer.model.units import MoveId, Seconds, VmId


class Stage(Enum):
    """Where a move stands in this execution."""

    WAITING = auto()
    RUNNING = auto()
    OVER = auto()


@dataclass(slots=True, kw_only=True)
class Track:
    """One move and what has happened to it in this execution. Times are monotonic seconds."""

    move: Move
    stage: Stage = Stage.WAITING
    outcome: MoveOutcome | None = None
    ready_s: Seconds | None = None
    row: int = 0
    state: MoveState = MoveState.INTENT
    task: str = ""
    sent_s: Seconds = 0.0
    deadline_s: Seconds = 0.0
    lost_s: Seconds | None = None  # since when no task can be asked
    recalled_s: Seconds | None = None  # when the task history was asked last
    past: TaskView | None = None  # what it told
    intended_at_vcenter: datetime | None = None
    progress_percent: int = -1
    looks: int = 0  # at the target after a success, without seeing the VM
    warnings: tuple[Refusal, ...] = ()  # of vCenter's check, which hold nothing up

    @property
    def ended_well(self) -> bool:
        """Whether the VM was seen on the target."""
        return self.outcome is not None and self.outcome.state is MoveState.DONE

    @property
    def ended_badly(self) -> bool:
        """Whether the move is over and the VM is not where it should be."""
        return self.stage is Stage.OVER and not self.ended_well


@dataclass(slots=True, kw_only=True)
class Unit:
    """Moves that start together: one, or the members of a group that must stay together."""

    tracks: tuple[Track, ...]
    not_before_s: Seconds = 0.0

    @property
    def waiting(self) -> tuple[Track, ...]:
        """Return the members that have not started, in order."""
        return tuple(track for track in self.tracks if track.stage is Stage.WAITING)

    @property
    def is_begun(self) -> bool:
        """Whether a member was sent, so that the others must follow to keep the group together."""
        return any(track.row for track in self.tracks)

    @property
    def has_unknown(self) -> bool:
        """Whether nobody knows if a member is on its way, so that the others must not follow yet."""
        running = (track for track in self.tracks if track.stage is Stage.RUNNING)
        return any(track.state is MoveState.UNKNOWN for track in running)


@dataclass(slots=True, kw_only=True)
class Agenda:
    """All admitted moves of one plan, in the order in which they are to start."""

    tracks: dict[MoveId, Track]
    units: tuple[Unit, ...]
    unit_of: dict[MoveId, Unit] = field(init=False)

    def __post_init__(self) -> None:
        """Index the units."""
        self.unit_of = {track.move.id: unit for unit in self.units for track in unit.tracks}

    def at(self, stage: Stage) -> tuple[Track, ...]:
        """Return the moves of one stage, in order."""
        return tuple(t for unit in self.units for t in unit.tracks if t.stage is stage)

    @property
    def is_completing(self) -> bool:
        """Whether all that waits is the rest of groups that were begun."""
        return all(unit.is_begun for unit in self.units if unit.waiting)

    def ready(self) -> tuple[Unit, ...]:
        """Return the units that wait and whose predecessors have all ended well, in order."""
        return tuple(unit for unit in self.units if unit.waiting and self._is_ready(unit))

    def hopeless(self) -> Iterator[tuple[Track, Refusal]]:
        """Yield waiting moves that cannot start any more, until the caller has written them all off."""
        while found := next(self._hopeless(), None):
            yield found

    def stuck(self) -> tuple[tuple[Track, Refusal], ...]:
        """Return the moves that wait for each other, when nothing runs and nothing is ready."""
        if self.at(Stage.RUNNING) or self.ready():
            return ()
        return tuple((t, _dependency(t, "waits in a ring")) for t in self.at(Stage.WAITING))

    def mates(self, track: Track) -> tuple[Track, ...]:
        """Return the other members of its unit that have not started."""
        return tuple(t for t in self.unit_of[track.move.id].waiting if t is not track)

    def outcomes(self, plan_order: Iterable[Move]) -> tuple[MoveOutcome, ...]:
        """Return what became of each admitted move, in the order of the plan."""
        found = (self.tracks[move.id].outcome for move in plan_order)
        return tuple(outcome for outcome in found if outcome is not None)

    def _is_ready(self, unit: Unit) -> bool:
        members = {track.move.id for track in unit.tracks}
        before = {key for t in unit.tracks for key in t.move.after} - members
        return all(key in self.tracks and self.tracks[key].ended_well for key in before)

    def _hopeless(self) -> Iterator[tuple[Track, Refusal]]:
        for track in self.at(Stage.WAITING):
            for key in track.move.after:
                other = self.tracks.get(key)
                if other is None:
                    yield track, _dependency(track, f"{key} is not part of this run")
                elif other.ended_badly:
                    yield track, _dependency(track, f"{other.move.vm_name} did not get there")


def make_agenda(moves: Sequence[Move], rules: Sequence[Rule]) -> Agenda:
    """Put the admitted moves in the order in which the plan expects them to start.

    Among those that it expects at one time: mandatory first, then by wave, gain per second, and id. The
    schedule has urgency in it already, and keeps copies of one host apart where slots are scarce; asking
    in another order would undo that.

    `rules` are the enabled must-rules that keep VMs together: members that move in one wave form a unit.
    """
    urgent = _urgent(moves)

    def order(track: Track) -> tuple[Seconds, bool, int, float, MoveId]:
        move = track.move
        rate = move.gain / max(move.expected_seconds, 1.0)
        return (move.start_seconds, move.id not in urgent, move.wave, -rate, move.id)

    tracks = {move.id: Track(move=move) for move in moves}
    groups = [tuple(sorted(group, key=order)) for group in _groups(tracks.values(), rules)]
    groups.sort(key=lambda group: order(group[0]))
    return Agenda(tracks=tracks, units=tuple(Unit(tracks=group) for group in groups))


def _urgent(moves: Sequence[Move]) -> set[MoveId]:
    """Return the mandatory moves and all that these wait for."""
    by_id = {move.id: move for move in moves}
    found: set[MoveId] = set()
    todo = [move.id for move in moves if move.reason.is_mandatory]
    while todo:
        key = todo.pop()
        if key in by_id and key not in found:
            found.add(key)
            todo.extend(by_id[key].after)
    return found


def _groups(tracks: Iterable[Track], rules: Sequence[Rule]) -> list[list[Track]]:
    """Join moves of one wave whose VMs must stay together."""
    by_wave: defaultdict[int, dict[VmId, list[Track]]] = defaultdict(dict)
    for track in tracks:
        by_wave[track.move.wave].setdefault(track.move.vm, []).append(track)
    for group_of in by_wave.values():
        for rule in rules:
            movers = [vm for vm in rule.vms if vm in group_of]
            for vm in movers[1:]:
                _join(group_of, movers[0], vm)
    return [group for wave in by_wave.values() for group in _distinct(wave.values())]


def _join(group_of: dict[VmId, list[Track]], one: VmId, other: VmId) -> None:
    if group_of[one] is group_of[other]:
        return
    joined = group_of[one] + group_of[other]
    for track in joined:
        group_of[track.move.vm] = joined


def _distinct(groups: Iterable[list[Track]]) -> list[list[Track]]:
    return list({id(group): group for group in groups}.values())


def _dependency(track: Track, detail: str) -> Refusal:
    return Refusal.of(Reason.DEPENDENCY_FAILED, detail, vm=track.move.vm, host=track.move.target)

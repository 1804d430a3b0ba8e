"""The rows that every report of a plan is made of, as values: written into the plan document as key `report`.

Names are in place of ids, figures still are figures. Reading a document gives the same rows back, so that a kept
plan can be shown later as it was made. Strings may hold hostile names: each rendering escapes for its own sink.
"""

from dataclasses import dataclass

from balancer.model.plan import Conflict, HostLoad, PlanStatus
from balancer.model.units import Mhz, Mib, Ratio, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A line of a list of facts: `Policy`, `balanced (3f0a...)`."""

    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a host has left: usable capacity less demand. Negative where more is wanted than there is."""

    cpu_mhz: Mhz
    memory_mib: Mib


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One figure before and after, as text: `CPU spread`, `31 pp`, `8.0 pp`."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRow:
    """One host before and after the whole plan. `state` is empty for a connected host.

    `ready_percent` is the mean CPU ready time of its VMs as it stands, None where no VM shows one. The peaks are
    what is forecast within the horizon if nothing is done, None without a forecast.
    """

    name: str
    state: str
    before: HostLoad
    after: HostLoad
    room_before: Room | None = None
    room_after: Room | None = None
    ready_percent: float | None = None
    peak_cpu_ratio: Ratio | None = None
    peak_memory_ratio: Ratio | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRow:
    """One move. `waits` is set where this run's budget does not admit it.

    `share` is the part of the fall in cost that it stands for, None where the plan's cost does not fall. What is
    not known is None. `after` and `blocks` are numbers of moves, `consent` is in words.
    """

    vm: str
    source: str
    target: str
    reason: str
    why: str
    seconds: Seconds
    memory_mib: Mib
    waits: bool
    id: str = ""
    starts_s: Seconds = 0.0
    share: Ratio | None = None
    low_s: Seconds | None = None
    high_s: Seconds | None = None
    copy_mib: Mib | None = None
    stun_s: Seconds | None = None
    risk: str = ""
    because: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    consent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveRows:
    """The moves of one wave and when it may start, in seconds from the start of the plan."""

    number: int
    starts_s: Seconds
    moves: tuple[MoveRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """A rule that is `fixed`, `still broken` or `newly broken`, and the names of the VMs concerned."""

    change: str
    rule: str
    meaning: str
    is_must: bool
    vms: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutRow:
    """What stays for one reason: stable word, how many of what, phrase, first names, detail."""

    reason: str
    extent: str
    phrase: str
    vms: tuple[str, ...]
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """Everything that a report says, with names and in words; nothing is escaped yet.

    Of what is not known the fields are empty or None. `gates` say why something is done for the load or not,
    `idle` says what is to be expected if nothing is done, `worst` which host is the most loaded, before and (where
    something moves) after. `way_back` has a line a move.
    """

    status: PlanStatus
    headline: str
    cluster: str
    subject: str
    run_note: str
    reason: str
    gates: tuple[str, ...]
    changes: tuple[Change, ...]
    hosts: tuple[HostRow, ...]
    idle_hosts: tuple[str, ...]
    waves: tuple[WaveRows, ...]
    rules: tuple[RuleRow, ...]
    conflicts: tuple[Conflict, ...]
    left_out: tuple[LeftOutRow, ...]
    incidents: tuple[str, ...]
    notes: tuple[str, ...]
    verdicts: tuple[str, ...]
    certificate: tuple[str, ...]
    elapsed_s: Seconds
    about: tuple[Fact, ...] = ()
    worst: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    idle: str = ""
    quality: tuple[str, ...] = ()
    safety: tuple[Fact, ...] = ()
    way_back: tuple[str, ...] = ()
    apply: tuple[Fact, ...] = ()
    cpu_limit: Ratio = 0.85
    memory_limit: Ratio = 0.92

    @property
    def gates_title(self) -> str:
        """Return the heading of `gates`."""
        return "Why now" if self.waves else "Why nothing is moved"

    @property
    def times(self) -> int:
        """Return how often a figure is shown: before and after, or once where nothing moves."""
        return 2 if self.waves else 1

    @property
    def moves(self) -> tuple[MoveRow, ...]:
        """Return the moves of all waves."""
        return tuple(move for wave in self.waves for move in wave.moves)

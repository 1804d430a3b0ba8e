"""What a replay amounts to, as values: scores, moves, and the load over time. No formats here."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from balancer.model.units import HostId, Mib, Ratio, Seconds

Line = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveMark:
    """One vMotion of a replay; times are seconds since its beginning. `fault` is empty where it arrived."""

    vm: str
    source: HostId
    target: HostId
    begun_s: Seconds
    ended_s: Seconds
    memory_mib: Mib
    reason: str
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DownMark:
    """A VM that went down with its host, and the host on which it was started again; times as of `MoveMark`.

    `target` and `until_s` are None where it was down to the end. One that was to be off is not started: it rests
    on its own host again once that is back.
    """

    vm: str
    source: HostId
    since_s: Seconds
    target: HostId | None = None
    until_s: Seconds | None = None
    was_started: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StartMark:
    """A VM that was off when its host was removed, and is switched on on another one; time as of `MoveMark`."""

    vm: str
    host: HostId
    at_s: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The figures that replays are compared by.

    `unmet_ghz_h` is CPU demand above what a host can give, migrations' own CPU counted as demand of both
    hosts; `unmet_ratio` is its share of `demand_ghz_h`. Host-slots are pairs of a host and a slot of the
    trace, of `host_slots` in all; `memory_slots_full` are those with more consumed memory than the policy's
    ceiling. `repeats` are moves of a VM within an hour after its last one, `undone` moves that brought a VM
    back to a host that it had left within a day. `spread` is the mean over time of the standard deviation of
    host CPU load. `down_ghz_h` is the part of `unmet_ghz_h` that VMs wanted while they were down with a host that
    failed, `restarts` how many of them were started again; both are 0 where no host failed.
    """

    demand_ghz_h: float
    unmet_ghz_h: float
    host_slots: int
    slots_over_80: int
    slots_over_100: int
    memory_slots_full: int
    memory_over_gib_h: float
    moves: int
    failed_moves: int
    moved_gib: float
    copy_hours: float
    repeats: int
    undone: int
    spread: Ratio
    restarts: int = 0
    down_ghz_h: float = 0.0

    @property
    def unmet_ratio(self) -> Ratio:
        """Return unmet over wanted CPU; 0 where nothing was wanted."""
        return self.unmet_ghz_h / self.demand_ghz_h if self.demand_ghz_h > 0.0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curves:
    """Lines over time, each value standing for `step_s`: shape (steps,), `host_load` (steps, hosts).

    `host_load` is CPU demand over usable capacity, `unmet_ghz_h` cumulative, `spread` a ratio.
    """

    step_s: Seconds
    host_load: Line
    unmet_ghz_h: Line
    spread: Line


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """One contender on one placement with one seed. `quiet` counts why its cycles planned nothing, by word.

    `starts` say where VMs stand for the score; files of results do not keep them.
    """

    contender: str
    start: str
    seed: int
    score: Score
    moves: tuple[MoveMark, ...]
    curves: Curves
    cycles: int
    wall_s: Seconds
    quiet: dict[str, int] = field(default_factory=dict)
    downs: tuple[DownMark, ...] = ()
    starts: tuple[StartMark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Result:
    """All runs of one trace on one park of hosts; each run stands for itself, whatever else was run."""

    trace: str
    trace_digest: str
    slots: int
    step_s: Seconds
    vms: int
    hosts: tuple[str, ...]
    interval_s: Seconds
    idle_consumed: Ratio
    runs: tuple[Run, ...]
    bound: Score
    """Of perfect spreading: what stays unmet where all hosts are one, without moves."""

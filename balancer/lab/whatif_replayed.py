"""What if, over a trace: the replay as it is and with a change, side by side, and whether it fits.

Owns the rule of fitting over time and the figures that are shown for it. Pure: runs come from `lab.errands`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from balancer.expose.figures import percent
from balancer.lab.presence import there_of
from balancer.lab.result import Run
from balancer.lab.scene import Scene
from balancer.lab.score import held_ratio
from balancer.lab.whatif_seats import Seat, Unplaced
from balancer.model.units import HOUR_S, HostId, Mib, Ratio, Seconds
from balancer.policy.types import Thresholds

MEMORY_CEILING: Ratio = Thresholds().memory_ceiling
"""What replays count as full memory; see `lab.score`."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """A host at its fullest: mean of the slot that begins at `at`, over usable capacity."""

    host: str
    at: datetime
    ratio: Ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstHour:
    """The hour with the most unmet demand, or where none is unmet that with the fullest host.

    `host` is the one with the highest mean CPU demand in it. Shorter than an hour where the part played is.
    """

    begins: datetime
    unmet_ghz_h: float
    host: str
    cpu_ratio: Ratio


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """One replay as it is shown. `vms` are those that run at any time: others play no part."""

    label: str
    vms: int
    hosts: int
    run: Run
    worst: WorstHour
    cpu: Peak
    memory: Peak

    def fits(self, most_unmet: Ratio) -> bool:
        """Whether memory stays below its ceiling in every slot, and no more CPU goes unmet than allowed."""
        score = self.run.score
        return score.memory_slots_full == 0 and score.unmet_ratio <= most_unmet


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One contender before and after. `seats` and `unplaced` are of the change; see `whatif_trace`.

    `seated_mib` is the memory that VMs of hosts that are gone hold when they start on others, `host_names` of
    the hosts after the change.
    """

    before: Side
    after: Side
    host_names: Mapping[HostId, str]
    seats: tuple[Seat, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()
    seated_mib: Mib = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What was played, to make it again: the part of the trace, the files by their digests, the settings."""

    trace: str
    trace_digest: str
    start: str
    slots: int
    step_s: Seconds
    digests: Mapping[str, str]
    policies: Mapping[str, str]
    """The SHA-256 of each policy's files, by contender."""
    seed: int
    interval_s: Seconds
    idle_consumed: Ratio


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TraceAnswer:
    """What would come of a change over a trace. `told` is what was assumed, empty for another policy alone."""

    played: Played
    told: tuple[str, ...]
    cases: tuple[Case, ...]
    most_unmet: Ratio

    def case_fits(self, case: Case) -> bool:
        """Whether every VM finds a host, and the replay with the change fits."""
        return not case.unplaced and case.after.fits(self.most_unmet)

    @property
    def fits(self) -> bool:
        """Whether it fits with every contender."""
        return all(map(self.case_fits, self.cases))


def side_of(scene: Scene, run: Run, label: str) -> Side:
    """Return a run of a scene as it is shown. Hosts of the run's moves must be ids."""
    load = run.curves.host_load.astype(np.float64)
    return Side(
        label=label,
        vms=int(np.isfinite(scene.trace.cpu_mhz).any(axis=0).sum()),
        hosts=int(there_of(scene).any(axis=0).sum()),
        run=run,
        worst=_worst(scene, run, load),
        cpu=_peak(scene, load),
        memory=_peak(scene, held_ratio(scene, run.moves, run.downs, run.starts)),
    )


def _peak(scene: Scene, ratio: _Floats) -> Peak:
    slot, host = (int(place) for place in np.unravel_index(ratio.argmax(), ratio.shape))
    name = scene.host_names[scene.hosts[host].id]
    return Peak(host=name, at=_begin(scene, slot), ratio=float(ratio[slot, host]))


def _worst(scene: Scene, run: Run, load: _Floats) -> WorstHour:
    slots = min(max(round(HOUR_S / scene.trace.step_s), 1), scene.trace.slots)
    unmet = _summed(np.diff(run.curves.unmet_ghz_h.astype(np.float64), prepend=0.0)[:, None], slots)
    means = _summed(load, slots) / slots
    any_unmet = unmet[:, 0].max() > 0.0
    first = int((unmet[:, 0] if any_unmet else means.max(axis=1)).argmax())
    host = int(means[first].argmax())
    return WorstHour(
        begins=_begin(scene, first),
        unmet_ghz_h=float(unmet[first, 0]),
        host=scene.host_names[scene.hosts[host].id],
        cpu_ratio=float(means[first, host]),
    )


def _summed(figures: _Floats, slots: int) -> _Floats:
    """Return the sums of so many rows that follow each other, a row for each first one."""
    windows = np.lib.stride_tricks.sliding_window_view(figures, slots, axis=0)
    sums: _Floats = windows.sum(axis=-1)
    return sums


def _begin(scene: Scene, slot: int) -> datetime:
    return scene.trace.start + timedelta(seconds=slot * scene.trace.step_s)


def misfits(answer: TraceAnswer, case: Case) -> Sequence[str]:
    """Return in words what keeps the change from fitting, but for VMs without a host."""
    score, found = case.after.run.score, []
    if score.memory_slots_full:
        found.append(
            f"memory is above its ceiling of {percent(MEMORY_CEILING)} in {score.memory_slots_full:,} of "
            f"{score.host_slots:,} host-slots"
        )
    if score.unmet_ratio > answer.most_unmet:
        found.append(
            f"{score.unmet_ratio * 100.0:.3g} % of the CPU demand goes unmet, more than the "
            f"{answer.most_unmet * 100.0:g} % that may"
        )
    return found

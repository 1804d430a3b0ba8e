"""The runs of one replay: who plays on which placement with which seed, and the result put together of them."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from balancer.lab.contenders import CONTENDERS, Contender, ours
from balancer.lab.replay import Progress, replay
from balancer.lab.replayed import LostRun
from balancer.lab.result import DownMark, MoveMark, Result, Run
from balancer.lab.scene import Scene
from balancer.lab.score import bound_of
from balancer.model.units import HostId, Seconds
from balancer.policy.types import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """A contender by name. `policy` is given for ours with a policy; the name is that of its line then.

    `policies` gives that of a moment, where windows change settings; see `Contender`.
    """

    name: str
    policy: Policy | None = None
    policies: Callable[[datetime], Policy] | None = None

    @property
    def contender(self) -> Contender:
        """Return who plays."""
        if self.policy is None:
            return CONTENDERS[self.name]
        return ours(self.policy, self.name, self.policies)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Errand:
    """One run, as it can be sent to another process: a contender holds functions and cannot."""

    scene: Scene
    entrant: Entrant
    seed: int
    interval_s: Seconds


def play(errand: Errand, progress: Progress) -> Run:
    """Do one run. Raises as `lab.replay.replay`. What its cycles log is not told: they are no real ones."""
    logger = logging.getLogger("balancer")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return replay(
        errand.scene,
        errand.entrant.contender,
        seed=errand.seed,
        interval_s=errand.interval_s,
        progress=progress,
    )


def errands_of(
    scenes: Sequence[Scene],
    entrants: Sequence[Entrant],
    seeds: Sequence[int],
    interval_s: Seconds,
) -> tuple[Errand, ...]:
    """Return every contender on every placement with every seed, in the order given."""
    return tuple(
        Errand(scene=scene, entrant=entrant, seed=seed, interval_s=interval_s)
        for scene in scenes
        for seed in seeds
        for entrant in entrants
    )


def lost_run(errand: Errand, why: str) -> LostRun:
    """Return what is told of an errand that did not come to its end."""
    return LostRun(
        contender=errand.entrant.name, start=errand.scene.start, seed=errand.seed, why=why
    )


def result_of(scene: Scene, runs: Iterable[Run], *, digest: str, interval_s: Seconds) -> Result:
    """Put the runs of one trace and park together; their marks name hosts by name from here on."""
    trace = scene.trace
    names = scene.host_names
    return Result(
        trace=trace.name,
        trace_digest=digest,
        slots=trace.slots,
        step_s=trace.step_s,
        vms=len(trace.vms),
        hosts=tuple(names.values()),
        interval_s=interval_s,
        idle_consumed=scene.idle_consumed,
        runs=tuple(_with_names(run, names) for run in runs),
        bound=bound_of(scene),
    )


def _with_names(run: Run, names: Mapping[HostId, str]) -> Run:
    return replace(
        run,
        moves=tuple(_with_host_names(mark, names) for mark in run.moves),
        downs=tuple(_down_with_host_names(mark, names) for mark in run.downs),
    )


def _with_host_names(mark: MoveMark, names: Mapping[HostId, str]) -> MoveMark:
    return replace(mark, source=HostId(names[mark.source]), target=HostId(names[mark.target]))


def _down_with_host_names(mark: DownMark, names: Mapping[HostId, str]) -> DownMark:
    target = None if mark.target is None else HostId(names[mark.target])
    return replace(mark, source=HostId(names[mark.source]), target=target)

"""The trace side of `balancer lab whatif`: reads the inputs, has the replays done, puts the answer together."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from balancer.adapters.replaying import usable_cores
from balancer.cli.lab_entrants import entrants
from balancer.cli.lab_inputs import Inputs, Part, read_inputs
from balancer.cli.lab_replay import tell_mends
from balancer.cli.lab_session import Played, play_all
from balancer.expose.escape import visible
from balancer.lab.errands import Entrant, Errand
from balancer.lab.figures import OURS
from balancer.lab.replayed import PolicyText
from balancer.lab.result import Run
from balancer.lab.scene import Scene
from balancer.lab.whatif_change import Change
from balancer.lab.whatif_replayed import Case, Side, TraceAnswer, side_of
from balancer.lab.whatif_replayed import Played as PlayedTrace
from balancer.lab.whatif_trace import ChangedScene, change_scene
from balancer.model.units import Ratio, Seconds

AS_IS, CHANGED = "as it is", "with the change"


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceWishes:
    """What is asked of a trace. `names` and `policies` say who plays, as `cli.lab_entrants` reads them."""

    folder: Path
    hosts: Path | None
    placement: str | None
    leave_out: bool
    part: Part
    names: Sequence[str]
    policies: Sequence[str]
    seed: int
    interval_s: Seconds
    idle_consumed: Ratio
    most_unmet: Ratio
    jobs: int | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answered:
    """What came of the question: `answer` is None where a run did not come to its end."""

    answer: TraceAnswer | None
    played: Played


def answer_of_trace(change: Change, wishes: TraceWishes) -> Answered:
    """Play the trace as it is and with the change, and compare.

    Raises:
        InputError: a file, a policy or the change is wrong.
        BadParameter: nothing is asked, or options do not fit the trace.
    """
    names = wishes.names or (() if wishes.policies else (OURS,))
    chosen, texts = entrants(names, wishes.policies)
    if change == Change():
        chosen = _with_ours(chosen)
    print(f"reading {visible(str(wishes.folder))}", file=sys.stderr)
    inputs = read_inputs(
        wishes.folder,
        wishes.hosts,
        (wishes.placement,) if wishes.placement else (),
        wishes.part,
        idle_consumed=wishes.idle_consumed,
        leave_out=wishes.leave_out,
    )
    tell_mends(inputs)
    scene = inputs.scenes[0]
    changed = _changed(scene, change, chosen)
    errands = [
        Errand(scene=one, entrant=entrant, seed=wishes.seed, interval_s=wishes.interval_s)
        for entrant in chosen
        for one in (scene, *([changed[entrant.name].scene] if changed else []))
    ]
    played = play_all(errands, jobs=min(wishes.jobs or usable_cores(), len(errands)))
    if played.lost:
        return Answered(answer=None, played=played)
    runs = {(run.contender, run.start): run for run in played.runs}
    answer = TraceAnswer(
        played=_origin(inputs, wishes, texts),
        told=next(iter(changed.values())).assumed.told if changed else (),
        cases=_cases(scene, changed, runs, chosen),
        most_unmet=wishes.most_unmet,
    )
    return Answered(answer=answer, played=played)


def _with_ours(chosen: Sequence[Entrant]) -> tuple[Entrant, ...]:
    """Return who plays where nothing changes but the policy: `ours` first, then the others."""
    others = [entrant for entrant in chosen if entrant.name != OURS]
    if not others:
        raise typer.BadParameter(
            "nothing is asked: say a change (--remove-host, --fail-host, --add-host, --add-vms), "
            "or by --policy or --with who is to be set against ours"
        )
    return Entrant(name=OURS), *others


def _changed(scene: Scene, change: Change, chosen: Sequence[Entrant]) -> dict[str, ChangedScene]:
    """Return the changed scene of each contender, by its name; none where nothing changes."""
    if change == Change():
        return {}
    return {one.name: change_scene(scene, change, one.contender.policy) for one in chosen}


def _cases(
    scene: Scene,
    changed: dict[str, ChangedScene],
    runs: dict[tuple[str, str], Run],
    chosen: Sequence[Entrant],
) -> tuple[Case, ...]:
    def side(of: Scene, name: str, label: str) -> Side:
        return side_of(of, runs[name, of.start], label)

    if changed:
        return tuple(
            _case(side(scene, name, AS_IS), side(one.scene, name, CHANGED), one)
            for name, one in changed.items()
        )
    names = scene.host_names
    ours = side(scene, OURS, OURS)
    return tuple(
        Case(before=ours, after=side(scene, one.name, one.name), host_names=names)
        for one in chosen[1:]
    )


def _case(before: Side, after: Side, changed: ChangedScene) -> Case:
    return Case(
        before=before,
        after=after,
        host_names=changed.scene.host_names,
        seats=changed.seats,
        unplaced=changed.unplaced,
        seated_mib=changed.seated_mib,
    )


def _origin(inputs: Inputs, wishes: TraceWishes, texts: Sequence[PolicyText]) -> PlayedTrace:
    scene = inputs.scenes[0]
    return PlayedTrace(
        trace=scene.trace.name,
        trace_digest=inputs.trace_digest,
        start=scene.start,
        slots=scene.trace.slots,
        step_s=scene.trace.step_s,
        digests=inputs.digests,
        policies={text.name: text.digest for text in texts},
        seed=wishes.seed,
        interval_s=wishes.interval_s,
        idle_consumed=wishes.idle_consumed,
    )

"""`balancer lab replay`: contenders on recorded load, side by side, and what came of each.

It reads, hands out the runs, and writes; who plays and what is scored is the lab's. A run that fails costs itself.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from balancer.cli.exit_codes import ExitCode
from balancer.cli.lab_options import (
    DaysOption,
    FromDayOption,
    HostsOption,
    HtmlOption,
    IdleConsumedOption,
    IntervalOption,
    JobsOption,
    LeaveOutOption,
    OursOption,
    PlacementOption,
    ResultOption,
    SeedsOption,
    TraceArgument,
    WithOption,
)
from balancer.cli.lab_output import LabFormat, rendered
from balancer.cli.output import emit, require_room
from balancer.expose.escape import visible
from balancer.expose.figures import timestamp

if TYPE_CHECKING:
    from balancer.cli.lab_inputs import Inputs
    from balancer.cli.lab_session import Played
    from balancer.lab.replayed import Recipe, Replayed

_INTERVAL_S = 300.0
_IDLE_CONSUMED = 0.25
_WITHOUT_EFFECT = frozenset({"jobs", "output", "html", "report_format"})
"""Options that change nothing of what a run does."""


def replay_command(
    context: typer.Context,
    trace: TraceArgument,
    hosts: HostsOption = None,
    placement: PlacementOption = None,
    contender: WithOption = None,
    policy: OursOption = None,
    seed: SeedsOption = None,
    interval: IntervalOption = _INTERVAL_S,
    idle_consumed: IdleConsumedOption = _IDLE_CONSUMED,
    from_day: FromDayOption = 0.0,
    days: DaysOption = None,
    leave_out: LeaveOutOption = False,
    jobs: JobsOption = None,
    output: ResultOption = None,
    html: HtmlOption = None,
    report_format: Annotated[
        LabFormat, typer.Option("--format", help="Form of what is printed.")
    ] = LabFormat.TEXT,
) -> None:
    """Play contenders on recorded load, and score them.

    It is played by the cycle that runs in production. Every contender starts from every placement with every
    seed. Migrations take time, bandwidth and CPU, and the policy's limits are in force. Needs no vCenter. How
    far it is goes to standard error.

    Ends with 0; with 1 on errors or where a run was lost, the others being written all the same; with 130 when
    interrupted, after what had ended was written.
    """
    from balancer.adapters.replaying import usable_cores
    from balancer.cli.lab_entrants import entrants
    from balancer.cli.lab_inputs import Part, placement_file, read_inputs
    from balancer.cli.lab_session import play_all
    from balancer.lab.errands import errands_of
    from balancer.lab.replayed import Recipe
    from balancer.version import VERSION

    require_room((output, html), inputs=(hosts, *map(placement_file, placement or ())))
    chosen, texts = entrants(contender or (), policy or ())
    part = Part(from_day=from_day, days=days)
    print(f"reading {visible(str(trace))}", file=sys.stderr)
    inputs = read_inputs(
        trace, hosts, placement or (), part, idle_consumed=idle_consumed, leave_out=leave_out
    )
    tell_mends(inputs)
    errands = errands_of(inputs.scenes, chosen, tuple(dict.fromkeys(seed or (0,))), interval)
    at_once = min(jobs or usable_cores(), len(errands))
    played = play_all(errands, jobs=at_once)
    recipe = Recipe(
        program=VERSION, options=_options(context), digests=inputs.digests, policies=texts
    )
    made = _put_together(inputs, played, recipe, interval, at_once)
    _write(made, report_format, output, html)
    for trouble in played.tracebacks if context.obj.debug else ():
        print(trouble, file=sys.stderr)
    raise typer.Exit(_exit_code(played))


def tell_mends(inputs: "Inputs") -> None:
    """Say on standard error by which rules the trace was mended."""
    for mend in inputs.mends:
        print(f"trace mended: {visible(str(mend))}", file=sys.stderr)


def _options(context: typer.Context) -> dict[str, tuple[str, ...]]:
    """Return the options that were given or have a default, by name, but for those that change no run."""
    found = {}
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        values = value if isinstance(value, list | tuple) else [value]
        if parameter.name not in _WITHOUT_EFFECT and value not in (None, False, [], ()):
            found[parameter.opts[0]] = tuple(map(str, values))
    return found


def _put_together(
    inputs: "Inputs", played: "Played", recipe: "Recipe", interval_s: float, jobs: int
) -> "Replayed":
    from balancer.lab.errands import result_of
    from balancer.lab.replayed import Clock, Mended, replayed

    result = result_of(
        inputs.scenes[0], played.runs, digest=inputs.trace_digest, interval_s=interval_s
    )
    made_at = timestamp(datetime.now(UTC).replace(microsecond=0))
    clock = Clock(made_at=made_at, elapsed_s=played.elapsed_s, jobs=jobs)
    mends = [
        Mended(rule=one.rule.value, count=one.count, places=one.places) for one in inputs.mends
    ]
    return replayed(result, recipe, clock, lost=played.lost, mends=mends)


def _write(made: "Replayed", form: LabFormat, output: Path | None, html: Path | None) -> None:
    from balancer.lab.page import page_html

    emit(rendered(made, form), None)
    if output is not None:
        emit(rendered(made, LabFormat.JSON), output)
    if html is not None:
        emit(page_html(made).encode(), html)


def _exit_code(played: "Played") -> ExitCode:
    if played.is_interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.ERROR if played.lost else ExitCode.DONE

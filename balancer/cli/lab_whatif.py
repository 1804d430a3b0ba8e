"""`balancer lab whatif`: whether a changed cluster would hold its VMs, and what the way there would cost.

Of a snapshot the answer is made here, of a trace by `cli.lab_whatif_trace`; both are printed here.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from balancer.cli.exit_codes import ExitCode
from balancer.cli.lab_options import (
    DaysOption,
    FromDayOption,
    HostsOption,
    IdleConsumedOption,
    IntervalOption,
    JobsOption,
    LeaveOutOption,
)
from balancer.cli.lab_output import paper
from balancer.cli.lab_whatif_options import (
    MOST_UNMET_PERCENT,
    OF_A_SNAPSHOT,
    OF_A_TRACE,
    AddHostOption,
    AddVmsOption,
    AnswerOption,
    FailHostOption,
    FormatOption,
    MostUnmetOption,
    PlayerOption,
    RemoveHostOption,
    SnapshotOption,
    StartOption,
    TraceOption,
    WhatIfFormat,
    WhatIfPolicyOption,
)
from balancer.cli.options import TIME_LIMIT_S, SeedOption, TimeLimitOption
from balancer.cli.output import emit, encoding, require_room
from balancer.expose.escape import visible

if TYPE_CHECKING:
    from balancer.cli.lab_session import Played
    from balancer.cli.lab_whatif_trace import TraceWishes
    from balancer.expose.text_layout import Paper
    from balancer.lab.whatif import Answer
    from balancer.lab.whatif_change import Change
    from balancer.lab.whatif_replayed import TraceAnswer

_INTERVAL_S = 300.0
_IDLE_CONSUMED = 0.25


def what_if_command(
    context: typer.Context,
    snapshot: SnapshotOption = None,
    trace: TraceOption = None,
    remove_host: RemoveHostOption = None,
    fail_host: FailHostOption = None,
    add_hosts: AddHostOption = None,
    add_vms: AddVmsOption = None,
    policy: WhatIfPolicyOption = None,
    hosts: HostsOption = None,
    placement: StartOption = None,
    contender: PlayerOption = None,
    leave_out: LeaveOutOption = False,
    from_day: FromDayOption = 0.0,
    days: DaysOption = None,
    interval: IntervalOption = _INTERVAL_S,
    idle_consumed: IdleConsumedOption = _IDLE_CONSUMED,
    most_unmet: MostUnmetOption = MOST_UNMET_PERCENT,
    jobs: JobsOption = None,
    report_format: FormatOption = WhatIfFormat.TEXT,
    output: AnswerOption = None,
    seed: SeedOption = 0,
    time_limit: TimeLimitOption = TIME_LIMIT_S,
) -> None:
    """Say whether a changed cluster would hold its VMs.

    And at what cost; changes nothing. Of a moment (--snapshot) or of recorded time (--trace), which is replayed
    as it is and with the change. Changes can be combined and given several times. With --policy alone: what
    another policy would do, set against balanced, or over time against ours.

    Ends with 0 if everything fits; with 3 if a VM finds no host, something that must be met cannot be, or CPU
    demand goes unmet for the change (of a trace: more than --most-unmet, or memory passes its ceiling); with 1
    on errors.
    """
    from balancer.lab.whatif_options import read_change

    _check_source(context, snapshot, trace)
    start = _checked_start(placement or (), output, (snapshot, hosts))
    change = read_change(remove_host or (), fail_host or (), add_hosts or (), add_vms or ())
    if trace is None:
        _answer_snapshot(change, snapshot, policy or [], (seed, time_limit), report_format, output)
    from balancer.cli.lab_inputs import Part
    from balancer.cli.lab_whatif_trace import TraceWishes

    wishes = TraceWishes(
        folder=trace,
        hosts=hosts,
        placement=start,
        leave_out=leave_out,
        part=Part(from_day=from_day, days=days),
        names=contender or (),
        policies=policy or (),
        seed=seed,
        interval_s=interval,
        idle_consumed=idle_consumed,
        most_unmet=most_unmet / 100.0,
        jobs=jobs,
    )
    _answer_trace(context, change, wishes, report_format, output)


def _answer_snapshot(
    change: "Change",
    snapshot: Path | None,
    policies: list[str],
    search: tuple[int, float],
    report_format: WhatIfFormat,
    output: Path | None,
) -> NoReturn:
    """Print the answer of a snapshot and end. `search` is the seed and the seconds of planning."""
    from balancer.cli.facts import read_facts
    from balancer.cli.planning import settings_of
    from balancer.lab.whatif import what_if
    from balancer.lab.whatif_change import Change

    if change == Change() and not policies:
        raise typer.BadParameter(
            "nothing is asked: say a change (--remove-host, --fail-host, --add-host, --add-vms), or by --policy "
            "which policy is to be set against balanced"
        )
    facts, wanted = read_facts(None, None, snapshot, policies)
    against = read_facts(None, None, snapshot, []) if change == Change() else None
    answer = what_if(facts, wanted, change, settings=settings_of(*search), against=against)
    emit(_rendered(answer, report_format, output), output)
    raise typer.Exit(ExitCode.DONE if answer.fits else ExitCode.UNMET)


def _answer_trace(
    context: typer.Context,
    change: "Change",
    wishes: "TraceWishes",
    report_format: WhatIfFormat,
    output: Path | None,
) -> NoReturn:
    """Print the answer of a trace and end."""
    from balancer.cli.lab_whatif_trace import answer_of_trace

    answered = answer_of_trace(change, wishes)
    if answered.answer is None:
        _tell_lost(answered.played, with_tracebacks=context.obj.debug)
        raise typer.Exit(ExitCode.INTERRUPTED if answered.played.is_interrupted else ExitCode.ERROR)
    emit(_rendered_trace(answered.answer, report_format, output), output)
    raise typer.Exit(ExitCode.DONE if answered.answer.fits else ExitCode.UNMET)


def _tell_lost(played: "Played", *, with_tracebacks: bool) -> None:
    for trouble in played.tracebacks if with_tracebacks else ():
        typer.echo(trouble, err=True)
    if played.is_interrupted:
        typer.echo("no answer: it takes all replays", err=True)
        return
    lost = ", ".join(f"{one.contender} from placement {one.start}" for one in played.lost)
    typer.echo(
        f"no answer: not all replays came to their end ({visible(lost)}); ask again, with --debug before the "
        "command to see where they failed",
        err=True,
    )


def _checked_start(
    placements: Sequence[str], output: Path | None, inputs: Sequence[Path | None]
) -> str | None:
    """Return the placement; refuse several, for only one would be told of, and an output that cannot be written."""
    from balancer.cli.lab_inputs import placement_file

    require_room((output,), inputs=(*inputs, *map(placement_file, placements)))
    if len(placements) > 1:
        raise typer.BadParameter(
            f"--placement is given {len(placements)} times; a what-if has one start: ask once for each"
        )
    return placements[0] if placements else None


def _check_source(context: typer.Context, snapshot: Path | None, trace: Path | None) -> None:
    """Refuse none or both of the sources, and options of the one that is not given."""
    if (snapshot is None) == (trace is None):
        found = "neither is given" if snapshot is None else "both are given"
        raise typer.BadParameter(
            f"{found}: say by --snapshot F which moment, or by --trace FOLDER which recorded time the question "
            "is about"
        )
    source, other = ("--trace", "--snapshot") if snapshot is None else ("--snapshot", "--trace")
    foreign = OF_A_SNAPSHOT if snapshot is None else OF_A_TRACE
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name in foreign and _is_given(context, parameter.name)
    ]
    if given:
        raise typer.BadParameter(
            f"{', '.join(given)} can be said with {other} alone; leave it out with {source}"
        )


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def _rendered(answer: "Answer", report_format: WhatIfFormat, output: Path | None) -> bytes:
    if report_format is WhatIfFormat.JSON:
        from balancer.expose.document import document_text
        from balancer.lab.whatif_document import what_if_document

        return document_text(what_if_document(answer)).encode()
    from balancer.lab.whatif_text import what_if_text

    text = what_if_text(answer, _wide_paper(output))
    return text.encode(encoding(output), errors="replace")


def _rendered_trace(
    answer: "TraceAnswer", report_format: WhatIfFormat, output: Path | None
) -> bytes:
    if report_format is WhatIfFormat.JSON:
        from balancer.expose.document import document_text
        from balancer.lab.whatif_trace_document import trace_answer_document

        return document_text(trace_answer_document(answer)).encode()
    from balancer.lab.whatif_trace_text import trace_answer_text

    text = trace_answer_text(answer, _wide_paper(output))
    return text.encode(encoding(output), errors="replace")


def _wide_paper(output: Path | None) -> "Paper":
    from balancer.expose.report_text import LEAST_WIDTH

    sheet = paper(output)
    return replace(sheet, width=max(sheet.width, LEAST_WIDTH))

"""Options of the lab's commands, declared once. Values only."""

from pathlib import Path
from typing import Annotated

import typer

USUAL = ("nothing", "ours", "chase", "drs-3", "proxlb-memory", "reactive-80")
"""Who takes part in a replay where nobody is named."""

TraceArgument = Annotated[
    Path,
    typer.Argument(
        metavar="TRACE", help="Folder of a trace, or of what the daemon recorded of a cluster."
    ),
]
HostsOption = Annotated[
    Path | None,
    typer.Option(
        "--hosts",
        metavar="F",
        help="The hosts, as CSV.",
        show_default="TRACE/hosts.csv, or as recorded",
    ),
]
PlacementOption = Annotated[
    list[str] | None,
    typer.Option(
        "--placement",
        metavar="F[:COLUMN]",
        help="Where VMs stand at the beginning; several are played one by one.",
        show_default="TRACE/placement0.csv, or as recorded",
    ),
]
WithOption = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="NAME",
        help="A contender, a pattern such as 'drs-*', ours:POLICY, or all.",
        show_default=", ".join(USUAL),
    ),
]
OursOption = Annotated[
    list[str] | None,
    typer.Option(
        "--policy", metavar="P", help="Ours with this policy, by name or file: as --with ours:P."
    ),
]
SeedsOption = Annotated[
    list[int] | None,
    typer.Option(
        "--seed",
        metavar="N",
        help="Same input and seed, same run; several are played one by one.",
        show_default="0",
    ),
]
IntervalOption = Annotated[
    float, typer.Option("--interval", metavar="S", min=1.0, help="Seconds from cycle to cycle.")
]
IdleConsumedOption = Annotated[
    float,
    typer.Option(
        "--idle-consumed",
        metavar="R",
        min=0.0,
        max=1.0,
        help="Share of the memory a VM does not touch that counts as consumed where none was recorded.",
    ),
]
FromDayOption = Annotated[
    float, typer.Option("--from-day", metavar="D", min=0.0, help="Skip so many days of the trace.")
]
DaysOption = Annotated[
    float | None,
    typer.Option(
        "--days", metavar="D", min=0.0, help="Play so many days.", show_default="to the end"
    ),
]
LeaveOutOption = Annotated[
    bool,
    typer.Option(
        "--leave-out", help="Play without VMs that have no place or are larger than a host."
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N",
        min=1,
        help="Runs at the same time; results do not depend on it.",
        show_default="one for each core",
    ),
]
ResultOption = Annotated[
    Path | None, typer.Option("--output", metavar="F", help="Also write the result as JSON.")
]
HtmlOption = Annotated[
    Path | None, typer.Option("--html", metavar="F", help="Also write it as a page with plots.")
]

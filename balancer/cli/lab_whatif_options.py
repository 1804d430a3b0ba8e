"""Options of `balancer lab whatif` alone, declared once. Values only."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

MOST_UNMET_PERCENT = 0.02

OF_A_SNAPSHOT = ("time_limit",)
"""Parameters that mean nothing to a trace."""

OF_A_TRACE = (
    *("hosts", "placement", "leave_out", "from_day", "days", "contender", "interval"),
    *("idle_consumed", "most_unmet", "jobs"),
)
"""Parameters that mean nothing to a snapshot."""


class WhatIfFormat(StrEnum):
    """How the answer is printed."""

    TEXT = "text"
    JSON = "json"


SnapshotOption = Annotated[
    Path | None, typer.Option("--snapshot", metavar="F", help="The cluster as a snapshot file.")
]
TraceOption = Annotated[
    Path | None,
    typer.Option(
        "--trace",
        metavar="FOLDER",
        help="The cluster over time: folder of a trace, or of what the daemon recorded.",
    ),
]
RemoveHostOption = Annotated[
    list[str] | None,
    typer.Option("--remove-host", metavar="H", help="Empty this host; by name or id."),
]
FailHostOption = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-host", metavar="H", help="Let this host fail; HA starts its VMs elsewhere."
    ),
]
AddHostOption = Annotated[
    list[str] | None,
    typer.Option(
        "--add-host",
        metavar="N[:like=H]",
        help="Add N empty hosts like H, or like the commonest.",
    ),
]
AddVmsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--add-vms",
        metavar="N[:like=V]",
        help="Add N VMs like V or the middle one, or as N:vcpus=2,memory_gib=8,cpu_mhz=900.",
    ),
]
WhatIfPolicyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--policy",
        metavar="P",
        help="Policy by name or file. Of a snapshot several are merged in order, by default balanced; a trace is "
        "played with each by itself, as with --with ours:P.",
    ),
]
StartOption = Annotated[
    list[str] | None,
    typer.Option(
        "--placement",
        metavar="F[:COLUMN]",
        help="Where VMs stand at the beginning of the trace.",
        show_default="TRACE/placement0.csv, or as recorded",
    ),
]
PlayerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="NAME",
        help="Who plays the trace, by name as in lab replay; several are answered one by one.",
        show_default="ours",
    ),
]
MostUnmetOption = Annotated[
    float,
    typer.Option(
        "--most-unmet",
        metavar="PERCENT",
        min=0.0,
        max=100.0,
        help="A trace fits if no more per cent of its CPU demand goes unmet.",
    ),
]
FormatOption = Annotated[WhatIfFormat, typer.Option("--format", help="Form of the answer.")]
AnswerOption = Annotated[
    Path | None, typer.Option("--output", metavar="F", help="Write the answer to a file.")
]

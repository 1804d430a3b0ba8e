"""Options that several commands share, declared once, so that they mean the same everywhere. Values only."""

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="F", help="Read a live cluster.")
]
ClusterOption = Annotated[
    str | None,
    typer.Option("--cluster", metavar="C", help="Which one, where several are configured."),
]
SnapshotOption = Annotated[
    Path | None, typer.Option("--snapshot", metavar="F", help="Read a snapshot file.")
]
DEFAULT_CONFIG = Path("/etc/balancer/config.yaml")

RunningConfigOption = Annotated[
    Path,
    typer.Option(
        "--config",
        metavar="F",
        envvar="BALANCER_CONFIG",
        help="Configuration of the daemon; its journal is what is asked and written.",
    ),
]
OneClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="C",
        help="This one alone, as NAME or VCENTER/NAME.",
        show_default="all",
    ),
]
ReasonOption = Annotated[
    str,
    typer.Option(
        "--reason", metavar="TEXT", help="Why, for those who look later.", show_default=False
    ),
]
PolicyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--policy",
        metavar="P",
        help="Policy by name or file; several are merged in order. "
        "Default: the cluster's own, or balanced.",
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Same input and seed, same plan.")]
TimeLimitOption = Annotated[
    float,
    typer.Option(
        "--time-limit",
        metavar="S",
        min=0.1,
        help="Seconds after which refining and the solver stop.",
    ),
]
TIME_LIMIT_S = 10.0

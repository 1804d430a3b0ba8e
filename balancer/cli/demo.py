"""`balancer demo`: the whole loop against an embedded simulated vCenter, live or in one line.

Only the command line is here, so that `--help` stays quick; the run itself is `demo_session.py`.
"""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="No page: run as fast as possible, print one line.")
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option(
            "--seconds",
            min=1.0,
            help="Live: length of the run, 60 simulated seconds each (180). "
            "Headless or piped: three simulated hours, ended early after this many real seconds (120).",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same clusters and faults.")] = 1,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="F",
            help="Write the closing report as an HTML file. Live: demo-report.html unless given; "
            "headless or piped: not written unless given.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            min=0,
            max=65535,
            help="Serve /metrics on 127.0.0.1 here; 0 takes a free one. "
            "Live: 9715 unless given; headless or piped: not served unless given.",
        ),
    ] = None,
) -> None:
    """Run the whole loop against a simulated vCenter.

    Two clusters with broken rules, a host to empty and a failing migration.

    Ends with 0 if every cluster is more level than at the start and no must-rule is broken, else with
    1; with 130 after Ctrl-C. Writes nothing but the closing report.
    """
    from balancer.cli.demo_session import DemoOptions, run_demo

    raise typer.Exit(
        run_demo(
            DemoOptions(headless=headless, seconds=seconds, seed=seed, port=port, report=report)
        )
    )

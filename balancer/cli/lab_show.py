"""`balancer lab show`: results of replays printed again, in another form, or several of them as one."""

from pathlib import Path
from typing import Annotated

import typer

from balancer.cli.lab_options import HtmlOption
from balancer.cli.lab_output import LabFormat, rendered
from balancer.cli.output import emit, require_room


def show_command(
    results: Annotated[
        list[Path],
        typer.Argument(metavar="RESULT...", help="Results of lab replay, of the same trace."),
    ],
    html: HtmlOption = None,
    report_format: Annotated[
        LabFormat, typer.Option("--format", help="Form of what is printed.")
    ] = LabFormat.TEXT,
) -> None:
    """Print results of lab replay again, or write their page.

    Replays nothing. Several results are shown as one: contenders, placements or seeds that were replayed by
    themselves. They must agree in trace, hosts and settings, and no two may have the same run.
    """
    from balancer.lab.document import read_lab_result
    from balancer.lab.page import page_html
    from balancer.lab.together import together

    require_room((html,), inputs=results)
    made = together([(str(path), read_lab_result(path)) for path in dict.fromkeys(results)])
    if html is not None:
        emit(page_html(made).encode(), html)
    emit(rendered(made, report_format), None)

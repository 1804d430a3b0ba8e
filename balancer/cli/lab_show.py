"""`balancer lab show`: a result of a replay printed again, in another form."""

from pathlib import Path
from typing import Annotated

import typer

from balancer.cli.lab_options import HtmlOption
from balancer.cli.lab_output import LabFormat, rendered
from balancer.cli.output import emit


def show_command(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="A result of lab replay.")],
    html: HtmlOption = None,
    report_format: Annotated[
        LabFormat, typer.Option("--format", help="Form of what is printed.")
    ] = LabFormat.TEXT,
) -> None:
    """Print a result of lab replay again, or write it as a page with plots. Replays nothing."""
    from balancer.lab.document import read_lab_result
    from balancer.lab.page import page_html

    made = read_lab_result(result)
    if html is not None:
        emit(page_html(made).encode(), html)
    emit(rendered(made, report_format), None)

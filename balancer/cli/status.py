"""`balancer status`: how each cluster stands, from the daemon over HTTP or as far as its journal knows."""

from enum import StrEnum
from typing import Annotated

import typer

from balancer.cli.desk import CaFileOption, DaemonConfigOption, TokenFileOption, UrlOption, desk_of
from balancer.cli.options import OneClusterOption
from balancer.cli.output import columns, emit_document, emit_text


class StatusFormat(StrEnum):
    """How it is printed."""

    TEXT = "text"
    JSON = "json"


def status(
    config: DaemonConfigOption = None,
    cluster: OneClusterOption = None,
    report_format: Annotated[
        StatusFormat, typer.Option("--format", help="Form of the answer.")
    ] = StatusFormat.TEXT,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    ca_file: CaFileOption = None,
) -> None:
    """Show mode and why, cycles, newest plan, what runs, what waits for approval and what holds each cluster.

    Changes nothing. With --config from the journal alone, which knows nothing of cycles and imbalance.
    """
    with desk_of(config, url, token_file, ca_file) as desk:
        if report_format is StatusFormat.JSON:
            emit_document(desk.document("status", cluster=cluster))
            return
        emit_text(desk.text("status", width=columns(None), cluster=cluster))

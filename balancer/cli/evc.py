"""`balancer evc`: the EVC modes of a cluster, its hosts and VMs, and what stands in the way of other modes.

Reads a live cluster or a snapshot file, and changes nothing.
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from balancer.cli.output import columns, emit, encoding, require_room, wants_color

if TYPE_CHECKING:
    from balancer.model.snapshot import Snapshot


class EvcFormat(StrEnum):
    """How the report is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def evc(
    config: Annotated[
        Path | None, typer.Option("--config", metavar="F", help="Read a live cluster.")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="C", help="Which one, where several are configured."),
    ] = None,
    snapshot: Annotated[
        Path | None, typer.Option("--snapshot", metavar="F", help="Read a snapshot file.")
    ] = None,
    report_format: Annotated[
        EvcFormat, typer.Option("--format", help="Form of the report.")
    ] = EvcFormat.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="F", help="Write the report to a file.")
    ] = None,
) -> None:
    """Show EVC modes, and which hosts and VMs stand in the way of others. Changes nothing.

    For each mode: whether the cluster could be set to it now, and if not, which hosts and running VMs
    are in the way. For each host its maximum; for each VM its hardware version, minimum and own mode.
    """
    from balancer.assess.evc_report import report_evc

    require_room((output,), inputs=(config, snapshot))
    facts = _facts(config, cluster, snapshot)
    report = report_evc(facts)
    if report_format is EvcFormat.JSON:
        from balancer.expose.document import document_text
        from balancer.expose.evc_document import evc_document

        emit(document_text(evc_document(report, facts)).encode(), output)
        return
    from balancer.expose.evc_view import evc_view
    from balancer.expose.explain_markdown import explain_markdown
    from balancer.expose.explain_text import explain_text
    from balancer.expose.report_text import shows_blocks

    view = evc_view(report, facts)
    if report_format is EvcFormat.MARKDOWN:
        emit(explain_markdown(view).encode(), output)
        return
    charset = encoding(output)
    text = explain_text(
        view,
        width=columns(output),
        color=wants_color(output),
        ascii_only=not shows_blocks(charset),
    )
    emit(text.encode(charset, errors="replace"), output)


def _facts(config: Path | None, cluster: str | None, snapshot: Path | None) -> "Snapshot":
    if (config is None) == (snapshot is None):
        raise typer.BadParameter("give either --config or --snapshot")
    if cluster is not None and config is None:
        raise typer.BadParameter("--cluster chooses among the clusters of --config")
    if snapshot is not None:
        from balancer.adapters.files import read_snapshot

        return read_snapshot(snapshot)
    from balancer.adapters.vsphere.configured import settings_of
    from balancer.adapters.vsphere.examiner import examiner
    from balancer.cli.source import chosen_cluster, require_files
    from balancer.config import load_config

    settings = load_config(config or Path())
    chosen = chosen_cluster(settings, cluster)
    require_files(settings, chosen)
    with examiner(settings_of(settings.vcenter_of(chosen))) as looker:
        return looker.snapshot(chosen.name)

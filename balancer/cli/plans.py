"""`balancer plans`, `approve`, `reject`: the plans that the daemon has kept, and a person's word on them."""

from enum import StrEnum
from typing import Annotated

import typer

from balancer.cli.desk import CaFileOption, DaemonConfigOption, TokenFileOption, UrlOption, desk_of
from balancer.cli.options import OneClusterOption, ReasonOption
from balancer.cli.output import columns, emit_document, emit_text

PlanArgument = Annotated[
    str, typer.Argument(metavar="PLAN", help="Number of a kept plan, or digest, or its beginning.")
]


class PlansFormat(StrEnum):
    """How the list is printed."""

    TEXT = "text"
    JSON = "json"


def plans(
    config: DaemonConfigOption = None,
    cluster: OneClusterOption = None,
    last: Annotated[
        int, typer.Option("--last", metavar="N", min=1, help="How many, the newest.")
    ] = 20,
    report_format: Annotated[
        PlansFormat, typer.Option("--format", help="Form of the list.")
    ] = PlansFormat.TEXT,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    ca_file: CaFileOption = None,
) -> None:
    """Show the plans that were kept, and which wait for approval. Changes nothing."""
    with desk_of(config, url, token_file, ca_file) as desk:
        if report_format is PlansFormat.JSON:
            emit_document(desk.document("plans", cluster=cluster, last=last))
            return
        emit_text(desk.text("plans", width=columns(None), cluster=cluster, last=last))


def approve(
    plan: PlanArgument,
    config: DaemonConfigOption = None,
    reason: ReasonOption = "",
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    ca_file: CaFileOption = None,
) -> None:
    """Approve one plan: the daemon carries it out at once, as far as it still fits. Moves VMs.

    Counts once, for this plan only, and until approval_s of the policy after the plan was made. Ends with 4 where
    the plan cannot be approved any more, or the cluster is in mode observe.
    """
    with desk_of(config, url, token_file, ca_file) as desk:
        emit_text(desk.change("approve", reason=reason, plan=plan))


def reject(
    plan: PlanArgument,
    config: DaemonConfigOption = None,
    reason: ReasonOption = "",
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    ca_file: CaFileOption = None,
) -> None:
    """Reject one plan, so that nobody approves or applies it. A reason must be given."""
    if not reason.strip():
        raise typer.BadParameter("say why, for those who look later: --reason TEXT")
    with desk_of(config, url, token_file, ca_file) as desk:
        emit_text(desk.change("reject", reason=reason, plan=plan))

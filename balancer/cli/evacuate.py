"""`balancer evacuate`: have a host emptied by the daemon and kept empty, until that is cancelled.

Writes the request to the journal, or asks the daemon to; the next cycle plans with it. vSphere is asked for the
host's name only.
"""

from typing import Annotated

import typer

from balancer.cli.desk import CaFileOption, DaemonConfigOption, TokenFileOption, UrlOption, desk_of
from balancer.cli.options import ClusterOption, ReasonOption
from balancer.cli.output import emit_text


def evacuate(
    host: Annotated[
        str | None, typer.Argument(metavar="HOST", help="Name or id of the host.")
    ] = None,
    config: DaemonConfigOption = None,
    cluster: ClusterOption = None,
    reason: ReasonOption = "",
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Take the request back: the host takes VMs again.")
    ] = False,
    show: Annotated[
        bool, typer.Option("--list", help="Show which hosts are to be emptied, and for whom.")
    ] = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    ca_file: CaFileOption = None,
) -> None:
    """Have a host emptied and kept empty, until it is cancelled. The host stays as it is in vSphere.

    The next cycle moves its VMs away, as for a host that enters maintenance: in mode partial or automatic by
    itself, in mode manual once the plan is approved. VMs that cannot leave are named in the plan.
    """
    if (host is None) != show or (show and cancel):
        raise typer.BadParameter("give a HOST, with or without --cancel, or --list alone")
    with desk_of(config, url, token_file, ca_file) as desk:
        if host is None:
            emit_text(desk.text("evacuations", width=None, cluster=cluster))
            return
        name = "end_evacuation" if cancel else "evacuate"
        emit_text(desk.change(name, reason=reason, host=host, cluster=cluster))

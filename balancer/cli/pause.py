"""`balancer pause` and `balancer resume`: let nothing be sent to vCenter, and let it be sent again.

On the journal, where the daemon looks before each single move, or over HTTP.
"""

from balancer.cli.desk import CaFileOption, DaemonConfigOption, TokenFileOption, UrlOption, desk_of
from balancer.cli.options import OneClusterOption, ReasonOption
from balancer.cli.output import emit_text


def pause(
    config: DaemonConfigOption = None,
    cluster: OneClusterOption = None,
    reason: ReasonOption = "",
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    ca_file: CaFileOption = None,
) -> None:
    """Send no more moves, to one cluster or to any. What runs goes on; plans are still made and shown.

    Once this returns nothing new is sent, until balancer resume. Without --cluster everything is paused.
    """
    with desk_of(config, url, token_file, ca_file) as desk:
        emit_text(desk.change("pause", reason=reason, cluster=cluster))


def resume(
    config: DaemonConfigOption = None,
    cluster: OneClusterOption = None,
    reason: ReasonOption = "",
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    ca_file: CaFileOption = None,
) -> None:
    """Let moves be sent again, and acknowledge what the balancer stopped itself for.

    Ends the pause of everything, or with --cluster that of one cluster. An open breaker is closed, and verdicts
    and moves by others that hold a cluster back count no more; over HTTP that takes a token with the role admin.
    """
    with desk_of(config, url, token_file, ca_file) as desk:
        emit_text(desk.change("resume", reason=reason, cluster=cluster))

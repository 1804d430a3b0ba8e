"""`balancer notify test`: one message through each channel of the configuration, to see that it arrives.

It needs no running daemon and asks no vCenter. Each channel is tried once; what it says is told at once.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from balancer.cli.exit_codes import ExitCode
from balancer.cli.output import say

if TYPE_CHECKING:
    from balancer.adapters.notify import Send
    from balancer.adapters.notify.bulletin import Bulletin

notify_app = typer.Typer(
    name="notify",
    help="Try the channels through which people are told. Nothing here changes a cluster.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@notify_app.callback()
def _notify() -> None:
    """Keep `test` a word of its own although it is the only one."""


@notify_app.command("test")
def notify_test(
    config: Annotated[Path, typer.Option("--config", metavar="F", help="The configuration.")],
    channel: Annotated[
        str | None,
        typer.Option("--channel", metavar="NAME", help="This one alone.", show_default="all"),
    ] = None,
) -> None:
    """Send one message through each channel, whatever events it is for.

    Ends with 0 if every channel has taken it, with 1 if one has not, or if there is none.
    """
    from balancer.adapters.notify import senders_of
    from balancer.config import load_config
    from balancer.model.errors import BalancerError

    every = senders_of(load_config(config).notify)
    chosen = [(one, send) for one, send in every if channel in (None, one.name)]
    if not chosen:
        names = ", ".join(one.name for one, _ in every) or "none, see notify in the configuration"
        wanted = f"no channel {channel}" if channel else "no channel"
        raise BalancerError(f"There is {wanted} in {config}. There are: {names}.")
    bulletin = _trial()
    taken = [_is_taken(one.name, send, bulletin) for one, send in chosen]
    raise typer.Exit(ExitCode.DONE if all(taken) else ExitCode.ERROR)


def _is_taken(name: str, send: "Send", bulletin: "Bulletin") -> bool:
    from balancer.model.errors import BalancerError

    try:
        send(bulletin)
    except BalancerError as err:
        for line in str(err).splitlines():
            say(f"{name}: {line}")
        return False
    say(f"{name}: delivered")
    return True


def _trial() -> "Bulletin":
    import secrets
    import socket
    from datetime import UTC, datetime

    from balancer.adapters.notify.bulletin import Bulletin
    from balancer.model.notice import Notice, Severity

    now = datetime.now(tz=UTC)
    notice = Notice(
        kind=None,
        severity=Severity.INFO,
        vcenter="test",
        cluster="test",
        at=now,
        title="this is a try of the channel",
        text=f"Sent by hand on {socket.gethostname()}; nothing has happened",
        key="test",
    )
    return Bulletin(id=f"msg_{secrets.token_hex(12)}", at=now, notices=(notice,))

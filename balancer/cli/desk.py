"""Where commands ask: the running daemon over HTTP, or its journal file. One way to ask, two to be answered.

`--url` or BALANCER_URL names a daemon; `--config` its configuration, whose journal is asked and written then. That
one works while HTTP does not, so that whoever may write the journal can always stop everything.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Protocol

import typer

from balancer.cli.options import DEFAULT_CONFIG

CONFIG_VARIABLE, URL_VARIABLE = "BALANCER_CONFIG", "BALANCER_URL"
TOKEN_VARIABLE, CA_VARIABLE = "BALANCER_TOKEN_FILE", "BALANCER_CA_FILE"

DaemonConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="F",
        help="Configuration of the daemon; its journal is what is asked and written, without HTTP. "
        f"Else {URL_VARIABLE}, {CONFIG_VARIABLE} or {DEFAULT_CONFIG} counts.",
        show_default=False,
    ),
]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help=f"Ask the daemon at this address, such as https://balancer.example.com:9715. "
        f"Default: {URL_VARIABLE}.",
        show_default=False,
    ),
]
TokenFileOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="F",
        envvar=TOKEN_VARIABLE,
        help="File with the token for --url in one line.",
    ),
]
CaFileOption = Annotated[
    Path | None,
    typer.Option(
        "--ca-file",
        metavar="F",
        envvar=CA_VARIABLE,
        help="PEM file with the authorities to trust for --url. Default: those of the system.",
    ),
]


class Desk(Protocol):
    """Answers questions and makes changes, by their names in `api.operations`."""

    def text(self, name: str, *, width: int | None, **words: object) -> str:
        """Return the answer for people; nothing in it can harm a terminal."""

    def document(self, name: str, **words: object) -> dict[str, object]:
        """Return the answer for programs."""

    def change(self, name: str, *, reason: str, **words: object) -> str:
        """Make a change and return what was done, for people."""


@contextmanager
def desk_of(
    config: Path | None, url: str | None, token_file: Path | None, ca_file: Path | None
) -> Iterator[Desk]:
    """Give the desk that the options and the environment name.

    Raises:
        BadParameter: both are named.
        BalancerError: the configuration, the journal, the token or the address is wrong.
    """
    if config is not None and url is not None:
        raise typer.BadParameter("give --config or --url, not both", param_hint="--url")
    wanted = url if config is not None else url or os.environ.get(URL_VARIABLE)
    if wanted:
        from balancer.cli.remote import Remote

        with Remote.opened(wanted, token_file, ca_file) as remote:
            yield remote
        return
    from balancer.cli.local import local_desk

    named = os.environ.get(CONFIG_VARIABLE)
    with local_desk(config or (Path(named) if named else DEFAULT_CONFIG)) as local:
        yield local

"""`balancer token`: makes a token for /api/v1, and the entry of the configuration that knows it by its digest."""

import hashlib
import os
import re
import secrets
from pathlib import Path
from typing import Annotated

import typer

from balancer.cli.output import say
from balancer.model.access import Role

TOKEN_BYTES = 32
"""Of randomness: nobody guesses that, however fast the digest is to compute."""


def token(
    name: Annotated[
        str, typer.Option("--name", metavar="N", help="What the audit log calls whoever shows it.")
    ],
    output: Annotated[
        Path,
        typer.Option("--output", metavar="F", help="File for the token; it must not be there yet."),
    ],
    role: Annotated[Role, typer.Option("--role", help="How far it reaches.")] = Role.VIEWER,
) -> None:
    """Make a token: it goes into a file that only you can read, its digest to the configuration.

    The token itself is not printed. Give it to whoever shall have it, and add the lines below to http.tokens.
    """
    from balancer.config.serving import TOKEN_NAME

    if not re.fullmatch(TOKEN_NAME, name):
        raise typer.BadParameter(
            "letters, digits and . _ @ + -, at most 64, beginning with a letter or digit",
            param_hint="--name",
        )
    made = secrets.token_urlsafe(TOKEN_BYTES)
    digest = hashlib.sha256(made.encode()).hexdigest()
    _write(output, f"{made}\n")
    say(
        f"The token is in {output}, which only you can read. For the section http of the configuration:"
    )
    for line in ("  tokens:", f"    - name: {name}", f"      role: {role}"):
        say(line)
    say(f"      sha256: {digest}")


def _write(path: Path, text: str) -> None:
    """Write a new file that only its owner may read; one that is there is never overwritten."""
    from balancer.model.errors import BalancerError

    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BalancerError(
            f"{path} is there already, and may hold a token that is in use. Name another file with --output."
        ) from None
    except OSError as error:
        raise BalancerError(
            f"Writing {path}: {error.strerror}. Name a file in a folder that is there."
        ) from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)

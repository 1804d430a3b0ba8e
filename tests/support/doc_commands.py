"""What is known of the commands in the documentation without running them: whether what they name exists.

Commands of the program go through its own parser. Of others it is looked at targets, scripts, files of this
repository, addresses that are served, and at whether somebody has thought of the program at all.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import typer

from balancer.cli.app import Session, app
from tests.support.doc_blocks import ROOT

ORDINARY = frozenset(
    {
        *("cat", "cd", "chmod", "chown", "cp", "df", "echo", "export", "file", "fuser", "getent"),
        *("grep", "install", "kill", "ls", "mkdir", "mv", "openssl", "pip", "python", "python3"),
        *("rm", "sed", "sqlite3", "tar", "test", "timedatectl", "touch", "umask", "$EDITOR"),
        *("prometheus", "head", "sha256sum", "useradd", "ln", "tee", "watch", "sleep"),
    }
)
"""Programs of which nothing but files of this repository is checked."""

_OURS = ("deploy/", "docs/", "policies/", "tests/", "balancer/", "config.example.yaml")
SERVED = re.compile(r"^/(metrics|healthz|readyz|api/v1(/.*)?|openapi\.json)$")


def complaint_about(words: list[str], folder: Path = ROOT) -> str:
    """Return what is wrong with a command in a folder of the repository, empty where nothing is."""
    program = words[0].rpartition("/")[2] if not words[0].startswith("./") else words[0]
    if program == "sudo":
        return complaint_about(words[3:] if words[1] == "-u" else words[1:], folder)
    if program.startswith("./"):
        return _of_script(folder / program, words[1:])
    if program in _CHECKS:
        return _CHECKS[program](words[1:])
    if program in ORDINARY:
        return _of_files(words[1:], folder)
    return f"nobody has thought of {program}: see tests/support/doc_commands.py"


def parse_balancer(words: list[str]) -> str:
    """Return what the program's own parser says against its arguments, empty where nothing."""
    command: Any = typer.main.get_command(app)
    context = None
    try:
        while True:
            context = command.make_context(
                "balancer", list(words), parent=context, obj=Session(), resilient_parsing=False
            )
            if not hasattr(command, "commands"):
                return ""
            rest = [*getattr(context, "_protected_args", []), *context.args]
            if not rest:
                return "" if context.params.get("version") else "a command is missing"
            _, command, words = command.resolve_command(context, rest)
            if command is None:
                return f"there is no command {rest[0]}"
    except typer.Exit:
        return ""
    except Exception as err:
        if not hasattr(err, "format_message"):
            raise
        told = str(cast("Any", err).format_message())
        return "a command is missing" if told.startswith("Usage: ") else told


def _of_make(words: list[str]) -> str:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    named = [word for word in words if "=" not in word and not word.startswith("-")]
    return ", ".join(f"there is no target {name}" for name in named if name not in targets)


def _of_curl(words: list[str]) -> str:
    wrong = [
        found["path"]
        for word in words
        if (
            found := re.match(
                r"https?://(127\.0\.0\.1|localhost|\[::1\]):9715(?P<path>/[^?]*)", word
            )
        )
        and not SERVED.match(found["path"])
    ]
    return f"the daemon does not serve {wrong[0]}" if wrong else ""


def _of_script(script: Path, words: list[str]) -> str:
    if not script.is_file():
        return f"there is no {script.relative_to(ROOT)}"
    text = script.read_text("utf-8")
    return ", ".join(
        f"{script.name} knows no {word}"
        for word in words
        if word.startswith("--") and word not in text
    )


def _of_files(words: list[str], folder: Path) -> str:
    named = [word.rstrip("/") for word in words if word.startswith(_OURS) and "*" not in word]
    lost = [
        word
        for word in named
        if not (ROOT / word).exists() and not (folder / word).exists() and "=" not in word
    ]
    return f"there is no {lost[0]}" if lost else ""


_CHECKS: Mapping[str, Callable[[list[str]], str]] = {
    "balancer": parse_balancer,
    "make": _of_make,
    "curl": _of_curl,
}

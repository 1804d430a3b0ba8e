"""`balancer schema`: prints the JSON Schema of a kind of file, for editors and for programs that write them."""

from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from balancer.cli.output import emit


class SchemaKind(StrEnum):
    """The kinds of files whose form is published."""

    CONFIG = "config"
    POLICY = "policy"
    POLICY_TEST = "policy-test"
    SNAPSHOT = "snapshot"
    PLAN = "plan"
    PLANS = "plans"
    JOURNAL = "journal"
    REPORT = "report"
    DOCTOR = "doctor"
    EVC = "evc"
    EXPLAIN = "explain"
    LAB_RESULT = "lab-result"
    WHAT_IF = "what-if"
    WHAT_IF_TRACE = "what-if-trace"


def schema(
    kind: Annotated[SchemaKind, typer.Argument(help="The kind of file.")],
    output: Annotated[
        Path | None, typer.Option("--output", metavar="F", help="Write to a file.")
    ] = None,
) -> None:
    """Print the JSON Schema of a kind of file: config, policy, snapshot, plan, report and others.

    Editors that know yaml-language-server complete and check a file that begins with
    "# yaml-language-server: $schema=PATH", PATH being relative to the file.
    """
    name = f"{kind.value}.v1.schema.json"
    emit(resources.files("balancer").joinpath("schemas", name).read_bytes(), output)

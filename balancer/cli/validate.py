"""`balancer validate`: says of each file what it is and that it is right, or everything that is wrong.

Which kind a file is, its content tells. Nothing is connected and no secret is read.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from balancer.cli.exit_codes import ExitCode


def validate(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="F...",
            help="Configuration, policy, policy-test, snapshot, plan or lab-result files; folders of traces.",
        ),
    ],
) -> None:
    """Check files: configuration, policies and their tests, snapshots, plans, lab results; folders of traces.

    Folders are those of traces and of recordings. Lists every problem of every file.

    Ends with 1 if any file is wrong.
    """
    from balancer.cli.validation import examined
    from balancer.model.errors import InputError

    are_right = True
    for file in files:
        try:
            finding = examined(file)
        except InputError as err:
            are_right = False
            print(err, file=sys.stderr)
            continue
        print(f"{file}: ok: {finding.summary}")
        for warning in finding.warnings:
            print(f"  warning: {warning}")
    raise typer.Exit(ExitCode.DONE if are_right else ExitCode.ERROR)

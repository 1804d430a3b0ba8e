"""The list of commands, and what becomes of their errors.

Expected errors become one readable paragraph on stderr and exit code 1
(4 for a plan that is refused); a traceback is only shown with
`--debug`. It knows every command by name and none of what they do.
"""

import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Annotated, cast

import typer

from balancer.cli.apply import apply
from balancer.cli.audit import audit_app
from balancer.cli.demo import demo
from balancer.cli.doctor import doctor
from balancer.cli.evacuate import evacuate
from balancer.cli.evc import evc
from balancer.cli.exit_codes import ExitCode
from balancer.cli.explain import explain
from balancer.cli.import_app import import_app
from balancer.cli.journal import journal_app
from balancer.cli.lab import lab_app
from balancer.cli.notify import notify_app
from balancer.cli.pause import pause, resume
from balancer.cli.plan import plan
from balancer.cli.plans import approve, plans, reject
from balancer.cli.policy import policy_app
from balancer.cli.report import report
from balancer.cli.run import run
from balancer.cli.schema import schema
from balancer.cli.snapshot import snapshot
from balancer.cli.status import status
from balancer.cli.token import token
from balancer.cli.validate import validate
from balancer.model.errors import BalancerError, PlanRefused


@dataclass(slots=True)
class Session:
    """What the options before the command say."""

    debug: bool = False


app = typer.Typer(
    name="balancer",
    help="Load balancing for VMware vSphere clusters: plans vMotions, explains them, carries them out.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    *(apply, approve, demo, doctor, evacuate, evc, explain, pause, plan, plans),
    *(reject, report, resume, run, schema, snapshot, status, token, validate),
):
    app.command()(command)
app.add_typer(audit_app)
app.add_typer(policy_app)
app.add_typer(import_app)
app.add_typer(journal_app)
app.add_typer(lab_app)
app.add_typer(notify_app)


def _show_version(wanted: bool) -> None:
    if wanted:
        from balancer.version import VERSION

        print(f"balancer {VERSION}")
        raise typer.Exit(ExitCode.DONE)


@app.callback()
def _before(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    del version
    context.obj.debug = debug


def run_command_line(arguments: Sequence[str], session: Session) -> int:
    """Run one command and return its exit code. What nobody expected is raised on."""
    command = typer.main.get_command(app)
    try:
        code = command.main(
            list(arguments), prog_name="balancer", standalone_mode=False, obj=session
        )
    except PlanRefused as err:
        return _fail(str(err), ExitCode.REFUSED, debug=session.debug)
    except BalancerError as err:
        return _fail(str(err), ExitCode.ERROR, debug=session.debug)
    except typer.Abort:
        return ExitCode.INTERRUPTED
    except _complaint() as err:
        cast("typer.BadParameter", err).show()
        return ExitCode.ERROR
    return code if isinstance(code, int) else ExitCode.DONE


def _complaint() -> type[Exception]:
    """Return the base of what typer says of a wrong command line; its module differs by version."""
    return next(kind for kind in typer.BadParameter.mro() if kind.__name__ == "ClickException")


def _fail(message: str, code: ExitCode, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(f"balancer: {message}", file=sys.stderr)
    return code


class Reporter:
    """Says what happened where nobody expected it: a paragraph, and with `--debug` the traceback."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        """Take the place of `sys.excepthook`."""
        if self._session.debug:
            traceback.print_exception(kind, error, trace)
        hint = "" if self._session.debug else " Run it again with --debug before the command and"
        print(
            f"balancer: an internal error, {kind.__name__}: {error}.{hint} please report it.",
            file=sys.stderr,
        )

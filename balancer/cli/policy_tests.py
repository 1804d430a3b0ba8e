"""`balancer policy test`: plans what test files describe and says of each expectation whether it is met.

Nothing is connected. Which files are tests, the caller says; what a test may say is `balancer schema policy-test`.
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from balancer.cli.exit_codes import ExitCode
from balancer.cli.output import columns, emit, encoding, require_room, wants_color

if TYPE_CHECKING:
    from balancer.expose.policy_test_text import FileResult


class TestFormat(StrEnum):
    """How results are printed."""

    TEXT = "text"
    JSON = "json"


def policy_test(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Files of kind PolicyTest.")],
    report_format: Annotated[
        TestFormat, typer.Option("--format", help="Form of the results.")
    ] = TestFormat.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="F", help="Write the results to a file.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="F", help="Also write JUnit XML, for CI.")
    ] = None,
) -> None:
    """Plan what test files describe and check their expectations.

    Each file names a cluster (a snapshot file, or hosts and VMs in short), policies, a time, and what
    must come of them: no moves, at most N moves, VMs that never share a host, an empty host, and more.
    Needs no vCenter. Ends with 0 if everything is met, with 1 if not or if a file is wrong.
    """
    from balancer.expose.policy_test_text import results_junit

    require_room((output, junit), inputs=files)
    results = [_result(file) for file in files]
    if junit is not None:
        emit(results_junit(results), junit)
    emit(_rendered(results, report_format, output), output)
    is_passed = all(result.is_passed for result in results)
    raise typer.Exit(ExitCode.DONE if is_passed else ExitCode.ERROR)


def _result(file: Path) -> "FileResult":
    from balancer.cli.policy_test_run import run_test
    from balancer.expose.policy_test_text import FileResult
    from balancer.model.errors import BalancerError

    try:
        return run_test(file)
    except BalancerError as err:
        return FileResult(file=str(file), error=str(err))


def _rendered(results: "list[FileResult]", report_format: TestFormat, output: Path | None) -> bytes:
    from balancer.expose.document import document_text
    from balancer.expose.policy_test_text import results_document, results_text
    from balancer.expose.report_text import shows_blocks
    from balancer.expose.text_layout import Paper

    if report_format is TestFormat.JSON:
        return document_text(results_document(results)).encode()
    charset = encoding(output)
    paper = Paper(
        width=columns(output), color=wants_color(output), ascii_only=not shows_blocks(charset)
    )
    return results_text(results, paper).encode(charset, errors="replace")

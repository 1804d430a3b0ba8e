"""`balancer lab compare`: two results of replays side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from balancer.cli.lab_output import LabFormat, paper
from balancer.cli.output import emit, encoding, require_room
from balancer.model.errors import BalancerError

if TYPE_CHECKING:
    from balancer.lab.comparison import Comparison


def compare_command(
    first: Annotated[Path, typer.Argument(metavar="A", help="A result of lab replay.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
    other_trace: Annotated[
        bool, typer.Option("--other-trace", help="Compare although the traces differ.")
    ] = False,
    report_format: Annotated[
        LabFormat, typer.Option("--format", help="Form of the comparison.")
    ] = LabFormat.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="F", help="Write the comparison to a file.")
    ] = None,
) -> None:
    """Set two results of lab replay side by side.

    It is told what was set otherwise, and what became better or worse. Runs are compared that have the same
    contender, placement and seed; and where each result has one policy of ours that the other has not, these
    two. Results of different traces are refused, because their figures mean different things. The clock does
    not count.

    Ends with 0; with 1 if a file is wrong, the traces differ, or no run is in both.
    """
    from balancer.lab.comparison import compared
    from balancer.lab.document import read_lab_result

    require_room((output,), inputs=(first, second))
    found = compared(
        read_lab_result(first), read_lab_result(second), names=(str(first), str(second))
    )
    _check(found, other_trace=other_trace)
    emit(_rendered(found, report_format, output), output)


def _check(found: "Comparison", *, other_trace: bool) -> None:
    if found.other_traces and not other_trace:
        told = "; ".join(f"{one.what}: {one.first} and {one.second}" for one in found.other_traces)
        raise BalancerError(
            f"{found.first} and {found.second} are of different traces ({told}), so that their figures "
            "mean different things. Replay both on the same trace and days, or say --other-trace."
        )
    if not found.pairs:
        raise BalancerError(
            f"{found.first} and {found.second} have no run in common: none with the same contender, "
            f"placement and seed. In the first: {_listed(found.only_first)}; in the second: "
            f"{_listed(found.only_second)}."
        )


def _listed(keys: "tuple[tuple[str, str, int], ...]") -> str:
    names = [f"{contender} from {start} with seed {seed}" for contender, start, seed in keys]
    rest = len(names) - 5
    return ", ".join([*names[:5], *([f"{rest} more"] if rest > 0 else [])]) or "none"


def _rendered(found: "Comparison", wanted: LabFormat, output: Path | None) -> bytes:
    from balancer.expose.document import document_text
    from balancer.lab.comparison_text import (
        comparison_document,
        comparison_markdown,
        comparison_text,
    )

    match wanted:
        case LabFormat.JSON:
            return document_text(comparison_document(found)).encode()
        case LabFormat.MARKDOWN:
            return comparison_markdown(found).encode()
        case LabFormat.TEXT:
            text = comparison_text(found, paper(output))
            return text.encode(encoding(output), errors="replace")

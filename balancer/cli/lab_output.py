"""How commands of the lab print results."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from balancer.cli.output import columns, encoding, wants_color

if TYPE_CHECKING:
    from balancer.expose.text_layout import Paper
    from balancer.lab.replayed import Replayed


class LabFormat(StrEnum):
    """How results are printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def rendered(made: "Replayed", wanted: LabFormat, output: Path | None = None) -> bytes:
    """Return a result in a form, for standard output or a file."""
    from balancer.lab.document import lab_result_text
    from balancer.lab.table import table_markdown, table_text

    match wanted:
        case LabFormat.JSON:
            return lab_result_text(made).encode()
        case LabFormat.MARKDOWN:
            return table_markdown(made).encode()
        case LabFormat.TEXT:
            return table_text(made, paper(output)).encode(encoding(output), errors="replace")


def paper(output: Path | None = None) -> "Paper":
    """Return what text is written on."""
    from balancer.expose.report_text import shows_blocks
    from balancer.expose.text_layout import Paper

    return Paper(
        width=columns(output),
        color=wants_color(output),
        ascii_only=not shows_blocks(encoding(output)),
    )

"""How a text report is laid out on a terminal: columns, bars, wrapping, colour. Knows nothing of plans."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from balancer.expose.escape import ascii_only, cells, visible
from balancer.model.units import Ratio

_EIGHTHS = " ▏▎▍▌▋▊▉"
_UNITS = re.compile(r"(?<=\d) (?=(%|pp|s|min|h|GiB|MHz)\b|%)")
_GLUE = "\ue000"
"""Stands for a blank between figure and unit, where no line may break; never part of safe text."""

_RESET = "\x1b[0m"


class Tone(StrEnum):
    """What a piece of text stands for; the ANSI code that shows it."""

    PLAIN = ""
    TITLE = "\x1b[1m"
    FAINT = "\x1b[2m"
    GOOD = "\x1b[32m"
    WARN = "\x1b[33m"
    BAD = "\x1b[31m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """What the text is written on: columns, whether it shows colour, whether only ASCII."""

    width: int = 100
    color: bool = False
    ascii_only: bool = False

    def safe(self, text: str) -> str:
        """Return foreign text so that it prints as it reads and can do no harm."""
        return ascii_only(text) if self.ascii_only else visible(text)

    def paint(self, text: str, tone: Tone) -> str:
        """Return `text` in a tone; unchanged where no colour is wanted."""
        return f"{tone}{text}{_RESET}" if self.color and tone and text else text

    def bar(self, ratio: Ratio, width: int) -> str:
        """Return a bar of `width` columns that is full at 1 and above."""
        eighths = round(min(max(ratio, 0.0), 1.0) * width * 8)
        if self.ascii_only:
            return ("#" * ((eighths + 4) // 8)).ljust(width, ".")
        whole, rest = divmod(eighths, 8)
        return ("█" * whole + (_EIGHTHS[rest] if rest else "")).ljust(width)

    def wrap(self, text: str, indent: str, first: str | None = None) -> list[str]:
        """Return foreign text in lines of at most the paper's width, later lines behind `indent`."""
        lines = textwrap.wrap(
            _UNITS.sub(_GLUE, self.safe(text)),
            width=max(self.width, len(indent) + 20),
            initial_indent=indent if first is None else first,
            subsequent_indent=indent,
            break_on_hyphens=False,
        )
        lines = [line.replace(_GLUE, " ") for line in lines]
        return lines or [(indent if first is None else first).rstrip()]


def fit(text: str, width: int) -> str:
    """Return `text` in exactly `width` columns: padded, or shortened in its middle."""
    size = cells(text)
    if size <= width:
        return text + " " * (width - size)
    dots = ".." if text.isascii() else "…"
    keep = width - cells(dots)
    tail = _take(text[::-1], keep // 2)[::-1]
    head = _take(text, keep - cells(tail))
    short = head + dots + tail
    return short + " " * (width - cells(short))


def fit_right(text: str, width: int) -> str:
    """Return `text` padded on its left to `width` columns."""
    return " " * (width - cells(text)) + text


def widest(texts: Sequence[str], *, least: int, most: int) -> int:
    """Return the columns that the widest text needs, kept between `least` and `most`."""
    return min(max([least, *(cells(text) for text in texts)]), max(least, most))


def capped(lines: list[str], most: int, *, indent: str = "  ") -> list[str]:
    """Return at most `most` lines and, where some were left off, a line that says how to see them."""
    if len(lines) <= most:
        return lines
    return [*lines[:most], f"{indent}and {len(lines) - most:,} more; use --format json"]


def _take(text: str, width: int) -> str:
    taken, used = "", 0
    for character in text:
        used += cells(character)
        if used > width:
            break
        taken += character
    return taken

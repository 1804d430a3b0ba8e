"""What a name may look like in each place it is written to: one escape function per sink.

Names come from vCenter, where anybody who may rename a VM chooses them. Nothing in a name may move a
cursor, end a table cell, start a tag, mention a person or break the metrics page. Sits below every
report, the log and the metrics; decides nothing.
"""

import re
import unicodedata

METRIC_LABEL_CHARACTERS = 120
"""A label longer than this is cut: no name of vSphere is longer (the limit there is 80)."""

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_MARKDOWN_ENTITIES = {
    "<": "&lt;",
    ">": "&gt;",
    "&": "&amp;",
    "|": "&#124;",
    ":": "&#58;",
    "@": "\N{FULLWIDTH COMMERCIAL AT}",  # an entity would still mention a person in a ticket
}
_MARKDOWN_SIGNS = re.compile(r"[\\`*_\[\]#~$!]")
_MARKDOWN_STARTS = re.compile(r"(\d{0,9})(?:(?<=\d)[.)](?:\s|$)|(?<!\d)[-+=])")
"""What starts a list, a rule or a heading where it is the first thing of an item."""

_LINK_STARTS = re.compile(r":(?=//)|\bwww\.", re.IGNORECASE)


def visible(text: str) -> str:
    r"""Return `text` with every character that does not print written out, such as `\x1b` or `\u202e`.

    For a terminal, a log line and the words of an HTML page: control characters, line breaks,
    direction marks, lone surrogates and unassigned characters become plain ASCII.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _written_out(c) for c in text)


def ascii_only(text: str) -> str:
    """Return `text` as `visible` does, with everything beyond ASCII written out too."""
    return visible(text).encode("ascii", "backslashreplace").decode("ascii")


def markdown_text(text: str) -> str:
    """Return `text` as words of a Markdown paragraph, list item or table cell, with no effect there."""
    safe = _MARKDOWN_SIGNS.sub(r"\\\g<0>", visible(text).strip().replace("&", "&amp;"))
    safe = _started_as_text(safe)
    for sign in "<>|@":
        safe = safe.replace(sign, _MARKDOWN_ENTITIES[sign])
    return _LINK_STARTS.sub(
        lambda match: match[0].replace(":", "&#58;").replace(".", "&#46;"), safe
    )


def _started_as_text(text: str) -> str:
    """Return `text` with what would start a list, a rule or a heading at its beginning made plain."""
    start = _MARKDOWN_STARTS.match(text)
    return f"{text[: start.end(1)]}\\{text[start.end(1) :]}" if start else text


def markdown_code(text: str) -> str:
    """Return `text` as a code span that also fits a table cell: no back-tick or pipe survives."""
    safe = (
        visible(text)
        .replace("`", "\N{MODIFIER LETTER GRAVE ACCENT}")
        .replace("|", "\N{BROKEN BAR}")
    )
    return f"`{safe.strip() or ' '}`"


def metric_label(text: str) -> str:
    """Return `text` as the value of a metric label: printable, encodable, of bounded length."""
    safe = "".join(c if c.isprintable() else _REPLACEMENT for c in text)
    return safe[:METRIC_LABEL_CHARACTERS]


def cells(text: str) -> int:
    """Return how many columns of a terminal a printable `text` takes."""
    if text.isascii():
        return len(text)
    return sum(_cells_of(c) for c in text)


def _cells_of(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")

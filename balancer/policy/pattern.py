"""Patterns of names: globs, and regular expressions on an engine whose time grows with the text alone.

Source: RE2 matches in time linear in the text and refuses what would need more (look-around, back
references): https://github.com/google/re2/wiki/Syntax.
"""

import fnmatch
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Protocol

import re2

LONGEST_PATTERN = 500
"""Characters. Longer ones are hard to read, and cost memory when they count repetitions."""

_MOST_MEMORY_BYTES = 4 << 20


class Match(Protocol):
    """One match."""

    def span(self) -> tuple[int, int]:
        """Return where it begins and ends."""


class Pattern(Protocol):
    """A compiled regular expression. Positions in bytes are found much faster than in text."""

    def fullmatch(self, text: str) -> object:
        """Return something where the whole text matches, else None."""

    def finditer(self, text: bytes) -> Iterator[Match]:
        """Yield the matches that do not overlap, from the left."""


class PatternWrong(ValueError):
    """A regular expression that cannot be used; the message says what is allowed."""


@lru_cache(maxsize=1024)
def compiled(regex: str) -> Pattern:
    """Return a compiled regular expression.

    Raises:
        PatternWrong: it is too long, is none, or needs what RE2 does not have.
    """
    if len(regex) > LONGEST_PATTERN:
        raise PatternWrong(f"at most {LONGEST_PATTERN} characters, not {len(regex)}")
    if not regex.isprintable():
        raise PatternWrong("printable characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MOST_MEMORY_BYTES
    try:
        pattern: Pattern = re2.compile(regex, options)
    except re2.error as err:
        words = err.args[0] if err.args else err
        text = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
        raise PatternWrong(f"RE2 syntax without look-around and back references; {text}") from err
    return pattern


def matches_regex(regex: str, text: str) -> bool:
    """Whether the whole text matches. What UTF-8 cannot hold counts as a question mark."""
    return compiled(regex).fullmatch(text.encode(errors="replace").decode()) is not None


def matches_glob(glob: str, text: str) -> bool:
    """Whether a text matches a glob: `*`, `?` and `[...]`, upper and lower case told apart."""
    return compiled_glob(glob)(text) is not None


@lru_cache(maxsize=4096)
def compiled_glob(glob: str) -> Callable[[str], object]:
    """Return what gives something where a text matches a glob, else None.

    Source: the translation has no way back into a `*` that was passed (Python, `fnmatch.translate`), so
    that no glob takes long.
    """
    return re.compile(fnmatch.translate(glob)).match

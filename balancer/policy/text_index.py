"""Finds objects by a text of theirs: exactly, by glob, by regular expression, or by the path above it.

Owns the speed of selection: one index answers many questions about the same thousands of names, each in
time that grows with what is found or, for a pattern without a fixed beginning, once with the length of all
names together. It knows neither VMs nor selectors.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import accumulate, chain
from types import MappingProxyType

from balancer.policy.pattern import compiled, compiled_glob, matches_regex

_MAGIC = re.compile(r"[*?[]")
_WHOLE_TEXT_ONLY = re.compile(r"\\[Az]|\(\?[a-zA-Z]*m|\(\?[a-zA-Z]*-")
"""What means something else in a line of a longer text than in a text by itself."""

_LAST = "\U0010ffff"
_NOTHING: frozenset[str] = frozenset()


class TextIndex:
    """Ids by text. Several ids may have one text, and one id several texts."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Take pairs of a text and an id."""
        found: dict[str, list[str]] = {}
        for text, key in pairs:
            found.setdefault(text, []).append(key)
        self.ids: Mapping[str, frozenset[str]] = MappingProxyType(
            {text: frozenset(keys) for text, keys in found.items()}
        )

    def exact(self, text: str) -> frozenset[str]:
        """Return the ids of one text."""
        return self.ids.get(text, _NOTHING)

    def glob(self, pattern: str) -> frozenset[str]:
        """Return the ids whose text matches a glob; upper and lower case are told apart."""
        magic = _MAGIC.search(pattern)
        if magic is None:
            return self.exact(pattern)
        matches = compiled_glob(pattern)
        start = pattern[: magic.start()]
        if start:
            return self._of(filter(matches, self._beginning_with(start)))
        piece = _plain_piece(pattern)
        texts = self._holding(piece)
        return self._of(texts if pattern == f"*{piece}*" else filter(matches, texts))

    def regex(self, pattern: str) -> frozenset[str]:
        """Return the ids whose whole text matches a regular expression.

        Raises:
            PatternWrong: it is no regular expression that RE2 takes.
        """
        lines = self._matching_lines(pattern)
        if lines is None:
            return self._of(text for text in self._sorted if matches_regex(pattern, text))
        return self._of(lines)

    def below(self, path: str) -> frozenset[str]:
        """Return the ids whose text is a path, or lies below it; parts are parted by `/`."""
        start = path.strip("/")
        return self.exact(start) | self._of(self._beginning_with(f"{start}/"))

    def _of(self, texts: Iterable[str]) -> frozenset[str]:
        return frozenset(chain.from_iterable(map(self.ids.__getitem__, texts)))

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self.ids)

    def _beginning_with(self, start: str) -> list[str]:
        texts = self._sorted
        return texts[bisect_left(texts, start) : bisect_left(texts, start + _LAST)]

    def _holding(self, piece: str) -> Iterable[str]:
        """Return the texts that hold a piece, found in one pass over all of them together."""
        if not piece:
            return self._sorted
        joined, starts = self._joined
        return self._found(piece, joined, starts)

    def _found(self, piece: str, joined: str, starts: list[int]) -> Iterator[str]:
        at = joined.find(piece)
        while at >= 0:
            line = bisect_right(starts, at) - 1
            yield self._sorted[line]
            at = joined.find(piece, starts[line + 1]) if line + 1 < len(starts) else -1

    @cached_property
    def _joined(self) -> tuple[str, list[int]]:
        """Return all texts as one, parted by line breaks, and where each begins."""
        lengths = (len(text) + 1 for text in self._sorted)
        return "\n".join(self._sorted), [0, *accumulate(lengths)][:-1]

    @cached_property
    def _lines(self) -> tuple[bytes, Mapping[int, str]] | None:
        """Return all texts as the lines of one, and the text that begins at each place; None if impossible."""
        at, places, lines = 0, {}, []
        for text in self._sorted:
            line = text.encode(errors="replace")
            if b"\n" in line:
                return None
            places[at] = text
            lines.append(line)
            at += len(line) + 1
        return b"\n".join(lines), places

    def _matching_lines(self, pattern: str) -> list[str] | None:
        """Return the texts that match, found in one pass over all of them; None where that cannot be.

        A match over the end of a line hides those inside of it, hence "cannot be".
        """
        if self._lines is None or not self.ids or _WHOLE_TEXT_ONLY.search(pattern):
            return None
        text, places = self._lines
        found = []
        for match in compiled(f"(?m)^(?:{pattern})$").finditer(text):
            start, end = match.span()
            if start not in places or b"\n" in text[start:end]:
                return None
            found.append(places[start])
        return found


def _plain_piece(glob: str) -> str:
    """Return the longest piece of a glob before any class that stands for itself; maybe nothing."""
    piece = max(re.split(r"[*?]", glob.partition("[")[0]), key=len)
    return "" if "\n" in piece else piece

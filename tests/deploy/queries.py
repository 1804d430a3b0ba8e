"""What a PromQL expression asks for: the names of its metrics. Enough of the language for our own queries."""

import re

_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')
_LABELS = re.compile(r"\{[^{}]*\}")
_GROUPS = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^()]*\)")
_RANGES = re.compile(r"\[[^\]]*\]")
_NAMES = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_WORDS = frozenset({"and", "or", "unless", "bool", "offset", "by", "on", "inf", "nan"})


def metrics_in(expression: str) -> set[str]:
    """Return the names of the metrics that an expression reads."""
    text = _STRINGS.sub('""', expression)
    for part in (_LABELS, _RANGES, _GROUPS):
        text = part.sub(" ", text)
    names = {m[0] for m in _NAMES.finditer(text) if not text[m.end() :].lstrip().startswith("(")}
    return {name for name in names if name.lower() not in _WORDS and not name.isdigit()}

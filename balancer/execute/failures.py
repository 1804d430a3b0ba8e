"""What a failed move asks for: by its fault's class, by the keys of its messages, at last by its text.

Used for refused calls and for failed tasks alike. The table is `model.faults`. A fault that is not in it stops
the cluster, because nobody has thought about it yet.
"""

import re
from collections.abc import Iterable

from balancer.model.faults import KEY_FAMILIES, KEYS, KIND_OF, TOLD_BY_TEXT
from balancer.model.outcome import FailureKind

_PASSING_TROUBLE = re.compile(
    r"switch-?over"
    r"|failed to resume"
    r"|timed out|time-?out"
    r"|network (error|is unreachable|connection)|vmotion network"
    r"|connection (reset|refused|closed|lost|was)|broken pipe|unreachable",
    re.IGNORECASE,
)
"""Texts of a copy or switch-over that did not succeed this time, in English: asked where no key is known.

Source: VMware knowledge base on `msg.checkpoint.migration.maxSwitchoverTimeExceeded` and vMotion failing
between 10 and 90 percent: the VM goes on running on its source.
"""


def failure_kind(fault: str, message: str = "", keys: Iterable[str] = ()) -> FailureKind:
    """Return what a failure asks for. `fault` is a class name without package, such as `Timedout`.

    `keys` are those of the fault's messages; where none of them is known, the text decides.
    """
    if fault in TOLD_BY_TEXT:
        told = next((kind for key in keys if (kind := _kind_of_key(key))), None)
        if told:
            return told
        is_passing = _PASSING_TROUBLE.search(message)
        return FailureKind.TRANSIENT if is_passing else FailureKind.SKIP_VM
    return KIND_OF.get(fault, FailureKind.UNMAPPED)


def _kind_of_key(key: str) -> FailureKind | None:
    known = KEYS.get(key)
    if known:
        return known.kind
    return next((kind for start, kind in KEY_FAMILIES.items() if key.startswith(start)), None)

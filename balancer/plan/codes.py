"""Reasons as small integers, so that whole tables of refusals fit into byte arrays.

Owns the numbering and nothing else. Code 0 means that a law allows the pair.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from balancer.model.reasons import Reason

Codes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

REASONS: tuple[Reason, ...] = tuple(Reason)

CODE: Mapping[Reason, int] = MappingProxyType({r: n for n, r in enumerate(REASONS, start=1)})
"""Reason to code, from 1; fewer than 256, which `Codes` can hold."""


def reason_of(code: int) -> Reason:
    """Return the reason behind a code above 0."""
    return REASONS[code - 1]


def first_refusal(*tables: Codes) -> Codes:
    """Return the first code above 0 at each place, in the order of the tables; 0 where all allow."""
    result = tables[0].copy()
    for table in tables[1:]:
        np.copyto(result, table, where=result == 0)
    return result

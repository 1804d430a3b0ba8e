"""How many examples a search tries, and how many when somebody wants to look longer, or has less time.

`SEARCH_TIMES=50 pytest tests/properties/test_soap_answers.py` tries fifty times as many. The time limit of a
test is made for the usual number and does not count then: a long search that is stopped by the clock of a
loaded machine has found nothing, and would look as if it had. Continuous integration tries a share of them, the
same ones at each run; `make laws` tries many times as many.
"""

import os
from collections.abc import Sequence
from typing import Any, TypeVar

from hypothesis import settings

T = TypeVar("T")
TIMES = float(os.environ.get("SEARCH_TIMES", "1"))
LEAST = 12
"""So many examples are tried at least, or all where a search usually has fewer."""


def examples(number: int, **others: Any) -> settings:
    """Return the settings of a search that usually tries so many examples."""
    return settings(max_examples=share(number), **others)


def share(number: int) -> int:
    """Return how many examples are tried instead of the usual number."""
    return max(round(number * TIMES), min(number, LEAST))


def part(every: Sequence[T], number: int) -> Sequence[T]:
    """Return all values; where there is less time every nth, from another one on for each number from 0."""
    step = max(round(1 / TIMES), 1)
    return every[number % step :: step]

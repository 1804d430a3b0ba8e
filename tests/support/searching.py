"""How many examples a search tries, and how many when somebody wants to look longer.

`SEARCH_TIMES=50 pytest tests/properties/test_soap_answers.py` tries fifty times as many. The time limit of a
test is made for the usual number and does not count then: a long search that is stopped by the clock of a
loaded machine has found nothing, and would look as if it had.
"""

import os

from hypothesis import settings

TIMES = int(os.environ.get("SEARCH_TIMES", "1"))


def examples(number: int) -> settings:
    """Return the settings of a search that usually tries so many examples."""
    return settings(max_examples=number * TIMES)

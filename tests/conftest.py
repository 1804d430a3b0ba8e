"""Settings of the whole suite: how Hypothesis searches, which worker begins with which tests, and what ends them.

In continuous integration the examples are the same at each run, so that a change is judged by what it
changed; elsewhere each run looks for new ones. Time limits belong to pytest, not to single examples, and a
search that is told to look longer has none.
"""

import os
import signal

import pytest
from hypothesis import settings

from tests.support.dealing import dealt
from tests.support.searching import TIMES

settings.register_profile("search", deadline=None)
settings.register_profile("repeat", parent=settings.get_profile("search"), derandomize=True)
settings.load_profile("repeat" if os.environ.get("CI") == "true" else "search")


def pytest_configure() -> None:
    """Let Ctrl-C end what tests start, also where a shell runs us in the background and has us ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take the time limit from tests that search longer than usual, and deal tests to the workers of a run."""
    if TIMES > 1:
        for item in items:
            item.add_marker(pytest.mark.timeout(0))
    workers = getattr(config, "workerinput", {}).get("workercount", 1)  # of pytest-xdist
    if workers > 1:
        items[:] = dealt(items, workers)

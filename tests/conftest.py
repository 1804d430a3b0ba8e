"""Settings of the whole suite: how Hypothesis searches.

In continuous integration the examples are the same at each run, so that a change is judged by what it
changed; elsewhere each run looks for new ones. Time limits belong to pytest, not to single examples.
"""

import os

from hypothesis import settings

settings.register_profile("search", deadline=None)
settings.register_profile("repeat", parent=settings.get_profile("search"), derandomize=True)
settings.load_profile("repeat" if os.environ.get("CI") == "true" else "search")

"""Traces of demand on disk: read, mended by documented rules, or refused with row and column.

It owns the files of a trace folder, of a park of hosts and of placements, and makes the lab's values of them.
It writes nothing and knows no planner. The form and the rules of mending: docs/operate/traces.md.
"""

from balancer.adapters.traces.mends import Mend, MendRule
from balancer.adapters.traces.park import placements_in, read_hosts, read_placement
from balancer.adapters.traces.reading import ReadTrace, read_trace
from balancer.adapters.traces.recorded import Recording, read_recording

__all__ = [
    "Mend",
    "MendRule",
    "ReadTrace",
    "Recording",
    "placements_in",
    "read_hosts",
    "read_placement",
    "read_recording",
    "read_trace",
]

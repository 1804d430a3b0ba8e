"""Inventories that other tools wrote, read into snapshots: no vCenter is asked.

What is wrong in a file is never passed over: it is mended by a rule that has a name, or the file is refused,
and all of it is told at once with its place. What a file does not say stays unknown in the snapshot.
"""

from balancer.adapters.imports.findings import Finding, Findings, ImportRefused, ImportRule
from balancer.adapters.imports.outcome import Imported
from balancer.adapters.imports.rvtools import import_rvtools

__all__ = [
    "Finding",
    "Findings",
    "ImportRefused",
    "ImportRule",
    "Imported",
    "import_rvtools",
]

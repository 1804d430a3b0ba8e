"""What an import gives: a snapshot, what was found wrong and mended, and what had to be assumed."""

from collections.abc import Sequence
from dataclasses import dataclass

from balancer.adapters.imports.findings import Findings
from balancer.expose.escape import visible
from balancer.model.errors import NotFound
from balancer.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A snapshot of one cluster. `notes` tell what the source does not say, and what was assumed instead."""

    snapshot: Snapshot
    findings: Findings
    notes: tuple[str, ...]


def chosen(names: Sequence[str], wanted: str | None, subject: str) -> str:
    """Return the cluster that is meant: the one that is named, or the only one.

    Raises:
        NotFound: there is none, none of that name, or several and none was named; all are listed.
    """
    listed = visible(", ".join(sorted(names)))
    if not names:
        raise NotFound(f"{subject} has no cluster. Hosts outside of clusters cannot be balanced.")
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted is None:
        raise NotFound(f"{subject} has {len(names)} clusters: {listed}. Name one with --cluster.")
    if wanted not in names:
        raise NotFound(f"{subject} has no cluster '{wanted}'. It has: {listed}.")
    return wanted

"""What an import tells beside its snapshot, on standard error: what was mended, and what is not known."""

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from balancer.cli.output import columns_of, emit

if TYPE_CHECKING:
    from balancer.adapters.imports import Imported

_NARROWEST, _WIDEST = 20, 100


def finish(imported: "Imported", output: Path | None) -> None:
    """Write the snapshot, then tell what there is to tell: so it stands where people look, at the end."""
    from balancer.adapters.files import snapshot_bytes
    from balancer.expose.escape import visible

    emit(snapshot_bytes(imported.snapshot), output)
    for line in _lines(imported):
        print(visible(line), file=sys.stderr)


def _lines(imported: "Imported") -> Iterator[str]:
    snapshot = imported.snapshot
    running = len(snapshot.running_vms)
    yield (
        f"cluster {snapshot.cluster.name}: {len(snapshot.hosts):,} hosts, {len(snapshot.vms):,} VMs, "
        f"{running:,} running, as of {snapshot.taken_at:%Y-%m-%d %H:%M} UTC"
    )
    mended = list(imported.findings.lines(refusing=False))
    if mended:
        yield "mended:"
        yield from (f"  {line}" for line in mended)
    width = min(max(columns_of(sys.stderr), _NARROWEST), _WIDEST)
    for note in imported.notes:
        yield from textwrap.wrap(note, width, initial_indent="- ", subsequent_indent="  ")

"""Snapshots and plans as files: the public formats, read strictly in content and leniently in extra keys."""

from balancer.adapters.files.snapshot_file import (
    parse_snapshot,
    read_snapshot,
    snapshot_bytes,
    snapshot_document,
    write_snapshot,
)

__all__ = [
    "parse_snapshot",
    "read_snapshot",
    "snapshot_bytes",
    "snapshot_document",
    "write_snapshot",
]

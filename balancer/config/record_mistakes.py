"""What is wrong between the section on recording and the rest of a configuration."""

from collections.abc import Iterator
from os.path import normpath
from pathlib import Path, PurePath

from balancer.policy.problems import Mistake, nearest, plain, shown
from balancer.policy.unchecked import entries, mapping, text, texts

JOURNAL = "/var/lib/balancer/journal.sqlite"


def record_mistakes(data: object, base: Path) -> Iterator[Mistake]:
    """Yield clusters that there are not, and a folder of recordings that would hold the key of their names.

    `base` is the folder of the file.
    """
    record = mapping(mapping(data).get("record"))
    clusters = {
        f"{text(cluster, 'vcenter')}/{text(cluster, 'name')}"
        for _, cluster in entries(data, "clusters")
    }
    for unknown in sorted(set(texts(record, "clusters")) - clusters - {""}):
        yield Mistake(
            path=("record", "clusters"),
            found=f"there is no cluster {shown(unknown)}",
            allowed=plain(", ".join(sorted(clusters))),
            hint=nearest(unknown, clusters),
        )
    journal = text(mapping(mapping(data).get("journal")), "path") or JOURNAL
    folder = text(record, "folder")
    if folder and _holds(base / folder, (base / journal).parent):
        yield Mistake(
            path=("record", "folder"),
            found=f"{shown(folder)} holds the journal's folder, where the key of anonymised names lies",
            allowed="a folder of its own, such as recordings beside the journal",
        )


def _holds(folder: Path, inner: Path) -> bool:
    return PurePath(normpath(inner)).is_relative_to(normpath(folder))

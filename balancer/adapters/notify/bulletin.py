"""What one message tells: the notices that waited, those alike together. Pure, in no channel's form yet."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from balancer.expose.figures import counted
from balancer.model.notice import Notice, Severity

MOST_SECTIONS = 12
"""Groups that one message tells; the rest is counted. Slack takes 50 blocks, see `slack`."""

MOST_LINES = 5
"""Notices of a group that are told with their text: the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulletin:
    """The notices of one message, oldest first, and how many were dropped as too many waited.

    `id` stays the same however often delivery is tried.
    """

    id: str
    at: datetime
    notices: tuple[Notice, ...]
    dropped: int = 0

    @property
    def severity(self) -> Severity:
        """Return the gravest."""
        severities = (notice.severity for notice in self.notices)
        return max(severities, key=lambda one: one.rank, default=Severity.INFO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Notices of one kind and cluster, as words for people. Names are as vCenter has them: escape them."""

    severity: Severity
    title: str
    lines: tuple[str, ...]


def headline(bulletin: Bulletin) -> str:
    """Return the one line that a telephone shows."""
    groups = _groups(bulletin.notices)
    if len(groups) == 1:
        return _title(groups[0])
    counts = Counter(notice.word.replace("_", " ") for notice in bulletin.notices)
    told = ", ".join(f"{count} {word}" for word, count in counts.most_common())
    clusters = {notice.shard for notice in bulletin.notices}
    where = next(iter(clusters)) if len(clusters) == 1 else counted(len(clusters), "cluster")
    return f"{bulletin.severity.upper()} {where}: {told}"


def sections(bulletin: Bulletin) -> tuple[Section, ...]:
    """Return what a message says, the gravest first."""
    groups = _groups(bulletin.notices)
    told = [
        Section(severity=group[-1].severity, title=_title(group), lines=_lines(group))
        for group in groups[:MOST_SECTIONS]
    ]
    rest = sum(map(len, groups[MOST_SECTIONS:]))
    left_out = [(rest, "more of other kinds and clusters"), (bulletin.dropped, "older, too many")]
    lines = tuple(f"{counted(count, 'notice')} {why}" for count, why in left_out if count)
    if lines:
        told.append(Section(severity=Severity.INFO, title="Not told here", lines=lines))
    return tuple(told)


def _groups(notices: Iterable[Notice]) -> list[list[Notice]]:
    """Return notices alike together, the gravest first, then by age."""
    found: dict[tuple[str, str, Severity], list[Notice]] = {}
    for notice in notices:
        found.setdefault((notice.word, notice.shard, notice.severity), []).append(notice)
    return sorted(found.values(), key=lambda group: -group[0].severity.rank)


def _title(group: list[Notice]) -> str:
    last = group[-1]
    times = f" ({len(group):,} times)" if len(group) > 1 else ""
    return f"{last.severity.upper()} {last.shard}: {last.title}{times}"


def _lines(group: list[Notice]) -> tuple[str, ...]:
    shown = tuple(
        f"{notice.at:%Y-%m-%d %H:%M:%S} UTC: {notice.text}" for notice in group[-MOST_LINES:]
    )
    rest = len(group) - len(shown)
    return (*shown, f"and {rest:,} before") if rest else shown

"""What people are told of without asking: notices, and how grave they are. Values only."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class NoticeKind(StrEnum):
    """What a notice is about."""

    PLAN_WAITS = "plan_waits"  # for an approval
    MIGRATION_FAILED = "migration_failed"
    CLUSTER_STOPPED = "cluster_stopped"  # nothing is sent until a person has mended something
    BREAKER_OPENED = "breaker_opened"
    BREAKER_CLOSED = "breaker_closed"
    VERDICT_WORSE = "verdict_worse"
    FELL_BACK = "fell_back"  # to observing, until a person has acknowledged the verdicts
    CYCLES_FAIL = "cycles_fail"  # several in a row
    CYCLES_WORK = "cycles_work"  # again


class Severity(StrEnum):
    """How grave a notice is: `info` for the record, `warning` to look at, `error` for a person to act on."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """Return 0 for the least grave."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to be told. `kind` is None for a try of the channels.

    `title` and `text` are sentences with names as vCenter has them: each channel escapes them in its way. `facts`
    are the same for machines. Two notices with one `key` say the same.
    """

    kind: NoticeKind | None
    severity: Severity
    vcenter: str
    cluster: str
    at: datetime
    title: str
    text: str
    key: str
    facts: tuple[tuple[str, str], ...] = field(default=())

    @property
    def word(self) -> str:
        """Return the stable word for what it is about: `test` for a try."""
        return self.kind.value if self.kind else "test"

    @property
    def shard(self) -> str:
        """Return the cluster as the configuration names it: "vcenter/cluster"."""
        return f"{self.vcenter}/{self.cluster}"

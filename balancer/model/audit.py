"""The audit log's entries: every decision, refusal and human action, chained by hashes (S10). Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

PROGRAM = "balancer"
"""The actor of what the program decides by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditNote:
    """Something that happened, for the log: who did what to which subject, and why.

    `action` is a word such as `plan.made`, `move.intent`, `move.refused`, `pause`, `breaker.opened`; `subject`
    names a plan, a VM or a host. `facts` are plain values: text, numbers, truth, None.
    """

    at: datetime
    action: str
    actor: str = PROGRAM
    shard: str = ""
    subject: str = ""
    reason: str = ""
    facts: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """A note in its place in the chain: `digest` covers the note, its number and the digest before it."""

    number: int
    note: AuditNote
    previous: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHead:
    """An entry's number and digest as somebody noted them elsewhere: entries up to it cannot be cut off unseen."""

    number: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFault:
    """A place where the chain does not hold."""

    number: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """The result of a verification: how many entries were read, the digest of the last, what is wrong."""

    entries: int
    head: str
    faults: tuple[AuditFault, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

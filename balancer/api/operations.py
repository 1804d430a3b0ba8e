"""The table of what can be asked and changed: the function that does it, and where HTTP offers the same.

For whoever asks one or the other way: commands on the journal file, and commands that talk to a daemon.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from balancer.api import auditing, evacuating, journal, pausing, plans, status
from balancer.api.answer import Answer
from balancer.api.scene import Scene

PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One question, or with `is_change` one change, which is given who asks. `path` may have places for words."""

    path: str
    act: Callable[..., Answer]
    is_change: bool = False


def _moves(scene: Scene, **wanted: object) -> Answer:
    return journal.list_moves(scene, journal.Wanted(**wanted))  # type: ignore[arg-type]  # as commands give it


def _change(path: str, act: Callable[..., Answer]) -> Operation:
    return Operation(path=path, act=act, is_change=True)


OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "status": Operation(path="/status", act=status.status),
        "plans": Operation(path="/plans", act=plans.list_plans),
        "evacuations": Operation(path="/evacuations", act=evacuating.list_evacuations),
        "journal": Operation(path="/journal", act=_moves),
        "move": Operation(path="/journal/{row}", act=journal.show_move),
        "verdicts": Operation(path="/journal/verdicts", act=journal.list_verdicts),
        "quarantines": Operation(path="/journal/quarantines", act=journal.list_quarantines),
        "audit": Operation(path="/audit", act=auditing.list_entries),
        "verify": Operation(path="/audit/verify", act=auditing.verify),
        "approve": _change("/plans/{plan}/approve", plans.approve),
        "reject": _change("/plans/{plan}/reject", plans.reject),
        "pause": _change("/pause", pausing.pause),
        "resume": _change("/resume", pausing.resume),
        "evacuate": _change("/evacuations", evacuating.evacuate),
        "end_evacuation": _change("/evacuations/end", evacuating.end_evacuation),
    }
)

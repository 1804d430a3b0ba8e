"""What the daemon and a process that plans say to each other: one question, one answer, as pickles in a pipe.

Owns their form. Both ends are the same program of the same version, and nobody else holds an end of the pipe.
"""

import copyreg
import io
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from balancer.model.past import Past
from balancer.model.plan import Plan
from balancer.model.reasons import Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import Seconds
from balancer.plan import PlanSettings
from balancer.policy.in_force import InForce
from balancer.policy.types import Policy

READY = b"ready\n"
"""The first line of an answerer: from here on the time that passes is the planner's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What `planner.plan_snapshot` is given, and how many seconds it may take."""

    snapshot: Snapshot
    policy: Policy
    settings: PlanSettings
    past: Past | None
    in_force: InForce | None
    unfit: tuple[Refusal, ...] | None
    patience_s: Seconds


class Ending(StrEnum):
    """How planning ended in a process that survived it."""

    PLANNED = "planned"
    UNSOUND = "unsound"  # the plan did not pass the independent check
    OUT_OF_MEMORY = "out of memory"
    BUG = "bug"  # an error that nobody expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How it ended: with a plan, or in words for people and, for a bug, with its traceback."""

    ending: Ending
    plan: Plan | None = None
    detail: str = ""
    traceback: str = ""


def packed(letter: Question | Answer) -> bytes:
    """Return a letter as bytes; read it with `pickle.load`."""
    buffer = io.BytesIO()
    _Packer(buffer, pickle.HIGHEST_PROTOCOL).dump(letter)
    return buffer.getvalue()


Rebuilt = tuple[Callable[..., object], tuple[object, ...]]


def _read_only(items: Mapping[object, object]) -> Mapping[object, object]:
    return MappingProxyType(items)


def _taken_apart(mapping: MappingProxyType[object, object]) -> Rebuilt:
    return _read_only, (dict(mapping),)


class _Packer(pickle.Pickler):
    """A pickler that also knows read-only mappings."""

    dispatch_table = copyreg.dispatch_table | {MappingProxyType: _taken_apart}

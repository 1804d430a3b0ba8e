"""The closed sets of label values, and how the model's words map to them. Bounded, so that series are.

The reasons of moves map to the vocabulary that dashboards of such tools share; refusals keep their own
stable words (`model.reasons`). `docs/reference/metrics.md` prints these tables.
"""

import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from itertools import count
from threading import Lock
from types import MappingProxyType

from balancer.expose.escape import metric_label
from balancer.model.errors import (
    CredentialsUnreadable,
    LoginRefused,
    SourceAnswerInvalid,
    SourceError,
    SourceUnreachable,
    UntrustedCertificate,
)
from balancer.model.outcome import FailureKind, MoveOutcome, MoveState
from balancer.model.plan import MoveReason, PlanStatus, Priority
from balancer.model.reasons import Reason
from balancer.model.units import Seconds

OTHER = "other"
VMOTION = "vmotion"
"""The only kind of migration there is: compute only, storage stays."""

RESOURCES = ("cpu", "memory")


FORECAST_HORIZONS: Mapping[Seconds, str] = MappingProxyType(
    {900.0: "15m", 1800.0: "30m", 3600.0: "1h"}
)
"""How far ahead forecasts are judged, as words."""


class CycleResult(StrEnum):
    """How a cycle ended."""

    NO_CHANGE = "no_change"
    PLANNED = "planned"  # moves were planned, none was sent
    EXECUTED = "executed"
    ERROR = "error"
    SKIPPED = "skipped"  # the snapshot was not fit to act on


class Outcome(StrEnum):
    """How a move ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"  # its end is not known
    CANCELLED = "cancelled"
    SKIPPED = "skipped"  # never sent, or never became a migration
    SUPERSEDED = "superseded"  # the VM is on a host that we did not choose


PAUSE_WORDS: Mapping[Reason, str] = MappingProxyType(
    {Reason.PAUSED: "operator", Reason.STOP_FILE: "stop_file"}
)
"""What people use to let nothing be sent."""


class VmClass(StrEnum):
    """Whether a running VM may be moved."""

    MOVABLE = "movable"
    PINNED = "pinned"  # a migration of it is running
    EXCLUDED = "excluded"  # by its owner
    COOLING_DOWN = "cooling_down"  # moved or failed a short while ago
    IMMOVABLE = "immovable"  # tied to its host


MOVE_REASONS: Mapping[MoveReason, str] = MappingProxyType(
    {
        MoveReason.EVACUATE: "evacuation",
        MoveReason.RULE: "rule_fix",
        MoveReason.SHOULD_RULE: "rule_fix",
        MoveReason.CONTENTION: "balance",
        MoveReason.BALANCE: "balance",
        MoveReason.MAKE_ROOM: "evacuation",
        MoveReason.PARKING: "balance",
        MoveReason.CONSOLIDATE: "consolidation",
        MoveReason.REQUESTED: "manual",
    }
)

PLAN_RESULTS: Mapping[PlanStatus, str] = MappingProxyType(
    {
        PlanStatus.BALANCED: "no_change",
        PlanStatus.PLANNED: "planned",
        PlanStatus.DEGRADED: "infeasible",
        PlanStatus.REFUSED: "stale",
    }
)

FAILED_PLAN_RESULTS = ("error", "timed_out")
"""What came of planning where it made no plan."""

CAUSES: Mapping[type[SourceError], str] = MappingProxyType(
    {
        LoginRefused: "login_refused",
        CredentialsUnreadable: "credentials_unreadable",
        UntrustedCertificate: "certificate",
        SourceAnswerInvalid: "answer_invalid",
        SourceUnreachable: "unreachable",
    }
)
"""Why a vCenter could not be asked; what is none of these is `other`."""

STAGES: Mapping[str, str] = MappingProxyType(
    {"assess": "build", "search": "solve", "sequence": "sequence", "verify": "verify"}
)
"""Stages of planning as the cycle measures them; every other one is `other`."""

PHASES: Mapping[str, str] = MappingProxyType(
    {"assess": "forecast", "search": "solve", "sequence": "solve", "verify": "verify"}
)
"""Stages of planning as phases of the cycle, beside `collect` and `execute`."""

HISTOGRAMS: Mapping[str, tuple[tuple[str, ...], ...]] = MappingProxyType(
    {
        "cycle_duration_seconds": tuple(
            (phase,) for phase in dict.fromkeys(("collect", *PHASES.values(), "execute"))
        ),
        "forecast_error_ratio": tuple(
            (resource, horizon) for resource in RESOURCES for horizon in FORECAST_HORIZONS.values()
        ),
        "plan_duration_seconds": tuple((stage,) for stage in STAGES.values()),
        "plan_realized_benefit_ratio": ((),),
        "migration_duration_seconds": ((VMOTION,),),
        "migration_duration_error_ratio": ((VMOTION,),),
        "migration_queue_wait_seconds": tuple((priority.value,) for priority in Priority),
    }
)
"""Histograms of clusters, and the labels that they have from the start."""

_OUTCOMES: Mapping[MoveState, Outcome] = MappingProxyType(
    {
        MoveState.DONE: Outcome.SUCCEEDED,
        MoveState.FAILED: Outcome.FAILED,
        MoveState.ABORTED: Outcome.SKIPPED,
        MoveState.EXTERNAL: Outcome.SUPERSEDED,
        MoveState.UNKNOWN: Outcome.TIMED_OUT,
    }
)

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


def outcome_of(ended: MoveOutcome) -> Outcome | None:
    """Return how a move ended, or None while its journal row is still on its way."""
    if not ended.was_sent:
        return Outcome.SKIPPED
    if ended.state is MoveState.FAILED and ended.kind is FailureKind.CANCELLED:
        return Outcome.CANCELLED
    return _OUTCOMES.get(ended.state) if ended.state else None


class Words:
    """Keep a label that the other side names to words, and to at most `most` different ones.

    For vSphere faults, SOAP methods and the like: a finite vocabulary that is not ours. Thread-safe.
    """

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._seen: set[str] = set()
        self._lock = Lock()

    def word(self, text: str) -> str:
        """Return `text` where it is a word and there is room for one more, else `other`."""
        if not _WORD.fullmatch(text):
            return OTHER
        with self._lock:
            if text not in self._seen and len(self._seen) >= self._most:
                return OTHER
            self._seen.add(text)
        return text


def unique_labels(names: Mapping[str, str]) -> dict[str, str]:
    """Return a safe label for each id, from its name; equal names are told apart by the id."""
    labels: dict[str, str] = {}
    taken: set[str] = set()
    for key in sorted(names):
        label = metric_label(names[key]) or metric_label(key)
        if label in taken:
            label = f"{label} ({metric_label(key)})"
        taken.add(label)
        labels[key] = label
    return labels


def label_beside(name: str, taken: Collection[str]) -> str:
    """Return a safe label for a name that is none of those taken; equal ones are numbered from 2."""
    label = metric_label(name) or "unnamed"
    numbered = (f"{label} ({number})" for number in count(2))
    return label if label not in taken else next(one for one in numbered if one not in taken)

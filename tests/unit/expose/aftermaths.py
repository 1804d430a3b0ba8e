"""After-action reports for tests: batches that were better, worse, unknown, and one with hostile names."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from balancer.model.after_action import MoveRecord
from balancer.model.aftermath import Aftermath, BatchReport, Done, NotSent, Promise
from balancer.model.outcome import MoveState
from balancer.model.past import Verdict, VerdictResult
from balancer.model.plan import MoveReason
from balancer.model.units import HostId, MoveId, VmId
from tests.support.builders import NOON
from tests.support.records import verdict

MADE_AT = NOON + timedelta(hours=6)


def done(number: int, **facts: Any) -> Done:
    """Return vm-N, which went from esx1 to esx2 in 33 s instead of 30."""
    known: dict[str, Any] = {
        "vm": VmId(f"vm-{number}"),
        "vm_name": f"vm{number}",
        "source": HostId("host-1"),
        "target": HostId("host-2"),
        "reason": MoveReason.BALANCE,
        "state": MoveState.DONE,
        "expected_seconds": 30.0,
        "seconds": 33.0,
        "detail": "",
    }
    names = {
        key: facts.pop(key, name)
        for key, name in (("source_name", "esx1"), ("target_name", "esx2"))
    }
    record = MoveRecord(**(known | facts))
    began = NOON + timedelta(seconds=number)
    return Done(row=number, move=MoveId(f"m{number}"), record=record, began_at=began, **names)


def batch(name: str, *moves: Done, **facts: Any) -> BatchReport:
    """Return a batch of some moves, judged better unless told otherwise."""
    known: dict[str, Any] = {
        "batch": name,
        "plan": "p-1",
        "plan_number": 7,
        "shard": "vc1/test",
        "began_at": NOON,
        "ended_at": NOON + timedelta(seconds=90),
        "done": moves,
        "not_sent": (),
        "verdict": judged(name, VerdictResult.BETTER, 0.039),
        "promise": Promise(imbalance=0.283, imbalance_after=0.054, makespan_s=80.0),
    }
    return BatchReport(**(known | facts))


def judged(name: str, result: VerdictResult, gain: float | None, **facts: Any) -> Verdict:
    """Return a verdict of a batch of which a gain of 0.05 was predicted."""
    told = (
        "not measured yet"
        if gain is None
        else f"gain {gain * 1e6:,.0f} of 50,000 millionths predicted"
    )
    at = NOON + timedelta(minutes=10)
    return verdict(
        name,
        predicted_gain=0.05,
        measured_gain=gain,
        result=result,
        judged_at=at,
        detail=told,
        **facts,
    )


def mixed() -> Aftermath:
    """Return three batches: better with a failure, worse and acknowledged, and one that nobody noted."""
    failed = done(
        3, state=MoveState.FAILED, seconds=12.0, detail="Timedout", reason=MoveReason.EVACUATE
    )
    better = batch(
        "c-1",
        done(1),
        done(2, seconds=61.0, target=HostId("host-3"), target_name="esx3"),
        failed,
        not_sent=(
            NotSent(vm_name="vm9", moves=1, reason="vm9: its host has no free slot"),
            NotSent(vm_name="", moves=2, reason="paused by ann at 2026-11-22 12:01 UTC"),
        ),
    )
    worse = batch(
        "c-2",
        done(4, seconds=None, state=MoveState.UNKNOWN),
        done(5),
        verdict=judged("c-2", VerdictResult.WORSE, -0.01, acknowledged_by="ann"),
        began_at=NOON + timedelta(hours=1),
        ended_at=None,
        plan="p-2",
        plan_number=8,
    )
    unknown = batch(
        "c-3",
        done(6),
        verdict=None,
        promise=None,
        plan="p-3",
        plan_number=None,
        began_at=NOON + timedelta(hours=2),
        ended_at=NOON + timedelta(hours=2, seconds=35),
    )
    return Aftermath(
        asked="since 2026-11-22 00:00 UTC, on vc1/test",
        made_at=MADE_AT,
        batches=(better, worse, unknown),
    )


def nothing() -> Aftermath:
    """Return a span in which nothing was done."""
    return Aftermath(asked="since 2026-11-21 18:00 UTC, on vc1/test", made_at=MADE_AT, batches=())


def named(names: tuple[str, ...]) -> Aftermath:
    """Return a report in which everything with a name has one of these."""
    moves = tuple(
        done(
            n, vm_name=name, source_name=name, target_name=name, detail=name, state=MoveState.FAILED
        )
        for n, name in enumerate(names, 1)
    )
    refused = tuple(NotSent(vm_name=name, moves=1, reason=name) for name in names)
    first = names[0]
    told = judged("c", VerdictResult.UNKNOWN, None, acknowledged_by=first)
    whole = batch(
        first,
        *moves,
        not_sent=refused,
        shard=first,
        plan=first,
        verdict=replace(told, detail=first),
    )
    rest = tuple(batch(name, done(1), shard=name, plan=name) for name in names[1:40])
    return Aftermath(asked=f"batch {first}, on {first}", made_at=MADE_AT, batches=(whole, *rest))

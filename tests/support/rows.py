"""Rows of the journal by hand: of a move of vm-N from one host to another that ended some time before noon."""

from datetime import timedelta
from typing import Any

from balancer.model.outcome import FailureKind, JournalEntry, JournalRow, MoveState
from balancer.model.plan import MoveReason
from balancer.model.units import ClusterId, HostId, MoveId, VmId
from tests.support.builders import NOON

HERE = ClusterId("domain-c1")


def done(number: int, *, ago_s: float = 0.0, **facts: Any) -> JournalRow:
    """Return a DONE row of vm-`of` (vm-N by default) along `way`, begun `took_s` before its end."""
    took_s, way = facts.pop("took_s", 30.0), facts.pop("way", "1>2").split(">")
    ended = NOON - timedelta(seconds=ago_s)
    state = facts.pop("state", MoveState.DONE)
    entry = JournalEntry(
        vcenter="vc1",
        cluster=HERE,
        plan_id="p",
        cycle_id=facts.pop("cycle", "c"),
        move_id=MoveId(f"m-{number}"),
        vm=VmId(f"vm-{facts.pop('of', number)}"),
        vm_name=f"vm{number}",
        vm_uuid=facts.pop("uuid", ""),
        source=HostId(f"host-{way[0]}"),
        target=HostId(f"host-{way[1]}"),
        reason=facts.pop("reason", MoveReason.BALANCE),
        expected_seconds=took_s,
        intended_at=ended - timedelta(seconds=took_s),
    )
    ended_at = None if state.is_open else ended
    return JournalRow(id=number, entry=entry, state=state, ended_at=ended_at, **facts)


def failed(
    number: int,
    *,
    ago_s: float = 0.0,
    kind: FailureKind = FailureKind.TRANSIENT,
    fault: str = "Timedout",
    **facts: Any,
) -> JournalRow:
    """Return a FAILED row, else as `done`."""
    return done(number, ago_s=ago_s, state=MoveState.FAILED, kind=kind, fault=fault, **facts)

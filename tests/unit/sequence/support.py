"""Needs, proposals and checked schedules for the tests of the sequencing."""

from collections.abc import Sequence
from typing import Any

from balancer.model.need import Holds, Need
from balancer.model.plan import Draft, MoveReason, ProposedMove, Schedule
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.policy.types import Limits, Policy
from balancer.sequence import make_schedule
from tests.support.builders import placement
from tests.unit.sequence.clock import clock_faults
from tests.unit.sequence.replay import faults

WIDE = Limits(migrations_per_host=8, migrations_per_cluster=32, migrations_per_vcenter=64)


def need_of(snap: Snapshot, holds: Holds | None = None) -> Need:
    """Return the need of a snapshot with demand as it stands in the snapshot."""
    return Need(
        snapshot=snap,
        demand=placement(snap).ground.demand,
        holds=holds or Holds(),
        imbalance=0.1,
        wants_balance=True,
        wants_relief=False,
    )


def go(
    snap: Snapshot, number: int, to: int, reason: MoveReason = MoveReason.BALANCE, **facts: Any
) -> ProposedMove:
    """Return the proposal to move vm-`number` from where it is to host-`to`."""
    vm = VmId(f"vm-{number}")
    defaults: dict[str, Any] = {"why": "because", "gain": 0.001}
    return ProposedMove(
        vm=vm,
        source=snap.vm_by_id[vm].host,
        target=HostId(f"host-{to}"),
        reason=reason,
        **(defaults | facts),
    )


def scheduled(
    snap: Snapshot, moves: Sequence[ProposedMove], limits: Limits = WIDE, **facts: Any
) -> Schedule:
    """Return the schedule of `moves`, after having replayed it: a wrong one fails the test here."""
    policy = Policy(limits=limits, **facts.pop("policy", {}))
    need = need_of(snap, **facts)
    schedule = make_schedule(need, policy, Draft(moves=tuple(moves)))
    assert faults(need, policy, schedule) == []
    assert clock_faults(need, policy, schedule) == []
    return schedule

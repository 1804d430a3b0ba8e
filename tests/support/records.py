"""Values of controls and memory with defaults, so that a test shows only what matters."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from balancer.model.control import Approval, Evacuation, Pause, StoredPlan
from balancer.model.past import (
    Disturbance,
    DisturbanceKind,
    ForeignMove,
    Quarantine,
    SubjectKind,
    Verdict,
)
from balancer.model.reasons import Reason
from balancer.model.units import ClusterId, HostId, VmId
from tests.support.builders import NOON
from tests.support.journal import CLUSTER, SHARD

VC = "vc1"
OTHER = ClusterId("domain-c2")


def pause(shard: str = SHARD, **facts: Any) -> Pause:
    """Return a pause by ann."""
    return replace(Pause(shard=shard, by="ann", at=NOON), **facts)


def evacuation(number: int = 1, **facts: Any) -> Evacuation:
    """Return a request for host-N by ann."""
    known = Evacuation(
        shard=SHARD, host=HostId(f"host-{number}"), host_name=f"esx{number}", by="ann", at=NOON
    )
    return replace(known, **facts)


def stored_plan(digest: str = "d1", **facts: Any) -> StoredPlan:
    """Return a plan of two moves."""
    known = StoredPlan(
        shard=SHARD,
        plan_id="p-1",
        digest=digest,
        made_at=NOON,
        status="planned",
        moves=2,
        document='{"moves": "ä\\ud800"}',
    )
    return replace(known, **facts)


def approval(plan: int, **facts: Any) -> Approval:
    """Return a yes by ann that lasts for an hour."""
    known = Approval(
        shard=SHARD,
        plan=plan,
        digest="d1",
        by="ann",
        at=NOON,
        expires_at=NOON + timedelta(hours=1),
    )
    return replace(known, **facts)


def quarantine(cause: int = 1, **facts: Any) -> Quarantine:
    """Return a day's quarantine of vm-1."""
    known = Quarantine(
        vcenter=VC,
        cluster=CLUSTER,
        kind=SubjectKind.VM,
        subject="vm-1",
        identity="uuid-1",
        level=1,
        since=NOON,
        until=NOON + timedelta(days=1),
        reason=Reason.VM_FAILED_RECENTLY,
        detail="twice",
        cause=cause,
    )
    return replace(known, **facts)


def foreign_move(row: int = 1, **facts: Any) -> ForeignMove:
    """Return a sighting of vm-1 back on host-1."""
    known = ForeignMove(
        vcenter=VC,
        cluster=CLUSTER,
        vm=VmId("vm-1"),
        vm_name="vm1",
        source=HostId("host-2"),
        target=HostId("host-1"),
        seen_at=NOON,
        row=row,
        is_return=True,
    )
    return replace(known, **facts)


def disturbance(**facts: Any) -> Disturbance:
    """Return a host that came at noon."""
    known = Disturbance(
        vcenter=VC, cluster=CLUSTER, kind=DisturbanceKind.HOST_JOINED, at=NOON, detail="esx9"
    )
    return replace(known, **facts)


def verdict(cycle: str = "c1", **facts: Any) -> Verdict:
    """Return a batch that is not judged yet."""
    known = Verdict(
        vcenter=VC,
        cluster=CLUSTER,
        plan_id="p-1",
        cycle_id=cycle,
        ended_at=NOON,
        predicted_gain=0.5,
    )
    return replace(known, **facts)

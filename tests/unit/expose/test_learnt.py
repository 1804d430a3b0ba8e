"""What is remembered of a cluster, as gauges."""

from datetime import timedelta

import pytest

from balancer.execute.gates import all_closed
from balancer.expose.learnt_samples import CLOSING, learnt_samples
from balancer.model.events import PastReviewed
from balancer.model.past import (
    Breaker,
    Disturbance,
    DisturbanceKind,
    ForeignMove,
    Past,
    Quarantine,
    SubjectKind,
)
from balancer.model.reasons import Reason
from balancer.model.units import HostId, VmId
from balancer.policy.types import Limits
from tests.support.builders import NOON
from tests.support.rows import HERE

HOUR = timedelta(hours=1)


def values(past: Past) -> dict[tuple[str, ...], float]:
    closed = tuple(all_closed(past, Limits(), now=NOON))
    event = PastReviewed(past=past, closed=closed, at=NOON)
    return {
        (sample.name.removeprefix("balancer_"), *sample.labels): sample.value
        for sample in learnt_samples(event)
    }


def undone(number: int, **facts: object) -> ForeignMove:
    defaults: dict[str, object] = {
        "vcenter": "vc1",
        "cluster": HERE,
        "vm": VmId(f"vm-{number}"),
        "vm_name": f"vm{number}",
        "source": HostId("host-2"),
        "target": HostId("host-1"),
        "seen_at": NOON - HOUR,
        "row": number,
        "is_return": True,
    }
    return ForeignMove(**(defaults | facts))  # type: ignore[arg-type]


OPEN = Breaker(level=1, since=NOON - HOUR / 4, until=NOON + HOUR / 4, cause="x", is_open=True)
LOST = Disturbance(
    vcenter="vc1", cluster=HERE, kind=DisturbanceKind.HOST_LOST, at=NOON, detail="esx1 is lost"
)
FOUGHT = (undone(1), undone(2))


@pytest.mark.parametrize(
    ("past", "reasons"),
    [
        pytest.param(Past(), set(), id="nothing"),
        pytest.param(Past(breaker=OPEN), {Reason.BREAKER_OPEN}, id="breaker"),
        pytest.param(Past(disturbances=(LOST,)), {Reason.QUIET_TIME}, id="quiet"),
        pytest.param(Past(foreign_moves=FOUGHT), {Reason.CLUSTER_CONTENDED}, id="contended"),
        pytest.param(
            Past(breaker=OPEN, disturbances=(LOST,)),
            {Reason.BREAKER_OPEN, Reason.QUIET_TIME},
            id="two at a time",
        ),
    ],
)
def test_each_reason_that_stops_the_cluster_is_told(past: Past, reasons: set[Reason]) -> None:
    found = values(past)
    assert {r for r in CLOSING if found["circuit_open", r.value] == 1.0} == reasons


def test_what_is_left_alone_is_counted_as_long_as_it_lasts() -> None:
    def out(kind: SubjectKind, subject: str, reason: Reason, hours: float) -> Quarantine:
        return Quarantine(
            vcenter="vc1",
            cluster=HERE,
            kind=kind,
            subject=subject,
            level=1,
            since=NOON - HOUR,
            until=NOON + hours * HOUR,
            reason=reason,
            detail="",
            cause=1,
        )

    found = values(
        Past(
            quarantines=(
                out(SubjectKind.VM, "vm-1", Reason.VM_FAILED_RECENTLY, 1),
                out(SubjectKind.VM, "vm-1", Reason.CONTENDED, 2),
                out(SubjectKind.VM, "vm-2", Reason.VM_FAILED_RECENTLY, 0),
                out(SubjectKind.HOST, "host-1", Reason.TARGET_FAILED_RECENTLY, 1),
            )
        )
    )
    assert found["quarantined", "vm"] == 1
    assert found["quarantined", "host"] == 1
    assert found["contended_vms",] == 1


def test_moves_by_others_count_until_they_are_old_or_acknowledged() -> None:
    old, seen = undone(2, seen_at=NOON - 24 * HOUR), undone(3, acknowledged_at=NOON)
    found = values(Past(foreign_moves=(undone(1), old, seen)))
    assert found["foreign_moves_against",] == 1

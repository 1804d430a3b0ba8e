"""Settings of what is learnt from the past: breaker, quiet time, quarantines, residence, moves by others."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from balancer.assess.stability import holds_from
from balancer.execute.breaker import judged
from balancer.execute.gates import why_closed
from balancer.execute.quarantine import new_quarantines
from balancer.execute.trial import trial_of
from balancer.model.outcome import FailureKind, JournalRow, MoveState
from balancer.model.past import (
    Breaker,
    Disturbance,
    DisturbanceKind,
    ForeignMove,
    Past,
)
from balancer.model.units import ClusterId, HostId, VmId
from balancer.policy.types import Policy
from tests.settings.case import Case
from tests.settings.runs import few, row
from tests.support.builders import NOON

HERE = ClusterId("domain-c1")


def opened(rows: Sequence[JournalRow], last: Breaker | None = None) -> Callable[[Policy], object]:
    """Ask what the breaker makes of these rows."""

    def look(policy: Policy) -> object:
        after = judged(last or Breaker(), rows, policy.limits, now=NOON)
        return after.is_open, after.since, after.until

    return look


def closed(past: Past) -> Callable[[Policy], object]:
    """Ask why nothing may be sent."""

    def look(policy: Policy) -> object:
        found = why_closed(past, policy.limits, now=NOON)
        return found and found.reason

    return look


def quarantined(rows: Sequence[JournalRow]) -> Callable[[Policy], object]:
    """Ask until when what is left alone."""

    def look(policy: Policy) -> object:
        past = Past(rows=tuple(rows))
        found = new_quarantines(past, policy.limits, vcenter="vc1", cluster=HERE)
        return [one.until for one in found]

    return look


def stays(rows: Sequence[JournalRow]) -> Callable[[Policy], object]:
    """Ask until when VMs are held still."""

    def look(policy: Policy) -> object:
        holds = holds_from(few(3), Past(rows=tuple(rows)), policy.limits, now=NOON)
        return [refusal.detail for refusal in holds.vms.values()]

    return look


def allowed(rows: Sequence[JournalRow]) -> Callable[[Policy], object]:
    """Ask how many load moves may be on trial."""

    def look(policy: Policy) -> object:
        return trial_of(Past(rows=tuple(rows)), policy.limits, now=NOON)

    return look


def failed(number: int, minutes_ago: float, *, of: int | None = None) -> JournalRow:
    facts = {"state": MoveState.FAILED, "fault": "Timedout", "kind": FailureKind.TRANSIENT}
    return row(number, minutes_ago, of=of or number, **facts)


def undone(number: int) -> ForeignMove:
    return ForeignMove(
        vcenter="vc1",
        cluster=HERE,
        vm=VmId(f"vm-{number}"),
        vm_name=f"vm{number}",
        source=HostId("host-2"),
        target=HostId("host-1"),
        seen_at=NOON - timedelta(minutes=number),
        row=number,
        is_return=True,
    )


LOST = Disturbance(
    vcenter="vc1",
    cluster=HERE,
    kind=DisturbanceKind.HOST_LOST,
    at=NOON - timedelta(minutes=5),
    detail="esx1 does not answer vCenter any more",
)
TWO_OF_TEN = [row(n, 60.0 - n) for n in range(1, 9)] + [failed(9, 20.0), failed(10, 10.0)]
TWICE_A_TIME = [failed(n, (10 - n) * 60.0 * 20.0, of=1) for n in range(1, 10)]

LEARN = (
    Case(
        setting="limits.breaker_failures_in_row",
        values=(3, 2),
        look=opened([failed(1, 20.0), failed(2, 10.0)]),
    ),
    Case(setting="limits.breaker_failed_ratio", values=(0.2, 0.5), look=opened(TWO_OF_TEN)),
    Case(setting="limits.breaker_open_s", values=(60.0, 1800.0), look=opened(TWO_OF_TEN)),
    Case(
        setting="limits.breaker_open_at_most_s", values=(600.0, 21_600.0), look=opened(TWO_OF_TEN)
    ),
    Case(setting="limits.quiet_s", values=(600.0, 60.0), look=closed(Past(disturbances=(LOST,)))),
    Case(
        setting="limits.quarantine_at_most_s",
        values=(604_800.0, 86_400.0),
        look=quarantined(TWICE_A_TIME),
    ),
    Case(
        setting="limits.residence_growth",
        values=(1.0, 3.0),
        look=stays([row(1, 300.0), row(2, 90.0, of=1)]),
        also={"limits.moves_per_vm_per_day": 9},
    ),
    Case(
        setting="limits.returns_at_most",
        values=(2, 3),
        look=closed(Past(foreign_moves=(undone(1), undone(2)))),
    ),
    Case(
        setting="limits.moves_on_trial",
        values=(2, 5),
        look=allowed([row(1, 5.0), row(2, 30.0), row(3, 30.0)]),
    ),
)

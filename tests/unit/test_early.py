"""Which changes bring a cycle before its turn, and when."""

import pytest

from balancer.early import SETTLE_S, EarlyCycles
from balancer.model.changes import Change, ChangeKind
from balancer.model.units import ClusterId, HostId, VmId
from tests.support.fakes import FakeClock

CLUSTER = ClusterId("domain-c1")


def moved(number: int) -> tuple[Change, ...]:
    vm = VmId(f"vm-{number}")
    return (Change(kind=ChangeKind.VM_MOVED, cluster=CLUSTER, vm=vm),)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def early(clock: FakeClock) -> EarlyCycles:
    return EarlyCycles(clock, shortest_s=60.0)


def ran(early: EarlyCycles, *, moves: frozenset[VmId] = frozenset()) -> float | None:
    early.begun()
    early.moved(moves)
    return early.ended()


def test_a_change_soon_after_a_cycle_waits_for_the_shortest_interval(
    clock: FakeClock, early: EarlyCycles
) -> None:
    assert ran(early) is None
    clock.sleep(10)
    assert early.heard(moved(1)) == 50.0


def test_a_change_long_after_a_cycle_waits_for_the_burst_to_end(
    clock: FakeClock, early: EarlyCycles
) -> None:
    ran(early)
    clock.sleep(500)
    assert early.heard(moved(1)) == SETTLE_S


def test_further_changes_do_not_put_the_cycle_off(clock: FakeClock, early: EarlyCycles) -> None:
    ran(early)
    clock.sleep(10)
    early.heard(moved(1))
    clock.sleep(10)
    assert early.heard(moved(2)) is None


def test_a_change_is_good_for_one_cycle(clock: FakeClock, early: EarlyCycles) -> None:
    ran(early)
    early.heard(moved(1))
    assert ran(early) is None
    clock.sleep(100)
    assert early.heard(moved(1)) == SETTLE_S


@pytest.mark.parametrize("kind", [ChangeKind.VM_RECONFIGURED, ChangeKind.HOST_PLACES])
def test_what_can_wait_wakes_nobody(early: EarlyCycles, kind: ChangeKind) -> None:
    ran(early)
    assert early.heard([Change(kind=kind, cluster=CLUSTER, host=HostId("host-1"))]) is None


def test_our_own_moves_wake_nobody_whether_told_during_the_cycle_or_after_it(
    early: EarlyCycles,
) -> None:
    early.begun()
    assert early.heard(moved(1)) is None
    early.moved({VmId("vm-1")})
    assert early.ended() is None
    assert early.heard(moved(1)) is None


def test_what_others_do_during_a_cycle_is_looked_at_after_it(
    clock: FakeClock, early: EarlyCycles
) -> None:
    early.begun()
    assert early.heard(moved(1) + moved(2)) is None
    early.moved({VmId("vm-1")})
    clock.sleep(20)
    assert early.ended() == 40.0


def test_what_others_did_before_a_cycle_began_is_seen_by_it(early: EarlyCycles) -> None:
    ran(early)
    early.heard(moved(1))
    early.begun()
    assert early.ended() is None

"""When moves are expected to start, and how long the whole takes."""

from datetime import timedelta
from typing import Any

import pytest

from balancer.model.duration import SETUP_SECONDS, vmotion_seconds
from balancer.model.host import VmotionLink
from balancer.model.plan import MoveReason, Priority
from balancer.model.snapshot import InFlight
from balancer.model.units import HostId, VmId
from balancer.policy.types import DEFAULT_PRIORITIES, Limits
from tests.support.builders import NOON, host, snapshot, vm
from tests.unit.sequence.support import go, scheduled

IDLE: dict[str, Any] = {"cpu_demand_mhz": 0.0, "memory_active_mib": 0.0}
EIGHT = Limits(migrations_per_host=8, migrations_per_cluster=8)
ONE = Limits(migrations_per_host=1, migrations_per_cluster=4)


def to_the_tick(seconds: float) -> Any:
    """Return the seconds, to be compared with times that are rounded up to milliseconds."""
    return pytest.approx(seconds, abs=0.005)


def test_a_move_that_is_alone_on_its_hosts_has_the_slower_link_to_itself() -> None:
    slow = host(2, vmotion=VmotionLink(link_mbps=1000.0))
    snap = snapshot([host(1), slow], [vm(1, 1, **IDLE, dirty_rate_mbps=100.0)])
    [move] = scheduled(snap, [go(snap, 1, 2)]).moves
    expected = vmotion_seconds(host(1), slow, 4096.0, dirty_rate_mbps=100.0)
    assert move.expected_seconds == to_the_tick(expected)
    assert move.memory_mib == 4096.0


def test_copies_that_run_together_share_the_link_of_their_host() -> None:
    snap = snapshot([host(n) for n in range(4)], [vm(n, 0, **IDLE) for n in (1, 2, 3)])
    schedule = scheduled(snap, [go(snap, n, n) for n in (1, 2, 3)], EIGHT)
    expected = vmotion_seconds(host(0), host(1), 4096.0, sharing=3, sharing_target=1)
    assert [m.expected_seconds for m in schedule.moves] == [to_the_tick(expected)] * 3


def test_a_copy_goes_on_faster_when_another_one_of_its_host_has_ended() -> None:
    small, large = vm(1, 0, **IDLE), vm(2, 0, **IDLE, memory_mib=8192.0)
    snap = snapshot([host(n) for n in range(3)], [small, large])
    short, long = sorted(
        scheduled(snap, [go(snap, 1, 1), go(snap, 2, 2)], EIGHT).moves, key=lambda m: m.vm
    )
    seconds_per_4_gib = vmotion_seconds(host(0), host(1), 4096.0) - SETUP_SECONDS
    assert short.expected_seconds == to_the_tick(SETUP_SECONDS + 2 * seconds_per_4_gib)
    assert long.expected_seconds == to_the_tick(SETUP_SECONDS + 3 * seconds_per_4_gib)


def test_a_copy_that_is_slowed_at_one_end_takes_longer_by_what_the_guest_dirties() -> None:
    dirty: dict[str, Any] = IDLE | {"dirty_rate_mbps": 1500.0}
    snap = snapshot([host(n) for n in range(3)], [vm(n, 0, **dirty) for n in (1, 2)])
    schedule = scheduled(snap, [go(snap, n, n) for n in (1, 2)], EIGHT)
    expected = vmotion_seconds(host(0), host(1), 4096.0, dirty_rate_mbps=1500.0, sharing=2)
    assert [m.expected_seconds for m in schedule.moves] == [to_the_tick(expected)] * 2


def test_where_the_cluster_has_few_slots_copies_that_share_no_link_go_together() -> None:
    hosts = [host(n) for n in range(8)]
    on = {1: 0, 2: 0, 3: 1, 4: 1}
    snap = snapshot(hosts, [vm(n, at, **IDLE) for n, at in on.items()])
    limits = Limits(migrations_per_host=2, migrations_per_cluster=2)
    schedule = scheduled(snap, [go(snap, n, n + 3) for n in on], limits)
    first = [move for move in schedule.moves if move.start_seconds == 0.0]
    assert {move.source for move in first} == {"host-0", "host-1"}
    alone = vmotion_seconds(host(0), host(4), 4096.0)
    assert schedule.makespan_seconds == to_the_tick(2 * alone)


def test_what_is_dirtied_most_is_copied_last_when_few_share_the_link() -> None:
    dirty = {1: 1200.0, 2: 1000.0, 3: 0.0, 4: 0.0, 5: 0.0, 6: 0.0}
    vms = [vm(n, 0, **IDLE, dirty_rate_mbps=rate) for n, rate in dirty.items()]
    snap = snapshot([host(n) for n in range(7)], vms)
    schedule = scheduled(
        snap,
        [go(snap, n, n) for n in dirty],
        Limits(migrations_per_host=3, migrations_per_cluster=8),
    )
    first = [move.vm for move in schedule.moves if move.start_seconds == 0.0]
    assert set(first) == {"vm-3", "vm-4", "vm-5"} or "vm-6" in first
    assert not {"vm-1", "vm-2"} & set(first)


def test_moves_on_different_hosts_run_side_by_side() -> None:
    snap = snapshot([host(n) for n in (1, 2, 3, 4)], [vm(1, 1, **IDLE), vm(2, 2, **IDLE)])
    schedule = scheduled(snap, [go(snap, 1, 3), go(snap, 2, 4)], ONE)
    assert [move.start_seconds for move in schedule.moves] == [0.0, 0.0]
    assert schedule.makespan_seconds == to_the_tick(schedule.moves[0].expected_seconds)


def test_a_move_starts_when_a_slot_is_free_and_not_when_the_whole_wave_has_ended() -> None:
    sizes = {1: 4096.0, 2: 40_000.0, 3: 4096.0}
    vms = [vm(n, min(n, 2), **IDLE, memory_mib=size) for n, size in sizes.items() if n < 3]
    vms.append(vm(3, 1, **IDLE))
    snap = snapshot([host(n) for n in range(1, 6)], vms)
    moves = [go(snap, 1, 3, gain=0.4), go(snap, 2, 4, gain=0.4), go(snap, 3, 5, gain=0.1)]
    schedule = scheduled(snap, moves, ONE)
    short, last = (next(m for m in schedule.moves if m.vm == v) for v in ("vm-1", "vm-3"))
    assert (short.wave, last.wave) == (1, 2)
    assert last.start_seconds == to_the_tick(short.expected_seconds)


def test_a_move_starts_when_the_one_it_waits_for_has_ended() -> None:
    big = IDLE | {"memory_mib": 60_000.0}
    snap = snapshot([host(1), host(2), host(3)], [vm(1, 1, **big), vm(2, 2, **big)])
    schedule = scheduled(snap, [go(snap, 1, 2), go(snap, 2, 3)])
    first, second = schedule.moves
    assert second.start_seconds == to_the_tick(first.expected_seconds)
    assert schedule.makespan_seconds == to_the_tick(2 * first.expected_seconds)


@pytest.mark.parametrize(
    ("elapsed_s", "is_overdue"),
    [pytest.param(0, False, id="just started"), pytest.param(9999, True, id="overdue")],
)
def test_a_running_migration_holds_its_slot_for_the_rest_of_its_time(
    elapsed_s: int, is_overdue: bool
) -> None:
    flight = InFlight(
        vm=VmId("vm-2"),
        source=HostId("host-1"),
        target=HostId("host-2"),
        started_at=NOON - timedelta(seconds=elapsed_s),
    )
    snap = snapshot(
        [host(1), host(2), host(3)], [vm(1, 1, **IDLE), vm(2, 1, **IDLE)], in_flight=(flight,)
    )
    [move] = scheduled(snap, [go(snap, 1, 3)], ONE).moves
    whole = vmotion_seconds(host(1), host(2), 4096.0)
    assert move.start_seconds == to_the_tick(SETUP_SECONDS if is_overdue else whole)


def test_each_move_has_the_priority_of_its_reason() -> None:
    snap = snapshot([host(1), host(2), host(3)], [vm(1, 1, **IDLE), vm(2, 1, **IDLE)])
    chosen = dict(DEFAULT_PRIORITIES) | {MoveReason.BALANCE: Priority.HIGH}
    moves = [go(snap, 1, 2), go(snap, 2, 3, MoveReason.RULE)]
    schedule = scheduled(snap, moves, policy={"priorities": chosen})
    assert {move.vm: move.priority for move in schedule.moves} == {
        "vm-1": Priority.HIGH,
        "vm-2": Priority.DEFAULT,
    }

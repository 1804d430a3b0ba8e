"""Which VMs somebody else moved after us, and whether that speaks against us."""

from dataclasses import replace
from datetime import timedelta

import pytest

from balancer.execute.contention import contention
from balancer.execute.foreign import foreign_moves
from balancer.model.host import HostState
from balancer.model.outcome import FailureKind, JournalRow, MoveState
from balancer.model.past import ForeignMove, Past
from balancer.model.plan import MoveReason
from balancer.model.snapshot import InFlight, Snapshot
from balancer.model.units import HostId, VmId
from balancer.policy.types import Limits
from tests.support.builders import NOON, host, snapshot, vm
from tests.support.rows import HERE, done, failed

MINUTE = 60.0
HOUR = 3600.0


def cluster(*places: int, **facts: object) -> Snapshot:
    """Return vm-1, vm-2, ... on the hosts of these numbers, of four hosts."""
    states = facts.pop("states", {})
    assert isinstance(states, dict)
    hosts = [host(n, state=states.get(n, HostState.CONNECTED)) for n in range(1, 5)]
    machines = [vm(n, on=on, uuid=f"uuid-{n}") for n, on in enumerate(places, 1)]
    return snapshot(hosts, machines, **facts)


def seen(
    snap: Snapshot,
    *rows: JournalRow,
    before: dict[int, int] | None = None,
    past: Past | None = None,
    is_shaken: bool = False,
) -> list[ForeignMove]:
    was = {VmId(f"vm-{n}"): HostId(f"host-{on}") for n, on in (before or {}).items()}
    found = foreign_moves(
        snap,
        replace(past or Past(), rows=rows),
        vcenter="vc1",
        before=was,
        asked_at=NOON,
        is_shaken=is_shaken,
    )
    return list(found)


def test_a_vm_where_we_had_put_it_was_moved_by_nobody() -> None:
    assert seen(cluster(2), done(1, ago_s=HOUR)) == []


def test_a_vm_back_where_we_had_taken_it_from_was_returned() -> None:
    [one] = seen(cluster(1), done(1, ago_s=HOUR))
    assert (one.vm, one.source, one.target, one.row) == ("vm-1", "host-2", "host-1", 1)
    assert one.is_return
    assert one.is_against


def test_a_vm_on_a_third_host_was_moved_on() -> None:
    [one] = seen(cluster(3), done(1, ago_s=HOUR))
    assert not one.is_return
    assert one.is_against


def test_a_task_that_succeeded_and_a_vm_on_its_source_again_is_a_return() -> None:
    [one] = seen(cluster(1), done(1, ago_s=HOUR, state=MoveState.EXTERNAL))
    assert one.is_return


def test_what_was_seen_already_is_not_seen_again() -> None:
    row = done(1, ago_s=HOUR)
    known = tuple(seen(cluster(1), row))
    assert seen(cluster(1), row, past=Past(foreign_moves=known)) == []


def test_only_our_last_move_of_a_vm_tells_where_it_should_be() -> None:
    rows = [done(1, ago_s=9 * HOUR, of=1), done(2, ago_s=HOUR, of=1, way="2>3")]
    assert seen(cluster(3), *rows) == []
    assert [one.row for one in seen(cluster(1), *rows)] == [2]


def test_a_migration_that_failed_and_whose_vm_is_on_the_target_all_the_same_was_ours() -> None:
    rows = [done(1, ago_s=9 * HOUR, of=1), failed(2, ago_s=HOUR, of=1, way="2>3")]
    assert seen(cluster(3), *rows) == []


@pytest.mark.parametrize(
    "snap",
    [
        pytest.param(cluster(1, states={2: HostState.ENTERING_MAINTENANCE}), id="emptied"),
        pytest.param(cluster(1, states={2: HostState.NOT_RESPONDING}), id="lost"),
    ],
)
def test_a_vm_whose_host_had_to_be_left_does_not_speak_against_us(snap: Snapshot) -> None:
    [one] = seen(snap, done(1, ago_s=HOUR))
    assert not one.is_against


def test_in_quiet_time_nothing_speaks_against_us() -> None:
    [one] = seen(cluster(1), done(1, ago_s=HOUR), is_shaken=True)
    assert not one.is_against


def test_a_move_that_stood_for_a_day_is_not_undone_by_what_comes_later() -> None:
    [one] = seen(cluster(1), done(1, ago_s=25 * HOUR))
    assert not one.is_against


def test_another_vm_of_the_same_id_was_moved_by_nobody() -> None:
    assert seen(cluster(1), done(1, ago_s=HOUR, uuid="another")) == []


def test_what_is_on_its_way_is_not_judged() -> None:
    flight = InFlight(vm=VmId("vm-1"), source=HostId("host-1"), target=HostId("host-3"))
    assert seen(cluster(1, in_flight=(flight,)), done(1, ago_s=HOUR)) == []
    still_open = done(2, of=1, way="1>3", state=MoveState.SUBMITTED)
    assert seen(cluster(1), done(1, ago_s=HOUR), still_open) == []


def test_a_move_that_ended_after_the_reading_began_is_not_in_the_snapshot() -> None:
    assert seen(cluster(1), done(1, ago_s=-5.0)) == []


def test_another_vm_that_takes_the_way_back_undoes_our_move() -> None:
    [one] = seen(cluster(2, 1), done(1, ago_s=10 * MINUTE), before={1: 2, 2: 2})
    assert (one.vm, one.row, one.is_return, one.is_against) == ("vm-2", 1, False, True)


@pytest.mark.parametrize(
    ("row", "place", "before"),
    [
        pytest.param(done(1, ago_s=2 * HOUR), 1, {2: 2}, id="long after our move"),
        pytest.param(
            done(1, ago_s=MINUTE, reason=MoveReason.EVACUATE), 1, {2: 2}, id="after an evacuation"
        ),
        pytest.param(done(1, ago_s=MINUTE), 3, {2: 2}, id="to a host that we did not relieve"),
        pytest.param(done(1, ago_s=MINUTE), 1, {2: 3}, id="from a host that we did not fill"),
        pytest.param(done(1, ago_s=MINUTE), 1, {}, id="nobody looked before"),
        pytest.param(
            failed(1, ago_s=MINUTE, kind=FailureKind.PAIR, way="1>4"), 1, {2: 4}, id="it failed"
        ),
    ],
)
def test_other_moves_by_others_are_their_own_affair(
    row: JournalRow, place: int, before: dict[int, int]
) -> None:
    assert seen(cluster(2, place), row, before=before) == []


# the cluster


def undone(number: int, hours_ago: float, **facts: object) -> ForeignMove:
    sighting = ForeignMove(
        vcenter="vc1",
        cluster=HERE,
        vm=VmId(f"vm-{number}"),
        vm_name=f"vm{number}",
        source=HostId("host-2"),
        target=HostId("host-1"),
        seen_at=NOON - timedelta(hours=hours_ago),
        row=number,
        is_return=True,
    )
    return replace(sighting, **facts)  # type: ignore[arg-type]


def is_contended(*moves: ForeignMove) -> bool:
    return contention(moves, Limits(), now=NOON) is not None


def test_two_vms_moved_back_within_a_day_leave_the_cluster_to_others() -> None:
    found = contention([undone(1, 3.0), undone(2, 1.0)], Limits(), now=NOON)
    assert found is not None
    assert found.until == NOON + timedelta(hours=23)
    assert "vm1, vm2" in found.told


def test_one_vm_that_a_person_moves_back_twice_is_that_vms_matter() -> None:
    assert not is_contended(undone(1, 3.0), undone(1, 1.0, row=9))


@pytest.mark.parametrize(
    "facts", [{"is_against": False}, {"acknowledged_at": NOON, "acknowledged_by": "kim"}]
)
def test_what_had_to_be_or_was_acknowledged_does_not_count(facts: dict[str, object]) -> None:
    assert not is_contended(undone(1, 3.0), undone(2, 1.0, **facts))


def test_it_is_over_a_day_after_the_last_one() -> None:
    moves = [undone(1, 47.0), undone(2, 26.0), undone(3, 23.0)]
    assert is_contended(*moves)  # the third came while the first two still counted
    assert not is_contended(*moves[:2])
    assert not is_contended(undone(1, 47.0), undone(3, 22.0))

"""What finished migrations teach of durations, and what they do not."""

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.assess.pace import HALF_LIFE, learn_paces
from balancer.model.outcome import SEEN_LATE, JournalEntry, JournalRow, MoveState
from balancer.model.pace import FASTEST, MODEL, SLOWEST
from balancer.model.plan import MoveReason
from balancer.model.units import ClusterId, HostId, MoveId, VmId
from tests.support.builders import NOON

ONE, TWO, THREE = HostId("host-1"), HostId("host-2"), HostId("host-3")


def finished(number: int, seconds: float, **facts: object) -> JournalRow:
    """Return a row of a migration that was predicted to take 30 s; `source`, `target`, `pace`, `age`."""
    ended = NOON - facts.pop("age", timedelta(0))  # type: ignore[operator]
    begun = ended - timedelta(seconds=seconds)
    known = {"source": ONE, "target": TWO, "expected_seconds": 30.0} | facts
    entry = JournalEntry(
        vcenter="vc1",
        cluster=ClusterId("domain-c1"),
        plan_id="p",
        cycle_id="c",
        move_id=MoveId(f"m{number}"),
        vm=VmId(f"vm-gone-{number}"),
        vm_name=f"vm{number}",
        vm_uuid="",
        reason=MoveReason.BALANCE,
        intended_at=begun,
        **known,  # type: ignore[arg-type]
    )
    return JournalRow(
        id=number, entry=entry, state=MoveState.DONE, submitted_at=begun, ended_at=ended
    )


def many(count: int, seconds: float, **facts: object) -> list[JournalRow]:
    first = int(facts.pop("first", 1))  # type: ignore[call-overload]
    return [finished(first + n, seconds, **dict(facts)) for n in range(count)]


def usual(count: int = 40) -> list[JournalRow]:
    """Return migrations between the other hosts that took as long as predicted, more or less."""
    chance = Random(1)
    ways = [(ONE, THREE), (THREE, TWO), (TWO, THREE), (THREE, ONE)]
    return [
        finished(
            1000 + n,
            30.0 * chance.uniform(0.9, 1.1),
            source=ways[n % 4][0],
            target=ways[n % 4][1],
        )
        for n in range(count)
    ]


def test_a_slow_pair_is_corrected_in_its_direction_only() -> None:
    paces = learn_paces([*usual(), *many(10, 90.0)], now=NOON)
    assert paces.of(ONE, TWO) == pytest.approx(3.0, rel=0.1)
    assert paces.of(TWO, ONE) == pytest.approx(1.0, rel=0.05)
    assert paces.of(ONE, THREE) == pytest.approx(1.0, rel=0.05)


def test_a_slow_target_is_slow_from_a_host_that_never_sent_anything_there() -> None:
    rows = [*usual(), *many(10, 90.0), *many(10, 90.0, first=100, source=THREE)]
    assert learn_paces(rows, now=NOON).of(HostId("host-9"), TWO) > 2.0


def test_a_cluster_that_is_slow_throughout_is_slow_for_hosts_that_are_new() -> None:
    rows = [
        finished(n, 60.0, source=HostId(f"host-{n % 4}"), target=HostId(f"host-{4 + n % 3}"))
        for n in range(1, 13)
    ]
    paces = learn_paces(rows, now=NOON)
    assert paces.of(HostId("host-8"), HostId("host-9")) == pytest.approx(2.0, rel=0.1)


def test_two_migrations_teach_nothing() -> None:
    assert learn_paces(many(2, 90.0), now=NOON) == MODEL


def test_one_that_waited_in_a_queue_changes_nothing() -> None:
    assert learn_paces([*usual(), finished(1, 900.0)], now=NOON).of(ONE, TWO) == 1.0


def test_what_is_old_is_forgotten() -> None:
    rows = many(6, 90.0)
    old = [replace(row, entry=row.entry) for row in many(6, 90.0, age=3 * HALF_LIFE)]
    assert learn_paces(rows, now=NOON).of(ONE, TWO) > 2.0
    assert learn_paces(old, now=NOON) == MODEL


def test_rows_are_measured_against_the_model_and_not_against_what_was_learnt() -> None:
    paces = learn_paces(many(20, 90.0, expected_seconds=90.0, pace=3.0), now=NOON)
    assert paces.of(ONE, TWO) == pytest.approx(3.0, rel=0.1)


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"state": MoveState.FAILED}, id="failed"),
        pytest.param({"state": MoveState.EXTERNAL}, id="moved by others"),
        pytest.param({"submitted_at": None}, id="nobody knows when it was sent"),
        pytest.param({"ended_at": None, "state": MoveState.SUBMITTED}, id="still running"),
        pytest.param({"detail": SEEN_LATE}, id="nobody saw when it ended"),
        pytest.param({"ended_at": NOON - timedelta(days=1)}, id="the clock went back"),
    ],
)
def test_rows_that_say_nothing_of_durations_are_passed_over(facts: dict[str, object]) -> None:
    rows = [replace(row, **facts) for row in many(20, 90.0)]  # type: ignore[arg-type]
    assert learn_paces(rows, now=NOON) == MODEL


ROWS = st.lists(
    st.tuples(st.floats(0.1, 1e5), st.sampled_from([ONE, TWO]), st.sampled_from([TWO, THREE])).map(
        lambda t: t
    ),
    max_size=30,
)


@given(drawn=ROWS, seed=st.integers(0, 2**16))
def test_a_pace_is_within_its_bounds_and_the_order_of_rows_changes_nothing(
    drawn: list[tuple[float, HostId, HostId]], seed: int
) -> None:
    rows = [
        finished(number, seconds, source=source, target=target)
        for number, (seconds, source, target) in enumerate(drawn, start=1)
    ]
    shuffled = rows.copy()
    Random(seed).shuffle(shuffled)
    paces = learn_paces(rows, now=NOON)
    assert learn_paces(shuffled, now=NOON) == paces
    for source in (ONE, TWO, THREE):
        for target in (ONE, TWO, THREE):
            assert FASTEST <= paces.of(source, target) <= SLOWEST

"""When a run of failures stops a cluster, for how long, and what ends the stop."""

from datetime import timedelta

import pytest

from balancer.execute.breaker import is_failure, is_probing, judged, probe_under_way
from balancer.model.outcome import FailureKind, JournalRow, MoveState
from balancer.model.past import Breaker
from balancer.policy.types import Limits
from tests.support.builders import NOON
from tests.support.rows import done, failed

LIMITS = Limits()
HALF_AN_HOUR = timedelta(minutes=30)


def breaker_of(*rows: JournalRow, at_s: float = 0.0, last: Breaker | None = None) -> Breaker:
    now = NOON + timedelta(seconds=at_s)
    return judged(last or Breaker(), rows, LIMITS, now=now)


def three(at_s: float = 0.0, first: int = 1) -> list[JournalRow]:
    """Return three failures in a row, the last of which ended at `at_s` after noon."""
    return [failed(first + n, ago_s=-at_s + 60.0 * (2 - n)) for n in range(3)]


def test_two_failures_in_a_row_open_nothing() -> None:
    assert not breaker_of(*three()[:2]).is_open


def test_three_failures_in_a_row_open_it_for_half_an_hour_from_the_last_one_on() -> None:
    found = breaker_of(*three())
    assert (found.is_open, found.level) == (True, 1)
    assert found.until == NOON + HALF_AN_HOUR
    assert "3 moves in a row" in found.cause
    assert "Timedout" in found.cause


def test_a_success_between_failures_breaks_the_row() -> None:
    rows = [failed(1, ago_s=90), failed(2, ago_s=80), done(3, ago_s=70), failed(4, ago_s=60)]
    rows += [done(n, ago_s=60 - n) for n in range(5, 30)]
    assert not breaker_of(*rows).is_open


@pytest.mark.parametrize(
    ("fine", "bad", "is_open"),
    [
        pytest.param(16, 4, True, id="4 of 20"),
        pytest.param(17, 3, False, id="3 of 20"),
        pytest.param(4, 1, False, id="1 of 5, a single failure"),
        pytest.param(3, 2, True, id="2 of 5"),
        pytest.param(2, 2, False, id="2 of 4, too few to be a share"),
    ],
)
def test_a_fifth_of_the_last_twenty_opens_it(fine: int, bad: int, is_open: bool) -> None:
    """Failures stand apart, so that no row of them opens it."""
    kinds = [False] * (fine + bad)
    for n in range(bad):
        kinds[-1 - 2 * n] = True
    rows = [
        (failed if is_bad else done)(n, ago_s=1000.0 - 10 * n) for n, is_bad in enumerate(kinds, 1)
    ]
    assert breaker_of(*rows).is_open is is_open


@pytest.mark.parametrize(
    ("kind", "fault", "counts"),
    [
        (FailureKind.TRANSIENT, "Timedout", True),
        (FailureKind.TRANSIENT, "", False),
        (FailureKind.SKIP_TARGET, "HostNotConnected", True),
        (FailureKind.CANCELLED, "RequestCanceled", True),
        (FailureKind.SKIP_VM, "SystemError", True),
        (FailureKind.SKIP_VM, "ToolsInstallationInProgress", False),
        (FailureKind.PAIR, "CpuIncompatible", False),
        (FailureKind.CAPACITY, "InsufficientResourcesFault", False),
        (FailureKind.STOP, "NotAuthenticated", False),
        (FailureKind.STOP_CLUSTER, "NoPermission", True),
        (FailureKind.UNMAPPED, "BrandNewFault", True),
    ],
)
def test_what_counts_as_a_sign_of_a_broken_cluster(
    kind: FailureKind, fault: str, counts: bool
) -> None:
    assert is_failure(failed(1, kind=kind, fault=fault)) is counts


def test_every_kind_of_failure_has_a_place_in_the_table() -> None:
    told = judged.__globals__["__doc__"]
    assert all(f"`{kind}`" in told for kind in FailureKind)


@pytest.mark.parametrize("kind", [FailureKind.STOP_CLUSTER, FailureKind.UNMAPPED])
def test_what_only_a_person_can_mend_opens_it_at_once(kind: FailureKind) -> None:
    assert breaker_of(failed(1, kind=kind, fault="X")).is_open


def test_failures_of_what_was_under_way_when_it_opened_do_not_open_it_further() -> None:
    late = [failed(4 + n, ago_s=-300.0 - n, took_s=600.0) for n in range(3)]
    once = breaker_of(*three())
    later = breaker_of(*three(), *late, at_s=400.0, last=once)
    assert later == once


def test_when_its_time_is_over_one_move_tries() -> None:
    found = breaker_of(*three())
    assert not is_probing(found, now=NOON + HALF_AN_HOUR - timedelta(seconds=1))
    assert is_probing(found, now=NOON + HALF_AN_HOUR)
    on_its_way = done(4, ago_s=-1900.0, state=MoveState.SUBMITTED)
    assert probe_under_way(found, [*three(), on_its_way]) == on_its_way
    assert breaker_of(*three(), on_its_way, at_s=1900.0, last=found) == found


def test_a_probe_that_succeeds_closes_it_and_the_old_failures_count_no_more() -> None:
    found = breaker_of(*three())
    closed = breaker_of(*three(), done(4, ago_s=-1900.0), at_s=2000.0, last=found)
    assert (closed.is_open, closed.level) == (False, 1)
    after = breaker_of(
        *three(), done(4, ago_s=-1900.0), failed(5, ago_s=-2100.0), at_s=2200.0, last=closed
    )
    assert not after.is_open


def test_a_probe_that_fails_opens_it_twice_as_long() -> None:
    found = breaker_of(*three())
    again = breaker_of(*three(), failed(4, ago_s=-1900.0), at_s=2000.0, last=found)
    assert (again.is_open, again.level) == (True, 2)
    assert again.until == NOON + timedelta(seconds=1900.0) + 2 * HALF_AN_HOUR
    assert "probe" in again.cause


@pytest.mark.parametrize("kind", [FailureKind.PAIR, FailureKind.CAPACITY])
def test_a_probe_that_says_nothing_lets_another_one_try(kind: FailureKind) -> None:
    found = breaker_of(*three())
    rows = [*three(), failed(4, ago_s=-1900.0, kind=kind)]
    after = breaker_of(*rows, at_s=2000.0, last=found)
    assert after == found
    assert probe_under_way(after, rows) is None


def test_no_stop_is_longer_than_the_longest() -> None:
    found, at_s, number = breaker_of(*three()), 0.0, 4
    rows = three()
    levels = [found.level]
    for _ in range(8):
        assert found.until is not None
        at_s = (found.until - NOON).total_seconds() + 60.0
        rows.append(failed(number, ago_s=-at_s))
        number += 1
        found = breaker_of(*rows, at_s=at_s, last=found)
        levels.append(found.level)
        assert found.until is not None
        assert found.since is not None
        assert found.until - found.since <= timedelta(hours=6)
    assert levels == list(range(1, 10))


def test_after_a_calm_time_the_level_is_forgotten() -> None:
    found = breaker_of(*three())
    rows = [*three(), done(4, ago_s=-1900.0)]
    closed = breaker_of(*rows, at_s=2000.0, last=found)
    soon = breaker_of(*rows, *three(at_s=8000.0, first=5), at_s=8000.0, last=closed)
    assert soon.level == 2
    calm_s = 1800.0 + 6 * 3600.0
    calm = breaker_of(*rows, at_s=calm_s, last=closed)
    assert (calm.level, calm.is_open) == (0, False)
    late = breaker_of(*rows, *three(at_s=calm_s + 60, first=5), at_s=calm_s + 60, last=calm)
    assert late.level == 1

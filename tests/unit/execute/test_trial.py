"""A cluster's first load moves are few: what stands makes more possible, what is undone fewer."""

from datetime import timedelta

import pytest

from balancer.execute.budgets import admit
from balancer.execute.trial import Trial, trial_of
from balancer.model.outcome import JournalRow, MoveState
from balancer.model.past import ForeignMove, Past
from balancer.model.plan import MoveReason
from balancer.model.reasons import Reason
from balancer.model.rule import RuleType
from balancer.model.units import HostId, VmId
from balancer.policy.in_force import InForce
from balancer.policy.mode import Mode
from balancer.policy.types import Limits
from tests.support.builders import NOON, rule
from tests.support.rows import HERE, done, failed
from tests.unit.execute.stage import cluster, move

QUARTER = 15 * 60.0
FREE = InForce(mode=Mode.AUTOMATIC)


def trial(*rows: JournalRow, undone: tuple[ForeignMove, ...] = ()) -> tuple[int, int]:
    found = trial_of(Past(rows=rows, foreign_moves=undone), Limits(), now=NOON)
    return found.allowed, found.under_way


def stood(count: int) -> list[JournalRow]:
    return [done(n, ago_s=QUARTER + n) for n in range(1, count + 1)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([], (2, 0), id="the first day"),
        pytest.param([done(1, ago_s=QUARTER - 1)], (2, 1), id="its time is not over"),
        pytest.param([done(1, state=MoveState.UNKNOWN)], (2, 1), id="its end is not known"),
        pytest.param([failed(1)], (2, 0), id="one that failed moved nothing"),
        pytest.param([done(1, reason=MoveReason.EVACUATE)], (2, 0), id="evacuations are not asked"),
        pytest.param(stood(1), (2, 0), id="one stood"),
        pytest.param(stood(2), (3, 0), id="two stood"),
        pytest.param(stood(9), (6, 0), id="nine stood"),
    ],
)
def test_two_at_first_and_one_more_for_every_two_that_stood(
    rows: list[JournalRow], expected: tuple[int, int]
) -> None:
    assert trial(*rows) == expected


def undone(row: int, hours_ago: float) -> ForeignMove:
    return ForeignMove(
        vcenter="vc1",
        cluster=HERE,
        vm=VmId(f"vm-{row}"),
        vm_name=f"vm{row}",
        source=HostId("host-2"),
        target=HostId("host-1"),
        seen_at=NOON - timedelta(hours=hours_ago),
        row=row,
        is_return=True,
    )


def test_for_a_day_after_a_move_was_undone_it_is_one_at_a_time() -> None:
    assert trial(*stood(9), undone=(undone(1, 0.1),)) == (1, 0)
    assert trial(*stood(9), undone=(undone(1, 25.0),)) == (6, 0)  # the eight that were not


def test_a_run_admits_what_may_be_on_trial_and_says_why_the_rest_waits() -> None:
    moves = [move(n, 1, 2 + n % 2) for n in range(1, 6)]
    marked, waiting = admit(
        moves,
        cluster(vms=100),
        Limits(),
        (),
        now=NOON,
        in_force=FREE,
        trial=Trial(allowed=2, under_way=0),
    )
    assert sum(one.this_run for one in marked) == 2
    assert [(refusal.reason, refusal.count) for refusal in waiting] == [(Reason.ON_TRIAL, 3)]


def test_evacuations_do_not_wait_for_what_is_on_trial() -> None:
    moves = [move(n, 1, 2, reason=MoveReason.EVACUATE) for n in range(1, 6)]
    full = Trial(allowed=2, under_way=2)
    marked, _ = admit(moves, cluster(vms=100), Limits(), (), now=NOON, in_force=FREE, trial=full)
    assert all(one.this_run for one in marked)


@pytest.mark.parametrize(("under_way", "admitted"), [(0, 4), (1, 0)])
def test_a_group_larger_than_what_is_allowed_goes_when_nothing_else_is_on_trial(
    under_way: int, admitted: int
) -> None:
    together = [rule("four", RuleType.AFFINITY, (1, 2, 3, 4))]
    marked, _ = admit(
        [move(n, 1, 2) for n in range(1, 5)],
        cluster(vms=100, rules=together),
        Limits(),
        (),
        now=NOON,
        in_force=FREE,
        trial=Trial(allowed=2, under_way=under_way),
    )
    assert sum(one.this_run for one in marked) == admitted

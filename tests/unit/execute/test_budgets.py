"""Budgets mark what this run may send, and say why the rest waits (S1, S6)."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from balancer.execute.budgets import admit
from balancer.model.outcome import JournalEntry, JournalRow, MoveState
from balancer.model.plan import Move, MoveReason
from balancer.model.reasons import Reason
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import ClusterId, MoveId
from balancer.policy.in_force import InForce
from balancer.policy.mode import Mode
from balancer.policy.types import Limits
from tests.support.builders import NOON, rule
from tests.unit.execute.stage import cluster, host_id, move, vm_id


def row(number: int, minutes_ago: float = 10.0, **facts: Any) -> JournalRow:
    reason = facts.pop("reason", MoveReason.BALANCE)
    entry = JournalEntry(
        vcenter="vc1",
        cluster=ClusterId("domain-c1"),
        plan_id="p",
        cycle_id="c",
        move_id=MoveId(f"m-{number}"),
        vm=vm_id(number),
        vm_name=f"vm{number}",
        vm_uuid="",
        source=host_id(1),
        target=host_id(2),
        reason=reason,
        expected_seconds=10.0,
        intended_at=NOON - timedelta(minutes=minutes_ago),
    )
    return JournalRow(id=number, entry=entry, **({"state": MoveState.DONE} | facts))


def admitted(
    moves: Sequence[Move],
    snap: Snapshot | None = None,
    rows: Sequence[JournalRow] = (),
    *,
    mode: Mode = Mode.AUTOMATIC,
    limits: Limits | None = None,
) -> tuple[list[str], dict[Reason, int]]:
    """Return the ids of the admitted moves and how many wait for each reason."""
    marked, refusals = admit(
        moves,
        snap or cluster(vms=100),
        limits or Limits(),
        rows,
        now=NOON,
        in_force=InForce(mode=mode),
    )
    assert [m.id for m in marked] == [m.id for m in moves]
    waiting: Counter[Reason] = Counter()
    for refusal in refusals:
        waiting[refusal.reason] += refusal.count
    return [m.id for m in marked if m.this_run], dict(waiting)


def load(count: int, first: int = 1) -> list[Move]:
    return [move(n, 1, 2) for n in range(first, first + count)]


def evacuations(count: int, first: int = 50) -> list[Move]:
    return [move(n, 1, 2, reason=MoveReason.EVACUATE) for n in range(first, first + count)]


@pytest.mark.parametrize(
    ("running", "allowed"),
    [(6, 2), (40, 2), (100, 5), (119, 5), (400, 20), (2000, 20)],
    ids=[
        "at least two",
        "five percent of forty",
        "of a hundred",
        "rounded down",
        "of 400",
        "at most twenty",
    ],
)
def test_a_run_sends_five_percent_of_the_running_vms(running: int, allowed: int) -> None:
    sent, waiting = admitted(load(30), cluster(vms=running))
    assert len(sent) == allowed
    assert waiting == {Reason.RUN_BUDGET: 30 - allowed}


def test_the_first_moves_of_the_plan_are_admitted_first() -> None:
    assert admitted(load(9))[0] == [f"m-{n:03}" for n in range(1, 6)]


def test_everything_is_admitted_where_it_fits_and_no_reason_is_given() -> None:
    assert admitted(load(5)) == ([f"m-{n:03}" for n in range(1, 6)], {})


def test_the_most_restrictive_limit_wins() -> None:
    assert len(admitted(load(9), limits=Limits(moves_per_run_at_most=1))[0]) == 1


def test_an_hour_sends_ten_percent_of_the_running_vms() -> None:
    sent, waiting = admitted(load(5), rows=[row(n) for n in range(60, 68)])
    assert len(sent) == 2
    assert waiting == {Reason.HOUR_BUDGET: 3}


def test_moves_before_the_last_hour_are_forgotten_by_its_budget() -> None:
    assert len(admitted(load(5), rows=[row(n, 61) for n in range(60, 80)])[0]) == 5


def test_moves_that_never_became_migrations_use_no_budget() -> None:
    rows = [row(n, state=MoveState.ABORTED) for n in range(60, 80)]
    assert len(admitted(load(5), rows=rows)[0]) == 5


@pytest.mark.parametrize("state", [state for state in MoveState if state.is_open])
def test_open_moves_use_the_budget_of_the_run(state: MoveState) -> None:
    rows = [row(n, 200, state=state) for n in range(60, 63)]
    assert len(admitted(load(5), rows=rows)[0]) == 2


def test_more_open_moves_than_the_budget_admit_nothing() -> None:
    rows = [row(n, state=MoveState.UNKNOWN) for n in range(60, 90)]
    assert admitted(load(5), rows=rows)[0] == []


def test_a_vm_with_an_open_move_waits() -> None:
    sent, waiting = admitted(load(3), rows=[row(2, state=MoveState.UNKNOWN)])
    assert sent == ["m-001", "m-003"]
    assert waiting == {Reason.IN_FLIGHT: 1}


def test_a_vm_that_was_moved_twice_today_waits() -> None:
    rows = [row(1, 60 * 23), row(1, 120)]
    assert admitted(load(2), rows=rows) == (["m-002"], {Reason.VM_BUDGET: 1})


def test_a_vm_that_was_moved_twice_yesterday_may_move() -> None:
    rows = [row(1, 60 * 25), row(1, 60 * 26)]
    assert admitted(load(1), rows=rows)[0] == ["m-001"]


# mandatory moves


def test_mandatory_moves_have_a_budget_of_their_own() -> None:
    sent, waiting = admitted([*load(9), *evacuations(45)])
    assert len([key for key in sent if key >= "m-050"]) == 40
    assert len([key for key in sent if key < "m-050"]) == 5
    assert waiting == {Reason.RUN_BUDGET: 5 + 4}


def test_load_moves_use_nothing_of_the_mandatory_budget() -> None:
    rows = [row(n) for n in range(1, 40)]
    assert len(admitted(evacuations(40), rows=rows)[0]) == 40


def test_mandatory_moves_use_nothing_of_the_load_budget() -> None:
    rows = [row(n, reason=MoveReason.EVACUATE) for n in range(60, 99)]
    assert len(admitted(load(5), rows=rows)[0]) == 5


def test_an_evacuation_goes_on_for_a_vm_that_was_moved_twice_today() -> None:
    rows = [row(50, 120), row(50, 300)]
    assert admitted(evacuations(1), rows=rows)[0] == ["m-050"]


# modes


def test_observing_admits_nothing() -> None:
    sent, waiting = admitted([*load(3), *evacuations(2)], mode=Mode.OBSERVE)
    assert (sent, waiting) == ([], {Reason.OBSERVE_MODE: 5})


def test_manual_admits_nothing_that_nobody_approved() -> None:
    sent, waiting = admitted([*load(3), *evacuations(2)], mode=Mode.MANUAL)
    assert (sent, waiting) == ([], {Reason.NOT_APPROVED: 5})


def test_partial_admits_evacuations_and_repairs_only() -> None:
    repair = move(70, 1, 3, reason=MoveReason.RULE)
    sent, waiting = admitted([*load(3), *evacuations(1), repair], mode=Mode.PARTIAL)
    assert (sent, waiting) == (["m-050", "m-070"], {Reason.OBSERVE_MODE: 3})


def test_partial_admits_what_an_evacuation_waits_for() -> None:
    moves = [move(1, 2, 3), move(2, 1, 2, after=(1,), reason=MoveReason.EVACUATE)]
    assert admitted(moves, mode=Mode.PARTIAL) == (["m-001", "m-002"], {})


# what goes together


def test_a_move_comes_with_all_that_it_waits_for() -> None:
    chain = [move(1, 1, 2), move(2, 1, 2, after=(1,)), move(3, 1, 2, after=(2,))]
    limits = Limits(moves_per_run_at_most=2)
    assert admitted(chain, limits=limits) == (["m-001", "m-002"], {Reason.RUN_BUDGET: 1})


def test_a_move_does_not_come_without_what_it_waits_for() -> None:
    chain = [move(1, 1, 2), move(2, 1, 3, after=(1,))]
    rows = [row(1, state=MoveState.UNKNOWN)]
    assert admitted(chain, rows=rows) == ([], {Reason.IN_FLIGHT: 2})


def test_the_hops_of_a_parked_vm_come_together_or_not_at_all() -> None:
    hops = [
        move(1, 1, 3, of=1, reason=MoveReason.PARKING),
        move(2, 3, 2, of=1, after=(1,)),
    ]
    assert admitted(hops)[0] == ["m-001", "m-002"]
    assert admitted(hops, limits=Limits(moves_per_run_at_most=1))[0] == []


def test_partners_of_an_affinity_rule_come_together_or_not_at_all() -> None:
    kept = rule("together", RuleType.AFFINITY, [1, 2, 3])
    snap = cluster(vms=100, rules=(kept,))
    assert len(admitted(load(5), snap)[0]) == 5
    sent, _ = admitted(load(5), snap, limits=Limits(moves_per_run_at_most=2))
    assert sent == ["m-004", "m-005"]


def test_a_group_that_does_not_fit_does_not_block_the_others_for_ever() -> None:
    kept = rule("together", RuleType.AFFINITY, range(1, 11))
    sent, waiting = admitted(load(12), cluster(vms=100, rules=(kept,)))
    assert sent == ["m-011", "m-012"]
    assert waiting == {Reason.RUN_BUDGET: 10}


def test_rules_that_share_a_vm_join_their_groups() -> None:
    kept = (
        rule("one", RuleType.AFFINITY, [1, 2]),
        rule("two", RuleType.AFFINITY, [2, 3]),
    )
    sent, _ = admitted(
        load(3), cluster(vms=100, rules=kept), limits=Limits(moves_per_run_at_most=2)
    )
    assert sent == []


def test_should_rules_and_disabled_rules_bind_nobody() -> None:
    loose = (
        rule("should", RuleType.AFFINITY, [1, 2], mandatory=False),
        rule("off", RuleType.AFFINITY, [2, 3], enabled=False),
    )
    sent, _ = admitted(
        load(3), cluster(vms=100, rules=loose), limits=Limits(moves_per_run_at_most=2)
    )
    assert sent == ["m-001", "m-002"]

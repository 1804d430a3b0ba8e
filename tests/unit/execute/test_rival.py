"""Migrations of our own account that the journal does not know: told, and nothing is sent beside them."""

from typing import Any

import pytest

from balancer.execute.settle import settle
from balancer.model.events import RivalSeen
from balancer.model.outcome import JournalStep, MoveState
from balancer.model.reasons import Reason
from balancer.model.snapshot import FlightKind
from tests.support.fakes import Script
from tests.unit.execute.stage import Stage, host_id, move, vm_id
from tests.unit.execute.test_settle import leave_row, send


def look(stage: Stage) -> list[RivalSeen]:
    """Settle once, and return what was told of rivals."""
    (cluster,) = stage.vcenter.clusters()
    settle(stage.vcenter.snapshot(cluster), stage.policy, stage.tools)
    return stage.events.of(RivalSeen)


@pytest.mark.parametrize(
    ("facts", "is_rival"),
    [
        ({"is_ours": True}, True),
        ({"is_ours": True, "kind": FlightKind.STORAGE}, True),
        ({"is_ours": True, "kind": FlightKind.PROVISIONING}, False),
        ({"is_ours": False}, False),
        ({"is_ours": None}, False),
    ],
    ids=["a migration", "it moves disks", "a copy", "another account", "account not told"],
)
def test_a_migration_of_our_account_without_a_row_is_told(
    facts: dict[str, Any], is_rival: bool
) -> None:
    stage = Stage()
    task = stage.vcenter.fly_foreign(vm_id(1), host_id(2), **facts)
    assert look(stage) == ([RivalSeen(tasks=frozenset({task}))] if is_rival else [])


def test_a_rows_own_migration_is_no_rival_neither_while_it_is_open_nor_after() -> None:
    stage = Stage()
    task = send(stage, Script(seconds=100.0))
    row = leave_row(stage, MoveState.SUBMITTED, task=task)
    assert look(stage) == []
    stage.store.advance(row, JournalStep(state=MoveState.DONE, at=stage.clock.now()))
    assert look(stage) == []  # the snapshot may be older than the end


def test_a_migration_whose_reply_was_lost_is_no_rival_after_its_row_has_ended() -> None:
    stage = Stage()
    row = leave_row(stage, MoveState.UNKNOWN)
    send(stage, Script(seconds=100.0))
    stage.store.advance(row, JournalStep(state=MoveState.DONE, at=stage.clock.now()))
    assert look(stage) == []


def test_nothing_is_sent_to_a_cluster_in_which_a_rival_moves_something() -> None:
    stage = Stage()
    stage.vcenter.fly_foreign(vm_id(2), host_id(3), seconds=500.0, is_ours=True)
    outcome = stage.run(move(1, 1, 2))["m-001"]
    assert outcome.refusal
    assert outcome.refusal.reason is Reason.LEASE_HELD
    assert "vm2" in outcome.refusal.detail
    assert "a second balancer" in outcome.refusal.detail
    assert (stage.rows, stage.vcenter.orders) == ((), [])


def test_a_rival_that_comes_up_during_a_run_ends_the_sending_and_what_runs_is_watched_on() -> None:
    stage = Stage()
    stage.vcenter.at(
        10.0, lambda: stage.vcenter.fly_foreign(vm_id(6), host_id(3), 500.0, is_ours=True) and None
    )
    outcomes = stage.run(move(1, 1, 2), move(2, 1, 3, after=(1,)))
    assert outcomes["m-001"].state is MoveState.DONE
    refusal = outcomes["m-002"].refusal
    assert refusal
    assert refusal.reason is Reason.LEASE_HELD
    assert [order.vm for order in stage.vcenter.orders] == [vm_id(1)]


def test_our_own_moves_are_no_rivals_of_each_other() -> None:
    stage = Stage()
    outcomes = stage.run(*(move(number, 1, 2 + number % 2) for number in range(1, 6)))
    assert {outcome.state for outcome in outcomes.values()} == {MoveState.DONE}
    assert stage.events.of(RivalSeen) == []

"""What plans, moves and cycles leave on the metrics page."""

from dataclasses import replace

import pytest

from balancer.expose.metric_labels import (
    MOVE_REASONS,
    PLAN_RESULTS,
    outcome_of,
)
from balancer.model.errors import PlanInvalid, SourceUnreachable
from balancer.model.events import PlanMade, Trigger
from balancer.model.outcome import FailureKind, MoveOutcome, MoveState
from balancer.model.plan import MoveReason, PlanStatus, Priority
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import InFlight
from balancer.model.units import HostId, VmId
from tests.support.builders import NOON
from tests.unit.expose.board import Board, ended, started
from tests.unit.expose.plans import move, plan, small_plan, small_snapshot


def test_the_newest_plan_is_shown_and_older_ones_are_forgotten() -> None:
    board = Board()
    board.show(small_snapshot(), small_plan())
    assert board.value("plan_moves", "evacuation") == 1.0
    assert board.value("plan_moves", "rule_fix") == 1.0
    assert board.value("plan_predicted_imbalance_ratio", "cpu", "after") == pytest.approx(
        small_plan().after.cpu.stddev
    )
    board.show(small_snapshot())
    assert set(board.series("plan_moves").values()) == {0.0}


def test_refusals_of_a_plan_are_counted_by_their_own_word() -> None:
    board = Board()
    board.show(small_snapshot(), small_plan())
    assert board.series("candidates_rejected_total") == {
        ("usb_device",): 1.0,
        ("memory_ceiling",): 2.0,
        ("run_budget",): 1.0,
    }


@pytest.mark.parametrize("status", list(PlanStatus))
def test_plans_are_counted_by_what_came_of_them(status: PlanStatus) -> None:
    board, snap = Board(), small_snapshot()
    board.show(snap, plan(snap, status=status))
    counted = {key: value for key, value in board.series("plans_total").items() if value}
    assert counted == {("interval", PLAN_RESULTS[status]): 1.0}


def test_a_plan_that_was_approved_is_told_from_those_of_cycles() -> None:
    board = Board()
    board.cluster.tell(PlanMade(plan=small_plan(), trigger=Trigger.APPROVAL))
    counted = {key: value for key, value in board.series("plans_total").items() if value}
    assert counted == {("approval", "infeasible"): 1.0}


def test_every_reason_of_a_move_has_a_label_of_the_shared_vocabulary() -> None:
    assert set(MOVE_REASONS) == set(MoveReason)
    shared = {"balance", "rule_fix", "maintenance", "evacuation", "consolidation", "manual"}
    assert set(MOVE_REASONS.values()) <= shared


@pytest.mark.parametrize(
    ("state", "facts", "outcome"),
    [
        pytest.param(MoveState.DONE, {}, "succeeded", id="done"),
        pytest.param(MoveState.FAILED, {}, "failed", id="failed"),
        pytest.param(
            MoveState.FAILED, {"kind": FailureKind.CANCELLED}, "cancelled", id="cancelled"
        ),
        pytest.param(MoveState.ABORTED, {}, "skipped", id="never became a migration"),
        pytest.param(MoveState.EXTERNAL, {}, "superseded", id="is elsewhere"),
        pytest.param(MoveState.UNKNOWN, {}, "timed_out", id="end not known"),
        pytest.param(
            None, {"refusal": Refusal.of(Reason.PLAN_TOO_OLD)}, "skipped", id="was not sent"
        ),
    ],
)
def test_a_move_is_counted_once_by_its_outcome(state, facts, outcome) -> None:
    board = Board()
    board.cluster.tell(ended(move(1, 1, 1, 2), state, **facts))
    counted = {key: value for key, value in board.series("migrations_total").items() if value}
    assert counted == {("vmotion", "balance", outcome): 1.0}


def test_a_move_left_running_has_no_outcome_yet() -> None:
    board = Board()
    board.cluster.tell(started(move(1, 1, 1, 2)))
    board.cluster.tell(ended(move(1, 1, 1, 2), MoveState.SUBMITTED))
    assert set(board.series("migrations_total").values()) == {0.0}
    assert board.value("migrations_in_flight", "vmotion") == 1.0
    left = MoveOutcome(move=move(1, 1, 1, 2), state=MoveState.SUBMITTED)
    assert outcome_of(left) is None


def test_flights_and_queue_follow_the_moves() -> None:
    board, made = Board(), small_plan()
    board.show(small_snapshot(), made)
    assert board.value("migrations_queued", "default") == 3.0
    assert ("vmotion",) in board.series("migrations_in_flight")
    assert board.series("oldest_migration_start_timestamp_seconds") == {}

    board.cluster.tell(started(made.moves[0], 5.0))
    board.cluster.tell(started(made.moves[1], 9.0))
    assert board.value("migrations_queued", "default") == 1.0
    assert board.value("migrations_in_flight", "vmotion") == 2.0
    oldest = board.value("oldest_migration_start_timestamp_seconds")
    assert oldest == NOON.timestamp() + 5.0

    board.cluster.tell(ended(made.moves[0]))
    assert board.value("oldest_migration_start_timestamp_seconds") == NOON.timestamp() + 9.0
    board.end(made)
    assert board.value("migrations_queued", "default") == 0.0


def test_a_flight_whose_end_was_never_told_is_forgotten_when_vcenter_no_longer_shows_it() -> None:
    board, snap = Board(), small_snapshot()
    board.cluster.tell(started(move(1, 1, 1, 2)))
    board.cluster.tell(started(move(2, 2, 1, 2)))
    flight = InFlight(vm=VmId("vm-2"), source=HostId("host-1"), target=HostId("host-2"))
    board.show(replace(snap, in_flight=(flight,)))
    assert board.value("migrations_in_flight", "vmotion") == 1.0


def test_a_success_is_measured_in_seconds_bytes_and_against_its_prediction() -> None:
    board = Board()
    step = move(1, 1, 1, 2, expected_seconds=10.0, memory_mib=1024.0)
    board.cluster.tell(ended(step, seconds=15.0))
    assert board.value("migration_duration_seconds_sum", "vmotion") == 15.0
    assert board.value("migration_memory_bytes_total", "vmotion") == 2**30
    assert board.value("migration_duration_error_ratio_sum", "vmotion") == 1.5


def test_a_failure_counts_its_fault_and_no_duration() -> None:
    board = Board()
    board.cluster.tell(ended(move(1, 1, 1, 2), MoveState.FAILED, fault="Timedout", seconds=9.0))
    assert board.value("migration_faults_total", "vmotion", "Timedout") == 1.0
    assert board.value("migration_duration_seconds_count", "vmotion") == 0.0


def test_the_wait_of_a_move_is_booked_on_its_priority() -> None:
    board = Board()
    board.cluster.tell(started(move(1, 1, 1, 2, priority=Priority.HIGH)))
    waits = {
        key: value
        for key, value in board.series("migration_queue_wait_seconds_sum").items()
        if value
    }
    assert waits == {("high",): 3.0}


@pytest.mark.parametrize(
    ("made", "outcomes", "result"),
    [
        pytest.param(plan(small_snapshot()), (), "no_change", id="nothing planned"),
        pytest.param(small_plan(), (), "planned", id="nothing sent"),
        pytest.param(
            small_plan(),
            (MoveOutcome(move=move(1, 1, 1, 2), state=MoveState.FAILED),),
            "executed",
            id="sent, though it failed",
        ),
        pytest.param(
            small_plan(),
            (MoveOutcome(move=move(1, 1, 1, 2), state=None, refusal=Refusal.of(Reason.STOPPING)),),
            "planned",
            id="every move was refused",
        ),
        pytest.param(
            plan(small_snapshot(), status=PlanStatus.REFUSED), (), "skipped", id="facts not fit"
        ),
    ],
)
def test_a_cycle_is_counted_by_how_it_ended(made, outcomes, result) -> None:
    board = Board()
    board.end(made, *outcomes)
    assert {k: v for k, v in board.series("cycles_total").items() if v} == {(result,): 1.0}
    assert board.value("last_successful_cycle_timestamp_seconds") == NOON.timestamp()


def test_phases_of_a_cycle_tell_planning_apart_by_stage() -> None:
    board = Board()
    stages = {"assess": 0.1, "search": 1.0, "sequence": 0.5, "verify": 0.25, "conclude": 0.01}
    board.end(replace(small_plan(), stage_seconds=stages))
    assert board.series("cycle_duration_seconds_sum") == {
        ("collect",): 2.0,
        ("execute",): 60.0,
        ("forecast",): 0.1,
        ("solve",): 1.5,
        ("verify",): 0.25,
        ("other",): 0.01,
    }


@pytest.mark.parametrize(
    ("error", "name", "labels", "value"),
    [
        pytest.param(SourceUnreachable("x"), "vcenter_up", (), 0.0, id="vCenter did not answer"),
        pytest.param(PlanInvalid("x"), "plans_total", ("interval", "error"), 1.0, id="bad plan"),
        pytest.param(None, "cycles_total", ("error",), 1.0, id="anything else"),
    ],
)
def test_a_failed_cycle_touches_the_figures_of_its_cause(error, name, labels, value) -> None:
    board = Board()
    board.show(small_snapshot(), small_plan())
    assert board.value("vcenter_up") == 1.0
    board.cluster.cycle_failed(error)
    assert board.value(name, *labels) == value
    assert board.value("cycles_total", "error") == 1.0
    assert set(board.series("migrations_queued").values()) == {0.0}

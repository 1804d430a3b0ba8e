"""Apply: a whole plan or nothing of it, under the lease, behind every stop, and each plan once."""

import json
from dataclasses import replace

import pytest

from balancer import control
from balancer.adapters.files.plan_values import plan_from_bytes
from balancer.applying import WAITS_S
from balancer.approvals import PlanState
from balancer.model.control import StoredPlan
from balancer.model.plan import Plan
from balancer.model.reasons import Reason, Refusal
from balancer.policy.mode import Mode
from tests.unit.control.board import SHARD, Board


def kept(board: Board) -> tuple[Plan, StoredPlan]:
    """Return the newest kept plan, read back."""
    plan = board.known().plan
    return plan_from_bytes(plan.document.encode(), name="it"), plan


def planned(mode: Mode = Mode.MANUAL) -> Board:
    board = Board(mode=mode)
    board.cycle()
    return board


def test_a_plan_that_fits_is_carried_out_whole_and_counts_as_used() -> None:
    board = planned()
    plan, stored = kept(board)
    done = board.apply(plan, stored)
    assert done.report is not None
    assert len(done.report.outcomes) == len(plan.moves) == board.sent
    assert board.known("1").state_at(board.clock.now()) is PlanState.USED
    assert board.known("1").decision is not None


def test_a_plan_from_a_file_is_kept_as_it_is_carried_out() -> None:
    board = planned()
    plan, stored = kept(board)
    document = stored.document
    board.store._plans.clear()
    board.apply(plan, replace(stored, id=0))
    (one,) = board.store.plans(SHARD, last=9)
    assert (one.document, one.digest) == (document, stored.digest)


def test_a_stale_plan_moves_nothing_and_names_the_fact() -> None:
    board = planned()
    plan, stored = kept(board)
    first = plan.moves[0]
    moved = tuple(
        replace(one, host=first.target) if one.id == first.vm else one
        for one in board.vcenter.truth.vms
    )
    board.vcenter.truth = replace(board.vcenter.truth, vms=moved)
    done = board.apply(plan, stored)
    assert done.report is None
    assert done.fit is not None
    assert [r.reason for r in done.fit.changed] == [Reason.FACT_CHANGED]
    assert f"VM {first.vm_name} was on esx1, is on" in done.fit.changed[0].detail
    assert board.sent == 0
    assert board.known("1").decision is None
    actions = [entry.note.action for entry in board.store.audit_entries(last=99)]
    assert "plan.refused" in actions


def test_s4_while_the_daemon_has_the_lease_it_waits_and_then_gives_up() -> None:
    board = planned()
    board.store.take_lease(SHARD, "daemon", at=board.clock.now(), lasts_s=3600.0)
    done = board.apply(*kept(board))
    assert done.held is not None
    assert done.held.reason is Reason.LEASE_HELD
    assert board.told == [f"Another process acts on {SHARD}; waiting up to {WAITS_S:.0f} s."]
    assert board.clock.monotonic() >= WAITS_S
    assert board.sent == 0


def test_s4_once_the_daemon_is_done_it_goes_on() -> None:
    board = planned()
    board.store.take_lease(SHARD, "daemon", at=board.clock.now(), lasts_s=20.0)
    done = board.apply(*kept(board))
    assert done.report is not None
    assert board.sent > 0


@pytest.mark.parametrize("stop", ["observe", "pause", "stop file"])
def test_s8_what_stops_the_daemon_stops_it_too(stop: str) -> None:
    board = planned()
    plan, stored = kept(board)
    match stop:
        case "observe":
            board.mode = Mode.OBSERVE
        case "pause":
            control.pause(board.store, SHARD, board.by("bob"))
        case _:
            board.stop = Refusal.of(Reason.STOP_FILE, "there")
    done = board.apply(plan, stored)
    expected = {
        "observe": Reason.OBSERVE_MODE,
        "pause": Reason.PAUSED,
        "stop file": Reason.STOP_FILE,
    }
    assert done.held is not None
    assert done.held.reason is expected[stop]
    assert board.sent == 0


def test_an_old_plan_is_refused_with_its_age() -> None:
    board = planned()
    plan, stored = kept(board)
    board.clock.sleep(board.policy.limits.approved_plan_age_s + 1)
    done = board.apply(plan, stored)
    assert done.fit is not None
    assert done.fit.changed[0].reason is Reason.PLAN_TOO_OLD
    assert "approved_plan_age_s" in done.fit.changed[0].detail
    assert board.sent == 0


def test_its_document_says_what_it_was_made_under() -> None:
    board = planned()
    document = json.loads(board.known().plan.document)
    assert document["mode"]["in_force"] == "manual"

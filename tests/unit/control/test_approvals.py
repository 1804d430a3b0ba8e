"""Approvals: bound to a plan, used once, expiring; an approved plan is carried out as far as it still fits."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer import approvals, control
from balancer.approvals import PlanState
from balancer.model.errors import BalancerError, PlanRefused
from balancer.model.plan import MoveReason, PlanStatus
from balancer.model.reasons import Reason, Refusal
from balancer.policy.mode import Mode
from balancer.policy.rule_types import VmMode
from balancer.policy.selector import Selector
from balancer.policy.window_types import Effect, Window
from tests.support.builders import snapshot
from tests.support.searching import examples
from tests.unit.control.board import ROOMY, SHARD, Board


def approved(board: Board) -> Board:
    board.cycle()
    approvals.approve(board.store, board.known(), board.by("ann"))
    return board


def test_manual_makes_and_keeps_a_plan_and_moves_nothing() -> None:
    board = Board()
    report = board.cycle()
    assert report.plan.moves
    assert not any(move.this_run for move in report.plan.moves)
    assert board.sent == 0
    known = board.known()
    assert known.plan.digest == json.loads(known.plan.document)["digest"]
    assert known.state_at(board.clock.now()) is PlanState.WAITING


def test_an_approved_plan_is_carried_out_once() -> None:
    board = approved(Board())
    report = board.approved_cycle()
    assert report is not None
    assert board.sent == len(report.plan.moves) > 0
    assert board.known("1").state_at(board.clock.now()) is PlanState.USED
    assert board.approved_cycle() is None
    with pytest.raises(PlanRefused, match="carried out from"):
        approvals.approve(board.store, board.known("1"), board.by("bob"))


def test_rows_of_an_approved_plan_carry_its_id() -> None:
    board = approved(Board())
    board.approved_cycle()
    rows = board.store.rows_since(
        "vc1", board.base.cluster.id, board.clock.now() - timedelta(days=1)
    )
    assert {row.entry.plan_id for row in rows} == {board.known("1").plan.plan_id}


def test_nothing_is_approved_twice_or_after_a_rejection() -> None:
    board = Board()
    board.cycle()
    approvals.reject(board.store, board.known(), board.by("ann", "release day"))
    with pytest.raises(PlanRefused, match=r"was rejected by ann .* \(release day\)"):
        approvals.approve(board.store, board.known(), board.by("bob"))
    assert board.approved_cycle() is None
    assert board.sent == 0


def test_an_approval_comes_too_late_after_approval_s() -> None:
    board = Board()
    board.cycle()
    board.clock.sleep(board.policy.limits.approval_s)
    with pytest.raises(PlanRefused, match="could be approved until"):
        approvals.approve(board.store, board.known(), board.by("ann"))
    assert board.known().state_at(board.clock.now()) is PlanState.EXPIRED


def test_an_approval_that_is_not_used_in_time_ends() -> None:
    board = approved(Board())
    board.clock.sleep(board.policy.limits.approval_s)
    assert board.approved_cycle() is None
    assert board.sent == 0
    with pytest.raises(PlanRefused, match="without being used"):
        approvals.approve(board.store, board.known("1"), board.by("bob"))


@pytest.mark.parametrize("held", ["pause", "stop file", "observe", "window"])
def test_s8_an_approval_waits_while_nothing_may_be_sent(held: str) -> None:
    board = approved(Board())
    match held:
        case "pause":
            control.pause(board.store, "", board.by("bob"))
        case "stop file":
            board.stop = Refusal.of(Reason.STOP_FILE, "stop is there")
        case "observe":
            board.mode = Mode.OBSERVE
        case "window":
            closed = Window(name="never", effect=Effect.DENY, cron="* * * * *", duration_s=300.0)
            board.policy = replace(board.policy, windows=(closed,))
    assert board.approved_cycle() is None
    assert board.sent == 0
    assert board.known("1").state_at(board.clock.now()) is PlanState.APPROVED


def test_what_does_not_fit_any_more_is_left_out_and_the_rest_goes_on() -> None:
    board = approved(Board())
    moves = board.known().plan.moves
    gone = json.loads(board.known().plan.document)["moves"][0]["vm"]
    truth = board.vcenter.truth
    board.vcenter.truth = replace(truth, vms=tuple(one for one in truth.vms if one.id != gone))
    report = board.approved_cycle()
    assert report is not None
    assert gone not in board.vcenter.submits
    assert 0 < board.sent < moves
    told = [
        e.note.reason for e in board.store.audit_entries(last=99) if e.note.action == "plan.refused"
    ]
    assert any("was there, is gone" in reason for reason in told)


def test_an_approved_plan_moves_a_vm_whose_own_mode_is_manual() -> None:
    own = VmMode(
        vms=Selector(names=("vm1", "vm2", "vm3", "vm4", "vm5", "vm6", "vm7", "vm8")),
        mode=Mode.MANUAL,
    )
    board = Board(mode=Mode.AUTOMATIC, policy=replace(ROOMY, vm_modes=(own,)))
    board.cycle()
    assert board.sent == 0
    approvals.approve(board.store, board.known(), board.by("ann"))
    board.approved_cycle()
    assert board.sent > 0


def test_mandatory_moves_wait_for_approval_in_manual_too() -> None:
    board = Board(
        policy=replace(ROOMY, goals=replace(ROOMY.goals, balance=False, contention=False))
    )
    wanted = control.Evacuation(
        shard=SHARD, host=board.base.hosts[0].id, host_name="esx1", by="", at=board.clock.now()
    )
    control.ask_to_empty(board.store, wanted, board.by("ann"))
    report = board.cycle()
    assert report.plan.status is PlanStatus.PLANNED
    assert {move.reason for move in report.plan.moves} == {MoveReason.REQUESTED}
    assert board.sent == 0
    approvals.approve(board.store, board.known(), board.by("ann"))
    board.approved_cycle()
    assert not [one for one in board.vcenter.truth.vms if one.host == board.base.hosts[0].id]


def test_an_approved_plan_may_be_as_old_as_approved_plan_age_s_and_no_older() -> None:
    limits = replace(ROOMY.limits, approval_s=7200.0, approved_plan_age_s=600.0)
    board = approved(Board(policy=replace(ROOMY, limits=limits)))
    board.clock.sleep(601.0)
    report = board.approved_cycle()
    assert report is not None
    assert report.plan.moves == ()
    assert board.sent == 0


def test_an_ambiguous_prefix_is_refused_with_the_candidates() -> None:
    board = Board()
    board.cycle()
    digest = board.known().plan.digest
    board.store.keep_plan(replace(board.known().plan, digest=digest[:8] + "f" * 56))
    with pytest.raises(BalancerError, match=r"2 plans begin with .*: 2 \(.*1 \("):
        board.known(digest[:8])
    assert board.known(digest).plan.id == 1


@pytest.mark.parametrize("key", ["99", "abcd", "", "zz"])
def test_an_unknown_plan_is_told_with_the_newest_ones(key: str) -> None:
    board = Board()
    board.cycle()
    with pytest.raises(BalancerError, match=r"There is no plan .* The newest are 1 \("):
        approvals.find_plan(board.store, key, lasts_s=600.0)


PLAN_FIELDS = ("digest", "plan_id", "made_at")


@examples(25)
@given(data=st.data())
def test_law_a_kept_plan_that_was_changed_after_its_approval_moves_nothing(
    data: st.DataObject,
) -> None:
    board = approved(Board())
    kept = board.known().plan
    what = data.draw(st.sampled_from(("document", *PLAN_FIELDS)))
    if what == "document":
        board.change_kept(document=json.dumps(_changed(json.loads(kept.document), data)))
    elif what == "made_at":
        board.change_kept(made_at=kept.made_at + timedelta(seconds=data.draw(st.integers(1, 9999))))
    else:
        board.change_kept(**{what: getattr(kept, what)[::-1] + "0"})
    assert board.approved_cycle() is None
    assert board.sent == 0


def _changed(document: dict[str, Any], data: st.DataObject) -> dict[str, Any]:
    """Change what is carried out: a move's VM, hosts, order or priority, the cluster, the time, the digest."""
    moves = document["moves"]
    place = data.draw(st.integers(0, len(moves) - 1))
    kind = data.draw(
        st.sampled_from(["vm", "to", "from", "priority", "drop", "swap", "time", "digest"])
    )
    match kind:
        case "vm" | "to" | "from":
            moves[place][kind] += "1"
        case "priority":
            moves[place]["priority"] = "high" if moves[place]["priority"] != "high" else "low"
        case "drop":
            del moves[place]
        case "swap":
            moves[place], moves[place - 1] = moves[place - 1], moves[place]
        case "time":
            document["created_at"] = "2031-01-01T00:00:00Z"
        case _:
            document["digest"] = "0" * 64
    return document


def test_a_plan_without_moves_is_kept_once_and_cannot_be_approved() -> None:
    board = Board(base=snapshot(Board().base.hosts, []))
    board.cycle()
    board.cycle()
    assert len(board.store.plans(SHARD, last=9)) == 1
    with pytest.raises(PlanRefused, match="has no moves"):
        approvals.approve(board.store, board.known(), board.by("ann"))

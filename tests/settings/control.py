"""Approvals: until when a plan can be approved, and how old an approved one may be, by the value of each."""

from collections.abc import Callable

from balancer import approvals
from balancer.model.errors import PlanRefused
from balancer.policy.types import Policy
from tests.settings.case import Case
from tests.unit.control.board import Board


def approved_after(seconds: float) -> Callable[[Policy], object]:
    """Ask whether a plan can still be approved so many seconds after it was made."""

    def look(policy: Policy) -> object:
        board = Board(policy=policy)
        board.cycle()
        board.clock.sleep(seconds)
        try:
            approvals.approve(board.store, board.known(), board.by("ann"))
        except PlanRefused:
            return False
        return True

    return look


def sent_after(seconds: float) -> Callable[[Policy], object]:
    """Ask how much of an approved plan is sent where that comes so many seconds after it was made."""

    def look(policy: Policy) -> object:
        board = Board(policy=policy)
        board.cycle()
        approvals.approve(board.store, board.known(), board.by("ann"))
        board.clock.sleep(seconds)
        board.approved_cycle()
        return board.sent

    return look


CONTROL = (
    Case(setting="limits.approval_s", values=(300.0, 900.0), look=approved_after(600.0)),
    Case(
        setting="limits.approved_plan_age_s",
        values=(300.0, 900.0),
        look=sent_after(600.0),
        also={"limits.approval_s": 3600.0},
    ),
)

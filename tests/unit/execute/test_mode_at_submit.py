"""The mode is asked before each move: what a window or a reload holds back meanwhile is not sent any more."""

from collections.abc import Callable
from dataclasses import replace

from balancer.model.outcome import MoveOutcome, MoveState
from balancer.model.plan import Move, MoveReason
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import RuleType
from balancer.policy.in_force import InForce
from balancer.policy.mode import Mode
from balancer.policy.types import Limits
from tests.support.builders import rule
from tests.unit.execute.stage import Stage, cluster, move, vm_id

DONE = MoveState.DONE
ONE_BY_ONE = Limits(migrations_per_host=1, plan_age_s=1e6)
FREE = InForce(mode=Mode.AUTOMATIC)
CLOSED = Refusal.of(Reason.WINDOW_CLOSED, "window 'nights' opens 22:00")


def gated(stage: Stage, at_s: float, then: InForce, before: InForce = FREE) -> Stage:
    """Let another mode be in force from a time on."""

    def may_move(one: Move, is_mandatory: bool) -> Refusal | None:
        now = then if stage.clock.monotonic() >= at_s else before
        return now.refusal(one, is_mandatory=is_mandatory)

    stage.tools = replace(stage.tools, may_move=may_move)
    return stage


def reasons(outcomes: dict[str, MoveOutcome]) -> dict[str, Reason | None]:
    return {key: o.refusal.reason if o.refusal else None for key, o in outcomes.items()}


def test_a_window_that_closes_during_a_run_stops_what_was_not_sent() -> None:
    shut = InForce(mode=Mode.OBSERVE, because=CLOSED)
    stage = gated(Stage(limits=ONE_BY_ONE), 10, shut)

    outcomes = stage.run(move(1, 1, 2, gain=1.0), move(2, 1, 2), move(3, 1, 3))

    assert outcomes["m-001"].state is DONE
    assert outcomes["m-002"].refusal == CLOSED
    assert reasons(outcomes)["m-003"] is Reason.WINDOW_CLOSED
    assert len(stage.vcenter.orders) == 1


def test_a_window_that_was_closed_before_the_first_move_lets_nothing_out() -> None:
    stage = gated(Stage(), 0, InForce(mode=Mode.OBSERVE, because=CLOSED))

    outcomes = stage.run(move(1, 1, 2), move(2, 1, 3, reason=MoveReason.EVACUATE))

    assert set(reasons(outcomes).values()) == {Reason.WINDOW_CLOSED}
    assert (stage.vcenter.orders, stage.rows) == ([], ())


def test_a_window_that_closes_during_the_look_before_a_move_stops_that_move() -> None:
    stage = Stage()

    def may_move(one: Move, is_mandatory: bool) -> Refusal | None:
        del one, is_mandatory
        return CLOSED if stage.vcenter.refreshes else None

    stage.tools = replace(stage.tools, may_move=may_move)

    outcomes = stage.run(move(1, 1, 2))

    assert outcomes["m-001"].refusal == CLOSED
    assert (stage.vcenter.orders, stage.rows) == ([], ())


def test_mandatory_moves_go_on_where_the_mode_becomes_partial() -> None:
    partly = InForce(mode=Mode.PARTIAL, because=CLOSED)
    stage = gated(Stage(limits=ONE_BY_ONE), 10, partly)

    outcomes = stage.run(
        move(1, 1, 2, gain=1.0),
        move(2, 1, 2, reason=MoveReason.EVACUATE, start_seconds=40.0),
        move(3, 1, 3, start_seconds=50.0),
    )

    assert outcomes["m-002"].state is DONE
    assert reasons(outcomes)["m-003"] is Reason.WINDOW_CLOSED


def test_what_a_mandatory_move_waits_for_goes_on_with_it() -> None:
    stage = gated(Stage(), 0, InForce(mode=Mode.PARTIAL))

    outcomes = stage.run(
        move(1, 1, 2), move(2, 1, 2, wave=2, after=(1,), reason=MoveReason.EVACUATE)
    )

    assert [o.state for o in outcomes.values()] == [DONE, DONE]


def test_a_mode_that_becomes_manual_holds_back_what_nobody_approved() -> None:
    stage = gated(Stage(), 0, InForce(mode=Mode.MANUAL))

    outcomes = stage.run(move(1, 1, 2), move(2, 1, 2, reason=MoveReason.RULE))

    assert set(reasons(outcomes).values()) == {Reason.NOT_APPROVED}


def test_the_mode_of_a_single_vm_holds_back_that_vm_and_no_other() -> None:
    one = InForce(mode=Mode.AUTOMATIC, vm_modes={vm_id(2): Mode.OBSERVE})
    stage = gated(Stage(), 0, one)

    outcomes = stage.run(move(1, 1, 2), move(2, 1, 3))

    assert outcomes["m-001"].state is DONE
    refusal = outcomes["m-002"].refusal
    assert refusal
    assert (refusal.reason, refusal.vm) == (Reason.OBSERVE_MODE, vm_id(2))


def test_what_waits_for_a_move_that_is_held_back_is_not_sent_either() -> None:
    one = InForce(mode=Mode.AUTOMATIC, vm_modes={vm_id(1): Mode.OBSERVE})
    stage = gated(Stage(), 0, one)

    outcomes = stage.run(move(1, 1, 2), move(2, 2, 1, wave=2, after=(1,)))

    assert reasons(outcomes)["m-002"] is Reason.DEPENDENCY_FAILED


def test_the_rest_of_a_group_that_was_begun_follows_although_the_window_has_closed() -> None:
    pair = rule("pair", RuleType.AFFINITY, [1, 2])
    asked: list[str] = []

    def closing(stage: Stage) -> Callable[[Move, bool], Refusal | None]:
        def may_move(one: Move, is_mandatory: bool) -> Refusal | None:
            del is_mandatory
            asked.append(one.id)
            return CLOSED if stage.vcenter.orders else None

        return may_move

    stage = Stage(base=cluster(rules=[pair]), limits=ONE_BY_ONE)
    stage.tools = replace(stage.tools, may_move=closing(stage))

    outcomes = stage.run(move(1, 1, 2), move(2, 1, 2), move(3, 1, 3, start_seconds=90.0))

    assert [outcomes[key].state for key in ("m-001", "m-002")] == [DONE, DONE]
    assert outcomes["m-003"].refusal == CLOSED
    assert {"m-001", "m-002", "m-003"} <= set(asked)

"""The decision that a plan carries: what each aim called for, what came of it, and the bargain of the moves."""

from collections.abc import Sequence
from dataclasses import replace

from balancer.assess.bargain import bargain_of
from balancer.model.decision import Answer, Decision, Reading
from balancer.model.need import Need
from balancer.model.plan import Draft, Move, MoveReason
from balancer.model.reasons import Reason
from balancer.policy.types import Goals, Policy


def decide(
    need: Need, policy: Policy, asked: Goals, draft: Draft, moves: Sequence[Move]
) -> Decision:
    """Return why a plan acts or stays quiet. `asked` are the goals before the facts were found unfit for some."""
    goals, made = policy.goals, {move.reason for move in moves}
    has_relief = bool(made & {MoveReason.CONTENTION, MoveReason.BALANCE})
    gave_up = any(refusal.reason is Reason.NO_GAIN for refusal in draft.refusals)
    nothing = Answer.TOO_LITTLE if gave_up else Answer.NO_MOVE
    contention = need.contention.answer
    if contention.acts and not has_relief:
        contention = Answer.NO_MOVE
    balance = need.balance.answer
    if balance.acts and MoveReason.BALANCE not in made:
        balance = nothing
    return Decision(
        contention=_told(need.contention, contention, goals.contention, asked.contention),
        balance=_told(need.balance, balance, goals.balance, asked.balance),
        bargain=bargain_of(need, policy, moves),
    )


def _told(reading: Reading, answer: Answer, is_on: bool, is_asked: bool) -> Reading:
    """Return a reading with what came of it: goals that are off or that the facts are unfit for come first."""
    if not is_asked:
        return replace(reading, answer=Answer.GOAL_OFF)
    return replace(reading, answer=answer if is_on else Answer.HELD)

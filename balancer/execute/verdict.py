"""Verdicts: whether a batch of moves helped, and when a cluster is only observed because they did not (S9). Pure.

Decides from what was measured (`effect`); writes nothing and reads no clock. The formulas are explained in
docs/understand/verdicts.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from balancer.execute.batches import Batch
from balancer.execute.effect import DutyEffect, Effect, LoadEffect
from balancer.model.past import Past, Verdict, VerdictResult
from balancer.model.plan import MoveReason
from balancer.model.reasons import Reason, Refusal
from balancer.model.units import Ratio, percent
from balancer.policy.in_force import InForce
from balancer.policy.mode import Mode, most_careful
from balancer.policy.types import Limits

LAST = 5
"""Of so many verdicts at the most the worse ones are counted."""

COMPARED_AT_LEAST: Ratio = 0.75
"""Of a batch's VMs so many must still be where it put them; otherwise nothing is said of it."""

KEPT_AT_LEAST: Ratio = 1.0 / 3.0
"""A batch that helped not for certain, and that brought less than this share of what was predicted however
the demands vary, is worse: its moves were paid for, and the model that promised the gain is wrong."""

_JUDGED = frozenset({VerdictResult.BETTER, VerdictResult.NEUTRAL, VerdictResult.WORSE})
_RANK = (VerdictResult.WORSE, VerdictResult.BETTER, VerdictResult.NEUTRAL)
"""Of the parts of a batch the first of these is the whole's."""


def pending(batch: Batch, vcenter: str, predicted: float | None) -> Verdict:
    """Return the verdict of a batch that is yet to be measured."""
    return Verdict(
        vcenter=vcenter,
        cluster=batch.rows[0].entry.cluster,
        plan_id=batch.plan_id,
        cycle_id=batch.cycle_id,
        ended_at=batch.ended_at,
        predicted_gain=predicted,
    )


def measured(verdict: Verdict, effect: Effect, at: datetime) -> Verdict:
    """Return the verdict with what the effect amounts to."""
    parts = [
        part
        for part in (
            effect.duty and _of_duty(effect.duty),
            effect.load and _of_load(effect.load, verdict.predicted_gain),
        )
        if part
    ]
    counted = f"{effect.compared} of {effect.shifts} VMs are where they were put"
    if not parts or effect.compared < COMPARED_AT_LEAST * effect.shifts:
        return unknown(verdict, f"too little to compare: {counted}", at)
    results = {part.result for part in parts}
    return replace(
        verdict,
        result=next(result for result in _RANK if result in results),
        measured_gain=effect.load.gain if effect.load else None,
        judged_at=at,
        detail="; ".join([*(part.told for part in parts), counted]),
    )


def unknown(verdict: Verdict, why: str, at: datetime) -> Verdict:
    """Return the verdict of a batch of which nothing can be said any more."""
    return replace(verdict, result=VerdictResult.UNKNOWN, judged_at=at, detail=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """The verdict on one part of a batch, in a word and in a sentence."""

    result: VerdictResult
    told: str


def _of_load(effect: LoadEffect, predicted: float | None) -> _Part:
    told = (
        f"imbalance {percent(effect.imbalance, 1)}, {percent(effect.imbalance_undone, 1)} had nothing been done;"
        f" gain {millionths(effect.gain)} ({millionths(effect.low)} to {millionths(effect.high)})"
        f" {_promised(effect, predicted)}"
    )
    if effect.is_emptier is None:
        return _Part(result=_of_gain(effect, predicted), told=told)
    emptied = "fewer hosts run VMs" if effect.is_emptier else "no host was emptied"
    result = VerdictResult.BETTER if effect.is_emptier else VerdictResult.NEUTRAL
    if effect.high < 0.0 and effect.gain < -effect.least:
        result = VerdictResult.WORSE
    return _Part(result=result, told=f"{emptied}; {told}")


def _of_gain(effect: LoadEffect, predicted: float | None) -> VerdictResult:
    if effect.low > 0.0 and effect.gain > effect.least:
        return VerdictResult.BETTER
    is_harm = effect.high < 0.0 and effect.gain < -effect.least
    if is_harm or (predicted is not None and _is_broken_promise(effect, predicted)):
        return VerdictResult.WORSE
    return VerdictResult.NEUTRAL


def _is_broken_promise(effect: LoadEffect, predicted: float) -> bool:
    return predicted * KEPT_AT_LEAST > max(effect.high, effect.least)


def _promised(effect: LoadEffect, predicted: float | None) -> str:
    if predicted is None:
        return "millionths, the prediction is not known"
    share = f", {percent(effect.gain / predicted)}" if predicted > 0.0 else ""
    return f"of {millionths(predicted)} millionths predicted{share}"


def _of_duty(effect: DutyEffect) -> _Part:
    broken, undone = effect.laws[:2], effect.laws_undone[:2]
    told = f"{effect.laws[0]} must-rules broken, {effect.laws_undone[0]} had nothing been done"
    if effect.to_leave:
        told = f"{effect.left} of {effect.to_leave} VMs have left the hosts to be emptied; {told}"
    if broken > undone:
        return _Part(result=VerdictResult.WORSE, told=told)
    is_reached = effect.laws < effect.laws_undone or effect.left > 0
    return _Part(result=VerdictResult.BETTER if is_reached else VerdictResult.NEUTRAL, told=told)


def millionths(cost: float) -> str:
    """Return a cost in millionths, the unit in which explanations count."""
    return f"{cost * 1e6 + 0.0:,.0f}"


def why_observed(past: Past, limits: Limits) -> Refusal | None:
    """Return why a cluster is only observed until somebody acknowledges its verdicts, or None (S9).

    Counted are the last five batches that were judged and that nobody has acknowledged. What is pending or
    unknown neither counts nor pushes another one out; nor does an evacuation or a rule repair that went well,
    so that a day of maintenance does not hide what the moves for the load's sake do.
    """
    last = _counted(past)[-LAST:]
    worse = [verdict for verdict in last if verdict.result is VerdictResult.WORSE]
    if len(worse) < limits.worse_verdicts:
        return None
    detail = (
        f"{len(worse)} of the last {len(last)} batches made it worse, the last one at"
        f" {worse[-1].ended_at:%Y-%m-%d %H:%M} UTC ({worse[-1].detail}); acknowledge with balancer resume"
    )
    return Refusal.of(Reason.VERDICTS_WORSE, detail)


def why_awaited(past: Past, limits: Limits) -> Refusal | None:
    """Return why no further move for the load's sake is sent before a verdict has come, or None.

    As many batches may await their verdict as would put the cluster into observe together: so that, however
    short the cycles are, no more than twice as many less one are sent once everything turns out worse.
    """
    cycles = _load_cycles(past)
    waiting = [
        verdict
        for verdict in past.verdicts
        if verdict.result is VerdictResult.PENDING and verdict.cycle_id in cycles
    ]
    if len(waiting) < limits.worse_verdicts:
        return None
    detail = f"{len(waiting)} batches await the verdict on what they did; no further one until then"
    return Refusal.of(Reason.VERDICTS_AWAITED, detail)


def after_verdicts(in_force: InForce, past: Past, limits: Limits) -> InForce:
    """Return the mode in force, held back by the verdicts on what was done."""
    worse = why_observed(past, limits)
    if worse and in_force.mode is not Mode.OBSERVE:
        return replace(in_force, mode=Mode.OBSERVE, because=worse)
    awaited = why_awaited(past, limits)
    if awaited and in_force.mode is Mode.AUTOMATIC:
        return replace(in_force, mode=most_careful(in_force.mode, Mode.PARTIAL), because=awaited)
    return in_force


def _counted(past: Past) -> Sequence[Verdict]:
    """Return the verdicts that count for the fallback, oldest first."""
    duties = {row.entry.cycle_id for row in past.rows} - _load_cycles(past)
    judged = [
        verdict
        for verdict in past.verdicts
        if verdict.result in _JUDGED
        and verdict.acknowledged_at is None
        and (verdict.result is VerdictResult.WORSE or verdict.cycle_id not in duties)
    ]
    return sorted(judged, key=lambda verdict: (verdict.ended_at, verdict.id))


def _load_cycles(past: Past) -> frozenset[str]:
    """Return the cycles that sent moves for the load's sake."""
    return frozenset(
        row.entry.cycle_id
        for row in past.rows
        if not row.entry.reason.is_mandatory and row.entry.reason is not MoveReason.PARKING
    )

"""Sees to it that every batch gets its verdict: put as pending once it was sent, measured when it is time (S9).

The only writer of verdicts. Reads the cluster from the snapshot that the cycle has anyway; sends nothing.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from balancer.execute.batches import Batch, batches_of
from balancer.execute.effect import measure_effect
from balancer.execute.tools import Tools
from balancer.execute.verdict import measured, pending, unknown
from balancer.model.errors import StoreError
from balancer.model.events import VerdictGiven
from balancer.model.outcome import JournalRow, MoveOutcome, MoveState
from balancer.model.past import Past, Verdict, VerdictResult
from balancer.model.plan import Plan
from balancer.model.reasons import UNFIT, Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import Seconds
from balancer.policy.resolve import resolve
from balancer.policy.types import Policy
from balancer.rules.placement import Ground

log = logging.getLogger(__name__)

WAITS_AT_MOST_S: Seconds = 3600.0
"""A batch that could not be measured for so long after its time never is."""

FORGOTTEN = timedelta(days=1)
"""A batch without a verdict that ended so long ago gets none: it is from before there were any."""

_BLIND = UNFIT | {Reason.HOSTS_LOST}


def note_batch(plan: Plan, outcomes: Iterable[MoveOutcome], tools: Tools, *, cycle_id: str) -> None:
    """Put the pending verdict of what a cycle has sent, with the plan's word on what it will bring.

    Where it cannot be written, the next review finds the batch by its rows.
    """
    sent = [outcome for outcome in outcomes if outcome.was_sent]
    if not sent:
        return
    at = tools.clock.now()
    verdict = Verdict(
        vcenter=tools.vcenter,
        cluster=plan.cluster_id,
        plan_id=plan.id,
        cycle_id=cycle_id,
        ended_at=at,
        predicted_gain=sum(outcome.move.gain for outcome in sent if _may_count(outcome)),
    )
    try:
        tools.store.put_verdict(verdict)
    except StoreError as err:
        log.warning("batch not noted, found again by its rows", extra={"error": str(err)})


def judge_batches(
    snapshot: Snapshot, policy: Policy, tools: Tools, past: Past, *, unfit: Sequence[Refusal]
) -> Past:
    """Return the past with a verdict for every batch, each measured once it is over and its time has come.

    Raises:
        StoreError: a verdict could not be written.
    """
    known = {verdict.cycle_id: verdict for verdict in past.verdicts}
    batches, at = batches_of(past.rows), tools.clock.now()
    view = _View(snapshot, policy, tools, is_blind=any(r.reason in _BLIND for r in unfit))
    for place, batch in enumerate(batches):
        before = known.get(batch.cycle_id)
        if _is_settled(batch, before, at):
            continue
        verdict = before or pending(batch, tools.vcenter, None)
        verdict = replace(verdict, ended_at=batch.ended_at)
        later = [row for other in batches[place + 1 :] for row in other.rows]
        verdict = view.judged(batch, later, verdict, at)
        if verdict != before:
            tools.store.put_verdict(verdict)
            _tell(tools, verdict)
        known[batch.cycle_id] = verdict
    ordered = sorted(known.values(), key=lambda verdict: (verdict.ended_at, verdict.cycle_id))
    return replace(past, verdicts=tuple(ordered))


def _is_settled(batch: Batch, verdict: Verdict | None, at: datetime) -> bool:
    if verdict is not None:
        return verdict.result is not VerdictResult.PENDING
    return batch.is_over and batch.ended_at < at - FORGOTTEN


def _may_count(outcome: MoveOutcome) -> bool:
    """Whether a sent move was made, or may still turn out to have been."""
    return outcome.state is not None and (outcome.state.is_open or outcome.state is MoveState.DONE)


class _View:
    """The cluster as it is now; put together only where a batch's time has come."""

    def __init__(self, snapshot: Snapshot, policy: Policy, tools: Tools, *, is_blind: bool) -> None:
        self._snapshot, self._policy, self._tools = snapshot, policy, tools
        self._is_blind = is_blind
        self._ground: Ground | None = None

    def judged(
        self, batch: Batch, later: Sequence[JournalRow], verdict: Verdict, at: datetime
    ) -> Verdict:
        """Return the verdict as it stands now: pending still, measured, or unknown for good."""
        after_s = self._policy.limits.verdict_after_s
        waited_s = (at - batch.ended_at).total_seconds()
        if not batch.is_over or waited_s < after_s:
            return verdict
        if not batch.moved:
            return unknown(verdict, "no move of it was made", at)
        if waited_s > after_s + WAITS_AT_MOST_S:
            return unknown(verdict, f"no facts fit to measure it by in {waited_s:.0f} s", at)
        if self._is_blind:
            return verdict
        if verdict.predicted_gain is None:
            verdict = replace(verdict, predicted_gain=self._promised(batch))
        return measured(verdict, measure_effect(batch, later, self._known_ground()), at)

    def _known_ground(self) -> Ground:
        if self._ground is None:
            seen = resolve(self._snapshot, self._policy).snapshot
            demand = self._tools.demand_of(seen, self._policy)
            self._ground = Ground(seen, self._policy, demand)
        return self._ground

    def _promised(self, batch: Batch) -> float | None:
        """Return what the plan said of the moves that were made, None where it was not kept."""
        kept = self._tools.store.find_plan(batch.plan_id)
        gains = _gains_of(kept.document) if kept and kept.plan_id == batch.plan_id else {}
        moves = [row.entry.move_id for row in batch.moved]
        return sum(gains[move] for move in moves) if gains.keys() >= set(moves) else None


def _gains_of(document: str) -> Mapping[str, float]:
    """Return the gain of each move of a plan document; none where it is not readable."""
    try:
        moves = json.loads(document)["moves"]
        return {str(move["id"]): float(move["gain"]) for move in moves}
    except (ValueError, KeyError, TypeError):
        return {}


_LEVEL = {VerdictResult.WORSE: logging.WARNING}


def _tell(tools: Tools, verdict: Verdict) -> None:
    if verdict.result is VerdictResult.PENDING:
        return
    facts = {
        "plan": verdict.plan_id,
        "batch": verdict.cycle_id,
        "predicted_gain": verdict.predicted_gain,
        "measured_gain": verdict.measured_gain,
    }
    tools.events.tell(VerdictGiven(verdict=verdict))
    told = facts | {"result": verdict.result.value, "detail": verdict.detail}
    log.log(_LEVEL.get(verdict.result, logging.INFO), "batch judged", extra=told)

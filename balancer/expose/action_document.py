"""The after-action report as JSON, format `balancer/report/v1` (`balancer/schemas/report.v1.schema.json`).

What is not known is null, so that a reader sees that it was asked for. Keys are added, never changed in meaning.
"""

from balancer.expose.action_view import headline_of
from balancer.expose.figures import number, timestamp
from balancer.model.aftermath import Aftermath, BatchReport, Done, NotSent, Promise, Totals

SCHEMA = "balancer/report/v1"
FORMAT_VERSION = "1.0"

Json = dict[str, object]


def action_document(done: Aftermath) -> Json:
    """Return the report as a JSON object in the fixed order of its keys, batches oldest first."""
    return {
        "schema": SCHEMA,
        "format_version": FORMAT_VERSION,
        "made_at": timestamp(done.made_at),
        "asked": done.asked,
        "headline": headline_of(done),
        "totals": _totals(done.totals),
        "batches": [_batch(batch) for batch in done.batches],
    }


def _totals(totals: Totals) -> Json:
    return {
        "moves": totals.moves,
        "states": {state.value: count for state, count in sorted(totals.states.items())},
        "verdicts": {word.value: count for word, count in sorted(totals.results.items())},
        "not_sent": totals.not_sent,
        "timed_moves": totals.timed,
        "predicted_seconds": number(totals.predicted_s),
        "measured_seconds": number(totals.measured_s),
        "seconds_ratio": _known(totals.pace),
        "judged_batches": totals.judged,
        "predicted_gain": number(totals.predicted_gain),
        "measured_gain": number(totals.measured_gain),
        "realized_ratio": _known(totals.realized),
        "downtime_seconds": None,
    }


def _batch(batch: BatchReport) -> Json:
    verdict = batch.verdict
    return {
        "batch": batch.batch,
        "plan": batch.plan,
        "plan_number": batch.plan_number,
        "shard": batch.shard,
        "began_at": timestamp(batch.began_at),
        "ended_at": timestamp(batch.ended_at) if batch.ended_at else None,
        "result": batch.result.value,
        "detail": verdict.detail if verdict else "",
        "judged_at": timestamp(verdict.judged_at) if verdict and verdict.judged_at else None,
        "predicted_gain": _known(verdict.predicted_gain) if verdict else None,
        "measured_gain": _known(verdict.measured_gain) if verdict else None,
        "acknowledged_by": verdict.acknowledged_by if verdict else "",
        "promise": _promise(batch.promise) if batch.promise else None,
        "moves": [_move(one) for one in batch.done],
        "not_sent": [_not_sent(one) for one in batch.not_sent],
    }


def _promise(promise: Promise) -> Json:
    return {
        "imbalance": number(promise.imbalance),
        "imbalance_after": number(promise.imbalance_after),
        "makespan_seconds": number(promise.makespan_s),
    }


def _move(one: Done) -> Json:
    record = one.record
    return {
        "row": one.row,
        "move": one.move,
        "vm": record.vm,
        "vm_name": record.vm_name,
        "from": record.source,
        "from_name": one.source_name,
        "to": record.target,
        "to_name": one.target_name,
        "reason": record.reason.word,
        "state": record.state.value,
        "began_at": timestamp(one.began_at),
        "expected_seconds": number(record.expected_seconds),
        "seconds": _known(record.seconds),
        "downtime_seconds": _known(one.downtime_s),
        "detail": record.detail,
    }


def _not_sent(one: NotSent) -> Json:
    return {"vm_name": one.vm_name, "moves": one.moves, "reason": one.reason}


def _known(value: float | None) -> float | None:
    return None if value is None else number(value)

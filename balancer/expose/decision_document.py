"""A plan's decision as keys of the plan document. What is not known has no key. Decides nothing."""

from balancer.expose.figures import number
from balancer.model.decision import Bargain, Decision, Reading
from balancer.model.snapshot import Snapshot

Json = dict[str, object]


def decision_entry(decision: Decision, snapshot: Snapshot | None) -> Json:
    """Return key `decision` of the document."""
    found: Json = {
        "contention": _reading(decision.contention, snapshot),
        "balance": _reading(decision.balance, snapshot),
    }
    if decision.bargain is not None:
        found["bargain"] = _bargain(decision.bargain)
    return found


def _reading(reading: Reading, snapshot: Snapshot | None) -> Json:
    found: Json = {
        "answer": reading.answer.value,
        "now": number(reading.now),
        "trigger": number(reading.trigger),
        "aim": number(reading.aim),
        "looks": reading.looks,
        "looks_over": reading.looks_over,
        "looks_needed": reading.looks_needed,
        "sustained": number(reading.sustained),
    }
    if reading.recent is not None:
        found |= {"recent": number(reading.recent), "recent_seconds": number(reading.span_s)}
    if reading.host is not None:
        known = snapshot.host_by_id.get(reading.host) if snapshot else None
        found |= {"host": reading.host, "host_name": known.name if known else reading.host}
    return found if reading.resource is None else found | {"resource": reading.resource}


def _bargain(bargain: Bargain) -> Json:
    return {
        "horizon_seconds": number(bargain.horizon_s),
        "moves": bargain.moves,
        "unmet_before_mhz_hours": number(bargain.unmet_before_mhz_h),
        "unmet_after_mhz_hours": number(bargain.unmet_after_mhz_h),
        "imbalance_before": number(bargain.imbalance_before),
        "imbalance_after": number(bargain.imbalance_after),
        "copied_mib": number(bargain.copied_mib),
        "copy_seconds": number(bargain.copy_s),
        "copy_mhz_hours": number(bargain.copy_mhz_h),
        "gain": number(bargain.gain),
        "price": number(bargain.price),
        "worth_it": bargain.is_worth_it,
    }

"""Why nothing may be submitted on a whole cluster at present, by what is remembered of it (S8). Pure."""

from datetime import datetime

from balancer.execute.verdict import why_observed
from balancer.model.past import Past
from balancer.model.reasons import Reason, Refusal
from balancer.policy.types import Limits


def why_closed(past: Past, limits: Limits, *, now: datetime) -> Refusal | None:
    """Return why nothing may be sent, or None."""
    breaker = past.breaker
    if breaker.is_open and breaker.until is not None and now < breaker.until:
        detail = f"{breaker.cause}; open until {breaker.until:%Y-%m-%d %H:%M} UTC"
        return Refusal.of(Reason.BREAKER_OPEN, detail)
    return why_observed(past, limits)

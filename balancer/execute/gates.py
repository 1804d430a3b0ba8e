"""Why nothing may be submitted on a whole cluster at present, by what is remembered of it (S8). Pure."""

from datetime import datetime

from balancer.model.past import Past
from balancer.model.reasons import Reason, Refusal


def why_closed(past: Past, *, now: datetime) -> Refusal | None:
    """Return why nothing may be sent, or None."""
    breaker = past.breaker
    if breaker.is_open and breaker.until is not None and now < breaker.until:
        detail = f"{breaker.cause}; open until {breaker.until:%Y-%m-%d %H:%M} UTC"
        return Refusal.of(Reason.BREAKER_OPEN, detail)
    return None

"""Why nothing may be submitted on a whole cluster at present, by what is remembered of it (S8). Pure."""

from collections.abc import Iterator
from datetime import datetime

from balancer.execute.breaker import is_probing, probe_under_way
from balancer.execute.contention import contention
from balancer.execute.disturbance import quiet_until
from balancer.execute.verdict import why_observed
from balancer.model.past import Past
from balancer.model.reasons import Reason, Refusal
from balancer.policy.types import Limits


def why_closed(past: Past, limits: Limits, *, now: datetime) -> Refusal | None:
    """Return why nothing may be sent, or None. Evacuations and rule repair wait as well."""
    return next(all_closed(past, limits, now=now), None)


def all_closed(past: Past, limits: Limits, *, now: datetime) -> Iterator[Refusal]:
    """Yield every reason why nothing may be sent: first what lasts until a person has acknowledged it."""
    fight = contention(past.foreign_moves, limits, now=now)
    if fight:
        yield Refusal.of(Reason.CLUSTER_CONTENDED, fight.told)
    worse = why_observed(past, limits)
    if worse:
        yield worse
    stop = _open_breaker(past, now)
    if stop:
        yield stop
    quiet = quiet_until(past.disturbances, limits, now=now)
    if quiet:
        until, last = quiet
        yield Refusal.of(Reason.QUIET_TIME, f"{last.detail}; left in peace until {_clock(until)}")


def _open_breaker(past: Past, now: datetime) -> Refusal | None:
    breaker = past.breaker
    if not breaker.is_open or breaker.until is None:
        return None
    if not is_probing(breaker, now=now):
        detail = f"{breaker.cause}; open until {_clock(breaker.until)}, then one move tries"
        return Refusal.of(Reason.BREAKER_OPEN, detail)
    probe = probe_under_way(breaker, past.rows)
    if probe is None:
        return None
    detail = f"{breaker.cause}; {probe.entry.vm_name} is on its way as the one move that tries"
    return Refusal.of(Reason.BREAKER_OPEN, detail)


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"

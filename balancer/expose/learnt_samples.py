"""Gauges of what is remembered of a cluster: what keeps it from acting, and what is left alone. Pure."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from balancer.expose.metric_samples import Sample
from balancer.model.events import PastReviewed
from balancer.model.past import SubjectKind
from balancer.model.reasons import Reason

CLOSING = (
    Reason.BREAKER_OPEN,
    Reason.CLUSTER_CONTENDED,
    Reason.QUIET_TIME,
    Reason.VERDICTS_WORSE,
)
"""Why nothing is started on a whole cluster, by what is remembered of it."""

DAY = timedelta(hours=24)


def learnt_samples(event: PastReviewed) -> Iterator[Sample]:
    """Yield what a look through memory found."""
    closed = {refusal.reason for refusal in event.closed}
    for reason in CLOSING:
        yield Sample("balancer_circuit_open", (reason.value,), float(reason in closed))
    lasting = [one for one in event.past.quarantines if one.until > event.at]
    subjects = Counter(kind for kind, _ in {(one.kind, one.subject) for one in lasting})
    for kind in SubjectKind:
        yield Sample("balancer_quarantined", (kind.value,), subjects[kind])
    contended = {one.subject for one in lasting if one.reason is Reason.CONTENDED}
    yield Sample("balancer_contended_vms", (), len(contended))
    against = [
        move
        for move in event.past.foreign_moves
        if move.is_against and move.acknowledged_at is None and event.at - move.seen_at < DAY
    ]
    yield Sample("balancer_foreign_moves_against", (), len(against))

"""The journal as people ask for it: moves by filter, one move whole, what batches did, what is left alone."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from balancer.api.answer import Answer
from balancer.api.scene import Scene, Watched
from balancer.control import cluster_id_of
from balancer.execute.review import MEMORY
from balancer.expose.journal_view import (
    quarantines_document,
    quarantines_text,
    row_document,
    row_text,
    rows_document,
    rows_text,
    verdicts_document,
)
from balancer.expose.text_layout import Paper
from balancer.expose.verdict_text import verdicts_text
from balancer.model.after_action import after_actions
from balancer.model.errors import BalancerError
from balancer.model.outcome import JournalRow, MoveState, RowQuery
from balancer.model.past import Past
from balancer.records import story_of

MOST_ROWS = 10_000
"""Moves in one list."""

_NO_WIDTH = 100
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which moves are asked for; what is empty leaves nothing out. `since` is a span or a date, see `instant`."""

    cluster: str | None = None
    vm: str = ""
    state: Collection[MoveState] = ()
    since: str = ""
    plan: str = ""
    last: int = 50


def list_moves(scene: Scene, wanted: Wanted) -> Answer:
    """List moves, oldest first. Raises `NotFound` for a cluster, `BalancerError` for a wrong time."""
    query = RowQuery(
        vm=wanted.vm.strip(),
        states=frozenset(wanted.state),
        since=instant(wanted.since, scene.now()) if wanted.since else None,
        last=min(wanted.last, MOST_ROWS),
    )
    narrow = _within(query, scene, wanted.cluster, wanted.plan)
    rows: Sequence[JournalRow] = scene.store.find_rows(narrow) if narrow else ()
    return Answer(document=rows_document(rows), text=lambda width: rows_text(rows, width=width))


def _within(query: RowQuery, scene: Scene, cluster: str | None, plan: str) -> RowQuery | None:
    """Narrow a query to a cluster and a plan; None where the cluster has no rows, as nothing was planned there."""
    if plan:
        kept = scene.store.find_plan(plan.strip().lower())
        query = replace(query, plan=kept.plan_id if kept else plan.strip())
    if not cluster:
        return query
    chosen = scene.one(cluster)
    found = cluster_id_of(scene.store, chosen.shard)
    return replace(query, vcenter=chosen.vcenter, cluster=found) if found else None


def show_move(scene: Scene, *, row: int) -> Answer:
    """Show one move with all around it. Raises `NotFound`."""
    story = story_of(scene.store, row)
    return Answer(document=row_document(story), text=lambda width: row_text(story))


def list_quarantines(scene: Scene, *, cluster: str | None = None) -> Answer:
    """List the VMs and hosts that are left alone for a while, and why."""
    now = scene.now()
    found = [
        one
        for chosen in scene.chosen(cluster)[1]
        for one in past_of(scene, chosen, now).quarantines
        if now < one.until
    ]
    return Answer(document=quarantines_document(found), text=lambda width: quarantines_text(found))


def list_verdicts(scene: Scene, *, cluster: str | None = None, moves: bool = False) -> Answer:
    """List what the batches of the last 30 days did, as measured; as text newest first, `moves` with them."""
    since = scene.now() - MEMORY
    found = [
        one
        for chosen in scene.chosen(cluster)[1]
        for one in after_actions(past_of(scene, chosen, since))
    ]
    return Answer(
        document=verdicts_document(found),
        text=lambda width: verdicts_text(found, Paper(width=width or _NO_WIDTH), with_moves=moves),
    )


def past_of(scene: Scene, cluster: Watched, since: datetime) -> Past:
    """Return what is remembered of a cluster; nothing where nothing was planned there yet."""
    seen = scene.seen(cluster.shard).snapshot
    found = seen.cluster.id if seen else cluster_id_of(scene.store, cluster.shard)
    return scene.store.past(cluster.vcenter, found, since) if found else Past()


def instant(text: str, now: datetime) -> datetime:
    """Return the instant that is meant: so long ago, or a date and time (UTC where no zone is given).

    Raises:
        BalancerError: it is neither.
    """
    ago = re.fullmatch(r"([0-9]{1,6})([smhdw])", text.strip().lower())
    try:
        if ago:
            return now - timedelta(seconds=int(ago[1]) * _UNIT_S[ago[2]])
        at = datetime.fromisoformat(text.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BalancerError(
            f"'{text}' is no time; allowed: a span as 90m, 24h or 7d, or a date as 2026-05-01 or "
            "2026-05-01T14:30."
        ) from None

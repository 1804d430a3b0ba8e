"""After-action reports from the journal: what a batch, a plan or a span of time did, predicted beside measured.

Functions over the store, for the command line, the HTTP interface and whatever else shows them. Reads only: rows,
verdicts, kept plans for names and promises, and the audit log for moves that were planned and not sent.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from balancer.control import cluster_id_of
from balancer.model.after_action import record_of
from balancer.model.aftermath import Aftermath, BatchReport, Done, NotSent, Promise
from balancer.model.audit import AuditNote
from balancer.model.control import StoredPlan
from balancer.model.errors import BalancerError, NotFound
from balancer.model.outcome import JournalRow, RowQuery
from balancer.model.past import Verdict
from balancer.model.units import ClusterId
from balancer.policy.problems import plain
from balancer.policy.unchecked import entries, part, text
from balancer.ports import Store

LEAST_PREFIX = 4
"""Fewer characters of a batch's name name none."""

NOTES_LOOKED_AT = 20_000
"""So many of the audit log's last entries are gone through for moves that were not sent."""

MOST_NAMED = 5

_BEFORE = timedelta(days=1)
"""Verdicts are asked for from so long before the first row on: one is kept from when its batch ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a report is wanted of. `shards` are the configured clusters as "vcenter/cluster", `only` is one of them.

    Without `only` everything in the journal counts, also of clusters that are not configured any more.
    """

    shards: tuple[str, ...]
    now: datetime
    only: str = ""
    batch: str = ""
    plan: str = ""
    since: datetime | None = None


def look_back(store: Store, asked: Asked) -> Aftermath:
    """Return what was done, batch by batch.

    Raises:
        NotFound: there is no such batch or plan, or nothing of it was sent.
        BalancerError: the beginning of a name fits several batches.
        StoreError: the journal cannot be read.
    """
    wanted, kept = _query(store, asked)
    found = _rows(store, asked, wanted)
    if asked.batch:
        found = _of_batch(found, asked.batch.strip())
    if not found and (asked.batch or asked.plan):
        raise NotFound(_nothing(store, asked, kept))
    return Aftermath(
        asked=_words(asked, kept, found),
        made_at=asked.now,
        batches=tuple(_batches(store, found)),
    )


def _query(store: Store, asked: Asked) -> tuple[RowQuery, StoredPlan | None]:
    if not asked.plan:
        return RowQuery(since=asked.since), None
    kept = store.find_plan(asked.plan.strip().lower().removeprefix("#"))
    plan_id = kept.plan_id if kept else asked.plan.strip()
    return RowQuery(plan=plan_id, since=asked.since), kept


def _rows(store: Store, asked: Asked, query: RowQuery) -> list[tuple[str, JournalRow]]:
    """Return the rows, each with the cluster that it is of by the words of the configuration."""
    if not asked.only:
        known = {_place(store, shard): shard for shard in asked.shards}
        rows = store.find_rows(query)
        return [(known.get(_place_of(row)) or "/".join(_place_of(row)), row) for row in rows]
    vcenter, cluster = _place(store, asked.only)
    if not cluster:
        return []
    narrow = replace(query, vcenter=vcenter, cluster=ClusterId(cluster))
    return [(asked.only, row) for row in store.find_rows(narrow)]


def _place(store: Store, shard: str) -> tuple[str, str]:
    """Return the vCenter and the cluster's id, which is empty where nothing was planned there yet."""
    return shard.partition("/")[0], cluster_id_of(store, shard) or ""


def _place_of(row: JournalRow) -> tuple[str, str]:
    return row.entry.vcenter, row.entry.cluster


def _of_batch(found: Sequence[tuple[str, JournalRow]], wanted: str) -> list[tuple[str, JournalRow]]:
    exact = [(shard, row) for shard, row in found if row.entry.cycle_id == wanted]
    if exact or len(wanted) < LEAST_PREFIX:
        return exact
    fitting = [(shard, row) for shard, row in found if row.entry.cycle_id.startswith(wanted)]
    names = sorted({row.entry.cycle_id for _, row in fitting})
    if len(names) > 1:
        raise BalancerError(
            f"The names of {len(names)} batches begin with '{plain(wanted)}': {_listed(names)}. Give more of it."
        )
    return fitting


def _nothing(store: Store, asked: Asked, kept: StoredPlan | None) -> str:
    if kept is not None:
        return (
            f"Nothing of plan {kept.id} ({kept.plan_id}) was sent: the journal has no moves of it. "
            "Why not: balancer audit list."
        )
    what = f"batch '{plain(asked.batch)}'" if asked.batch else f"plan '{plain(asked.plan)}'"
    newest = [row.entry.cycle_id for _, row in reversed(_rows(store, asked, RowQuery(last=100)))]
    names = list(dict.fromkeys(newest))
    there = f"The newest batches are {_listed(names)}." if names else "Nothing was sent yet."
    return f"The journal has no moves of {what}. {there} See balancer journal verdicts."


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _words(asked: Asked, kept: StoredPlan | None, found: Sequence[tuple[str, JournalRow]]) -> str:
    parts = []
    if asked.batch:
        parts.append(f"batch {found[0][1].entry.cycle_id}")
    if asked.plan:
        parts.append(f"plan {kept.id} ({kept.plan_id})" if kept else f"plan {asked.plan}")
    if asked.since:
        parts.append(f"since {asked.since:%Y-%m-%d %H:%M} UTC")
    where = asked.only or "all clusters"
    return f"{', '.join(parts) or 'everything'}, on {where}"


def _batches(store: Store, found: Sequence[tuple[str, JournalRow]]) -> Iterator[BatchReport]:
    """Yield the batches, oldest first."""
    groups: defaultdict[tuple[str, str], list[JournalRow]] = defaultdict(list)
    for shard, row in found:
        groups[shard, row.entry.cycle_id].append(row)
    refused = _refused(store, {cycle for _, cycle in groups})
    verdicts = _verdicts(store, [row for _, row in found])
    ordered = sorted(groups.items(), key=lambda item: (item[1][0].entry.intended_at, item[0]))
    plans: dict[str, StoredPlan | None] = {}
    for (shard, cycle), rows in ordered:
        plan_id = rows[0].entry.plan_id
        if plan_id not in plans:
            plans[plan_id] = store.find_plan(plan_id)
        yield _batch(
            shard,
            sorted(rows, key=lambda row: row.id),
            kept=plans[plan_id],
            not_sent=tuple(refused.get(cycle, ())),
            verdict=verdicts.get(cycle),
        )


def _batch(
    shard: str,
    rows: Sequence[JournalRow],
    *,
    kept: StoredPlan | None,
    not_sent: tuple[NotSent, ...],
    verdict: Verdict | None,
) -> BatchReport:
    document = _document(kept)
    names = dict(_host_names(document))
    is_over = all(row.ended_at is not None for row in rows)
    return BatchReport(
        batch=rows[0].entry.cycle_id,
        plan=rows[0].entry.plan_id,
        plan_number=kept.id if kept else None,
        shard=shard,
        began_at=min(row.submitted_at or row.entry.intended_at for row in rows),
        ended_at=max(row.last_at for row in rows) if is_over else None,
        done=tuple(_done(row, names) for row in rows),
        not_sent=not_sent,
        verdict=verdict,
        promise=_promise(document),
    )


def _done(row: JournalRow, names: Mapping[str, str]) -> Done:
    entry = row.entry
    return Done(
        row=row.id,
        move=entry.move_id,
        record=record_of(row),
        source_name=names.get(entry.source, entry.source),
        target_name=names.get(entry.target, entry.target),
        began_at=row.submitted_at or entry.intended_at,
    )


def _document(kept: StoredPlan | None) -> object:
    """Return the kept document; nothing where there is none, or it cannot be read any more."""
    try:
        return json.loads(kept.document) if kept else {}
    except ValueError:
        return {}


def _host_names(document: object) -> Iterator[tuple[str, str]]:
    for _, host in entries(part(document, "before"), "hosts"):
        if text(host, "id") and text(host, "name").strip():
            yield text(host, "id"), text(host, "name")


def _promise(document: object) -> Promise | None:
    before, after = part(document, "before"), part(document, "after")
    makespan = document.get("makespan_seconds") if isinstance(document, dict) else None
    figures = (before.get("imbalance"), after.get("imbalance"), makespan)
    known = [float(figure) for figure in figures if isinstance(figure, int | float)]
    if len(known) < len(figures):
        return None
    return Promise(imbalance=known[0], imbalance_after=known[1], makespan_s=known[2])


def _verdicts(store: Store, rows: Iterable[JournalRow]) -> dict[str, Verdict]:
    """Return the verdicts on these rows by batch."""
    first: dict[tuple[str, str], JournalRow] = {}
    for row in rows:
        known = first.setdefault((row.entry.vcenter, row.entry.cluster), row)
        if row.entry.intended_at < known.entry.intended_at:
            first[row.entry.vcenter, row.entry.cluster] = row
    found: dict[str, Verdict] = {}
    for row in first.values():
        entry = row.entry
        past = store.past(entry.vcenter, entry.cluster, entry.intended_at - _BEFORE)
        found |= {verdict.cycle_id: verdict for verdict in past.verdicts}
    return found


def _refused(store: Store, batches: set[str]) -> dict[str, list[NotSent]]:
    """Return what was planned for these batches and not sent, as the audit log tells it."""
    found: defaultdict[str, list[NotSent]] = defaultdict(list)
    if not batches:
        return found
    for kept in store.audit_entries(last=NOTES_LOOKED_AT):
        cycle = kept.note.facts.get("cycle")
        if isinstance(cycle, str) and cycle in batches:
            told = _not_sent(kept.note)
            if told is not None:
                found[cycle].append(told)
    return found


def _not_sent(note: AuditNote) -> NotSent | None:
    if note.action == "move.refused":
        return NotSent(vm_name=note.subject, moves=1, reason=note.reason)
    moves = note.facts.get("moves")
    if note.action == "moves.refused" and isinstance(moves, int):
        return NotSent(vm_name="", moves=moves, reason=note.reason)
    return None

"""Rows of the history's file: members by id, spans with their figures. Within a transaction of the caller."""

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, select, tuple_, update

from balancer.adapters.store.file import pragma
from balancer.adapters.store.history_chunks import (
    Ids,
    Sheet,
    joined,
    needed_for,
    overlaid,
    packed,
    packed_ids,
    unpacked,
    unpacked_ids,
)
from balancer.adapters.store.history_tables import chunks, spans
from balancer.adapters.store.history_tables import series as members
from balancer.model.rollup import SERIES_OF, Block, Kind, Measure, Member, Series, Statistic
from balancer.model.scale import UNKNOWN, decoded
from balancer.model.units import DAY_S, HOUR_S

Key = tuple[str, str, int]
"""Cluster, kind, and length of a step in seconds."""


def ids_of(connection: Connection, cluster: str, block: Block) -> Ids:
    """Return the ids of a block's members, in its order; new ones are written, and sizes and begins kept up."""
    starts = int(block.starts_at.timestamp())
    kept = {row.identity: row for row in _member_rows(connection, cluster, block.kind)}
    new = []
    for member in block.members:
        old = kept.get(member.identity)
        if old is None:
            new.append({"cluster": cluster, "kind": block.kind.value, **_facts_of(member)})
        elif not _is_as_kept(member, old):
            _keep_up(connection, member, old, starts)
    if new:
        connection.execute(insert(members), new)
        kept = {row.identity: row for row in _member_rows(connection, cluster, block.kind)}
    return np.array([kept[member.identity].id for member in block.members], dtype=np.int64)


def _is_as_kept(member: Member, old: Row[Any]) -> bool:
    begun = member.begun_at
    return (
        member.vcpus in (None, old.vcpus)
        and member.memory_mib in (None, old.memory_mib)
        and (begun is None or begun.timestamp() <= old.begun)
    )


def _keep_up(connection: Connection, member: Member, old: Row[Any], starts: int) -> None:
    """Write what differs; a size that is known before and after, and not the same, is a new begin."""
    facts = _facts_of(member)
    for size in ("vcpus", "memory_mib"):
        kept = getattr(old, size)
        if facts[size] is None:
            facts[size] = kept
        elif kept is not None and kept != facts[size]:
            facts["begun"] = max(facts["begun"], starts)
    facts["begun"] = max(facts["begun"], old.begun)
    connection.execute(update(members).where(members.c.id == old.id).values(facts))


def members_of(connection: Connection, cluster: str, kind: Kind) -> dict[int, Member]:
    """Return the members of a cluster by id."""
    return {
        row.id: Member(
            identity=row.identity,
            vcpus=row.vcpus,
            memory_mib=row.memory_mib,
            begun_at=datetime.fromtimestamp(row.begun, UTC) if row.begun else None,
        )
        for row in _member_rows(connection, cluster, kind)
    }


def parts_of(block: Block) -> Iterator[tuple[int, slice]]:
    """Yield when each piece of a block begins, and its steps: pieces of an hour, of long steps of a day."""
    step_s, starts = round(block.step_s), int(block.starts_at.timestamp())
    length_s = HOUR_S if step_s < HOUR_S else DAY_S
    at = 0
    while at < block.steps:
        begin = starts + at * step_s
        end_s = (begin // length_s + 1) * length_s
        count = max(-(-(end_s - begin) // step_s), 1)
        yield begin, slice(at, min(at + count, block.steps))
        at += count


def is_of(key: Key) -> ColumnElement[bool]:
    """Return the condition that a span is one of a cluster's of this kind and length of steps."""
    cluster, kind, step_s = key
    return and_(spans.c.cluster == cluster, spans.c.kind == kind, spans.c.step_s == step_s)


def lay(connection: Connection, key: Key, starts: int, sheet: Sheet) -> None:
    """Lay a piece over what is kept of its steps: over the span that holds its begin, or as a new one."""
    step_s = key[2]
    length_s = HOUR_S if step_s < HOUR_S else DAY_S
    first = starts // length_s * length_s
    is_there = and_(spans.c.starts <= starts, spans.c.starts + spans.c.steps * step_s > starts)
    is_beside = spans.c.starts == first
    found = connection.execute(
        select(spans).where(is_of(key)).where(is_there | is_beside).order_by(spans.c.starts)
    ).first()
    at = (starts - (found.starts if found else first)) // step_s
    nothing = Sheet(steps=0, ids=np.zeros(0, dtype=np.int64), codes={})
    old = _sheet_of(connection, found, ()) if found else nothing
    whole = overlaid(old, sheet, at)
    if found:
        connection.execute(delete(spans).where(spans.c.id == found.id))
    _write(connection, key, found.starts if found else first, whole, packed(whole))


def join_day(connection: Connection, key: Key, starts: int) -> None:
    """Put the spans of a day together to one."""
    step_s = key[2]
    is_within = and_(spans.c.starts >= starts, spans.c.starts < starts + DAY_S)
    found = connection.execute(
        select(spans).where(is_of(key)).where(is_within).order_by(spans.c.starts)
    ).all()
    pieces = [(row.starts - starts) // step_s for row in found]
    made: dict[Series, bytes] = {}
    for measure in Measure:  # one at a time: all together would be much memory at once
        wanted = [Series(measure, statistic) for statistic in Statistic]
        sheets = [_sheet_of(connection, row, wanted) for row in found]
        whole = joined(list(zip(pieces, sheets, strict=True)))
        made |= packed(whole)
    connection.execute(delete(spans).where(spans.c.id.in_([row.id for row in found])))
    _write(connection, key, starts, whole, made)


def block_of(
    connection: Connection,
    kind: Kind,
    span: Row[Any],
    known: Mapping[int, Member],
    window: tuple[float, float],
    wanted: Collection[Series],
) -> Block:
    """Return the steps of a span within a window of time, less what was before its members began anew."""
    sheet = _sheet_of(connection, span, wanted)
    first = max(-int(-(window[0] - span.starts) // span.step_s), 0)
    end = min(-int(-(window[1] - span.starts) // span.step_s), sheet.steps)
    there = [at for at, each in enumerate(sheet.ids.tolist()) if each in known]
    of = tuple(known[int(sheet.ids[at])] for at in there)
    begun = np.array([each.begun_at.timestamp() if each.begun_at else 0.0 for each in of])
    times = span.starts + np.arange(first, end)[:, np.newaxis] * span.step_s
    figures = {}
    for series, codes in sheet.codes.items():
        part = np.where(times >= begun, codes[first:end, there], UNKNOWN)
        figures[series] = decoded(series.measure, part)
    return Block(
        kind=kind,
        starts_at=datetime.fromtimestamp(span.starts + first * span.step_s, UTC),
        step_s=float(span.step_s),
        members=of,
        figures=figures,
    )


def used_bytes(connection: Connection) -> int:
    """Return the bytes of the pages that hold something."""
    pages = pragma(connection, "page_count") - pragma(connection, "freelist_count")
    return pages * pragma(connection, "page_size")


def drop_members(connection: Connection) -> None:
    """Drop the members that no span names any more."""
    named: set[int] = set()
    for (data,) in connection.execute(select(spans.c.members)):
        named.update(unpacked_ids(data).tolist())
    every = set(connection.execute(select(members.c.id)).scalars())
    for each in every - named:
        connection.execute(delete(members).where(members.c.id == each))


def _member_rows(connection: Connection, cluster: str, kind: Kind) -> Collection[Row[Any]]:
    is_here = and_(members.c.cluster == cluster, members.c.kind == kind.value)
    return connection.execute(select(members).where(is_here)).all()


def _facts_of(member: Member) -> dict[str, Any]:
    begun = int(member.begun_at.timestamp()) if member.begun_at else 0
    return {
        "identity": member.identity,
        "vcpus": member.vcpus,
        "memory_mib": member.memory_mib,
        "begun": begun,
    }


def _sheet_of(connection: Connection, span: Row[Any], wanted: Collection[Series]) -> Sheet:
    """Return the figures of a span, of all series where none is named."""
    wanted = wanted or SERIES_OF[Kind(span.kind)]
    named = [(str(each.measure), str(each.statistic)) for each in needed_for(wanted)]
    is_needed = tuple_(chunks.c.measure, chunks.c.statistic).in_(named)
    rows = connection.execute(select(chunks).where(chunks.c.span == span.id).where(is_needed))
    data = {Series(Measure(row.measure), Statistic(row.statistic)): row.data for row in rows}
    return unpacked(data, span.steps, unpacked_ids(span.members), wanted)


def _write(
    connection: Connection, key: Key, starts: int, sheet: Sheet, made: Mapping[Series, bytes]
) -> None:
    """Write a span of as many steps and ids as the sheet has, with figures that are packed already."""
    cluster, kind, step_s = key
    row = {
        "cluster": cluster,
        "kind": kind,
        "step_s": step_s,
        "starts": starts,
        "steps": sheet.steps,
        "members": packed_ids(sheet.ids),
    }
    (span,) = connection.execute(insert(spans).values(row)).inserted_primary_key or (None,)
    data = [
        {"span": span, "measure": each.measure, "statistic": each.statistic, "data": text}
        for each, text in made.items()
    ]
    if data:
        connection.execute(insert(chunks), data)

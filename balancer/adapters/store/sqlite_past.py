"""What was learnt of clusters, in the file: quarantines, moves of others, disturbances, breakers, verdicts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Table, delete, select

from balancer.adapters.store import notes
from balancer.adapters.store.examine import rows_of
from balancer.adapters.store.file import JournalFile
from balancer.adapters.store.forms import Form, Plain, plain_instant, plain_text
from balancer.adapters.store.rows import change, put, put_next
from balancer.adapters.store.sqlite_audit import append
from balancer.adapters.store.sqlite_moves import rows_of_cluster
from balancer.adapters.store.tables import (
    breakers,
    disturbances,
    foreign_moves,
    known_hosts,
    quarantines,
    verdicts,
)
from balancer.model.past import (
    Breaker,
    Disturbance,
    ForeignMove,
    KnownHost,
    Past,
    Quarantine,
    Verdict,
    VerdictResult,
)
from balancer.model.units import ClusterId

_QUARANTINE, _FOREIGN, _DISTURBANCE = Form(Quarantine), Form(ForeignMove), Form(Disturbance)
_BREAKER, _VERDICT, _HOST = Form(Breaker), Form(Verdict), Form(KnownHost)
T = TypeVar("T")


class SqlitePast:
    """`ports.Memory` in the file."""

    def __init__(self, file: JournalFile) -> None:
        self._past_file = file

    def past(self, vcenter: str, cluster: ClusterId, since: datetime) -> Past:
        """Return all that is remembered since then, every open row, and the breaker as it is."""
        with self._past_file.reading("read what is remembered") as connection:

            def kept(table: Table, form: Form[T], time: Column[Any]) -> tuple[T, ...]:
                query = (
                    select(table)
                    .where(
                        table.c.vcenter == plain_text(vcenter),
                        table.c.cluster == plain_text(cluster),
                        time >= plain_instant(since),
                    )
                    .order_by(table.c.id)
                )
                return tuple(form.value(row._mapping) for row in rows_of(connection, table, query))

            return Past(
                rows=rows_of_cluster(connection, vcenter, cluster, since),
                quarantines=kept(quarantines, _QUARANTINE, quarantines.c.until),
                foreign_moves=kept(foreign_moves, _FOREIGN, foreign_moves.c.seen_at),
                disturbances=kept(disturbances, _DISTURBANCE, disturbances.c.at),
                verdicts=kept(verdicts, _VERDICT, verdicts.c.ended_at),
                breaker=_breaker(connection, vcenter, cluster)[1],
                hosts=_hosts(connection, vcenter, cluster),
            )

    def put_quarantine(self, quarantine: Quarantine) -> None:
        """Keep a quarantine, unless it is there already."""
        columns = _QUARANTINE.columns(quarantine)
        with self._past_file.writing("keep a quarantine") as connection:
            keys = ("kind", "subject", "reason", "cause")
            if _found(connection, quarantines, columns, keys) is None:
                put_next(connection, quarantines, columns)
                append(connection, notes.of_quarantine(quarantine))

    def note_foreign_move(self, move: ForeignMove) -> None:
        """Keep a sighting, unless it is there already."""
        columns = _FOREIGN.columns(move)
        with self._past_file.writing("keep a move of somebody else") as connection:
            if _found(connection, foreign_moves, columns, ("row", "target")) is None:
                put_next(connection, foreign_moves, columns)
                append(connection, notes.of_foreign_move(move))

    def acknowledge_foreign_moves(
        self, vcenter: str, cluster: ClusterId, *, by: str, at: datetime
    ) -> int:
        """Mark the sightings that nobody has acknowledged yet; return how many."""
        query = select(foreign_moves).where(
            foreign_moves.c.vcenter == plain_text(vcenter),
            foreign_moves.c.cluster == plain_text(cluster),
            foreign_moves.c.acknowledged_at.is_(None),
        )
        marks: dict[str, Plain] = {
            "acknowledged_at": plain_instant(at),
            "acknowledged_by": plain_text(by),
        }
        with self._past_file.writing("acknowledge moves of others") as connection:
            new = list(rows_of(connection, foreign_moves, query))
            for row in new:
                change(connection, foreign_moves, row, marks)
            note = notes.of_acknowledged_moves(vcenter, cluster, len(new), by=by, at=at)
            append(connection, note)
            return len(new)

    def keep_hosts(self, vcenter: str, cluster: ClusterId, hosts: Sequence[KnownHost]) -> None:
        """Keep the hosts that were seen just now in place of those of the look before."""
        where: dict[str, Plain] = {"vcenter": plain_text(vcenter), "cluster": plain_text(cluster)}
        here = (known_hosts.c[key] == value for key, value in where.items())
        with self._past_file.writing("keep the hosts of a cluster") as connection:
            connection.execute(delete(known_hosts).where(*here))
            for host in hosts:
                put(connection, known_hosts, {**where, **_HOST.columns(host)})

    def note_disturbance(self, disturbance: Disturbance) -> None:
        """Keep a disturbance."""
        with self._past_file.writing("keep a disturbance") as connection:
            put_next(connection, disturbances, _DISTURBANCE.columns(disturbance))
            append(connection, notes.of_disturbance(disturbance))

    def put_breaker(
        self, vcenter: str, cluster: ClusterId, breaker: Breaker, *, at: datetime
    ) -> None:
        """Keep the breaker's state in place of the one before."""
        where: dict[str, Plain] = {"vcenter": plain_text(vcenter), "cluster": plain_text(cluster)}
        columns = {**where, **_BREAKER.columns(breaker)}
        with self._past_file.writing("keep the breaker's state") as connection:
            row, before = _breaker(connection, vcenter, cluster)
            if row is None:
                put(connection, breakers, columns)
            else:
                change(connection, breakers, row, columns)
            note = notes.of_breaker(vcenter, cluster, before, breaker, at=at)
            if note:
                append(connection, note)

    def put_verdict(self, verdict: Verdict) -> None:
        """Keep a batch's verdict; the one of its cycle is replaced."""
        columns = _VERDICT.columns(verdict)
        with self._past_file.writing("keep a verdict") as connection:
            known = _found(connection, verdicts, columns, ("vcenter", "cluster", "cycle_id"))
            if known is None:
                put_next(connection, verdicts, columns)
            else:
                change(connection, verdicts, known, {**columns, "id": known.id})
            append(connection, notes.of_verdict(verdict))

    def acknowledge_verdicts(
        self, vcenter: str, cluster: ClusterId, *, by: str, at: datetime
    ) -> int:
        """Mark the verdicts that nobody has acknowledged yet; return how many."""
        query = select(verdicts).where(
            verdicts.c.vcenter == plain_text(vcenter),
            verdicts.c.cluster == plain_text(cluster),
            verdicts.c.acknowledged_at.is_(None),
            verdicts.c.result != str(VerdictResult.PENDING),
        )
        marks: dict[str, Plain] = {
            "acknowledged_at": plain_instant(at),
            "acknowledged_by": plain_text(by),
        }
        with self._past_file.writing("acknowledge verdicts") as connection:
            new = list(rows_of(connection, verdicts, query))
            for row in new:
                change(connection, verdicts, row, marks)
            append(connection, notes.of_acknowledgement(vcenter, cluster, len(new), by=by, at=at))
            return len(new)


def _breaker(connection: Connection, vcenter: str, cluster: ClusterId) -> tuple[Any, Breaker]:
    """Return the row of a cluster's breaker, None where there is none, and its state."""
    where: dict[str, Plain] = {"vcenter": plain_text(vcenter), "cluster": plain_text(cluster)}
    row = _found(connection, breakers, where, ("vcenter", "cluster"))
    return row, _BREAKER.value(row._mapping) if row else Breaker()


def _hosts(connection: Connection, vcenter: str, cluster: ClusterId) -> tuple[KnownHost, ...]:
    query = (
        select(known_hosts)
        .where(
            known_hosts.c.vcenter == plain_text(vcenter),
            known_hosts.c.cluster == plain_text(cluster),
        )
        .order_by(known_hosts.c.id)
    )
    return tuple(_HOST.value(row._mapping) for row in rows_of(connection, known_hosts, query))


def _found(
    connection: Connection, table: Table, columns: Mapping[str, Plain], keys: tuple[str, ...]
) -> Any:
    """Return the row that has the same keys, or None."""
    query = select(table).where(*(table.c[key] == columns[key] for key in keys))
    return next(rows_of(connection, table, query), None)

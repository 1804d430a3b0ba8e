"""Leases in the file: one row per shard, whose token grows with every new holder."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, select

from balancer.adapters.store.examine import rows_of
from balancer.adapters.store.file import JournalFile
from balancer.adapters.store.forms import Form
from balancer.adapters.store.permits import check_lease
from balancer.adapters.store.rows import change, put
from balancer.adapters.store.tables import leases
from balancer.model.lease import Lease
from balancer.model.units import Seconds

_FORM = Form(Lease)


class SqliteLeases:
    """`ports.Leases` in the file."""

    def __init__(self, file: JournalFile) -> None:
        self._lease_file = file

    def take_lease(
        self, shard: str, holder: str, *, at: datetime, lasts_s: Seconds
    ) -> Lease | None:
        """Return a new lease with a higher token, or None while somebody else's lasts."""
        with self._lease_file.writing("take a lease") as connection:
            last = newest_lease(connection, shard)
            if last and last.holder != holder and at < last.expires_at:
                return None
            token = last.token + 1 if last else 1
            ends = at + timedelta(seconds=lasts_s)
            lease = Lease(shard=shard, holder=holder, token=token, expires_at=ends)
            _keep(connection, lease)
            return lease

    def renew_lease(self, lease: Lease, *, at: datetime, lasts_s: Seconds) -> Lease:
        """Return the lease with a later end; raises `IntentRefused` where it is not the newest any more."""
        with self._lease_file.writing("renew a lease") as connection:
            check_lease(lease, newest_lease(connection, lease.shard))
            renewed = replace(lease, expires_at=at + timedelta(seconds=lasts_s))
            _keep(connection, renewed)
            return renewed

    def give_back(self, lease: Lease) -> None:
        """End a lease now, if it is still the newest."""
        with self._lease_file.writing("give a lease back") as connection:
            newest = newest_lease(connection, lease.shard)
            if newest and newest.token == lease.token:
                _keep(connection, replace(lease, expires_at=datetime.min.replace(tzinfo=UTC)))

    def leases(self) -> tuple[Lease, ...]:
        """Return the newest lease of each shard, ended or not, by shard."""
        query = select(leases).order_by(leases.c.shard)
        with self._lease_file.reading("read the leases") as connection:
            return tuple(_FORM.value(row._mapping) for row in rows_of(connection, leases, query))


def newest_lease(connection: Connection, shard: str) -> Lease | None:
    """Return a shard's lease as it stands."""
    query = select(leases).where(leases.c.shard == shard)
    found = rows_of(connection, leases, query)
    return next((_FORM.value(row._mapping) for row in found), None)


def _keep(connection: Connection, lease: Lease) -> None:
    columns = _FORM.columns(lease)
    query = select(leases).where(leases.c.shard == columns["shard"])
    for row in rows_of(connection, leases, query):
        change(connection, leases, row, columns)
        return
    put(connection, leases, columns)

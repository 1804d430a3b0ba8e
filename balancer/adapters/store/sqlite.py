"""The journal in one SQLite file: durable before a vMotion is sent, readable after any crash.

Puts the parts together: leases and moves, what people asked for, what was learnt, and the audit log, all in one
file, so that what belongs together is written in one transaction.
"""

from pathlib import Path

from balancer.adapters.store.file import BUSY_TIMEOUT_S, JournalFile
from balancer.adapters.store.sqlite_audit import SqliteAudit
from balancer.adapters.store.sqlite_controls import SqliteControls
from balancer.adapters.store.sqlite_leases import SqliteLeases
from balancer.adapters.store.sqlite_moves import SqliteMoves
from balancer.adapters.store.sqlite_past import SqlitePast
from balancer.model.units import Seconds


class SqliteStore(SqliteLeases, SqliteMoves, SqlitePast, SqliteControls, SqliteAudit):
    """A `ports.Store` in one file. Safe to share between threads and with other processes.

    `thorough` reads and examines the whole file at the opening. Commands that only look or ask for something
    leave that to the daemon: what they read is examined anyway.

    Raises:
        StoreError: the file cannot be opened, is damaged, belongs to another program or was written
            by a newer version of this one.
    """

    def __init__(
        self, path: Path, *, busy_timeout_s: Seconds = BUSY_TIMEOUT_S, thorough: bool = True
    ) -> None:
        file = JournalFile(path, busy_timeout_s=busy_timeout_s, thorough=thorough)
        SqliteLeases.__init__(self, file)
        SqliteMoves.__init__(self, file)
        SqlitePast.__init__(self, file)
        SqliteControls.__init__(self, file)
        SqliteAudit.__init__(self, file)
        self._file = file

    def close(self) -> None:
        """Close every connection. The store cannot be relied on afterwards."""
        self._file.close()

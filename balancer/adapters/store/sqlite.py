"""The journal in one SQLite file: durable before a vMotion is sent, readable after any crash.

Puts the parts together: leases and moves, what people asked for, what was learnt, and the audit log, all in one
file, so that what belongs together is written in one transaction.
"""

from collections.abc import Callable
from pathlib import Path

from balancer.adapters.store.file import BUSY_TIMEOUT_S, JournalFile, nobody
from balancer.adapters.store.sqlite_audit import SqliteAudit
from balancer.adapters.store.sqlite_controls import SqliteControls
from balancer.adapters.store.sqlite_leases import SqliteLeases
from balancer.adapters.store.sqlite_moves import SqliteMoves
from balancer.adapters.store.sqlite_past import SqlitePast
from balancer.adapters.store.sqlite_upkeep import SqliteUpkeep
from balancer.model.errors import StoreError
from balancer.model.units import Seconds


class SqliteStore(SqliteLeases, SqliteMoves, SqlitePast, SqliteControls, SqliteAudit, SqliteUpkeep):
    """A `ports.Store` in one file. Safe to share between threads and with other processes.

    `thorough` makes the file where there is none, brings an older one to the present schema, and examines all
    of it. Commands that look or ask for something leave that to the daemon (see `opened_by_command`).
    `on_failure` is called with each read or write that fails.

    Raises:
        StoreError: the file cannot be opened, is damaged, belongs to another program or was written
            by a newer version of this one.
    """

    def __init__(
        self,
        path: Path,
        *,
        busy_timeout_s: Seconds = BUSY_TIMEOUT_S,
        thorough: bool = True,
        on_failure: Callable[[], None] = nobody,
    ) -> None:
        file = JournalFile(
            path, busy_timeout_s=busy_timeout_s, thorough=thorough, on_failure=on_failure
        )
        SqliteLeases.__init__(self, file)
        SqliteMoves.__init__(self, file)
        SqlitePast.__init__(self, file)
        SqliteControls.__init__(self, file)
        SqliteAudit.__init__(self, file)
        SqliteUpkeep.__init__(self, file)
        self._file = file

    def close(self) -> None:
        """Close every connection. The store cannot be relied on afterwards."""
        self._file.close()


def opened_by_command(path: Path) -> SqliteStore:
    """Open a journal that a daemon has made, at once however big it is; what is read is examined then.

    Raises:
        StoreError: as for `SqliteStore`, and where there is no file, or one of an older schema.
    """
    if not path.exists():
        raise StoreError(
            f"there is no journal {path}. Start the daemon with this configuration first, or name the "
            "configuration that it runs with."
        )
    return SqliteStore(path, thorough=False)

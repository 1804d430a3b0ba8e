"""The history's file: opened once, read and written in transactions whose errors help.

Write-ahead log with `synchronous=NORMAL`: after a power cut the last hours may be missing, never more. It is not
the journal's file, so that nothing that happens here touches that.
"""

import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from balancer.adapters.store.file import lock_where_told, nobody, pragma
from balancer.adapters.store.history_tables import APPLICATION_ID, SCHEMA_VERSION, metadata
from balancer.model.errors import StoreError

BUSY_TIMEOUT_S = 1.0
"""How long a cycle waits for another process that holds the file."""
_WAL_KEPT_BYTES = 4 * 2**20

GOES_ON = "What is remembered stays in memory until the program ends, and nothing else depends on this file."


class HistoryFile:
    """One SQLite file. Safe to share between threads. `on_failure` is called with each read or write that fails.

    Raises:
        StoreError: it cannot be opened, is damaged, of another program, or of a newer version of this one.
    """

    def __init__(self, path: Path, *, on_failure: Callable[[], None] = nobody) -> None:
        self._path, self._on_failure = path, on_failure
        self._engine = _engine_of(path)
        try:
            with self.writing("open the history") as connection:
                self._prepare(connection)
        except StoreError:
            self.close()
            raise

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @property
    def size_bytes(self) -> int:
        """Return what the file and its write-ahead log take on the disk."""
        beside = self._path.with_name(f"{self._path.name}-wal")
        return sum(each.stat().st_size for each in (self._path, beside) if each.exists())

    @contextmanager
    def reading(self, attempt: str) -> Iterator[Connection]:
        """Give a connection that sees one state of the file."""
        with self._transaction(attempt, takes_lock=False) as connection:
            yield connection

    @contextmanager
    def writing(self, attempt: str) -> Iterator[Connection]:
        """Give a connection that alone may write; commit at the end of the block, or roll back and raise."""
        with self._transaction(attempt, takes_lock=True) as connection:
            yield connection

    def give_back_room(self) -> None:
        """Give the room of what was dropped back to the disk."""
        with self.writing("give back room of the history") as connection:
            raw = connection.connection.driver_connection
            assert isinstance(raw, sqlite3.Connection)
            raw.executescript("PRAGMA incremental_vacuum")  # `execute` would free one page only

    def _prepare(self, connection: Connection) -> None:
        version, owner = pragma(connection, "user_version"), pragma(connection, "application_id")
        is_empty = not connection.exec_driver_sql("SELECT 1 FROM sqlite_master").first()
        if is_empty and owner in (0, APPLICATION_ID):
            metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
            connection.exec_driver_sql(f"PRAGMA user_version={SCHEMA_VERSION}")
            return
        if owner != APPLICATION_ID:
            raise self._failure(
                f"the file {self._path} is a database of another program, not a history. It was not changed. "
                "Give the history a file of its own (history.path)."
            )
        if version != SCHEMA_VERSION:
            raise self._failure(
                f"the history {self._path} has schema version {version}, this program knows {SCHEMA_VERSION}. "
                "It was not changed. Run the program that wrote it, or give this one another file (history.path)."
            )

    @contextmanager
    def _transaction(self, attempt: str, *, takes_lock: bool) -> Iterator[Connection]:
        engine = self._engine.execution_options(takes_lock=takes_lock)
        try:
            with engine.begin() as connection:
                yield connection
        except (
            SQLAlchemyError,
            sqlite3.Error,
            zlib.error,
            OSError,
            ValueError,
            OverflowError,
        ) as err:
            cause = str(getattr(err, "orig", None) or err)
            raise self._failure(
                f"could not {attempt} ({self._path}): {cause}. {_advice(cause)}"
            ) from err

    def _failure(self, message: str) -> StoreError:
        self._on_failure()
        return StoreError(f"{message} {GOES_ON}")


def _engine_of(path: Path) -> Engine:
    arguments = {"timeout": BUSY_TIMEOUT_S, "isolation_level": None}
    engine = create_engine(URL.create("sqlite", database=str(path)), connect_args=arguments)

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
        (owner,) = connection.execute("PRAGMA application_id").fetchone()
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        if pages == 0:
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        if owner == APPLICATION_ID or pages == 0:  # another program's file stays as it is
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA journal_size_limit={_WAL_KEPT_BYTES}")
        connection.execute("PRAGMA foreign_keys=ON")

    lock_where_told(engine)
    return engine


def _advice(cause: str) -> str:
    words = cause.lower()
    if "full" in words:
        return "Free space on the disk, or lower history.most_mib."
    if "readonly" in words or "read-only" in words or "unable to open" in words:
        return "Create the folder and make file and folder writable for this user."
    if "locked" in words:
        return "Another process holds the file: end it, or give this one another (history.path)."
    if "disk i/o" in words:
        return "Look at the disk."
    return "Move the file away and start again: a new one is made, and the past begins now."

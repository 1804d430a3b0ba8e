"""The journal's file: opened and examined once, then read and written in transactions whose errors help.

Write-ahead log with `synchronous=FULL`: what was acknowledged survives a power cut. Writers take the lock before
they read, so that two of them never act on one state. Every error of the database or the file system becomes a
`StoreError` that says what to do; unable to write means unable to act.
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from balancer.adapters.store.advice import DAMAGED, advice
from balancer.adapters.store.examine import examine, pages_fault
from balancer.adapters.store.tables import APPLICATION_ID, GUARDS, SCHEMA_VERSION, metadata
from balancer.model.errors import StoreError
from balancer.model.units import Seconds

log = logging.getLogger(__name__)

BUSY_TIMEOUT_S: Seconds = 5.0
"""How long a writer waits for another one before it gives up."""


PAGES_KEPT_KIB = 256
"""Of each connection, in memory. SQLite's own 2,000 KiB are filled by a day's journal in every connection of the
pool, which is read again only at the opening; the system keeps the file's pages anyway."""


def nobody() -> None:
    """Let nobody hear of a failure."""


class JournalFile:
    """One SQLite file. Safe to share between threads; other processes may read and write along.

    `thorough` makes or upgrades the file where it must be, and examines every row at the opening; without it
    nothing is changed, and rows are examined as they are read. `on_failure` is called with each read or write
    that fails.
    """

    def __init__(
        self,
        path: Path,
        *,
        busy_timeout_s: Seconds,
        thorough: bool,
        on_failure: Callable[[], None] = nobody,
    ) -> None:
        self._path, self._on_failure = path, on_failure
        self._engine = engine_of(path, busy_timeout_s)
        self._writer = self._engine.execution_options(takes_lock=True)
        self._place: tuple[int, int] | None = None
        try:
            self._prepare(thorough=thorough)
        except StoreError:
            self.close()
            raise
        self._place = _place_of(path)

    def close(self) -> None:
        """Close every connection. The file cannot be relied on afterwards."""
        self._engine.dispose()

    @contextmanager
    def reading(self, attempt: str) -> Iterator[Connection]:
        """Give a connection that sees one state of the file."""
        with self._transaction(attempt, self._engine) as connection:
            yield connection

    @contextmanager
    def writing(self, attempt: str) -> Iterator[Connection]:
        """Give a connection that alone may write; commit at the end of the block, or roll back and raise."""
        with self._transaction(attempt, self._writer) as connection:
            yield connection

    def _prepare(self, *, thorough: bool) -> None:
        opening = self.writing if thorough else self.reading
        with opening("open the journal") as connection:
            version = pragma(connection, "user_version")
            owner = pragma(connection, "application_id")
            is_empty = not connection.exec_driver_sql("SELECT 1 FROM sqlite_master").first()
            self._check_owner(owner, version, is_empty)
            if (is_empty or version < SCHEMA_VERSION) and not thorough:
                raise StoreError(
                    f"the journal {self._path} is empty or of an older version. It was not changed. "
                    "The daemon brings it to the present one when it starts."
                )
            if is_empty:
                create(connection)
            elif version < SCHEMA_VERSION:
                self._upgrade(connection, version)
        with self.reading("examine the journal") as connection:
            fault = examine(connection, thorough=thorough)
        if fault:
            raise StoreError(f"the journal {self._path} is damaged ({fault}). {DAMAGED}")

    def _upgrade(self, connection: Connection, version: int) -> None:
        """Bring an older file to the present schema; the file as it was stays beside it."""
        from balancer.adapters.store.migrations import upgrade  # noqa: PLC0415 (Alembic takes long)

        fault = pages_fault(connection)
        if fault or version < 1:
            raise StoreError(
                f"the journal {self._path} of version {version} is damaged ({fault}). {DAMAGED}"
            )
        kept = keep_copy(self._path, version)
        reached = upgrade(connection, version)
        connection.exec_driver_sql(f"PRAGMA user_version={reached}")
        facts = {"from_version": version, "to_version": reached, "copy": str(kept)}
        log.warning("journal upgraded", extra=facts)

    def _check_owner(self, owner: int, version: int, is_empty: bool) -> None:
        if is_empty and owner in (0, APPLICATION_ID):
            return
        if owner != APPLICATION_ID:
            raise StoreError(
                f"the file {self._path} is a database of another program, not a journal. "
                "It was not changed. Give the journal a file of its own."
            )
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"the journal {self._path} has schema version {version}, this program knows "
                f"versions up to {SCHEMA_VERSION}. It was not changed. Run the newer program, or "
                "give this one another file."
            )

    @contextmanager
    def _transaction(self, attempt: str, engine: Engine) -> Iterator[Connection]:
        if self._place is not None and _place_of(self._path) != self._place:
            raise self._failure(
                f"could not {attempt}: the journal {self._path} was deleted or replaced while it was in use. "
                "Nothing was written. Put the file back and start again; without it, start again: what runs "
                "in vCenter is found there."
            )
        try:
            with engine.begin() as connection:
                yield connection
        except IntegrityError as err:
            raise self._failure(
                f"could not {attempt} ({self._path}): the database refused it: {err.orig}. "
                "Nothing was written; please report this as a bug."
            ) from err
        except (SQLAlchemyError, sqlite3.Error, OSError, ValueError, OverflowError) as err:
            cause = str(getattr(err, "orig", None) or err)
            raise self._failure(
                f"could not {attempt} ({self._path}): {cause}. {advice(cause)}"
            ) from err

    def _failure(self, message: str) -> StoreError:
        """Tell that a read or a write failed, and return the error that says so."""
        self._on_failure()
        return StoreError(message)


def engine_of(path: Path, busy_timeout_s: Seconds) -> Engine:
    """Return connections to a file that write ahead, force to disk, and lock before a writer reads."""
    arguments = {"timeout": busy_timeout_s, "isolation_level": None}
    engine = create_engine(URL.create("sqlite", database=str(path)), connect_args=arguments)

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
        (owner,) = connection.execute("PRAGMA application_id").fetchone()
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        if owner == APPLICATION_ID or pages == 0:  # another program's file stays as it is
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA cache_size=-{PAGES_KEPT_KIB}")
        connection.execute("PRAGMA foreign_keys=ON")

    lock_where_told(engine)
    return engine


def lock_where_told(engine: Engine) -> None:
    """Let transactions with the option `takes_lock` lock the file before they read."""

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        takes_lock = connection.get_execution_options().get("takes_lock", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if takes_lock else "BEGIN")


def keep_copy(path: Path, version: int) -> Path:
    """Copy a journal beside itself before it is changed, and return where; complete and on disk, or an error."""
    copy = path.with_name(f"{path.name}.version-{version}")
    part = copy.with_name(f"{copy.name}.part")
    part.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as target:
        source.backup(target)
    with part.open("rb") as written:
        os.fsync(written.fileno())
    return part.replace(copy)


def create(connection: Connection) -> None:
    """Make the tables of the present schema in an empty file."""
    metadata.create_all(connection)
    for guard in GUARDS:
        connection.exec_driver_sql(guard)
    connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
    connection.exec_driver_sql(f"PRAGMA user_version={SCHEMA_VERSION}")


def pragma(connection: Connection, name: str) -> int:
    """Return a number that SQLite keeps in the file's header."""
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())


def _place_of(path: Path) -> tuple[int, int] | None:
    """Return which file a path leads to, None for none: SQLite goes on in a deleted one as if it were there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino

"""The journal in one SQLite file: durable before a vMotion is sent, readable after any crash.

Write-ahead log with `synchronous=FULL`: a step that was acknowledged survives a power cut. Writers take
the lock before they read, so that two of them never act on one state. Every error of the database or
the file system becomes a `StoreError` that says what to do; unable to write means unable to act.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, Select, create_engine, event, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from balancer.adapters.store.steps import after_step, first_row
from balancer.adapters.store.tables import (
    APPLICATION_ID,
    GUARDS,
    SCHEMA_VERSION,
    metadata,
    moves,
    read_row,
    row_columns,
    state_columns,
    step_columns,
    transitions,
)
from balancer.model.errors import RowOpen, StoreError
from balancer.model.outcome import JournalEntry, JournalRow, JournalStep, MoveState
from balancer.model.units import ClusterId, Seconds

BUSY_TIMEOUT_S: Seconds = 5.0
"""How long a writer waits for another one before it gives up."""


class SqliteStore:
    """A `ports.Store` in one file. Safe to share between threads; another process may read along.

    Raises:
        StoreError: the file cannot be opened, is damaged, belongs to another program or was written
            by a newer version of this one.
    """

    def __init__(self, path: Path, *, busy_timeout_s: Seconds = BUSY_TIMEOUT_S) -> None:
        self._path = path
        self._engine = _engine(path, busy_timeout_s)
        self._writer = self._engine.execution_options(takes_lock=True)
        try:
            self._prepare()
        except StoreError:
            self.close()
            raise

    def close(self) -> None:
        """Close every connection. The store cannot be relied on afterwards."""
        self._engine.dispose()

    def begin(self, entry: JournalEntry) -> int:
        """Write an INTENT row and return its id.

        Raises:
            RowOpen: the VM has a row whose end is not known.
            StoreError: the row could not be made durable.
        """
        row = first_row(0, entry)
        step = JournalStep(state=MoveState.INTENT, at=entry.intended_at)
        with self._transaction("write a move to the journal", self._writer) as connection:
            query = _open_rows(entry.vcenter).where(moves.c.vm == entry.vm)
            for other in _rows(connection, query):
                raise RowOpen.of(entry.vm_name, other.id)
            key = connection.execute(insert(moves), row_columns(row)).inserted_primary_key
            number = int(key[0]) if key else 0
            connection.execute(insert(transitions), step_columns(number, step))
        return number

    def advance(self, row: int, step: JournalStep) -> None:
        """Write the next state of a row.

        Raises:
            StoreError: there is no such row, it has ended, or the step could not be made durable.
        """
        with self._transaction("write a step to the journal", self._writer) as connection:
            found = _rows(connection, select(moves).where(moves.c.id == row))
            if not found:
                raise StoreError(f"the journal has no row {row}; nothing was written")
            changed = state_columns(after_step(found[0], step))
            connection.execute(update(moves).where(moves.c.id == row), changed)
            connection.execute(insert(transitions), step_columns(row, step))

    def open_rows(self, vcenter: str) -> tuple[JournalRow, ...]:
        """Return the rows whose end is not known, oldest first."""
        with self._transaction("read the open rows of the journal", self._engine) as connection:
            return _rows(connection, _open_rows(vcenter))

    def rows_since(
        self, vcenter: str, cluster: ClusterId, since: datetime
    ) -> tuple[JournalRow, ...]:
        """Return the rows intended at or after `since`, oldest first."""
        query = select(moves).where(
            moves.c.vcenter == vcenter, moves.c.cluster == cluster, moves.c.intended_at >= since
        )
        with self._transaction("read the journal", self._engine) as connection:
            return _rows(connection, query)

    def _prepare(self) -> None:
        with self._transaction("open the journal", self._writer) as connection:
            version = _pragma(connection, "user_version")
            owner = _pragma(connection, "application_id")
            is_empty = not connection.exec_driver_sql("SELECT 1 FROM sqlite_master").first()
            self._check_owner(owner, version, is_empty)
            if is_empty:
                _create(connection)
            verdict = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())
            if verdict != "ok":
                raise StoreError(
                    f"the journal {self._path} is damaged ({' '.join(verdict.split())}). {_DAMAGED}"
                )

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
        """Commit at the end of the block, or roll back and raise."""
        try:
            with engine.begin() as connection:
                yield connection
        except IntegrityError as err:
            raise StoreError(
                f"could not {attempt} ({self._path}): the database refused it: {err.orig}. "
                "Nothing was written; please report this as a bug."
            ) from err
        except (SQLAlchemyError, sqlite3.Error, OSError, ValueError) as err:
            cause = str(getattr(err, "orig", None) or err)
            raise StoreError(
                f"could not {attempt} ({self._path}): {cause}. {_advice(cause)}"
            ) from err


def _engine(path: Path, busy_timeout_s: Seconds) -> Engine:
    arguments = {"timeout": busy_timeout_s, "isolation_level": None}
    engine = create_engine(URL.create("sqlite", database=str(path)), connect_args=arguments)

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL").fetchone()
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        takes_lock = connection.get_execution_options().get("takes_lock", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if takes_lock else "BEGIN")

    return engine


def _create(connection: Connection) -> None:
    metadata.create_all(connection)
    for guard in GUARDS:
        connection.exec_driver_sql(guard)
    connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
    connection.exec_driver_sql(f"PRAGMA user_version={SCHEMA_VERSION}")


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())


def _open_rows(vcenter: str) -> Select[tuple[object, ...]]:
    words = [str(state) for state in MoveState if state.is_open]
    return select(moves).where(moves.c.vcenter == vcenter, moves.c.state.in_(words))


def _rows(connection: Connection, query: Select[tuple[object, ...]]) -> tuple[JournalRow, ...]:
    return tuple(read_row(columns) for columns in connection.execute(query.order_by(moves.c.id)))


_DAMAGED = (
    "Nothing was moved. Keep the file for examination, move it away, and start again: "
    "what runs in vCenter is found there."
)

_ADVICE = (
    ("disk is full", "Free space on the disk; nothing is moved until the journal can be written."),
    ("disk I/O error", "Look at the disk; nothing is moved until the journal can be written."),
    ("readonly", "Make the file and its folder writable for this user."),
    ("read-only", "Make the file and its folder writable for this user."),
    ("unable to open", "Create the folder and make it writable for this user."),
    ("locked", "Another process holds the journal: end it, or give this one another file."),
    ("not a database", _DAMAGED),
    ("malformed", _DAMAGED),
    ("no such", _DAMAGED),
)


def _advice(cause: str) -> str:
    """Return what a person can do about a cause as SQLite words it."""
    for words, advice in _ADVICE:
        if words in cause:
            return advice
    return "Nothing is moved until the journal can be written."

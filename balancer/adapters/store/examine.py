"""Whether a journal's file is whole: its schema, its pages and indexes, and the seal of every row.

Reads only. SQLite's own check follows every page and compares indexes with tables, and so finds rows that are
missing; the seals find rows that were changed.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, Table, create_engine

from balancer.adapters.store.advice import DAMAGED
from balancer.adapters.store.forms import seal_of
from balancer.adapters.store.tables import GUARDS, metadata
from balancer.model.errors import StoreError

Schema = frozenset[tuple[str, ...]]

_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"


def examine(connection: Connection, *, thorough: bool) -> str:
    """Return what is wrong with a file of the present schema, empty where nothing is."""
    if schema_of(connection) != present_schema():
        return "its tables are not those of its schema version"
    if not thorough:
        return ""
    return pages_fault(connection) or next(_broken_seals(connection), "")


def pages_fault(connection: Connection) -> str:
    """Return what SQLite's own check finds wrong with pages and indexes, empty for nothing."""
    verdict = str(connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one())
    return "" if verdict == "ok" else " ".join(verdict.split())


def schema_of(connection: Connection) -> Schema:
    """Return the statements that made a file's tables, indexes and triggers."""
    return frozenset(tuple(row) for row in connection.exec_driver_sql(_SCHEMA))


@cache
def present_schema() -> Schema:
    """Return the schema of a file that this program makes."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        metadata.create_all(connection)
        for guard in GUARDS:
            connection.exec_driver_sql(guard)
        made = schema_of(connection)
    engine.dispose()
    return made


_TOLD_ONLY = frozenset({"audit", "transitions"})
"""Tables that decide nothing and are the largest: their seals are checked as they are read."""


def _broken_seals(connection: Connection) -> Iterator[str]:
    for table in metadata.sorted_tables:
        if table.name in _TOLD_ONLY:
            continue
        names = ", ".join(f'"{column.name}"' for column in table.columns)
        for row in connection.exec_driver_sql(f"SELECT {names} FROM {table.name}"):
            if seal_of(table.name, tuple(row)[:-1]) != row[-1]:
                yield broken(table, row)


def rows_of(connection: Connection, table: Table, query: Executable) -> Iterator[Any]:
    """Yield the rows of a query for whole rows of one table, each with its seal checked.

    Raises:
        StoreError: a row is not as it was written.
    """
    for row in connection.execute(query).all():
        if seal_of(table.name, tuple(row)[:-1]) != row[-1]:
            raise StoreError(f"the journal is damaged ({broken(table, row)}). {DAMAGED}")
        yield row


def broken(table: Table, row: Sequence[Any]) -> str:
    """Name a row that is not as it was written."""
    return f"row {row[0]!r} of {table.name} is not as it was written"

"""How rows get into the tables: with the next number and their seal. Used inside a writer's transaction only.

Numbers are the highest one plus one; what is forgotten never includes the newest row of a table, so that no
number comes twice.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, update

from balancer.adapters.store.forms import SEAL, Plain, seal_of


def next_number(connection: Connection, table: Table) -> int:
    """Return the number of the row that is written next."""
    key = table.primary_key.columns[0]
    return int(connection.execute(select(func.coalesce(func.max(key), 0))).scalar_one()) + 1


def put(connection: Connection, table: Table, columns: Mapping[str, Plain]) -> None:
    """Write one row with all its columns but the seal."""
    connection.execute(insert(table), sealed(table, columns))


def put_next(connection: Connection, table: Table, columns: Mapping[str, Plain]) -> int:
    """Write one row under the next number, and return that."""
    number = next_number(connection, table)
    put(connection, table, {**columns, "id": number})
    return number


def change(connection: Connection, table: Table, row: Any, columns: Mapping[str, Plain]) -> None:
    """Write some columns of a row anew; `row` is the whole row as it was read."""
    new = sealed(table, {**row._mapping, **columns})
    keys = [key == new[key.name] for key in table.primary_key.columns]
    connection.execute(update(table).where(*keys), new)


def sealed(table: Table, columns: Mapping[str, Plain]) -> dict[str, Plain]:
    """Return the columns of a whole row with its seal."""
    names = [column.name for column in table.columns if column.name != SEAL]
    values = [columns[name] for name in names]
    return {**dict(zip(names, values, strict=True)), SEAL: seal_of(table.name, values)}

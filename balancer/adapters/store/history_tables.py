"""The tables of the history on disk. No queries here, only form.

`series` holds one row for each VM and host, `spans` one for some steps of a cluster with the ids of those that have
figures there, `chunks` the figures of a span, one row for each series (see `history_chunks`). Times are whole
seconds of Unix time.
"""

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

SCHEMA_VERSION = 1
"""Kept in the database's `user_version`. A higher one is refused."""

APPLICATION_ID = 0x76624831
"""Kept in the database's `application_id`, so that no other program's file is mistaken for a history."""

metadata = MetaData()

series = Table(
    "series",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cluster", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("identity", Text, nullable=False),
    Column("vcpus", Integer),
    Column("memory_mib", Float),
    Column("begun", Integer, nullable=False),
    Index("one_row_per_identity", "cluster", "kind", "identity", unique=True),
)

spans = Table(
    "spans",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cluster", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("step_s", Integer, nullable=False),
    Column("starts", Integer, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("members", LargeBinary, nullable=False),
    Index("one_span_at_a_time", "cluster", "kind", "step_s", "starts", unique=True),
    Index("spans_by_age", "step_s", "starts"),
)

chunks = Table(
    "chunks",
    metadata,
    Column("span", Integer, ForeignKey("spans.id", ondelete="CASCADE"), primary_key=True),
    Column("measure", Text, primary_key=True),
    Column("statistic", Text, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

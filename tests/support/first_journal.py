"""A journal's file as version 1 of its schema wrote it: moves and transitions, nothing sealed."""

import sqlite3
from contextlib import closing
from pathlib import Path

STATES = "'intent', 'submitted', 'done', 'failed', 'aborted', 'external', 'unknown'"

SCHEMA = f"""
CREATE TABLE moves (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    vcenter VARCHAR NOT NULL,
    cluster VARCHAR NOT NULL,
    plan_id VARCHAR NOT NULL,
    cycle_id VARCHAR NOT NULL,
    move_id VARCHAR NOT NULL,
    vm VARCHAR NOT NULL,
    vm_name VARCHAR NOT NULL,
    vm_uuid VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    target VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    expected_seconds FLOAT NOT NULL,
    intended_at VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    fault VARCHAR NOT NULL,
    kind VARCHAR,
    detail VARCHAR NOT NULL,
    submitted_at VARCHAR,
    ended_at VARCHAR,
    CONSTRAINT state_is_known CHECK (state in ({STATES}))
);
CREATE INDEX moves_by_time ON moves (vcenter, cluster, intended_at);
CREATE UNIQUE INDEX one_open_row_per_vm ON moves (vcenter, vm)
    WHERE state in ('intent', 'submitted', 'unknown');
CREATE TABLE transitions (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    move INTEGER NOT NULL,
    state VARCHAR NOT NULL,
    at VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    fault VARCHAR NOT NULL,
    kind VARCHAR,
    detail VARCHAR NOT NULL,
    CONSTRAINT state_is_known CHECK (state in ({STATES})),
    FOREIGN KEY(move) REFERENCES moves (id)
);
CREATE INDEX ix_transitions_move ON transitions (move);
CREATE TRIGGER transitions_no_update BEFORE update ON transitions
    BEGIN SELECT RAISE(ABORT, 'transitions is append only'); END;
CREATE TRIGGER transitions_no_delete BEFORE delete ON transitions
    BEGIN SELECT RAISE(ABORT, 'transitions is append only'); END;
PRAGMA application_id=1986153009;
PRAGMA user_version=1;
"""

NOON = "2026-03-02T12:00:00.000000+00:00"
LATER = "2026-03-02T12:00:30.250000+00:00"


def first_journal(path: Path, *, rows: int) -> None:
    """Write a file of version 1 in which every third move is open, and each has its transitions."""
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA journal_mode=WAL")
        file.executescript(SCHEMA)
        for number in range(1, rows + 1):
            is_open = number % 3 == 0
            state, ended_at = ("submitted", None) if is_open else ("done", LATER)
            file.execute(
                "INSERT INTO moves VALUES (?, 'vc1', 'domain-c1', 'p1', 'c1', ?, ?, ?, 'uuid', 'host-1',"
                " 'host-2', 'balance', 12.5, ?, ?, 'task-1', '', NULL, 'é', ?, ?)",
                (number, f"m-{number}", f"vm-{number}", f"vm{number}", NOON, state, NOON, ended_at),
            )
            for word in ("intent", "submitted") if is_open else ("intent", "submitted", "done"):
                file.execute(
                    "INSERT INTO transitions (move, state, at, task, fault, kind, detail)"
                    " VALUES (?, ?, ?, '', '', NULL, '')",
                    (number, word, NOON),
                )
        file.commit()

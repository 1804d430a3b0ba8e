"""What a journal holds of its moves, read without our own code, and compared with what the server was asked for."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from tests.support.vcenter import VCenterProcess

NEVER_SENT = "aborted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One move: the VM's name, and how it stands."""

    vm: str
    state: str
    task: str
    fault: str


def rows(folder: Path) -> list[Row]:
    """Return every row of the journal in a test's folder, oldest first."""
    query = "select vm_name, state, task, fault from moves order by id"
    with sqlite3.connect(folder / "journal.sqlite") as database:
        return [
            Row(vm=vm, state=state, task=task or "", fault=fault or "")
            for vm, state, task, fault in database.execute(query)
        ]


def states(folder: Path) -> set[str]:
    """Return the states of the rows."""
    return {row.state for row in rows(folder)}


def sent(folder: Path, server: VCenterProcess) -> list[Row]:
    """Return the rows whose request the server took, oldest first: at least one, each once.

    A stop or an outage may come between a move's row and its request. Such a row is aborted, and nothing else is:
    it has no task, and the server was not asked to move its VM.
    """
    every = rows(folder)
    known = sorted(line.vm for line in server.control.relocations())
    asked = [row for row in every if row.state != NEVER_SENT]
    assert [row for row in every if row.state == NEVER_SENT and row.task] == []
    assert sorted(row.vm for row in asked) == known
    assert asked
    return asked


def are_settled(folder: Path, state: str) -> bool:
    """Return whether each row that was sent has this state, and at least one has."""
    return states(folder) - {NEVER_SENT} == {state}

"""Whether the journal and the server agree: read with sqlite3 and the server's own log, nothing of the product.

A relocation belongs to the row that has its task; one without, to the open question that it can answer: a row
of the same VM and target, intended before it, with no task of its own.
"""

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.vcenter_control import Relocation

OPEN = frozenset({"intent", "submitted", "unknown"})
END_OF = {"success": "done", "failed": "failed", "refused": "failed", "cancelled": "failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A move in the journal, as the file has it."""

    id: int
    vm: str
    source: str
    target: str
    state: str
    task: str
    cycle: str
    intended_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What the comparison found. Each of the lists but `rows` should be empty at the end."""

    rows: tuple[Row, ...]
    relocations: int
    lost: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    leaked: tuple[str, ...] = ()
    over_budget: tuple[str, ...] = ()
    damaged: tuple[str, ...] = field(default=())

    @property
    def faults(self) -> tuple[str, ...]:
        """Return all that is wrong."""
        return (
            *self.lost,
            *self.duplicates,
            *self.leaked,
            *self.over_budget,
            *self.damaged,
        )


def read_rows(journal: Path) -> tuple[tuple[Row, ...], str]:
    """Return the journal's rows, oldest first, and what SQLite says of the file's integrity."""
    with closing(sqlite3.connect(journal)) as base:
        found = base.execute(
            "SELECT id, vm, source, target, state, coalesce(task, ''), cycle_id, intended_at"
            " FROM moves ORDER BY id"
        ).fetchall()
        verdict = str(base.execute("PRAGMA integrity_check").fetchone()[0])
    names = ("id", "vm", "source", "target", "state", "task", "cycle", "intended_at")
    return tuple(Row(**dict(zip(names, row, strict=True))) for row in found), verdict


def balanced(journal: Path, relocations: tuple[Relocation, ...], *, per_run: int) -> Books:
    """Compare the journal with what the server did."""
    rows, verdict = read_rows(journal)
    owner, unowned = _owners(rows, relocations)
    runs = Counter(row.cycle for row in rows if row.state != "aborted")
    return Books(
        rows=rows,
        relocations=len(relocations),
        lost=tuple(_untrue(rows, owner)),
        duplicates=tuple(f"no row for {line}" for line in unowned),
        leaked=tuple(f"open: {row}" for row in rows if row.state in OPEN),
        over_budget=tuple(f"{n} moves in {run}" for run, n in runs.items() if n > per_run),
        damaged=() if verdict == "ok" else (verdict,),
    )


def _owners(
    rows: tuple[Row, ...], relocations: tuple[Relocation, ...]
) -> tuple[dict[int, Relocation], list[Relocation]]:
    """Give every relocation to one row, and return those for which there is none."""
    by_task = {row.task: row for row in rows if row.task}
    owner: dict[int, Relocation] = {}
    unowned: list[Relocation] = []
    for line in relocations:
        row = by_task.get(line.task or "-")
        if row is None or row.id in owner:
            row = _asked_for(line, rows, owner)
        if row is None:
            unowned.append(line)
        else:
            owner[row.id] = line
    return owner, unowned


def _asked_for(line: Relocation, rows: tuple[Row, ...], owner: dict[int, Relocation]) -> Row | None:
    """Return the last row without a task that may have asked for a relocation."""
    possible = [
        row
        for row in rows
        if (row.vm, row.target) == (line.vm, line.to_host)
        and not row.task
        and row.id not in owner
        and row.intended_at.replace("T", " ")[:19] <= line.queued_at.replace("T", " ")[:19]
    ]
    return possible[-1] if possible else None


def _untrue(rows: tuple[Row, ...], owner: dict[int, Relocation]) -> list[str]:
    """Return the rows whose end is not what the server did."""
    wrong = []
    for row in rows:
        line = owner.get(row.id)
        did = END_OF.get(line.state, "open") if line else "nothing"
        said = {"done": "done", "failed": "failed", "aborted": "nothing"}.get(row.state, row.state)
        is_refused_call = said == "failed" and did == "nothing"
        if said != did and not is_refused_call and row.state not in OPEN:
            wrong.append(f"{row} ended, the server did {did}")
    return wrong

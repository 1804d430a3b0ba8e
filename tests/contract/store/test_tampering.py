"""Whatever is done to the audit log by hand is found: each of 10,000 entries changed, deleted, moved, put in.

The chain is local (an entry knows the one before it), so that many places are tampered with in one file: the
faults must name each of them.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from balancer.adapters.store.chain import next_entry
from balancer.adapters.store.sqlite_audit import _columns, append
from balancer.adapters.store.tables import GUARDS, audit
from balancer.model.audit import AuditEntry, AuditHead, AuditNote, AuditReport
from tests.support.builders import NOON
from tests.support.journal import sqlite_store
from tests.support.searching import share

ENTRIES = share(10_000)
"""4,000 in continuous integration."""


def note(number: int) -> AuditNote:
    return AuditNote(
        at=NOON + timedelta(seconds=number),
        action="move.done",
        actor="balancer",
        shard="vc1/prod",
        subject=f"vm{number}",
        reason="seen on the target",
        facts={"row": number},
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audit") / "journal.sqlite"
    with sqlite_store(path) as store, store._file.writing("write many notes") as connection:
        for number in range(1, ENTRIES + 1):
            append(connection, note(number))
    return path


@pytest.fixture
def path(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(written, tmp_path / "journal.sqlite"))


@contextmanager
def by_hand(path: Path) -> Iterator[sqlite3.Connection]:
    """Take the guards away, as somebody does who has the file."""
    file = sqlite3.connect(path)
    guards = [guard for guard in GUARDS if " audit_no_" in guard]
    for guard in guards:
        file.execute(f"drop trigger {guard.split()[2]}")
    yield file
    for guard in guards:
        file.execute(guard)
    file.commit()
    file.close()


def verified(path: Path, *heads: AuditHead) -> AuditReport:
    with sqlite_store(path, thorough=False) as store:
        return store.verify_audit(heads=heads)


def found(path: Path) -> set[int]:
    return {fault.number for fault in verified(path).faults}


def test_what_nobody_touched_holds(path: Path) -> None:
    report = verified(path)
    assert (report.entries, report.faults) == (ENTRIES, ())


@pytest.mark.parametrize("rest", range(3))
def test_each_entry_that_was_deleted_is_missed(path: Path, rest: int) -> None:
    with by_hand(path) as file:
        file.execute("delete from audit where number % 3 = ?", (rest,))
    expected = {n + 1 for n in range(1, ENTRIES) if n % 3 == rest}
    assert found(path) == expected


@pytest.mark.parametrize(
    "column", [c.name for c in audit.columns if c.name not in ("number", "seal")]
)
def test_each_entry_that_was_changed_is_named(path: Path, column: str) -> None:
    changed = "replace(facts, '1', '2')" if column == "facts" else f"{column} || 'x'"
    with by_hand(path) as file:
        file.execute(f"update audit set {column} = {changed} where number % 2 = 0")
    expected = {n for n in range(2, ENTRIES + 1, 2) if column != "facts" or "1" in str(n)}
    assert expected <= found(path)


def test_each_pair_that_changed_places_is_named(path: Path) -> None:
    with by_hand(path) as file:
        file.execute("update audit set number = -(number - 1 + 2 * (number % 2))")
        file.execute("update audit set number = -number")
    assert found(path) == set(range(1, ENTRIES + 1))


def test_each_entry_that_was_put_in_is_named(path: Path) -> None:
    """Forged ones are right in themselves: number, digest and the entry before them."""
    with sqlite_store(path) as store:
        entries = store.audit_entries(last=ENTRIES)
    with by_hand(path) as file:
        file.execute("update audit set number = -2 * number")
        file.execute("update audit set number = -number")
        for entry in entries:
            _insert(file, next_entry(_renumbered(entry), note(7)))
    assert set(range(2, 2 * ENTRIES + 1, 2)) <= found(path)


def _renumbered(entry: AuditEntry) -> AuditEntry:
    return AuditEntry(
        number=2 * entry.number, note=entry.note, previous=entry.previous, digest=entry.digest
    )


def _insert(file: sqlite3.Connection, entry: AuditEntry) -> None:
    columns = {**_columns(entry), "seal": ""}
    marks = ", ".join("?" * len(columns))
    names = ", ".join(columns)
    file.execute(f"insert into audit ({names}) values ({marks})", tuple(columns.values()))


@pytest.mark.parametrize("kept", [0, 1, ENTRIES // 2, ENTRIES - 1])
def test_an_end_that_was_cut_off_is_missed_by_whoever_noted_a_head(path: Path, kept: int) -> None:
    report = verified(path)
    with by_hand(path) as file:
        file.execute("delete from audit where number > ?", (kept,))
    assert verified(path).is_whole
    (fault,) = verified(path, AuditHead(number=report.entries, digest=report.head)).faults
    assert fault.detail == f"is missing: the log ends at {kept}"


def test_a_log_that_was_written_anew_is_not_the_one_whose_head_was_noted(path: Path) -> None:
    report = verified(path)
    with by_hand(path) as file:
        file.execute("delete from audit")
        last: AuditEntry | None = None
        for number in range(1, ENTRIES + 1):
            last = next_entry(last, note(number + 1))
            _insert(file, last)
    assert verified(path).is_whole
    assert not verified(path, AuditHead(number=report.entries, digest=report.head)).is_whole

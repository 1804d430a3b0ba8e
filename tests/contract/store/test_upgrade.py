"""A journal of schema version 1 becomes one of the present version: whole, or not at all."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from balancer.adapters.store.sqlite import SqliteStore
from balancer.adapters.store.tables import SCHEMA_VERSION
from balancer.model.errors import RowOpen, StoreError
from balancer.model.outcome import MoveState
from tests.support.builders import NOON
from tests.support.first_journal import first_journal
from tests.support.journal import CLUSTER, begun, entry, permit_of, sqlite_store, step

KILLS = range(5, 500, int(os.environ.get("BALANCER_UPGRADE_KILL_EVERY", "60")))


def _schema(path: Path) -> list[tuple[str, ...]]:
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite%'"
    with closing(sqlite3.connect(path)) as file:
        return sorted(file.execute(query))


def _version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as file:
        return int(file.execute("pragma user_version").fetchone()[0])


def test_an_upgraded_file_has_the_schema_of_a_new_one(tmp_path: Path) -> None:
    first_journal(tmp_path / "old.sqlite", rows=3)
    for name in ("old.sqlite", "new.sqlite"):
        SqliteStore(tmp_path / name).close()
    assert _schema(tmp_path / "old.sqlite") == _schema(tmp_path / "new.sqlite")
    assert _version(tmp_path / "old.sqlite") == SCHEMA_VERSION


def test_moves_and_their_transitions_are_there_after_an_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    first_journal(path, rows=2500)
    with sqlite_store(path) as store:
        rows = store.rows_since("vc1", CLUSTER, NOON.replace(year=2000))
        assert [row.id for row in rows] == list(range(1, 2501))
        assert len(store.open_rows("vc1")) == 833
        done = rows[0]
        assert (done.entry.vm, done.state, done.task, done.detail) == (
            "vm-1",
            MoveState.DONE,
            "task-1",
            "é",
        )
        assert done.ended_at is not None
        assert done.ended_at.microsecond == 250000
        assert done.entry.pace == 1.0
        assert [s.state for s in store.steps_of(1)] == ["intent", "submitted", "done"]


def test_an_upgraded_journal_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    first_journal(path, rows=3)
    with sqlite_store(path) as store:
        permit = permit_of(store)
        with pytest.raises(RowOpen):
            store.begin(entry(3), permit)
        store.advance(3, step(MoveState.DONE))
        assert store.begin(entry(3), permit) == 4
        assert store.verify_audit().faults == ()


def test_the_file_as_it_was_is_kept_beside_the_upgraded_one(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    first_journal(path, rows=3)
    before = _schema(path)
    SqliteStore(path).close()
    copy = tmp_path / "old.sqlite.version-1"
    assert _schema(copy) == before
    with closing(sqlite3.connect(copy)) as file:
        assert file.execute("select count(*) from moves").fetchone() == (3,)


def test_without_room_for_the_copy_nothing_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    first_journal(path, rows=3)
    (tmp_path / "old.sqlite.version-1.part").mkdir()
    with pytest.raises(StoreError, match="could not open the journal"):
        SqliteStore(path)
    assert _version(path) == 1


def test_a_damaged_old_file_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    first_journal(path, rows=300)
    damaged = bytearray(path.read_bytes())
    damaged[3 * 4096 : 3 * 4096 + 64] = b"\xa5" * 64
    path.write_bytes(damaged)
    with pytest.raises(StoreError, match=r"(damaged|malformed)"):
        SqliteStore(path)
    assert path.read_bytes() == bytes(damaged)


def test_a_file_that_only_says_it_is_old_is_not_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with sqlite_store(path) as store:
        begun(store, entry())
    with closing(sqlite3.connect(path)) as file:
        file.execute("pragma user_version=1")
    with pytest.raises(StoreError, match="says that it is of version 1, but has the tables"):
        SqliteStore(path)


@pytest.mark.parametrize("statement", KILLS)
def test_a_kill_in_the_middle_of_an_upgrade_leaves_the_old_file_or_the_new_one(
    tmp_path: Path, statement: int
) -> None:
    path = tmp_path / "old.sqlite"
    first_journal(path, rows=12)
    child = os.fork()
    if child == 0:
        _open_and_die_at(path, statement)
    _, status = os.waitpid(child, 0)
    was_killed = os.WIFSIGNALED(status)
    allowed = {1, SCHEMA_VERSION} if was_killed else {SCHEMA_VERSION}
    assert _version(path) in allowed  # a kill may come after the commit
    with sqlite_store(path) as store:
        assert len(store.rows_since("vc1", CLUSTER, NOON.replace(year=2000))) == 12
        assert len(store.open_rows("vc1")) == 4


def _open_and_die_at(path: Path, statement: int) -> None:
    """End this process by SIGKILL before a statement of the upgrade; or regularly, after the last one."""
    count = 0

    def die(*_: object) -> None:
        nonlocal count
        count += 1
        if count == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", die)
    SqliteStore(path).close()
    os._exit(0)


def test_a_file_of_the_present_version_is_opened_without_alembic(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    SqliteStore(path).close()
    program = (
        "import sys; from pathlib import Path; from balancer.adapters.store.sqlite import SqliteStore\n"
        f"SqliteStore(Path({str(path)!r})).close(); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

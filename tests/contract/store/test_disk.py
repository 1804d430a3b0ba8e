"""Whatever happens to the file or the disk: nothing acknowledged is lost, and what fails says what to do."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from balancer.adapters.store.sqlite import SqliteStore, opened_by_command
from balancer.model.audit import AuditNote
from balancer.model.errors import StoreError
from balancer.model.outcome import MoveState, RowQuery
from balancer.ports import Store
from tests.support.builders import NOON
from tests.support.first_journal import first_journal
from tests.support.journal import entry, permit_of, sqlite_store, step
from tests.support.records import pause

NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def _limit_pages(store: SqliteStore) -> None:
    """Let the database grow no further, as on a full disk."""
    with store._file.reading("limit") as connection:
        connection.exec_driver_sql("pragma max_page_count=1")


def _free_pages(store: SqliteStore) -> None:
    with store._file.reading("free") as connection:
        connection.exec_driver_sql("pragma max_page_count=1000000")


def test_a_full_database_refuses_to_act_until_there_is_room(path: Path) -> None:
    with sqlite_store(path) as store:
        permit = permit_of(store)
        _limit_pages(store)
        begun: list[int] = []

        def begin_until_full() -> None:
            while len(begun) < 1000:
                begun.append(store.begin(entry(len(begun)), permit))

        with pytest.raises(StoreError, match=r"full.*Free space"):
            begin_until_full()
        assert [row.id for row in store.open_rows("vc1")] == begun
        assert store.verify_audit().entries == len(begun)
        _free_pages(store)
        begun.append(store.begin(entry(2000), permit))
    with sqlite_store(path) as again:
        assert [row.id for row in again.open_rows("vc1")] == begun
        assert again.verify_audit().is_whole


@pytest.mark.parametrize("deed", [Path.unlink, lambda path: path.rename(f"{path}.old")])
def test_a_file_that_is_gone_is_missed_at_once_and_no_other_is_made(
    path: Path, deed: Callable[[Path], object]
) -> None:
    with sqlite_store(path) as store:
        permit = permit_of(store)
        row = store.begin(entry(1), permit)
        deed(path)
        for attempt in (
            lambda: store.begin(entry(2), permit),
            lambda: store.advance(row, step(MoveState.DONE)),
            lambda: store.open_rows("vc1"),
        ):
            with pytest.raises(StoreError, match=r"deleted or replaced.*Put the file back"):
                attempt()
        assert not path.exists()


def test_a_file_that_was_replaced_is_not_written_to(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    SqliteStore(other).close()
    with sqlite_store(path) as store:
        permit = permit_of(store)
        other.replace(path)
        with pytest.raises(StoreError, match="deleted or replaced"):
            store.begin(entry(1), permit)
    with sqlite_store(path) as store:
        assert store.find_rows(RowQuery()) == ()


def test_a_file_that_comes_back_is_used_again(path: Path) -> None:
    with sqlite_store(path) as store:
        permit = permit_of(store)
        row = store.begin(entry(1), permit)
        path.rename(f"{path}.away")
        with pytest.raises(StoreError, match="deleted or replaced"):
            store.advance(row, step(MoveState.DONE))
        Path(f"{path}.away").rename(path)
        store.advance(row, step(MoveState.DONE))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that other users may look into."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("is_there", [True, False], ids=["read-only file", "read-only folder"])
def test_who_may_not_write_is_told_so(open_folder: Path, is_there: bool) -> None:
    path = open_folder / "journal.sqlite"
    if is_there:
        SqliteStore(path).close()
        path.chmod(0o444)

    def told() -> bool:
        try:
            SqliteStore(path)
        except StoreError as err:
            return "writable for this user" in str(err)
        return False

    assert _as_nobody(told)


def _as_nobody(question: Callable[[], bool]) -> bool:
    child = os.fork()
    if child == 0:
        try:
            os.setuid(NOBODY)
            os._exit(0 if question() else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize(
    "deed",
    [
        lambda store: store.begin(entry(2), permit_of(store)),
        lambda store: store.advance(1, step(MoveState.DONE)),
        lambda store: store.pause(pause()),
        lambda store: store.note(AuditNote(at=NOON, action="a")),
        lambda store: store.forget(NOON),
        lambda store: store.take_lease("vc1/x", "us", at=NOON, lasts_s=1.0),
    ],
)
def test_a_read_only_database_is_read_on_and_written_again_when_it_may(
    path: Path, deed: Callable[[Store], object]
) -> None:
    with sqlite_store(path) as store:
        store.begin(entry(1), permit_of(store))
        _make_read_only(store, is_read_only=True)
        with pytest.raises(StoreError, match=r"readonly.*writable for this user"):
            deed(store)
        assert [row.id for row in store.open_rows("vc1")] == [1]
        _make_read_only(store, is_read_only=False)
        deed(store)


def _make_read_only(store: SqliteStore, *, is_read_only: bool) -> None:
    with store._file.reading("change rights") as connection:
        connection.exec_driver_sql(f"pragma query_only={int(is_read_only)}")


def test_a_command_examines_what_it_reads(path: Path) -> None:
    with sqlite_store(path) as store:
        store.pause(pause(reason="storage"))
    with closing(sqlite3.connect(path)) as file:
        file.execute("update pauses set reason = 'storagf'")
        file.commit()
    command = opened_by_command(path)
    with pytest.raises(
        StoreError, match=r"row 1 of pauses is not as it was written.*Keep the file"
    ):
        command.pauses()
    command.close()
    with pytest.raises(StoreError, match="row 1 of pauses"):
        SqliteStore(path)


def test_a_command_neither_makes_nor_upgrades_a_file(path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no journal.*Start the daemon"):
        opened_by_command(path)
    first_journal(path, rows=3)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"empty or of an older version.*not changed"):
        opened_by_command(path)
    assert path.read_bytes() == before


def test_each_read_and_write_that_fails_is_told(path: Path) -> None:
    failures: list[int] = []
    with closing(SqliteStore(path, on_failure=lambda: failures.append(1))) as store:
        store.pauses()
        assert failures == []
        shutil.move(path, path.with_suffix(".away"))
        with pytest.raises(StoreError, match="deleted or replaced"):
            store.pauses()
        with pytest.raises(StoreError, match="deleted or replaced"):
            store.pause(pause())
        assert failures == [1, 1]

"""The journal's file: what it promises beyond what every store does, and what it says where it cannot."""

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from balancer.adapters.store.sqlite import SqliteStore
from balancer.model.errors import RowOpen, StoreError
from balancer.model.outcome import MoveState
from tests.support.builders import NOON
from tests.support.journal import CLUSTER, begun, entry, permit_of, sqlite_store, step


def test_a_reopened_file_shows_the_same_rows(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with sqlite_store(path) as first:
        first.advance(begun(first, entry(1)), step(MoveState.SUBMITTED, task="task-1"))
        first.advance(begun(first, entry(2)), step(MoveState.DONE))
        before = first.rows_since("vc1", CLUSTER, NOON)
    with sqlite_store(path) as second:
        assert second.rows_since("vc1", CLUSTER, NOON) == before
        with pytest.raises(RowOpen):
            begun(second, entry(1))


def test_rows_survive_a_process_that_never_closed_the_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with sqlite_store(path) as first, sqlite_store(path) as second:
        number = begun(first, entry())
        assert [row.id for row in second.open_rows("vc1")] == [number]
        with pytest.raises(RowOpen):
            begun(second, entry())


def test_every_state_that_a_row_went_through_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with sqlite_store(path) as opened:
        number = begun(opened, entry())
        opened.advance(number, step(MoveState.SUBMITTED, task="task-1"))
        opened.advance(number, step(MoveState.DONE))
    with sqlite3.connect(path) as raw:
        states = [row[0] for row in raw.execute("select state from transitions order by id")]
    raw.close()
    assert states == ["intent", "submitted", "done"]


@pytest.mark.parametrize("table", ["transitions", "audit"])
@pytest.mark.parametrize("deed", ["update {} set at = ''", "delete from {}"])
def test_the_histories_cannot_be_changed_even_by_hand(
    tmp_path: Path, table: str, deed: str
) -> None:
    path = tmp_path / "journal.sqlite"
    with sqlite_store(path) as opened:
        opened.advance(begun(opened, entry(1)), step(MoveState.DONE))
        begun(opened, entry(2))
        opened.forget(NOON.replace(year=2100))
    raw = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append only"):
        raw.execute(deed.format(table))
    raw.close()


def test_the_database_itself_refuses_two_open_rows_of_a_vm(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with sqlite_store(path) as opened:
        begun(opened, entry())
    raw = sqlite3.connect(path)
    columns = [row[1] for row in raw.execute("pragma table_info(moves)") if row[1] != "id"]
    names = ", ".join(columns)
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        raw.execute(f"insert into moves ({names}) select {names} from moves")
    raw.close()


def test_steps_are_forced_to_disk_before_they_are_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with sqlite_store(path) as opened, opened._file.reading("look") as connection:
        assert connection.exec_driver_sql("pragma synchronous").scalar_one() == 2
        assert connection.exec_driver_sql("pragma journal_mode").scalar_one() == "wal"


# what cannot be opened or written is said in words that help


def _spoil(path: Path, *statements: str) -> None:
    raw = sqlite3.connect(path)
    for statement in statements:
        raw.execute(statement)
    raw.commit()
    raw.close()


def _newer(path: Path) -> None:
    SqliteStore(path).close()
    _spoil(path, "pragma user_version=3")


def _foreign(path: Path) -> None:
    _spoil(path, "create table songs (title text)")


def _garbage(path: Path) -> None:
    path.write_bytes(b"this is not a database" * 200)


def _torn(path: Path) -> None:
    with sqlite_store(path) as opened:
        permit = permit_of(opened)
        for number in range(60):
            opened.advance(
                opened.begin(entry(number), permit), step(MoveState.DONE, detail="x" * 500)
            )
    damaged = bytearray(path.read_bytes())
    for page in range(2, len(damaged) // 4096):
        damaged[page * 4096 : page * 4096 + 64] = b"\xa5" * 64
    path.write_bytes(damaged)


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_newer, "schema version 3, this program knows versions up to 2"),
        (_foreign, "database of another program"),
        (_garbage, "not a database.*Keep the file"),
        (_torn, "(damaged|malformed).*Keep the file"),
        (_folder, "unable to open.*Create the folder"),
    ],
    ids=["newer schema", "another program's file", "no database", "damaged pages", "a folder"],
)
def test_a_file_that_is_no_journal_of_ours_is_refused_in_words(
    tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    path = tmp_path / "journal.sqlite"
    spoil(path)
    with pytest.raises(StoreError, match=words):
        SqliteStore(path)


def test_a_refused_file_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    _newer(path)
    with pytest.raises(StoreError):
        SqliteStore(path)
    raw = sqlite3.connect(path)
    assert raw.execute("pragma user_version").fetchone() == (3,)
    raw.close()


def test_a_file_of_another_program_is_left_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    _foreign(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="Create the folder"):
        SqliteStore(tmp_path / "missing" / "journal.sqlite")


def test_a_path_with_unusual_characters_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a?b=c #%20.sqlite"
    SqliteStore(path).close()
    assert path.is_file()


def test_a_journal_held_by_another_writer_is_an_error_not_a_wait_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with sqlite_store(path, busy_timeout_s=0.05) as opened:
        raw = sqlite3.connect(path, isolation_level=None)
        raw.execute("begin immediate")
        with pytest.raises(StoreError, match=r"locked.*Another process"):
            begun(opened, entry())
        raw.execute("rollback")
        raw.close()
        assert begun(opened, entry()) == 1


@contextmanager
def _no_room_on_disk(path: Path) -> Iterator[None]:
    """Let no file grow beyond the journal's present log, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = Path(f"{path}-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_without_room_stops_writing_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with sqlite_store(path) as opened:
        number = begun(opened, entry(1))
        permit = permit_of(opened)
        with _no_room_on_disk(path):
            with pytest.raises(StoreError, match="could not write a move to the journal"):
                opened.begin(entry(2), permit)
            with pytest.raises(StoreError, match="could not write a step to the journal"):
                opened.advance(number, step(MoveState.DONE))
        assert [row.entry.vm for row in opened.open_rows("vc1")] == ["vm-1"]
        opened.advance(number, step(MoveState.DONE))
        opened.begin(entry(2), permit)
    with sqlite_store(path) as again:
        assert len(again.rows_since("vc1", CLUSTER, NOON)) == 2

"""One suite over every journal: what `ports.Store` promises, in memory and on disk."""

import resource
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from balancer.adapters.store.memory import MemoryStore
from balancer.adapters.store.sqlite import SqliteStore
from balancer.model.errors import RowOpen, StoreError
from balancer.model.outcome import FailureKind, JournalEntry, JournalStep, MoveState
from balancer.model.plan import MoveReason
from balancer.model.units import ClusterId, HostId, MoveId, VmId
from balancer.ports import Store
from tests.support.builders import NOON

CLUSTER = ClusterId("domain-c1")
OPEN = [state for state in MoveState if state.is_open]
ENDED = [state for state in MoveState if not state.is_open]


def entry(number: int = 1, **facts: Any) -> JournalEntry:
    defaults: dict[str, Any] = {
        "vcenter": "vc1",
        "cluster": CLUSTER,
        "plan_id": "p1",
        "cycle_id": "c1",
        "move_id": MoveId(f"m-{number}"),
        "vm": VmId(f"vm-{number}"),
        "vm_name": f"vm{number}",
        "vm_uuid": f"uuid-{number}",
        "source": HostId("host-1"),
        "target": HostId("host-2"),
        "reason": MoveReason.BALANCE,
        "expected_seconds": 12.5,
        "intended_at": NOON,
    }
    return JournalEntry(**(defaults | facts))


def step(state: MoveState, seconds: float = 1.0, **facts: Any) -> JournalStep:
    return JournalStep(state=state, at=NOON + timedelta(seconds=seconds), **facts)


@contextmanager
def sqlite_store(path: Path, **options: Any) -> Iterator[SqliteStore]:
    store = SqliteStore(path, **options)
    try:
        yield store
    finally:
        store.close()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    with sqlite_store(tmp_path / "journal.sqlite") as opened:
        yield opened


# what every store promises


def test_a_new_journal_has_no_rows(store: Store) -> None:
    assert store.open_rows("vc1") == ()
    assert store.rows_since("vc1", CLUSTER, NOON - timedelta(days=1)) == ()


def test_an_intent_is_read_back_as_it_was_written(store: Store) -> None:
    written = entry()
    number = store.begin(written)
    (row,) = store.open_rows("vc1")
    assert (row.id, row.entry, row.state) == (number, written, MoveState.INTENT)
    assert (row.task, row.fault, row.kind, row.detail) == ("", "", None, "")
    assert (row.submitted_at, row.ended_at) == (None, None)


@pytest.mark.parametrize("state", OPEN)
def test_a_vm_with_an_open_row_gets_no_second_one(store: Store, state: MoveState) -> None:
    number = store.begin(entry())
    if state is not MoveState.INTENT:
        store.advance(number, step(state))
    with pytest.raises(RowOpen, match="vm1 has an open row"):
        store.begin(entry())
    assert len(store.open_rows("vc1")) == 1


@pytest.mark.parametrize("state", ENDED)
def test_a_vm_whose_row_has_ended_gets_a_new_one(store: Store, state: MoveState) -> None:
    first = store.begin(entry())
    store.advance(first, step(state))
    second = store.begin(entry())
    assert second > first
    assert [row.id for row in store.open_rows("vc1")] == [second]


def test_the_same_vm_id_in_another_vcenter_is_another_vm(store: Store) -> None:
    store.begin(entry())
    store.begin(entry(vcenter="vc2"))
    assert len(store.open_rows("vc1")) == len(store.open_rows("vc2")) == 1


def test_a_submitted_row_keeps_its_task_and_its_time_when_it_ends(store: Store) -> None:
    number = store.begin(entry())
    store.advance(number, step(MoveState.SUBMITTED, 1, task="task-7"))
    store.advance(number, step(MoveState.DONE, 30))
    (row,) = store.rows_since("vc1", CLUSTER, NOON)
    assert (row.state, row.task) == (MoveState.DONE, "task-7")
    assert row.submitted_at == NOON + timedelta(seconds=1)
    assert row.ended_at == NOON + timedelta(seconds=30)


def test_a_failed_row_keeps_fault_kind_and_detail(store: Store) -> None:
    number = store.begin(entry())
    facts = {"fault": "Timedout", "kind": FailureKind.TRANSIENT, "detail": "too slow"}
    store.advance(number, step(MoveState.FAILED, **facts))
    (row,) = store.rows_since("vc1", CLUSTER, NOON)
    assert (row.fault, row.kind, row.detail) == ("Timedout", FailureKind.TRANSIENT, "too slow")
    assert row.submitted_at is None


def test_an_unknown_row_stays_open_until_its_end_is_known(store: Store) -> None:
    number = store.begin(entry())
    store.advance(number, step(MoveState.UNKNOWN, 1, detail="no answer"))
    (row,) = store.open_rows("vc1")
    assert row.ended_at is None
    store.advance(number, step(MoveState.SUBMITTED, 2, task="task-9"))
    store.advance(number, step(MoveState.EXTERNAL, 3))
    assert store.open_rows("vc1") == ()


@pytest.mark.parametrize("state", ENDED)
def test_what_has_ended_stays_as_it_ended(store: Store, state: MoveState) -> None:
    number = store.begin(entry())
    store.advance(number, step(state))
    with pytest.raises(StoreError, match=f"ended as {state}"):
        store.advance(number, step(MoveState.DONE))
    (row,) = store.rows_since("vc1", CLUSTER, NOON)
    assert row.state is state


def test_no_row_goes_back_to_intent(store: Store) -> None:
    number = store.begin(entry())
    with pytest.raises(StoreError, match="cannot go back"):
        store.advance(number, step(MoveState.INTENT))


@pytest.mark.parametrize("number", [0, -1, 2, 10**15])
def test_a_row_that_does_not_exist_cannot_advance(store: Store, number: int) -> None:
    store.begin(entry())
    with pytest.raises(StoreError, match="no row"):
        store.advance(number, step(MoveState.DONE))


def test_rows_are_found_by_vcenter_cluster_and_time(store: Store) -> None:
    store.begin(entry(1, intended_at=NOON - timedelta(microseconds=1)))
    store.begin(entry(2))
    store.begin(entry(3, intended_at=NOON + timedelta(hours=1)))
    store.begin(entry(4, cluster=ClusterId("domain-c2")))
    store.begin(entry(5, vcenter="vc2"))
    assert [row.entry.vm for row in store.rows_since("vc1", CLUSTER, NOON)] == ["vm-2", "vm-3"]
    assert [row.entry.vm for row in store.open_rows("vc1")] == ["vm-1", "vm-2", "vm-3", "vm-4"]


def test_times_of_any_zone_are_compared_as_instants(store: Store) -> None:
    east = timezone(timedelta(hours=9))
    store.begin(entry(intended_at=NOON.astimezone(east)))
    (row,) = store.rows_since("vc1", CLUSTER, NOON.astimezone(timezone(-timedelta(hours=5))))
    assert row.entry.intended_at == NOON
    assert store.rows_since("vc1", CLUSTER, NOON + timedelta(microseconds=1)) == ()


def test_a_time_without_zone_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="no time zone"):
        store.begin(entry(intended_at=datetime(2026, 1, 1)))  # noqa: DTZ001
    number = store.begin(entry())
    with pytest.raises(StoreError, match="no time zone"):
        store.advance(number, JournalStep(state=MoveState.DONE, at=datetime(2026, 1, 1)))  # noqa: DTZ001


@pytest.mark.parametrize(
    "name",
    ["", "'; drop table moves; --", "a\nb\x1b[31m", "nul\x00l", "\u202eevil", "😀" * 80, "\ud800"],
    ids=["empty", "quotes", "control", "nul", "right-to-left", "emoji", "lone surrogate"],
)
def test_hostile_names_do_not_hinder_the_journal(store: Store, name: str) -> None:
    number = store.begin(entry(vm_name=name))
    store.advance(number, step(MoveState.FAILED, detail=name))
    (row,) = store.rows_since("vc1", CLUSTER, NOON)
    assert row.entry.vm_name in (name, name.encode("utf-8", "backslashreplace").decode())


def test_threads_that_begin_one_vm_get_one_row_between_them(store: Store) -> None:
    results: list[str] = []

    def begin() -> None:
        try:
            store.begin(entry())
            results.append("begun")
        except RowOpen:
            results.append("refused")

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(results) == ["begun"] + ["refused"] * 7
    assert len(store.open_rows("vc1")) == 1


# what the file promises beyond that


def test_a_reopened_file_shows_the_same_rows(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with sqlite_store(path) as first:
        first.advance(first.begin(entry(1)), step(MoveState.SUBMITTED, task="task-1"))
        first.advance(first.begin(entry(2)), step(MoveState.DONE))
        before = first.rows_since("vc1", CLUSTER, NOON)
    with sqlite_store(path) as second:
        assert second.rows_since("vc1", CLUSTER, NOON) == before
        with pytest.raises(RowOpen):
            second.begin(entry(1))


def test_rows_survive_a_process_that_never_closed_the_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with sqlite_store(path) as first, sqlite_store(path) as second:
        number = first.begin(entry())
        assert [row.id for row in second.open_rows("vc1")] == [number]
        with pytest.raises(RowOpen):
            second.begin(entry())


def test_every_state_that_a_row_went_through_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with sqlite_store(path) as opened:
        number = opened.begin(entry())
        opened.advance(number, step(MoveState.SUBMITTED, task="task-1"))
        opened.advance(number, step(MoveState.DONE))
    with sqlite3.connect(path) as raw:
        states = [row[0] for row in raw.execute("select state from transitions order by id")]
    raw.close()
    assert states == ["intent", "submitted", "done"]


@pytest.mark.parametrize(
    "deed", ["update transitions set state = 'done'", "delete from transitions"]
)
def test_the_history_cannot_be_changed_even_by_hand(tmp_path: Path, deed: str) -> None:
    path = tmp_path / "journal.sqlite"
    with sqlite_store(path) as opened:
        opened.begin(entry())
    raw = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append only"):
        raw.execute(deed)
    raw.close()


def test_the_database_itself_refuses_two_open_rows_of_a_vm(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with sqlite_store(path) as opened:
        opened.begin(entry())
    raw = sqlite3.connect(path)
    columns = [row[1] for row in raw.execute("pragma table_info(moves)") if row[1] != "id"]
    names = ", ".join(columns)
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        raw.execute(f"insert into moves ({names}) select {names} from moves")
    raw.close()


def test_steps_are_forced_to_disk_before_they_are_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with sqlite_store(path) as opened, opened._engine.connect() as connection:
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
    _spoil(path, "pragma user_version=2")


def _foreign(path: Path) -> None:
    _spoil(path, "create table songs (title text)")


def _garbage(path: Path) -> None:
    path.write_bytes(b"this is not a database" * 200)


def _torn(path: Path) -> None:
    with sqlite_store(path) as opened:
        for number in range(200):
            opened.advance(opened.begin(entry(number)), step(MoveState.DONE, detail="x" * 500))
    damaged = bytearray(path.read_bytes())
    for page in range(2, len(damaged) // 4096):
        damaged[page * 4096 : page * 4096 + 64] = b"\xa5" * 64
    path.write_bytes(damaged)


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_newer, "schema version 2, this program knows versions up to 1"),
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
    assert raw.execute("pragma user_version").fetchone() == (2,)
    raw.close()


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
            opened.begin(entry())
        raw.execute("rollback")
        raw.close()
        assert opened.begin(entry()) == 1


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
        number = opened.begin(entry(1))
        with _no_room_on_disk(path):
            with pytest.raises(StoreError, match="could not write a move to the journal"):
                opened.begin(entry(2))
            with pytest.raises(StoreError, match="could not write a step to the journal"):
                opened.advance(number, step(MoveState.DONE))
        assert [row.entry.vm for row in opened.open_rows("vc1")] == ["vm-1"]
        opened.advance(number, step(MoveState.DONE))
        opened.begin(entry(2))
    with sqlite_store(path) as again:
        assert len(again.rows_since("vc1", CLUSTER, NOON)) == 2


# the two stores are twins


class TwinStores(RuleBasedStateMachine):
    """Whatever is done to both stores, both show the same rows or refuse alike."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "journal.sqlite"
        self.disk, self.memory = SqliteStore(self.path), MemoryStore()

    def _both(self, deed: Callable[[Store], int | None]) -> None:
        results: list[object] = []
        for twin in (self.disk, self.memory):
            try:
                results.append(deed(twin))
            except StoreError as err:
                results.append((type(err), str(err)))
        assert results[0] == results[1]

    @rule(
        vm=st.integers(1, 3),
        vcenter=st.sampled_from(["vc1", "vc2"]),
        name=st.text(max_size=8),
        at=st.integers(-5, 5),
        seconds=st.floats(0, 1e6),
    )
    def begin(self, vm: int, vcenter: str, name: str, at: int, seconds: float) -> None:
        when = NOON + timedelta(seconds=at)
        new = entry(vm, vcenter=vcenter, vm_name=name, intended_at=when, expected_seconds=seconds)
        self._both(lambda twin: twin.begin(new))

    @rule(
        row=st.integers(0, 8),
        state=st.sampled_from(list(MoveState)),
        task=st.sampled_from(["", "task-1", "task-2"]),
        kind=st.none() | st.sampled_from(list(FailureKind)),
        detail=st.text(max_size=5),
    )
    def advance(
        self, row: int, state: MoveState, task: str, kind: FailureKind | None, detail: str
    ) -> None:
        new = replace(step(state), task=task, kind=kind, detail=detail)
        self._both(lambda twin: twin.advance(row, new))

    @rule()
    def reopen(self) -> None:
        self.disk.close()
        self.disk = SqliteStore(self.path)

    @invariant()
    def both_show_the_same(self) -> None:
        for vcenter in ("vc1", "vc2"):
            assert self.disk.open_rows(vcenter) == self.memory.open_rows(vcenter)
            since = NOON.astimezone(UTC)
            shown = self.disk.rows_since(vcenter, CLUSTER, since)
            assert shown == self.memory.rows_since(vcenter, CLUSTER, since)

    def teardown(self) -> None:
        self.disk.close()
        self.folder.cleanup()


TwinStores.TestCase.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, derandomize=True
)
TestTwinStores = TwinStores.TestCase

"""A byte of the file that is not as it was written: detected or without effect, never another truth or a crash.

In the full run (`BALANCER_FLIPS=1000`) a thousand places; each is a copy of one file with data in every table.
"""

import logging
import os
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from balancer.adapters.store.tables import metadata
from balancer.model.errors import StoreError
from balancer.model.host import HostState
from balancer.model.outcome import MoveState, RowQuery
from balancer.model.past import Breaker, KnownHost, VerdictResult
from balancer.model.units import HostId
from balancer.ports import Store
from tests.support.builders import NOON
from tests.support.journal import CLUSTER, SHARD, entry, permit_of, sqlite_store, step
from tests.support.records import (
    OTHER,
    VC,
    approval,
    disturbance,
    evacuation,
    foreign_move,
    pause,
    quarantine,
    stored_plan,
    verdict,
)

log = logging.getLogger(__name__)

FLIPS = int(os.environ.get("BALANCER_FLIPS", "40"))
CHUNKS = 10
AGO = NOON - timedelta(days=1)


def write(store: Store) -> None:
    """Put something into every table, over several pages of the greater ones."""
    permit = permit_of(store)
    for number in range(1, 25):
        row = store.begin(entry(number), permit)
        if number % 4:
            store.advance(row, step(MoveState.SUBMITTED, task=f"task-{number}"))
            store.advance(row, step(MoveState.DONE, detail="x" * 60))
    for shard in (SHARD, "vc2"):
        store.pause(pause(shard))
    store.resume("vc2", by="bob", at=NOON)
    for number in (1, 2):
        store.ask_evacuation(evacuation(number))
        store.approve(approval(store.keep_plan(stored_plan(f"d{number}"))))
        store.put_quarantine(quarantine(number))
        store.note_foreign_move(foreign_move(number))
        store.note_disturbance(disturbance())
        store.put_verdict(verdict(f"c{number}", result=VerdictResult.WORSE))
    opened = Breaker(level=1, since=NOON, until=NOON, cause="3 in a row", is_open=True)
    for cluster in (CLUSTER, OTHER):
        store.put_breaker(VC, cluster, opened, at=NOON)
        store.keep_hosts(
            VC, cluster, [KnownHost(id=HostId("host-1"), name="esx1", state=HostState.CONNECTED)]
        )


def everything(store: Store) -> tuple[object, ...]:
    """Read back all that was written, the lease last: taking it writes."""
    report = store.verify_audit()
    if not report.is_whole:
        raise StoreError("the audit log's chain does not hold")
    rows = store.find_rows(RowQuery())
    return (
        rows,
        store.open_rows(VC),
        tuple(store.steps_of(row.id) for row in rows),
        store.past(VC, CLUSTER, AGO),
        store.past(VC, OTHER, AGO),
        store.pauses(),
        store.evacuations(""),
        store.plans("", last=9),
        store.approvals("", last=9),
        store.find_plan("d1"),
        store.audit_entries(last=999),
        store.take_lease(SHARD, "them", at=NOON, lasts_s=1.0),
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, tuple[object, ...]]:
    """Return a file's bytes with nothing left in its log, and what is read from it."""
    path = tmp_path_factory.mktemp("whole") / "journal.sqlite"
    with sqlite_store(path) as store:
        write(store)
        with store._file.reading("count") as connection:
            for table in metadata.sorted_tables:
                query = f"select count(*) from {table.name}"
                assert connection.exec_driver_sql(query).scalar_one() > 0
    assert not Path(f"{path}-wal").exists()
    content = path.read_bytes()
    with sqlite_store(path) as store:
        return content, everything(store)


def places(content: bytes, chunk: int) -> Iterator[tuple[int, int]]:
    """Yield places and masks; every second place is one with something written: most of a file is empty."""
    chance = random.Random(chunk)
    written = [place for place, byte in enumerate(content) if byte]
    for number in range(FLIPS // CHUNKS):
        place = chance.choice(written) if number % 2 else chance.randrange(len(content))
        yield place, chance.randrange(1, 256)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_flipped_byte_is_detected_or_harmless(
    tmp_path: Path,
    whole: tuple[bytes, tuple[object, ...]],
    chunk: int,
) -> None:
    content, expected = whole
    counts = {"detected": 0, "harmless": 0}
    for number, (place, mask) in enumerate(places(content, chunk)):
        flipped = bytearray(content)
        flipped[place] ^= mask
        path = tmp_path / f"{number}.sqlite"
        path.write_bytes(flipped)
        try:
            with sqlite_store(path) as store:
                assert everything(store) == expected, f"byte {place} ^ {mask}"
            counts["harmless"] += 1
        except StoreError:
            counts["detected"] += 1
        for left in tmp_path.iterdir():
            left.unlink()
    log.info("detected %(detected)d, harmless %(harmless)d", counts)
    assert sum(counts.values()) == FLIPS // CHUNKS


def test_a_file_nobody_touched_reads_back_the_same(
    tmp_path: Path, whole: tuple[bytes, tuple[object, ...]]
) -> None:
    content, expected = whole
    path = tmp_path / "journal.sqlite"
    path.write_bytes(content)
    with sqlite_store(path) as store:
        assert everything(store) == expected

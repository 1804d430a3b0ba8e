"""The memory of demand outlives the process, and does without its store where that fails."""

import logging
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from balancer.adapters.store.history_sqlite import SqliteHistory
from balancer.collect.history import CPU, STEP_S, DemandHistory
from balancer.model.errors import StoreError
from balancer.model.rollup import Block, Kind, Measure, Member, Series, Statistic
from balancer.model.scale import worst_error_ratio
from balancer.model.units import Seconds
from balancer.policy.types import Policy
from balancer.recall import STEPS_OF_DAY, Recall
from tests.support.builders import NOON, host, snapshot, vm
from tests.support.fakes import FakeClock
from tests.support.histories import MemoryHistory

KEY = "vc1/prod"
DAYS = 2
DAY = timedelta(days=1)


class Full(MemoryHistory):
    """A history whose disk is full."""

    def put(self, cluster: str, block: Block) -> None:
        raise StoreError("disk is full")


class Asked(MemoryHistory):
    """A history that notes from when on it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.since: list[datetime] = []

    def read(
        self, cluster: str, kind: Kind, step_s: Seconds, *, since: datetime, **rest: Any
    ) -> tuple[Block, ...]:
        self.since.append(since)
        return super().read(cluster, kind, step_s, since=since, **rest)


def recall_of(store: MemoryHistory | SqliteHistory | None) -> Recall:
    return Recall(store, five_minute_days=DAYS, memory_days=DAYS, hourly_days=60, most_bytes=10**6)


def run(recall: Recall, first: int, steps: int, *, vcpus: int = 2) -> None:
    """Run so many steps of five minutes from `first` on; each VM wants more from step to step."""
    for step in range(first, first + steps):
        at = NOON + timedelta(seconds=300 * step)
        vms = [vm(n, 1, vcpus=vcpus, cpu_demand_mhz=100.0 * n + step) for n in (1, 2)]
        snap = snapshot([host(1, cpu_usage_mhz=50.0 + step)], vms, taken_at=at)
        recall.of(KEY).seen(snap, Policy())


def one_day_of_two_vms() -> DemandHistory:
    history = DemandHistory(steps=STEPS_OF_DAY)
    history.take(snapshot([host(1)], [vm(1, 1), vm(2, 1)], taken_at=NOON))
    return history


def three_days() -> Block:
    """Return three days of a VM that wants 1 MHz more from step to step."""
    figures = 100.0 + np.arange(3 * STEPS_OF_DAY, dtype=np.float32)[:, np.newaxis]
    return Block(
        kind=Kind.VM,
        starts_at=NOON,
        step_s=STEP_S,
        members=(Member(identity="vm-1"),),
        figures={CPU: figures},
    )


def five_minutes(store: MemoryHistory | SqliteHistory) -> list[float]:
    """Return what the store has of the first VM's CPU demand, in steps of five minutes."""
    blocks = store.read(KEY, Kind.VM, STEP_S, since=NOON, until=NOON + 9 * DAY, series=[CPU])
    return [mhz for block in blocks for mhz in block.figures[CPU][:, 0].tolist()]


def test_after_a_restart_the_memory_is_as_before(tmp_path: Path) -> None:
    with closing(SqliteHistory(tmp_path / "history.sqlite")) as store:
        before = recall_of(store)
        run(before, 0, 40)
        before.close()
    with closing(SqliteHistory(tmp_path / "history.sqlite")) as store:
        after = recall_of(store)
        run(after, 40, 1)
    run(before, 40, 1)
    old, new = before.of(KEY).history.view(), after.of(KEY).history.view()
    assert (new.vms, new.ends_at) == (old.vms, old.ends_at)
    rel = 2 * worst_error_ratio(Measure.CPU)
    np.testing.assert_allclose(new.cpu_mhz, old.cpu_mhz, rtol=rel)
    np.testing.assert_allclose(new.memory_mib, old.memory_mib, rtol=rel)
    _, cpu, _ = after.of(KEY).history.host_usage()
    np.testing.assert_allclose(cpu, before.of(KEY).history.host_usage()[1], rtol=rel)


def test_an_hour_is_written_as_it_ends_and_its_roll_up_is_of_the_whole_hour() -> None:
    store = MemoryHistory()
    recall = recall_of(store)
    run(recall, 0, 5)
    recall.close()
    again = recall_of(store)
    run(again, 5, 8)
    mean = Series(Measure.CPU, Statistic.MEAN)
    (hour,) = store.read(
        KEY, Kind.VM, 3600.0, since=NOON, until=NOON + timedelta(hours=1), series=[mean]
    )
    np.testing.assert_allclose(hour.figures[mean], [[105.5, 205.5]], rtol=1e-6)


def test_memory_holds_its_own_days_and_the_file_more_of_them() -> None:
    store = MemoryHistory()
    recall = Recall(store, five_minute_days=3, memory_days=1, hourly_days=60, most_bytes=10**7)
    run(recall, 0, 26 * 12)
    recall.close()
    recall.keep_up(FakeClock(NOON + timedelta(hours=26)))
    history = recall.of(KEY).history
    assert len(history.view().cpu_mhz) == STEPS_OF_DAY
    assert history.nbytes == one_day_of_two_vms().nbytes
    assert len(five_minutes(store)) == 26 * 12


def test_a_restart_reads_no_more_than_memory_holds(tmp_path: Path) -> None:
    with closing(SqliteHistory(tmp_path / "history.sqlite")) as store:
        store.put(KEY, three_days())
        recall = Recall(store, five_minute_days=3, memory_days=1, hourly_days=60, most_bytes=10**7)
        recall.of(KEY).load(NOON + 3 * DAY)
        view = recall.of(KEY).history.view()
        assert len(view.cpu_mhz) == STEPS_OF_DAY
        wanted = 100.0 + np.arange(2 * STEPS_OF_DAY + 1, 3 * STEPS_OF_DAY)
        np.testing.assert_allclose(
            view.cpu_mhz[:-1, 0], wanted, rtol=worst_error_ratio(Measure.CPU)
        )
        assert len(five_minutes(store)) == 3 * STEPS_OF_DAY


def test_what_memory_does_not_hold_is_not_asked_for() -> None:
    store = Asked()
    until = NOON + 3 * DAY
    Recall(store, five_minute_days=3, memory_days=1, hourly_days=60, most_bytes=10**7).of(KEY).load(
        until
    )
    assert min(store.since) == until - DAY


def test_a_vm_that_was_resized_while_nobody_looked_begins_anew() -> None:
    store = MemoryHistory()
    first = recall_of(store)
    run(first, 0, 5)
    first.close()
    second = recall_of(store)
    run(second, 5, 1, vcpus=8)
    assert np.isfinite(second.of(KEY).history.view().cpu_mhz).sum() == 2


def test_without_a_store_and_with_a_full_one_the_memory_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        for store in (None, Full()):
            recall = recall_of(store)
            run(recall, 0, 14)
            recall.close()
            assert np.isfinite(recall.of(KEY).history.view().cpu_mhz).sum() == 28
    assert set(caplog.messages) == {"history not written"}


def test_a_cluster_that_is_not_worked_on_any_more_is_written_and_let_go() -> None:
    store = MemoryHistory()
    recall = recall_of(store)
    run(recall, 0, 1)
    assert recall.vms == 2
    recall.keep([])
    assert recall.vms == 0
    assert store.oldest() == NOON

"""The memory of demand outlives the process, and does without its store where that fails."""

import logging
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from balancer.adapters.store.history_sqlite import SqliteHistory
from balancer.model.errors import StoreError
from balancer.model.rollup import Block, Kind, Measure, Series, Statistic
from balancer.model.scale import worst_error_ratio
from balancer.policy.types import Policy
from balancer.recall import Recall
from tests.support.builders import NOON, host, snapshot, vm
from tests.support.histories import MemoryHistory

KEY = "vc1/prod"
DAYS = 2


class Full(MemoryHistory):
    """A history whose disk is full."""

    def put(self, cluster: str, block: Block) -> None:
        raise StoreError("disk is full")


def recall_of(store: MemoryHistory | SqliteHistory | None) -> Recall:
    return Recall(store, five_minute_days=DAYS, hourly_days=60, most_bytes=10**6)


def run(recall: Recall, first: int, steps: int, *, vcpus: int = 2) -> None:
    """Run so many steps of five minutes from `first` on; each VM wants more from step to step."""
    for step in range(first, first + steps):
        at = NOON + timedelta(seconds=300 * step)
        vms = [vm(n, 1, vcpus=vcpus, cpu_demand_mhz=100.0 * n + step) for n in (1, 2)]
        snap = snapshot([host(1, cpu_usage_mhz=50.0 + step)], vms, taken_at=at)
        recall.of(KEY).seen(snap, Policy())


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

"""What a source remembers fills the gaps of the memory, beside the cycles, and never what was measured."""

import logging
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import numpy as np
import pytest

from balancer.adapters.vsphere.past_blocks import CPU
from balancer.model.errors import SourceUnreachable
from balancer.model.rollup import Block, Kind, Member
from balancer.model.vm import Vm
from balancer.policy.types import Policy
from balancer.recall import Recall
from tests.support.builders import NOON, host, snapshot, vm
from tests.support.histories import MemoryHistory

KEY = "vc1/prod"
WAIT_S = 60.0


class Remembering:
    """A source that knows 50 MHz of each VM over the last `days`, or fails with `error`."""

    def __init__(self, *, days: int = 7, error: Exception | None = None) -> None:
        self.days, self.error = days, error
        self.asked: list[tuple[int, datetime]] = []
        self.may_answer, self.has_answered = threading.Event(), threading.Event()

    def read(self, vms: Sequence[Vm], until: datetime) -> Iterator[Block]:
        self.asked.append((len(vms), until))
        try:
            assert self.may_answer.wait(WAIT_S)
            if self.error is not None:
                raise self.error
            members = tuple(Member(identity=each.uuid or each.id) for each in vms)
            shape = (self.days * 48, len(members))
            yield Block(
                kind=Kind.VM,
                starts_at=until - timedelta(days=self.days),
                step_s=1800.0,
                members=members,
                figures={CPU: np.full(shape, 50.0, np.float32)},
            )
        finally:
            self.has_answered.set()


def recall_of(store: MemoryHistory | None = None) -> Recall:
    return Recall(store, five_minute_days=7, memory_days=7, hourly_days=60, most_bytes=10**9)


def cycle(recall: Recall, past: Remembering, step: int) -> None:
    vms = [vm(n, 1, cpu_demand_mhz=100.0) for n in (1, 2)]
    snap = snapshot([host(1)], vms, taken_at=NOON + timedelta(seconds=300 * step))
    recall.of(KEY, past).seen(snap, Policy())


def known(recall: Recall) -> int:
    return int(np.isfinite(recall.of(KEY).history.view().cpu_mhz).sum())


def answered(past: Remembering) -> None:
    past.may_answer.set()
    assert past.has_answered.wait(WAIT_S)
    for thread in threading.enumerate():
        if thread.name == "past-demand":
            thread.join(WAIT_S)


def test_a_cycle_does_not_wait_and_the_next_one_takes_what_has_come() -> None:
    recall, past = recall_of(), Remembering()
    cycle(recall, past, 0)  # the source has not answered yet
    assert (past.asked, known(recall)) == ([(2, NOON)], 2)
    answered(past)
    cycle(recall, past, 1)
    view = recall.of(KEY).history.view()
    assert np.isfinite(view.cpu_mhz).all()
    assert view.cpu_mhz[-2:].tolist() == [[100.0, 100.0]] * 2  # measured by ourselves
    assert view.cpu_mhz[:-2] == pytest.approx(50.0, rel=0.025)
    cycle(recall, past, 2)
    assert len(past.asked) == 1


def test_what_came_of_the_past_counts_at_once() -> None:
    """What was learnt without it would hold for six hours otherwise."""
    recall, past = recall_of(), Remembering()
    cycle(recall, past, 0)
    before = recall.of(KEY)._remembered
    answered(past)
    cycle(recall, past, 1)
    assert recall.of(KEY)._remembered is not before


@pytest.mark.parametrize(("days", "asks"), [(0, 1), (1, 1), (7, 0)])
def test_a_source_is_asked_only_where_little_of_the_last_week_is_known(
    days: int, asks: int
) -> None:
    store = MemoryHistory()
    if days:
        times = np.arange(days * 288)
        store.put(
            KEY,
            Block(
                kind=Kind.VM,
                starts_at=NOON - timedelta(days=days),
                step_s=300.0,
                members=(Member(identity="vm-1"),),
                figures={CPU: np.full((len(times), 1), 70.0, np.float32)},
            ),
        )
    recall, past = recall_of(store), Remembering()
    past.may_answer.set()
    cycle(recall, past, 0)
    assert len(past.asked) == asks


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (SourceUnreachable("the vCenter is away: see its network"), "past demand not read"),
        (RuntimeError("a fault of ours"), "past demand not read, unexpectedly"),
    ],
)
def test_a_source_that_fails_costs_one_line(
    error: Exception, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    recall, past = recall_of(), Remembering(error=error)
    with caplog.at_level(logging.WARNING):
        cycle(recall, past, 0)
        answered(past)
        cycle(recall, past, 1)
    assert (caplog.messages, known(recall)) == ([line], 4)

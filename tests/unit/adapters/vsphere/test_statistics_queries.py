"""Statistics are asked for side by side, no more at a time than is set, and by turns after a refusal."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from balancer.adapters.vsphere import statistics
from balancer.adapters.vsphere.batches import FIRST_SIZE, LARGEST_SIZE, BatchSize
from balancer.adapters.vsphere.counters import VM_COUNTERS
from balancer.adapters.vsphere.perf import Cause, Refused
from balancer.adapters.vsphere.queue import Queue, side_by_side
from balancer.adapters.vsphere.samples import Samples
from balancer.adapters.vsphere.statistics import MOST_FAILURES, StatisticsReader
from balancer.model.errors import SourceUnreachable
from tests.support import builders
from tests.support.vsphere import HeardRequests
from tests.unit.adapters.vsphere.test_samples import NOON
from tests.unit.adapters.vsphere.test_settings_and_guard import settings

if TYPE_CHECKING:
    from balancer.adapters.vsphere.session import Session

AT_ONCE = 3


class Server:
    """Answers queries of up to `largest` entities; the first `together` of those after one wait for each other."""

    def __init__(
        self, *, largest: int = LARGEST_SIZE, together: int = 0, most_metrics: int = 0
    ) -> None:
        self.largest, self.most_metrics = largest, most_metrics
        self.asked: list[int] = []
        self.running = self.most_running = 0
        self._lock = threading.Lock()
        self._meeting = threading.Barrier(together) if together else None
        self.failure: Exception | None = None

    def __call__(self, opened: Any, refs: Any, meters: Any, **_: Any) -> Any:
        with self._lock:
            self.asked.append(len(refs))
            self.running += 1
            self.most_running = max(self.most_running, self.running)
            is_first = len(self.asked) == 1
        try:
            if self._meeting is not None and not is_first:
                self._meeting.wait(timeout=60)
            if self.failure is not None and not is_first:
                raise self.failure
            if len(refs) > self.largest:
                return Refused(cause=Cause.REFUSED, detail="too many")
            return tuple(Samples(id=ref._GetMoId()) for ref in refs)
        finally:
            with self._lock:
                self.running -= 1


Made = Callable[..., StatisticsReader]


@pytest.fixture
def reader_of(monkeypatch: pytest.MonkeyPatch) -> Made:
    def made(server: Server, *, at_once: int = AT_ONCE, pool_size: int = 8) -> StatisticsReader:
        limit = server.most_metrics or None
        catalogue = SimpleNamespace(of=lambda wanted: ["a meter"])
        offer = SimpleNamespace(catalogue=catalogue, interval_s=20, most_metrics=limit)
        monkeypatch.setattr(statistics, "query", server)
        monkeypatch.setattr(statistics, "offer_of", lambda opened, probe: offer)
        opened = SimpleNamespace(stub=None)
        place = settings(concurrency=at_once, pool_size=pool_size)
        session = SimpleNamespace(settings=place, opened=lambda: opened)
        return StatisticsReader(cast("Session", session), observer=HEARD)

    HEARD.samplings.clear()
    return made


HEARD = HeardRequests()


def read(reader: StatisticsReader, count: int) -> dict[str, int]:
    """Read VMs and return how many had which outcome; samples without values are none."""
    vms = [builders.vm(number, on=1) for number in range(1, count + 1)]
    reader.applied([], vms, now=NOON, all_hosts=[builders.host(1)])
    return {word: found for (_, word), found in HEARD.samplings.items()}


def test_after_one_answer_queries_are_under_way_side_by_side(reader_of: Made) -> None:
    server = Server(together=AT_ONCE)
    assert read(reader_of(server), 200) == {"no_samples": 200}
    assert server.most_running == AT_ONCE
    # 75 were never answered before: one query tries them, the others keep to what was.
    assert (server.asked[0], sorted(server.asked[1:])) == (50, [25, 50, 75])


@pytest.mark.parametrize(("at_once", "pool_size"), [(1, 8), (4, 1)])
def test_there_are_never_more_than_is_set(reader_of: Made, at_once: int, pool_size: int) -> None:
    server = Server()
    read(reader_of(server, at_once=at_once, pool_size=pool_size), 500)
    assert (server.most_running, sum(server.asked)) == (1, 500)


@pytest.mark.parametrize("largest", [1, 6, 30, 60])
def test_refused_batches_are_halved_and_nobody_is_lost(reader_of: Made, largest: int) -> None:
    server = Server(largest=largest)
    assert read(reader_of(server), 400) == {"no_samples": 400}
    assert sum(size for size in server.asked if size <= largest) == 400
    assert sum(size > largest for size in server.asked) < MOST_FAILURES


def test_a_server_that_refuses_everything_is_asked_by_turns_and_given_up(reader_of: Made) -> None:
    server = Server(largest=0)
    assert read(reader_of(server), 400) == {"refused": 400}
    assert (server.most_running, len(server.asked)) == (1, MOST_FAILURES)


def test_the_servers_limit_holds_for_the_first_query_too(reader_of: Made) -> None:
    server = Server(most_metrics=64)
    assert read(reader_of(server), 100) == {"no_samples": 100}
    assert max(server.asked) == 64 // len(VM_COUNTERS)


def test_an_error_of_one_query_ends_the_reading(reader_of: Made) -> None:
    server = Server()
    server.failure = SourceUnreachable("gone")
    with pytest.raises(SourceUnreachable, match="gone"):
        read(reader_of(server), 5_000)
    assert len(server.asked) <= 1 + AT_ONCE


def test_a_size_that_was_never_answered_is_tried_by_one_at_a_time() -> None:
    size = BatchSize()
    size.worked(FIRST_SIZE)
    tried, other = size.begun(), size.begun()
    assert (tried, other) == (75, FIRST_SIZE)
    size.ended(other)
    assert size.begun() == FIRST_SIZE
    size.refused(tried)
    size.ended(tried)
    assert size.begun() == 37


def test_sizes_grow_as_they_are_answered() -> None:
    size = BatchSize()
    for _ in range(10):
        now = size.begun()
        size.worked(now)
        size.ended(now)
    assert size.begun() == LARGEST_SIZE


def test_what_broke_off_is_tried_again() -> None:
    size = BatchSize()
    size.worked(FIRST_SIZE)
    tried = size.begun()
    size.ended(tried)
    assert size.begun() == tried


def test_a_queue_gives_out_each_key_once_and_first_what_was_put_back() -> None:
    queue = Queue(["a", "b", "c"])
    first = queue.taken(2)
    queue.put_back(first[1:])
    assert (queue.taken(5), queue.holds_any()) == (["b", "c"], False)


def test_nobody_goes_on_after_a_refusal() -> None:
    queue = Queue(map(str, range(50)))
    queue.is_calm = True

    def step() -> None:
        queue.taken(1)
        queue.is_calm = False

    side_by_side(queue, step, workers=AT_ONCE)
    assert len(queue.drop()) >= 50 - AT_ONCE

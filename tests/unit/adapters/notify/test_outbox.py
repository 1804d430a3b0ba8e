"""What waits for a channel: told together, tried again, bounded, and never in the way of anybody."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from balancer.adapters.notify.bulletin import Bulletin
from balancer.adapters.notify.notifier import Notifier
from balancer.adapters.notify.outbox import MOST_WAITING, TRIES, Outbox
from balancer.config.notify import Channel
from balancer.model.errors import DeliveryFailed
from balancer.model.notice import NoticeKind, Severity
from tests.support.builders import NOON
from tests.support.fakes import FakeClock
from tests.unit.adapters.notify.notices import channel, notice

SOON_S = 20.0


class Wire:
    """Takes bulletins; fails with `errors` first, in order. `wait_for` waits for tries."""

    def __init__(
        self, errors: Sequence[Exception] = (), gate: threading.Event | None = None
    ) -> None:
        self.tried: list[Bulletin] = []
        self._errors = list(errors)
        self._gate = gate
        self._news = threading.Condition()

    def send(self, bulletin: Bulletin) -> None:
        with self._news:
            self.tried.append(bulletin)
            self._news.notify_all()
            error = self._errors.pop(0) if self._errors else None
        if self._gate:
            self._gate.wait(SOON_S)
        if error:
            raise error

    def wait_for(self, count: int) -> list[Bulletin]:
        with self._news:
            assert self._news.wait_for(lambda: len(self.tried) >= count, SOON_S)
            return list(self.tried)


class Counted:
    """Counts what became of notices, and lets a test wait for it."""

    def __init__(self) -> None:
        self.results: Counter[str] = Counter()
        self._news = threading.Condition()

    def __call__(self, result: str, notices: int) -> None:
        with self._news:
            self.results[result] += notices
            self._news.notify_all()

    def wait_for(self, result: str, notices: int) -> None:
        with self._news:
            assert self._news.wait_for(lambda: self.results[result] >= notices, SOON_S)


def outbox(wire: Wire, counted: Counted, of: Channel | None = None, **facts: Any) -> Outbox:
    patience: dict[str, Any] = {"gather_s": 0.0, "first_pause_s": 0.001} | facts
    return Outbox(of or channel(), wire.send, now=lambda: NOON, count=counted, **patience)


def ended(box: Outbox) -> bool:
    box.stopping()
    return box.ended(SOON_S)


def test_a_storm_of_failures_becomes_one_message() -> None:
    wire, counted = Wire(), Counted()
    box = outbox(wire, counted)
    for number in range(500):
        box.put(notice(number))
    box.start()
    counted.wait_for("delivered", 500)

    assert ended(box)
    assert [len(one.notices) for one in wire.tried] == [500]


def test_where_too_many_wait_the_oldest_are_dropped_and_counted() -> None:
    wire, counted = Wire(), Counted()
    box = outbox(wire, counted)
    for number in range(MOST_WAITING + 7):
        box.put(notice(number))
    box.start()
    counted.wait_for("delivered", MOST_WAITING)

    assert ended(box)
    (told,) = wire.tried
    assert told.dropped == 7
    assert told.notices[0] == notice(7)
    assert counted.results == {"dropped": 7, "delivered": MOST_WAITING}


def test_a_failed_try_is_repeated_with_the_same_id() -> None:
    later = DeliveryFailed("it answered 503", is_transient=True)
    wire, counted = Wire([later, later]), Counted()
    box = outbox(wire, counted)
    box.start()
    box.put(notice())
    counted.wait_for("delivered", 1)

    assert ended(box)
    assert len({one.id for one in wire.tried}) == 1
    assert len(wire.tried) == 3


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (DeliveryFailed("it answered 404", is_transient=False), 1),
        (DeliveryFailed("no answer in time", is_transient=True), TRIES),
    ],
    ids=["for good", "again and again"],
)
def test_what_cannot_be_delivered_is_told_to_the_log_and_counted(
    error: DeliveryFailed, tries: int, caplog: pytest.LogCaptureFixture
) -> None:
    wire, counted = Wire([error] * TRIES), Counted()
    box = outbox(wire, counted)
    box.start()
    box.put(notice())
    counted.wait_for("failed", 1)

    assert len(wire.tried) == tries
    assert ended(box)
    (told,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert told.message == "notification not delivered"
    assert (told.channel, told.error) == ("ops", str(error))  # type: ignore[attr-defined]


def test_an_error_that_nobody_foresaw_ends_no_worker(caplog: pytest.LogCaptureFixture) -> None:
    wire, counted = Wire([RuntimeError("boom")]), Counted()
    box = outbox(wire, counted)
    box.start()
    box.put(notice(1))
    counted.wait_for("failed", 1)
    box.put(notice(2))
    counted.wait_for("delivered", 1)

    assert ended(box)
    assert "notification failed unexpectedly" in caplog.text


def test_a_channel_that_hangs_holds_up_neither_who_tells_nor_a_stop() -> None:
    gate = threading.Event()
    wire, counted = Wire(gate=gate), Counted()
    box = outbox(wire, counted)
    notifier = Notifier([box], clock=FakeClock(), results=lambda *_: None)
    notifier.start()
    notifier.tell(notice(1))
    wire.wait_for(1)
    for number in range(2, 2 * MOST_WAITING):
        notifier.tell(notice(number))

    assert not notifier.stop()
    gate.set()
    assert box.ended(SOON_S)


def test_a_stop_still_tells_what_waits() -> None:
    wire, counted = Wire(), Counted()
    box = outbox(wire, counted, channel(least_interval_s=3600.0))
    box.start()
    box.put(notice(1))
    counted.wait_for("delivered", 1)
    box.put(notice(2))

    assert ended(box)
    assert [one.notices for one in wire.tried] == [(notice(1),), (notice(2),)]


def test_a_stop_ends_the_repeats() -> None:
    wire, counted = Wire([DeliveryFailed("later", is_transient=True)] * 99), Counted()
    box = outbox(wire, counted, first_pause_s=300.0)
    box.start()
    box.put(notice())
    wire.wait_for(1)

    assert ended(box)
    assert counted.results == {"failed": 1}


@pytest.mark.parametrize(
    ("chosen", "is_wanted"),
    [
        ({}, True),
        ({"events": (NoticeKind.MIGRATION_FAILED,)}, True),
        ({"events": (NoticeKind.BREAKER_OPENED,)}, False),
        ({"clusters": ("main/prod-a",)}, True),
        ({"clusters": ("main/prod-b", "other/prod-a")}, False),
        ({"least_severity": Severity.WARNING}, True),
        ({"least_severity": Severity.ERROR}, False),
    ],
)
def test_a_channel_is_told_what_it_was_chosen_for(chosen: dict[str, Any], is_wanted: bool) -> None:
    assert outbox(Wire(), Counted(), channel(**chosen)).wants(notice()) is is_wanted


def told_twice(clock: FakeClock, between: Callable[[], None]) -> tuple[Wire, Counter[str]]:
    wire, counted, results = Wire(), Counted(), Counter[str]()
    box = outbox(wire, counted)
    notifier = Notifier(
        [box], clock=clock, results=lambda _, result, count: results.update({result: count})
    )
    notifier.tell(notice())
    between()
    notifier.tell(notice())
    box.start()
    counted.wait_for("delivered", 1)
    assert ended(box)
    return wire, results


def test_the_same_is_not_told_twice_within_the_hour() -> None:
    clock = FakeClock()
    wire, results = told_twice(clock, lambda: clock.sleep(3599.0))
    assert [len(one.notices) for one in wire.tried] == [1]
    assert results == {"repeated": 1}


def test_the_same_is_told_again_after_an_hour() -> None:
    clock = FakeClock()
    wire, results = told_twice(clock, lambda: clock.sleep(3600.0))
    assert [len(one.notices) for one in wire.tried] == [2]
    assert results == {}


def test_without_channels_nobody_listens() -> None:
    notifier = Notifier([], clock=FakeClock(), results=lambda *_: None)
    assert notifier.heralds("main", "prod-a") == ()

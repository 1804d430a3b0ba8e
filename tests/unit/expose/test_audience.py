"""Everybody hears what is told, whoever else fails at it."""

from datetime import UTC, datetime

import pytest

from balancer.expose.audience import Audience
from balancer.model.events import CycleFailed, Event

FAILED = CycleFailed(why="vCenter main: no route to host", at=datetime(2026, 1, 1, tzinfo=UTC))


class Ear:
    def __init__(self) -> None:
        self.heard: list[Event] = []

    def tell(self, event: Event) -> None:
        self.heard.append(event)


class Deaf:
    def tell(self, event: Event) -> None:
        raise RuntimeError("cannot hear")


def test_every_listener_hears_every_event_in_order() -> None:
    first, second = Ear(), Ear()
    Audience([first, second]).tell(FAILED)
    assert first.heard == second.heard == [FAILED]


def test_a_listener_that_fails_keeps_nobody_else_from_hearing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ear = Ear()
    Audience([Deaf(), ear]).tell(FAILED)
    assert ear.heard == [FAILED]
    assert [record.message for record in caplog.records] == ["a listener failed"]

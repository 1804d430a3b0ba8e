"""Once a day old rows are dropped and the audit log's head is told."""

import logging
from datetime import datetime, timedelta

import pytest

from balancer.adapters.store.memory import MemoryStore
from balancer.model.errors import StoreError
from balancer.model.outcome import MoveState, RowQuery
from balancer.upkeep import keep_up
from tests.support.builders import NOON
from tests.support.fakes import FakeClock
from tests.support.journal import begun, entry, step


class Full(MemoryStore):
    """A journal whose disk is full."""

    def forget(self, before: datetime) -> int:
        raise StoreError("disk is full")


@pytest.mark.parametrize(("age_days", "left"), [(89, 2), (91, 1)])
def test_what_is_older_than_the_retention_goes(age_days: int, left: int) -> None:
    store, clock = MemoryStore(), FakeClock()
    at = clock.now() - timedelta(days=age_days)
    for number in (1, 2):
        row = begun(store, entry(number, intended_at=at))
        store.advance(row, step(MoveState.DONE, (at - NOON).total_seconds()))
    keep_up(store, clock, 90)
    assert len(store.find_rows(RowQuery())) == left


def test_the_audit_logs_head_is_told(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    begun(store, entry())
    with caplog.at_level(logging.INFO):
        keep_up(store, FakeClock(), 90)
    (told,) = [record for record in caplog.records if record.message == "audit head"]
    (head,) = store.audit_entries(last=1)
    assert (told.__dict__["number"], told.__dict__["digest"]) == (1, head.digest)


def test_a_journal_that_cannot_be_written_stops_no_upkeep_for_good(
    caplog: pytest.LogCaptureFixture,
) -> None:
    keep_up(Full(), FakeClock(), 90)
    assert "journal not kept in bounds" in caplog.messages

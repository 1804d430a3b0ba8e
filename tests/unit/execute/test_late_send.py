"""Between an intent and its call little time may pass: a process that was frozen there sends nothing."""

from dataclasses import replace
from datetime import timedelta

import pytest

from balancer.adapters.store.memory import MemoryStore
from balancer.execute.start import SEND_WITHIN_S
from balancer.execute.tenure import LASTS_S
from balancer.model.lease import Permit
from balancer.model.outcome import JournalEntry, MoveState
from tests.support.fakes import FakeClock
from tests.unit.execute.stage import Stage, move, vm_id


class SlowStore(MemoryStore):
    """A store whose intents take their time: the disk is slow, or the process was frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.takes_s = FakeClock(), 0.0

    def begin(self, entry: JournalEntry, permit: Permit) -> int:
        row = super().begin(entry, permit)
        self.clock.sleep(self.takes_s)
        return row


def slow_stage(takes_s: float, lease_s: float = LASTS_S) -> Stage:
    store = SlowStore()
    stage = Stage(store=store)
    store.clock, store.takes_s = stage.clock, takes_s
    stage.tools = replace(stage.tools, lease_s=lease_s)
    return stage


def test_a_call_in_time_after_its_intent_is_made() -> None:
    stage = slow_stage(SEND_WITHIN_S - 0.1)
    stage.run(move(1, 1, 2))

    assert stage.states == [("m-001", MoveState.DONE)]


def test_s4_a_call_that_comes_too_late_after_its_intent_is_not_made() -> None:
    stage = slow_stage(SEND_WITHIN_S)
    outcome = stage.run(move(1, 1, 2))["m-001"]

    assert stage.states == [("m-001", MoveState.ABORTED)]
    assert stage.vcenter.submits[vm_id(1)] == 0
    assert outcome.detail == "not sent: the intent took 2.0 s, 2 s are allowed"


def test_s4_a_call_is_not_made_under_a_lease_that_may_end_before_it_arrives() -> None:
    stage = slow_stage(1.5, lease_s=2.0)
    outcome = stage.run(move(1, 1, 2))["m-001"]

    assert (outcome.state, stage.vcenter.submits[vm_id(1)]) == (MoveState.ABORTED, 0)
    assert "lease" in outcome.detail


@pytest.mark.parametrize("lease_s", [3.0, 30.0])
def test_a_lease_lasts_as_long_as_it_was_asked_for_and_is_renewed_by_a_run(lease_s: float) -> None:
    stage = slow_stage(0.0, lease_s=lease_s)
    with stage.tools.tenure() as tenure:
        assert tenure.lease is not None
        assert tenure.lease.expires_at == stage.clock.now() + timedelta(seconds=lease_s)
        stage.clock.sleep(lease_s / 2)
        assert tenure.refusal() is None
        assert tenure.lease.expires_at == stage.clock.now() + timedelta(seconds=lease_s)

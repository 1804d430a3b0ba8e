"""Pause, stop and a journal that fails: nothing new is sent, what runs is watched or left (S2, S8)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest

from balancer.adapters.store.memory import MemoryStore
from balancer.model.errors import StoreError
from balancer.model.events import MoveEnded
from balancer.model.lease import Lease, Permit
from balancer.model.outcome import JournalEntry, JournalRow, JournalStep, MoveState
from balancer.model.reasons import Reason, Refusal
from balancer.model.units import ClusterId
from balancer.policy.types import Limits
from tests.support.fakes import Script
from tests.support.journal import ANY_NUMBER
from tests.unit.execute.stage import Stage, move, vm_id

DONE = MoveState.DONE
ONE_BY_ONE = Limits(migrations_per_host=1, plan_age_s=1e6)


@pytest.mark.parametrize(
    "reason", [Reason.OBSERVE_MODE, Reason.SNAPSHOT_STALE, Reason.STOPPING], ids=str
)
def test_nothing_is_sent_when_nothing_may_be_sent(reason: Reason) -> None:
    stage = Stage(refusal=Refusal.of(reason, "told so"))
    outcomes = stage.run(move(1, 1, 2), move(2, 1, 3))
    assert {o.refusal for o in outcomes.values()} == {stage.refusal}
    assert (stage.vcenter.orders, stage.rows) == ([], ())
    assert stage.clock.monotonic() == 0


def test_a_pause_lets_what_runs_end_and_starts_nothing() -> None:
    stage = Stage(limits=ONE_BY_ONE)
    stage.stop_at(10, Reason.SNAPSHOT_STALE)
    outcomes = stage.run(move(1, 1, 2, gain=1.0), move(2, 1, 2))
    assert outcomes["m-001"].state is DONE
    refusal = outcomes["m-002"].refusal
    assert refusal
    assert refusal.reason is Reason.SNAPSHOT_STALE
    assert len(stage.vcenter.orders) == 1


def test_a_pause_that_ends_while_something_runs_holds_nothing_back_for_good() -> None:
    stage = Stage(limits=ONE_BY_ONE)
    answers = {True: Refusal.of(Reason.SNAPSHOT_STALE), False: None}
    object.__setattr__(
        stage.tools, "may_submit", lambda: answers[10 <= stage.clock.monotonic() < 20]
    )
    outcomes = stage.run(move(1, 1, 2, gain=1.0), move(2, 1, 2))
    assert [o.state for o in outcomes.values()] == [DONE, DONE]


def test_a_stop_returns_within_one_poll_and_leaves_the_rows_open() -> None:
    stage = Stage(limits=ONE_BY_ONE)
    stage.stop_at(10.5, Reason.STOPPING)
    outcomes = stage.run(move(1, 1, 2, gain=1.0), move(2, 1, 2))
    assert stage.clock.monotonic() <= 10.5 + stage.tools.poll_s
    assert outcomes["m-001"].state is MoveState.SUBMITTED
    assert outcomes["m-001"].refusal is None
    refusal = outcomes["m-002"].refusal
    assert refusal
    assert refusal.reason is Reason.STOPPING
    assert [row.state for row in stage.store.open_rows("vc1")] == [MoveState.SUBMITTED]
    ended = [event.outcome.move.id for event in stage.events.of(MoveEnded)]
    assert ended == ["m-002"]


def test_a_stop_cancels_nothing() -> None:
    stage = Stage()
    stage.stop_at(5, Reason.STOPPING)
    stage.run(move(1, 1, 2))
    stage.clock.sleep(60)
    stage.vcenter.clusters()
    assert stage.place(1) == "host-2"


def test_a_stop_between_two_submits_is_heard() -> None:
    stage = Stage()
    object.__setattr__(
        stage.tools,
        "may_submit",
        lambda: Refusal.of(Reason.STOPPING) if stage.vcenter.orders else None,
    )
    stage.run(move(1, 1, 2), move(2, 1, 2))
    assert len(stage.vcenter.orders) == 1


class FailingStore(MemoryStore):
    """A journal that fails when told to: `fails(method, number of calls so far)`."""

    def __init__(self, fails: Callable[[str, int], bool]) -> None:
        super().__init__()
        self.fails = fails
        self.calls: dict[str, int] = {}

    def _try(self, method: str) -> None:
        number = self.calls.get(method, 0)
        self.calls[method] = number + 1
        if self.fails(method, number):
            raise StoreError(f"could not {method}: the disk is full")

    def begin(self, entry: JournalEntry, permit: Permit) -> int:
        self._try("begin")
        return super().begin(entry, permit)

    def take_lease(self, shard: str, holder: str, *, at: datetime, lasts_s: float) -> Lease | None:
        self._try("take_lease")
        return super().take_lease(shard, holder, at=at, lasts_s=lasts_s)

    def advance(self, row: int, step: JournalStep) -> None:
        self._try("advance")
        super().advance(row, step)

    def open_rows(self, vcenter: str) -> tuple[JournalRow, ...]:
        self._try("open_rows")
        return super().open_rows(vcenter)


def failing(fails: Callable[[str, int], bool]) -> Stage:
    return Stage(store=FailingStore(fails), limits=ONE_BY_ONE)


def reasons_of(outcomes: dict[str, object]) -> list[Reason]:
    return [o.refusal.reason for o in outcomes.values() if o.refusal]  # type: ignore[attr-defined]


def test_without_a_durable_intent_nothing_is_sent() -> None:
    stage = failing(lambda method, _: method == "begin")
    outcomes = stage.run(move(1, 1, 2), move(2, 1, 3))
    assert reasons_of(outcomes) == [Reason.JOURNAL_UNAVAILABLE] * 2
    assert stage.vcenter.orders == []
    assert stage.store.calls["begin"] == 1


def test_a_journal_that_fails_later_stops_the_rest_and_what_runs_is_watched_on() -> None:
    stage = failing(lambda method, number: method == "begin" and number == 1)
    outcomes = stage.run(move(1, 1, 2, gain=2.0), move(2, 1, 2, gain=1.0), move(3, 1, 2))
    assert outcomes["m-001"].state is DONE
    assert reasons_of(outcomes) == [Reason.JOURNAL_UNAVAILABLE] * 2
    assert len(stage.vcenter.orders) == 1


def test_a_journal_that_cannot_be_read_stops_everything() -> None:
    stage = failing(lambda method, _: method == "open_rows")
    outcomes = stage.run(move(1, 1, 2))
    assert reasons_of(outcomes) == [Reason.JOURNAL_UNAVAILABLE]
    assert stage.vcenter.orders == []


def test_without_a_lease_that_can_be_written_nothing_is_sent() -> None:
    stage = failing(lambda method, _: method == "take_lease")
    outcomes = stage.run(move(1, 1, 2))
    assert reasons_of(outcomes) == [Reason.JOURNAL_UNAVAILABLE]
    assert stage.vcenter.orders == []


def test_a_step_that_could_not_be_written_is_written_as_soon_as_possible() -> None:
    stage = failing(lambda method, number: method == "advance" and number < 5)
    outcomes = stage.run(move(1, 1, 2, gain=1.0), move(2, 1, 2))
    assert [o.state for o in outcomes.values()] == [DONE, DONE]
    assert [(row.state, row.task) for row in stage.rows] == [(DONE, "task-1"), (DONE, "task-2")]


def test_a_journal_that_stays_behind_lets_nothing_more_be_sent() -> None:
    stage = failing(lambda method, _: method == "advance")
    outcomes = stage.run(move(1, 1, 2, gain=1.0), move(2, 1, 2))
    assert outcomes["m-001"].state is DONE
    assert reasons_of(outcomes) == [Reason.JOURNAL_UNAVAILABLE]
    assert [row.state for row in stage.rows] == [MoveState.INTENT]


class CrowdedStore(MemoryStore):
    """A journal into which another cluster of the same vCenter writes at the same moment."""

    def __init__(self, rivals: int) -> None:
        super().__init__()
        self.rivals = rivals

    def begin(self, entry: JournalEntry, permit: Permit) -> int:
        free = replace(permit, allowance=ANY_NUMBER)
        for number in range(self.rivals):
            super().begin(_rival(entry, number), free)
        self.rivals = 0
        return super().begin(entry, permit)


def _rival(entry: JournalEntry, number: int) -> JournalEntry:
    return JournalEntry(
        vcenter=entry.vcenter,
        cluster=ClusterId("domain-c2"),
        plan_id="p2",
        cycle_id="c2",
        move_id=entry.move_id,
        vm=vm_id(1000 + number),
        vm_name="rival",
        vm_uuid="",
        source=entry.source,
        target=entry.target,
        reason=entry.reason,
        expected_seconds=10.0,
        intended_at=entry.intended_at,
    )


def test_the_last_slot_of_a_vcenter_is_taken_by_one_cluster_only() -> None:
    limits = Limits(migrations_per_vcenter=2)
    stage = Stage(store=CrowdedStore(2), limits=limits)
    refusal = stage.run(move(1, 1, 2))["m-001"].refusal
    assert refusal
    assert refusal.reason is Reason.PLAN_TOO_OLD
    assert stage.vcenter.orders == []
    assert stage.states == []


def test_a_slot_left_over_by_another_cluster_is_used() -> None:
    stage = Stage(store=CrowdedStore(1), limits=Limits(migrations_per_vcenter=2))
    assert stage.run(move(1, 1, 2))["m-001"].state is DONE


def test_scripted_durations_are_kept_by_the_clock_alone() -> None:
    stage = Stage()
    stage.vcenter.default = Script(seconds=7)
    stage.run(move(1, 1, 2))
    assert sum(stage.clock.naps) == pytest.approx(7, abs=1)

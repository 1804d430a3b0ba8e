"""What is told to the audit log beside the journal: plans, why one was held, and moves that were not sent (S10)."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from balancer.adapters.store.memory import MemoryStore
from balancer.execute.chronicle import Chronicle
from balancer.model.audit import AuditNote
from balancer.model.decision import Answer
from balancer.model.errors import StoreError
from balancer.model.plan import Plan, PlanStatus
from balancer.model.reasons import Reason, Refusal
from tests.support.builders import NOON
from tests.support.decided import DECISION
from tests.unit.execute import stage

HELD = Refusal.of(Reason.DRS_AUTOMATED, "its own DRS is fully automated")
QUIET = replace(stage.plan(), status=PlanStatus.BALANCED, mode="automatic")
BUSY = replace(stage.plan(stage.move(1, 1, 2)), mode="automatic")


class Deaf(MemoryStore):
    """A journal whose disk is full."""

    def note(self, note: AuditNote) -> None:
        raise StoreError(f"could not write {note.action}")


def tell(chronicle: Chronicle, store: MemoryStore, plan: Plan, held: Refusal | None = None) -> None:
    chronicle.planned(plan, held, audit=store, shard="vc1/prod", at=NOON)


def noted(store: MemoryStore) -> list[tuple[str, Mapping[str, object]]]:
    return [(entry.note.action, entry.note.facts) for entry in store.audit_entries(last=99)]


def test_a_plan_like_the_one_before_is_told_once() -> None:
    store, chronicle = MemoryStore(), Chronicle()
    for _ in range(3):
        tell(chronicle, store, QUIET)
    assert [action for action, _ in noted(store)] == ["plan.made"]


def test_what_was_decided_is_told_with_its_figures_and_anew_when_it_changes() -> None:
    store, chronicle = MemoryStore(), Chronicle()
    for answer in (
        Answer.BELOW_TRIGGER,
        Answer.IN_BAND,
        Answer.NOT_SUSTAINED,
        Answer.NOT_SUSTAINED,
    ):
        balance = replace(DECISION.balance, answer=answer)
        decision = replace(DECISION, balance=balance, bargain=None)
        tell(chronicle, store, replace(QUIET, decision=decision))
    assert [facts["balance"] for _, facts in noted(store)] == [
        {
            "answer": answer,
            "now": 0.06,
            "trigger": 0.05,
            "looks_over": 1,
            "looks": 3,
            "host": "host-1",
        }
        for answer in ("below_trigger", "not_sustained")
    ]


def test_a_plan_with_moves_is_told_with_their_gain_and_price() -> None:
    store = MemoryStore()
    tell(Chronicle(), store, replace(BUSY, decision=DECISION))
    ((_, facts),) = noted(store)
    assert (facts["gain"], facts["price"]) == (2e-3, 1e-4)


def test_each_plan_that_is_acted_on_is_told() -> None:
    store, chronicle = MemoryStore(), Chronicle()
    for _ in range(2):
        tell(chronicle, store, BUSY)
    assert [facts["admitted"] for _, facts in noted(store)] == [1, 1]


def test_a_held_plan_is_told_once_with_the_reason() -> None:
    store, chronicle = MemoryStore(), Chronicle()
    for _ in range(2):
        tell(chronicle, store, BUSY, HELD)
    ((action, facts),) = noted(store)
    assert (action, facts["held"], facts["moves"]) == ("plan.held", "drs_automated", 1)
    assert store.audit_entries(last=1)[0].note.reason == HELD.told


@pytest.mark.parametrize(
    "other",
    [
        replace(QUIET, status=PlanStatus.DEGRADED),
        replace(QUIET, mode="observe"),
        replace(QUIET, mode_because=HELD),
        replace(QUIET, refusals=(Refusal.of(Reason.VGPU),)),
    ],
    ids=["status", "mode", "cause of the mode", "refusals"],
)
def test_a_plan_that_says_something_else_is_told_and_so_is_the_way_back(other: Plan) -> None:
    store, chronicle = MemoryStore(), Chronicle()
    for plan in (QUIET, other, other, QUIET):
        tell(chronicle, store, plan)
    assert len(noted(store)) == 3


def test_a_note_that_could_not_be_written_is_logged_and_tried_with_the_next_plan(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, chronicle = MemoryStore(), Chronicle()
    tell(chronicle, Deaf(), QUIET)
    assert "not written to the audit log" in caplog.messages
    tell(chronicle, store, QUIET)
    assert len(noted(store)) == 1


def test_s10_a_move_that_is_refused_at_its_start_is_noted_with_the_reason() -> None:
    made = stage.Stage()
    made.run(stage.move(1, 2, 3))
    (entry,) = made.store.audit_entries(last=9)
    note = entry.note
    assert (note.action, note.shard, note.subject) == ("move.refused", "vc1/prod", "vm1")
    assert note.reason == "vm1 is on esx1 now [source_changed]"
    assert note.facts["plan"] == "plan-1"


def test_s10_moves_that_a_stop_keeps_back_are_noted_together() -> None:
    made = stage.Stage(refusal=Refusal.of(Reason.STOPPING, "the daemon is stopping"))
    made.run(stage.move(1, 1, 2), stage.move(2, 1, 3))
    (entry,) = made.store.audit_entries(last=9)
    note = entry.note
    assert (note.action, note.subject, note.facts["moves"]) == ("moves.refused", "plan-1", 2)
    assert "the daemon is stopping" in note.reason


def test_a_refusal_that_cannot_be_noted_breaks_no_run() -> None:
    made = stage.Stage(store=Deaf(), refusal=Refusal.of(Reason.STOPPING))
    outcomes = made.run(stage.move(1, 1, 2))
    assert outcomes["m-001"].refusal is not None

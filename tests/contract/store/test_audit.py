"""The audit log in every store: what is written is noted, in one chain (S10)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from balancer.adapters.store.chain import GENESIS
from balancer.model.audit import AuditHead, AuditNote
from balancer.model.errors import IntentRefused, StoreError
from balancer.model.outcome import FailureKind, MoveState
from balancer.model.past import Breaker, VerdictResult
from balancer.ports import Store
from tests.support.builders import NOON
from tests.support.journal import CLUSTER, SHARD, begun, entry, permit_of, step
from tests.support.records import (
    VC,
    approval,
    disturbance,
    evacuation,
    foreign_move,
    pause,
    quarantine,
    stored_plan,
    verdict,
)

OPENED = Breaker(level=1, since=NOON, until=NOON, cause="3 in a row", is_open=True)


def deeds(store: Store) -> list[str]:
    assert store.verify_audit().is_whole
    return [entry.note.action for entry in store.audit_entries(last=1000)]


@pytest.mark.parametrize("state", [state for state in MoveState if state is not MoveState.INTENT])
def test_s10_each_state_of_a_move_is_noted_with_its_reason(store: Store, state: MoveState) -> None:
    row = begun(store, entry())
    store.advance(row, step(state, detail="why", fault="Timedout", kind=FailureKind.TRANSIENT))
    assert deeds(store) == ["move.intent", f"move.{state}"]
    note = store.audit_entries(last=1)[0].note
    assert (note.shard, note.subject, note.reason) == (SHARD, "vm1", "why")
    assert dict(note.facts) == {
        "row": row,
        "vm": "vm-1",
        "source": "host-1",
        "target": "host-2",
        "fault": "Timedout",
        "kind": "transient",
    }


def test_s10_an_intent_is_noted_with_the_token_that_it_was_written_under(store: Store) -> None:
    permit = permit_of(store)
    store.begin(entry(), permit)
    (noted,) = store.audit_entries(last=5)
    assert noted.note.facts["token"] == permit.lease.token
    assert noted.note.reason == "balance"


def test_what_is_not_written_is_not_noted(store: Store) -> None:
    permit = permit_of(store)
    row = store.begin(entry(), permit)
    store.advance(row, step(MoveState.DONE))
    with pytest.raises(StoreError):
        store.advance(row, step(MoveState.FAILED))
    store.pause(pause())
    with pytest.raises(IntentRefused):
        store.begin(entry(2), permit)
    assert deeds(store) == ["move.intent", "move.done", "pause"]


@pytest.mark.parametrize(
    ("deed", "action", "actor"),
    [
        (lambda s: s.pause(pause()), "pause", "ann"),
        (lambda s: s.ask_evacuation(evacuation()), "evacuation.asked", "ann"),
        (lambda s: s.put_quarantine(quarantine()), "quarantine", "balancer"),
        (lambda s: s.note_foreign_move(foreign_move()), "move.foreign", "balancer"),
        (lambda s: s.note_disturbance(disturbance()), "disturbance", "balancer"),
        (lambda s: s.put_breaker(VC, CLUSTER, OPENED, at=NOON), "breaker.opened", "balancer"),
        (
            lambda s: s.put_verdict(verdict(result=VerdictResult.WORSE)),
            "verdict.worse",
            "balancer",
        ),
        (
            lambda s: s.acknowledge_verdicts(VC, CLUSTER, by="ann", at=NOON),
            "verdicts.acknowledged",
            "ann",
        ),
    ],
)
def test_s10_decisions_and_human_actions_are_noted(
    store: Store, deed: Callable[[Store], object], action: str, actor: str
) -> None:
    deed(store)
    (noted,) = store.audit_entries(last=5)
    assert (noted.note.action, noted.note.actor, noted.note.at) == (action, actor, NOON)


def test_s10_ends_and_uses_are_noted(store: Store) -> None:
    store.pause(pause())
    store.resume(SHARD, by="bob", at=NOON)
    store.resume(SHARD, by="bob", at=NOON)
    store.end_evacuation(store.ask_evacuation(evacuation()), by="bob", at=NOON)
    store.approve(approval(store.keep_plan(stored_plan())))
    store.take_approval(SHARD, at=NOON)
    store.approve(approval(store.keep_plan(stored_plan()), rejected=True))
    assert deeds(store) == [
        *("pause", "resume", "evacuation.asked", "evacuation.ended"),
        *("plan.approved", "approval.used", "plan.rejected"),
    ]


def test_a_breaker_that_only_counts_is_not_noted(store: Store) -> None:
    store.put_breaker(VC, CLUSTER, OPENED, at=NOON)
    store.put_breaker(VC, CLUSTER, replace(OPENED, counted_to=7), at=NOON)
    store.put_breaker(VC, CLUSTER, Breaker(counted_to=7), at=NOON)
    assert deeds(store) == ["breaker.opened", "breaker.closed"]


def test_entries_follow_each_other_from_the_first_one_on(store: Store) -> None:
    assert store.verify_audit().head == GENESIS
    for number in range(3):
        store.note(AuditNote(at=NOON, action="plan.made", subject=f"p{number}"))
    first, second, third = store.audit_entries(last=3)
    assert [first.number, second.number, third.number] == [1, 2, 3]
    assert (first.previous, second.previous) == (GENESIS, first.digest)
    report = store.verify_audit()
    assert (report.entries, report.head, report.faults) == (3, third.digest, ())
    assert store.audit_entries(last=1) == (third,)
    assert store.audit_entries(last=0) == ()


@pytest.mark.parametrize("text", ["", "\ud800", "a\x00b", "\u202e", "é😀", "x" * 10_000])
def test_any_text_can_be_noted_and_verified(store: Store, text: str) -> None:
    store.note(AuditNote(at=NOON, action="a", subject=text, reason=text, facts={"f": text}))
    store.note(AuditNote(at=NOON, action=text, actor=text, shard=text, facts={text: None}))
    assert store.verify_audit().is_whole


def test_facts_come_back_as_json_has_them(store: Store) -> None:
    facts = {"n": 1, "x": 0.1, "no": None, "yes": True, "many": ("a", 2), "at": NOON}
    store.note(AuditNote(at=NOON, action="a", facts=facts))
    (noted,) = store.audit_entries(last=1)
    assert dict(noted.note.facts) == {**facts, "many": ["a", 2], "at": str(NOON)}


def test_a_note_without_time_zone_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="no time zone"):
        store.note(AuditNote(at=NOON.replace(tzinfo=None), action="a"))


def test_a_head_that_was_noted_must_still_be_there(store: Store) -> None:
    for number in range(3):
        store.note(AuditNote(at=NOON + timedelta(seconds=number), action="a"))
    second, third = store.audit_entries(last=2)
    good = [AuditHead(number=e.number, digest=e.digest) for e in (second, third)]
    assert store.verify_audit(heads=good).is_whole
    (cut_off,) = store.verify_audit(heads=[AuditHead(number=4, digest="0" * 64)]).faults
    assert (cut_off.number, cut_off.detail) == (4, "is missing: the log ends at 3")
    (other,) = store.verify_audit(heads=[AuditHead(number=2, digest=third.digest)]).faults
    assert (other.number, other.detail) == (2, "is not the entry whose digest was noted")

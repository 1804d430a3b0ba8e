"""Verdicts as people and machines read them."""

import json
from dataclasses import replace

import pytest

from balancer.expose.text_layout import Paper
from balancer.expose.verdict_text import verdict_entries, verdicts_text
from balancer.model.after_action import AfterAction, after_actions
from balancer.model.past import Past
from tests.support.fakes import Script
from tests.unit.execute.judged import Court
from tests.unit.execute.stage import move, vm_id


def judged() -> Past:
    """Return a past of two batches: one measured, of which a move failed, and one pending."""
    court = Court()
    court.stage.vcenter.scripts[vm_id(2)] = Script(task_fault="Timedout")
    court.send(move(1, 1, 2, gain=0.04), move(2, 1, 3, gain=0.04))
    court.judge()
    court.send(move(3, 1, 3, gain=0.04))
    return court.past()


def test_each_verdict_has_its_figures_and_on_request_its_moves() -> None:
    actions = after_actions(judged())
    text = verdicts_text(actions, Paper(width=100), with_moves=True)
    first, *rest = text.splitlines()
    assert first.startswith("pending")
    told = " ".join(" ".join(rest).split())
    assert "better" in told
    assert "1 of 2 moves made" in told
    assert "of 40,000 millionths predicted" in told
    assert "vm1 from host-1 to host-2 (balance) done, 30 s, predicted 30 s" in told
    assert "vm2 from host-1 to host-3 (balance) failed" in told
    assert "vm1 from" not in verdicts_text(actions, Paper(width=100))


def test_who_acknowledged_a_verdict_is_told() -> None:
    action = after_actions(judged())[0]
    seen = replace(
        action.verdict, acknowledged_at=action.verdict.judged_at, acknowledged_by="ana\x1b[2J"
    )
    text = verdicts_text([replace(action, verdict=seen)], Paper(width=100))
    assert "acknowledged by ana" in text
    assert "\x1b" not in text


def test_the_document_has_what_was_predicted_beside_what_was_measured() -> None:
    done, pending = json.loads(json.dumps(verdict_entries(after_actions(judged()))))
    assert done["result"] == "better"
    assert done["predicted_gain"] == 0.04
    assert done["realized_ratio"] * 0.04 == pytest.approx(done["measured_gain"])
    assert [one["state"] for one in done["moves"]] == ["done", "failed"]
    assert done["moves"][0]["seconds"] == 30.0
    assert (pending["result"], pending["measured_gain"]) == ("pending", None)


def test_where_nothing_was_sent_it_says_so() -> None:
    assert verdicts_text((), Paper()) == "No batch of moves yet.\n"
    assert after_actions(Past()) == ()


def test_a_batch_whose_rows_are_forgotten_keeps_its_verdict() -> None:
    past = replace(judged(), rows=())
    actions: tuple[AfterAction, ...] = after_actions(past)
    assert [len(action.moves) for action in actions] == [0, 0]
    assert "0 of 0 moves made" in verdicts_text(actions, Paper())

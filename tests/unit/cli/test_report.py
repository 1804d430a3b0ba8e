"""`balancer report` as people type it, on a journal file and without any vCenter."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from balancer.adapters.store.sqlite import SqliteStore
from balancer.model.outcome import JournalStep, MoveState
from balancer.model.past import VerdictResult
from tests.support.journal import begun
from tests.support.records import verdict
from tests.unit.cli.test_control import Terminal, config, entry, say, store

__all__ = ["config", "say", "store"]


def sent(store: SqliteStore, end: MoveState = MoveState.DONE, *, hours_ago: float = 1.0) -> None:
    """Write a move that took 42 s, and its batch's verdict."""
    at = datetime.now(UTC) - timedelta(hours=hours_ago)
    row = begun(store, entry(intended_at=at), shard="vc1/prod")
    store.advance(row, JournalStep(state=MoveState.SUBMITTED, at=at, task="t"))
    store.advance(row, JournalStep(state=end, at=at + timedelta(seconds=42)))
    store.put_verdict(verdict("c1", result=VerdictResult.WORSE, detail="gain less", ended_at=at))


def test_a_day_is_reported_unless_something_else_is_asked_for(
    store: SqliteStore, say: Terminal
) -> None:
    sent(store)
    assert say("report") == 0
    assert say.out.startswith("Done: 1 of 1 move made in 1 batch; 42 s in migrations")
    assert "Batch c1: worse" in say.out
    assert "\x1b" not in say.out


def test_nothing_done_is_no_error(say: Terminal) -> None:
    assert say("report", "--since", "7d") == 0
    assert say.out.startswith("Nothing done: nothing was sent in this time.")


def test_a_report_as_json_fits_the_published_schema(store: SqliteStore, say: Terminal) -> None:
    sent(store)
    document = say.json("report", "--batch", "c1", schema="report")
    assert document["totals"]["states"] == {"done": 1}  # type: ignore[call-overload]
    assert document["batches"][0]["result"] == "worse"


@pytest.mark.parametrize(("form", "start"), [("markdown", "**Done: "), ("html", "<!doctype html>")])
def test_a_report_is_written_to_a_file(
    form: str, start: str, store: SqliteStore, say: Terminal, tmp_path: Path
) -> None:
    sent(store)
    path = tmp_path / "out"
    assert say("report", "--plan", "p1", "--format", form, "--output", str(path)) == 0
    assert say.out == ""
    assert path.read_text("utf-8").startswith(start)


@pytest.mark.parametrize(
    ("end", "code"), [(MoveState.DONE, 0), (MoveState.FAILED, 5)], ids=["all made", "one failed"]
)
def test_on_request_the_exit_code_says_whether_all_was_made(
    end: MoveState, code: int, store: SqliteStore, say: Terminal
) -> None:
    sent(store, end)
    assert say("report", "--detailed-exitcode") == code
    assert say("report") == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(("--batch", "c9"), "The newest batches are c1", id="no such batch"),
        pytest.param(("--since", "soon"), "a span as 90m, 24h or 7d", id="no time"),
        pytest.param(("--cluster", "nowhere"), "nowhere", id="no such cluster"),
        pytest.param(("--format", "xml"), "'text', 'json', 'markdown', 'html'", id="no such form"),
    ],
)
def test_a_wrong_question_is_answered_with_what_is_allowed(
    words: tuple[str, ...], told: str, store: SqliteStore, say: Terminal
) -> None:
    sent(store)
    assert say("report", *words) == 1
    assert told in " ".join(say.err.split())


def test_the_keys_of_a_document_come_in_one_order(store: SqliteStore, say: Terminal) -> None:
    sent(store)
    assert say("report", "--format", "json") == 0
    assert list(json.loads(say.out))[:4] == ["schema", "format_version", "made_at", "asked"]

"""What is told of a cluster: from the board what the daemon saw last, from the journal what holds now."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from balancer.adapters.files import parse_snapshot
from balancer.model.control import Evacuation
from balancer.model.events import CycleFailed, MoveProgressed
from balancer.model.outcome import JournalEntry, JournalStep, MoveState
from balancer.model.past import Breaker, VerdictResult
from balancer.model.plan import MoveReason
from balancer.model.units import ClusterId, HostId, MoveId, VmId
from balancer.policy.mode import Mode
from tests.support.asking import SHARD, Asked, Client, uneven
from tests.support.journal import begun
from tests.support.records import verdict

SCHEMAS = Path(__file__).parents[4] / "balancer/schemas"
CLUSTER = ClusterId("domain-c1")


def running(asked: Asked, number: int = 1) -> int:
    """Let a migration run; return its row."""
    now = datetime.now(UTC)
    entry = JournalEntry(
        vcenter="vc1",
        cluster=CLUSTER,
        plan_id="p1",
        cycle_id="c1",
        move_id=MoveId("m1"),
        vm=VmId(f"vm-{number}"),
        vm_name=f"web-\x1b[31m{number}",
        vm_uuid="u",
        source=HostId("host-1"),
        target=HostId("host-2"),
        reason=MoveReason.BALANCE,
        expected_seconds=12.0,
        intended_at=now,
    )
    row = begun(asked.store, entry)
    asked.store.advance(row, JournalStep(state=MoveState.SUBMITTED, at=now, task="task-9"))
    return row


def entry_of(client: Client) -> dict[str, object]:
    (found,) = client.get("/api/v1/status").json()["clusters"]
    assert isinstance(found, dict)
    return found


def test_before_the_first_cycle_status_tells_what_the_journal_knows(
    asked: Asked, viewer: Client
) -> None:
    found = entry_of(viewer)
    assert found["mode"] == {
        "configured": "manual",
        "in_force": "manual",
        "reason": "not_approved",
        "detail": "mode manual, by the configuration",
    }
    assert "last_cycle" not in found
    for path in ("snapshot", "explain?vm=vm1"):
        answer = viewer.get(f"/api/v1/clusters/vc1/prod/{path}")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "30"
        assert answer.json()["type"] == "urn:balancer:problem:not-seen-yet"


def test_status_tells_everything_that_holds_a_cluster(
    asked: Asked, viewer: Client, operator: Client
) -> None:
    asked.plan()
    now, made = datetime.now(UTC), asked.board.seen(SHARD).plan
    assert made is not None
    row = running(asked)
    move = next(one for one in made.moves if one.vm == "vm-1")
    listener = asked.board.listener(SHARD)
    listener.tell(MoveProgressed(move=move, progress_percent=40))
    breaker = Breaker(level=1, is_open=True, until=now + timedelta(minutes=30), cause="3 failures")
    asked.store.put_breaker("vc1", CLUSTER, breaker, at=now)
    asked.store.ask_evacuation(
        Evacuation(shard=SHARD, host=HostId("host-2"), host_name="esx2", by="bob", at=now)
    )
    operator.post("/api/v1/pause", json={"reason": "storage"})
    (asked.folder / "stop").touch()

    found = entry_of(viewer)
    (told,) = found["running"]  # type: ignore[misc]
    assert (told["row"], told["state"], told["progress_percent"]) == (row, "submitted", 40)
    assert found["breaker"]["is_open"] is True  # type: ignore[index]
    text = viewer.get("/api/v1/status?format=text").text
    for words in (
        "Nothing is sent anywhere: the stop file is there.",
        "web-\\x1b[31m1 host-1 -> host-2, submitted since",
        "40 %",
        "everything, by operator at",
        "esx2, asked by bob",
        "3 failures",
        "breaker_open",
        "balancer approve 1",
    ):
        assert words in text, text


def test_status_tells_why_the_last_plan_acted_or_stayed_quiet(asked: Asked, viewer: Client) -> None:
    asked.plan()
    ended = asked.board.seen(SHARD).ended
    assert ended is not None
    assert ended.plan.decision is not None
    decision: Any = entry_of(viewer)["decision"]
    for aim in ("contention", "balance"):
        assert decision[aim]["answer"] == getattr(ended.plan.decision, aim).answer
    text = viewer.get("/api/v1/status?format=text").text
    assert [f"why         {told}" in text for told in decision["told"]] == [True] * len(
        decision["told"]
    )


def test_a_failed_cycle_is_told_beside_the_last_good_one(asked: Asked, viewer: Client) -> None:
    asked.plan()
    asked.board.listener(SHARD).tell(
        CycleFailed(why="vc1: no answer", at=datetime(2026, 5, 4, 9, 12, tzinfo=UTC))
    )
    text = viewer.get("/api/v1/clusters/vc1/prod?format=text").text
    assert "failed      2026-05-04 09:12:00 UTC: vc1: no answer" in text
    assert "last cycle" in text
    assert "mode        manual, by the configuration" in text


def test_a_mode_that_worse_verdicts_hold_back_is_told_with_why(
    asked: Asked, viewer: Client
) -> None:
    asked.mode = Mode.AUTOMATIC
    asked.plan()
    for number in range(3):
        asked.store.put_verdict(
            verdict(
                f"c{number}",
                cluster=CLUSTER,
                ended_at=datetime.now(UTC),
                result=VerdictResult.WORSE,
                detail="it got worse",
            )
        )
    found = entry_of(viewer)
    assert [one["reason"] for one in found["closed"]] == ["verdicts_worse"]  # type: ignore[attr-defined]


def test_clusters_are_listed_with_their_modes(asked: Asked, viewer: Client) -> None:
    (found,) = viewer.get("/api/v1/clusters").json()["clusters"]
    assert (found["cluster"], found["mode"]["configured"]) == (SHARD, "manual")
    assert viewer.get("/api/v1/clusters?format=text").text.startswith("vc1/prod\n")
    lost = viewer.get("/api/v1/clusters/vc1/prd")
    assert lost.status_code == 404
    assert "did you mean 'vc1/prod'?" in lost.json()["detail"]


def test_a_snapshot_is_read_back_as_it_was_seen(asked: Asked, viewer: Client) -> None:
    asked.plan()
    content = viewer.get("/api/v1/clusters/vc1/prod/snapshot").content
    assert parse_snapshot(content, name="answer") == asked.board.seen(SHARD).snapshot


@pytest.mark.parametrize(
    ("asks", "says"),
    [
        ("vm=vm1", "vm1 moves esx1 "),
        ("host=esx2", "esx2"),
        ("vm=vm-8&host=esx3", "esx3"),
    ],
)
def test_the_last_plan_is_explained_in_three_forms(
    asked: Asked, viewer: Client, asks: str, says: str
) -> None:
    asked.plan()
    path = f"/api/v1/clusters/vc1/prod/explain?{asks}"
    assert says in viewer.get(f"{path}&format=text").text
    assert says in viewer.get(path, headers={"accept": "text/markdown"}).text
    schema = json.loads((SCHEMAS / "explain.v1.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(viewer.get(path).json())


@pytest.mark.parametrize(
    ("asks", "status", "says"),
    [
        ("", 400, "Give vm, host or both"),
        ("vm=vm77", 404, "There is no VM 'vm77' among the 8"),
        ("vm=vm1&host=esx1", 400, "is on esx1 already"),
    ],
)
def test_what_cannot_be_explained_is_told(
    asked: Asked, viewer: Client, asks: str, status: int, says: str
) -> None:
    asked.plan()
    answer = viewer.get(f"/api/v1/clusters/vc1/prod/explain?{asks}")
    assert (answer.status_code, says in answer.json()["detail"]) == (status, True)


def test_moves_are_found_by_filter_and_shown_whole(asked: Asked, viewer: Client) -> None:
    asked.plan()
    first, second = running(asked), running(asked, 2)
    for query, rows in (
        ("", [first, second]),
        ("?vm=vm-2", [second]),
        ("?state=submitted&state=done&last=1", [second]),
        ("?state=done", []),
        ("?cluster=prod&since=1h", [first, second]),
        ("?since=2001-01-01T00:00:00%2B02:00", [first, second]),
    ):
        found = viewer.get(f"/api/v1/journal{query}").json()["rows"]
        assert [one["row"] for one in found] == rows, query
    shown = viewer.get(f"/api/v1/journal/{first}").json()
    assert [step["state"] for step in shown["steps"]] == ["intent", "submitted"]
    wrong = viewer.get("/api/v1/journal?since=yesterday")
    assert (wrong.status_code, "a span as 90m" in wrong.json()["detail"]) == (400, True)


def test_a_host_is_asked_to_be_emptied_once_by_what_was_seen_last(
    asked: Asked, operator: Client
) -> None:
    early = operator.post("/api/v1/evacuations", json={"host": "esx2"})
    assert early.status_code == 503
    asked.plan(uneven())
    body = {"host": "ESX2", "reason": "new fans"}
    done = operator.post("/api/v1/evacuations", json=body).json()
    assert (done["host"], done["changed"]) == ("host-2", True)
    assert operator.post("/api/v1/evacuations", json=body).json()["changed"] is False
    assert operator.get("/api/v1/evacuations").json()["evacuations"][0]["by"] == "operator"
    assert operator.post("/api/v1/evacuations/end", json={"host": "esx2"}).status_code == 200
    assert operator.post("/api/v1/evacuations/end", json={"host": "esx2"}).status_code == 404

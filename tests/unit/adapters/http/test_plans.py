"""Plans over HTTP: listed, shown in every form, decided on once."""

import re

import pytest

from balancer.policy.mode import Mode
from tests.support.asking import Asked, Client, uneven

NASTY = "<img src=x onerror=alert(1)>`|[x](javascript:1)"


def test_a_plan_is_approved_once_in_the_name_of_the_token(asked: Asked, operator: Client) -> None:
    number = asked.plan()
    (waiting,) = operator.get("/api/v1/plans?waiting=true").json()["plans"]
    assert (waiting["number"], waiting["state"]) == (number, "waiting")
    done = operator.post(f"/api/v1/plans/{number}/approve", json={"reason": "CHG-1"})
    assert done.status_code == 200, done.text
    assert done.json()["digest"] == waiting["digest"]
    assert done.json()["told"][0].startswith(f"Approved plan {number} of vc1/prod")
    (approval,) = asked.store.approvals("", last=9)
    assert (approval.by, approval.reason) == ("operator", "CHG-1")
    again = operator.post(f"/api/v1/plans/{number}/approve")
    assert again.status_code == 409
    assert again.headers["content-type"] == "application/problem+json"
    assert "is approved already, by operator" in again.json()["detail"]
    assert again.json()["type"] == "urn:balancer:problem:plan-refused"


def test_a_digest_approves_its_plan_and_a_stale_one_is_refused(
    asked: Asked, operator: Client
) -> None:
    number = asked.plan(minutes_ago=30)
    digest = operator.get("/api/v1/plans").json()["plans"][0]["digest"]
    stale = operator.post(f"/api/v1/plans/{digest}/approve")
    assert stale.status_code == 409
    assert f"Plan {number} was made at" in stale.json()["detail"]
    fresh = asked.plan(uneven(*(f"web{n}" for n in range(8))))
    listed = operator.get("/api/v1/plans?last=1").json()["plans"]
    assert operator.post(f"/api/v1/plans/{listed[0]['digest'][:12]}/approve").status_code == 200
    assert [one.plan for one in asked.store.approvals("", last=9)] == [fresh]


def test_in_mode_observe_nothing_is_approved(asked: Asked, operator: Client) -> None:
    number = asked.plan()
    asked.mode = Mode.OBSERVE
    refused = operator.post(f"/api/v1/plans/{number}/approve")
    assert refused.status_code == 409
    assert "is in mode observe" in refused.json()["detail"]


def test_a_rejection_needs_a_reason(asked: Asked, operator: Client) -> None:
    number = asked.plan()
    for body in ({}, {"reason": ""}, {"reason": "  "}):
        assert operator.post(f"/api/v1/plans/{number}/reject", json=body).status_code in (400, 422)
    done = operator.post(f"/api/v1/plans/{number}/reject", json={"reason": "release day"})
    assert done.status_code == 200
    assert operator.get("/api/v1/plans").json()["plans"][0]["state"] == "rejected"


@pytest.mark.parametrize(
    ("suffix", "query", "accept", "media"),
    [
        ("", "", None, "application/json"),
        ("", "", "*/*", "application/json"),
        ("", "", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("", "", "text/markdown", "text/markdown"),
        ("", "?format=text", "text/html", "text/plain"),
        (".html", "?format=json", "application/json", "text/html"),
        (".md", "", None, "text/markdown"),
        (".txt", "", None, "text/plain"),
        (".json", "", "text/html", "application/json"),
    ],
)
def test_a_plan_is_shown_in_the_form_that_is_asked_for(
    asked: Asked, viewer: Client, suffix: str, query: str, accept: str | None, media: str
) -> None:
    number = asked.plan()
    headers = {"accept": accept} if accept else {}
    answer = viewer.get(f"/api/v1/plans/{number}{suffix}{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith(media)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("target", "accept", "status"),
    [("?format=pdf", None, 400), ("", "application/pdf", 406), ("", "text/html;q=0", 406)],
)
def test_a_form_that_there_is_not_is_told(
    asked: Asked, viewer: Client, target: str, accept: str | None, status: int
) -> None:
    number = asked.plan()
    headers = {"accept": accept} if accept else {}
    answer = viewer.get(f"/api/v1/plans/{number}{target}", headers=headers)
    assert answer.status_code == status
    assert "html" in answer.json()["allowed"]


def test_a_report_shows_the_same_once_the_daemon_has_forgotten_the_plan(
    asked: Asked, viewer: Client
) -> None:
    number = asked.plan()
    fresh = viewer.get(f"/api/v1/plans/{number}.txt").text
    asked.board.keep([])
    later = viewer.get(f"/api/v1/plans/{number}.txt").text
    assert "Moves" in later
    moves = [line for line in fresh.splitlines() if "->" in line]
    assert moves
    assert [line for line in later.splitlines() if "->" in line] == moves
    assert "not_approved" in fresh
    assert "not_approved" in later


def test_no_name_becomes_markup(asked: Asked, viewer: Client) -> None:
    number = asked.plan(uneven(*[NASTY] * 8))
    for kept in ([asked.scene.clusters()[0].shard], []):
        asked.board.keep(kept)
        page = viewer.get(f"/api/v1/plans/{number}.html")
        assert page.status_code == 200
        assert "<img" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        ticket = viewer.get(f"/api/v1/plans/{number}.md")
        outside = re.sub(r"`[^`\n]*`", "", ticket.text)
        assert "<img" not in outside


@pytest.mark.parametrize(
    "key", ["77", "abcd", "x", "..%2F..%2Fetc%2Fpasswd", "%00", "²", "\N{FULLWIDTH DIGIT ONE}"]
)
def test_an_unknown_plan_is_told_with_what_there_is(asked: Asked, viewer: Client, key: str) -> None:
    asked.plan()
    answer = viewer.get(f"/api/v1/plans/{key}")
    assert answer.status_code == 404
    kind = "no-such-path" if "%2F" in key else "not-found"
    assert answer.json()["type"] == f"urn:balancer:problem:{kind}"

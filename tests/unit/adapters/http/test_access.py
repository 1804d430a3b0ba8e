"""Who is let in, how far, and what happens to everybody else."""

import hashlib
import logging
from collections.abc import Callable

import pytest

from balancer.adapters.http.gate import FAILURES_AT_ONCE, Gate
from balancer.adapters.http.problems import Refused
from balancer.config import HttpToken
from balancer.model.access import Role
from tests.support.asking import TOKENS, Asked, Client, bearer, tokens
from tests.support.fakes import FakeClock

READS = {
    "/status": Role.VIEWER,
    "/clusters": Role.VIEWER,
    "/clusters/vc1/prod": Role.VIEWER,
    "/clusters/vc1/prod/snapshot": Role.VIEWER,
    "/clusters/vc1/prod/explain?vm=vm1": Role.VIEWER,
    "/plans": Role.VIEWER,
    "/plans/1": Role.VIEWER,
    "/report": Role.VIEWER,
    "/evacuations": Role.VIEWER,
    "/journal": Role.VIEWER,
    "/journal/1": Role.VIEWER,
    "/journal/verdicts": Role.VIEWER,
    "/journal/quarantines": Role.VIEWER,
    "/audit": Role.ADMIN,
    "/audit/verify": Role.ADMIN,
}
CHANGES = {
    "/plans/1/approve": {},
    "/plans/1/reject": {"reason": "no"},
    "/pause": {},
    "/resume": {},
    "/evacuations": {"host": "esx1"},
    "/evacuations/end": {"host": "esx1"},
}


def test_the_tables_of_this_test_name_every_path(asked: Asked) -> None:
    paths = asked.app().openapi()["paths"]
    ours = {path.removeprefix("/api/v1") for path in paths if path.startswith("/api/v1")}
    named = {path.partition("?")[0] for path in (*READS, *CHANGES)}
    filled = {
        path.replace("{plan}", "1")
        .replace("{row}", "1")
        .replace("{vcenter}", "vc1")
        .replace("{name}", "prod")
        for path in ours
    }
    assert named == filled
    for path, methods in paths.items():
        verbs = {"get", "post"} if path.endswith("/evacuations") else {"get"}
        changes = path.removeprefix("/api/v1").replace("{plan}", "1") in CHANGES
        assert set(methods) == (verbs if not changes or "get" in methods else {"post"}), path


@pytest.mark.parametrize("path", [*READS, *CHANGES])
def test_nobody_gets_anywhere_without_a_token(as_role: Callable[..., Client], path: str) -> None:
    client = as_role(None)
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        answer = client.request(method, f"/api/v1{path}")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert "balancer token" in answer.json()["mend"]


@pytest.mark.parametrize("role", Role)
def test_each_role_reads_what_it_may(
    asked: Asked, as_role: Callable[..., Client], role: Role
) -> None:
    asked.plan()
    client = as_role(role)
    for path, needed in READS.items():
        status = client.get(f"/api/v1{path}").status_code
        if path == "/journal/1":
            assert status == 404
        else:
            assert status == (200 if role.includes(needed) else 403), path


def test_a_viewer_changes_nothing(asked: Asked, viewer: Client) -> None:
    asked.plan()
    for path, body in CHANGES.items():
        answer = viewer.post(f"/api/v1{path}", json=body)
        assert answer.status_code == 403, path
        assert answer.json()["found"] == "the token of viewer has the role viewer"
        assert answer.json()["allowed"] == "the role operator, or one above it"
    assert asked.store.pauses() == ()
    assert asked.store.approvals("", last=9) == ()
    assert asked.store.evacuations("") == ()


@pytest.mark.parametrize("path", CHANGES)
def test_nothing_is_changed_by_get(asked: Asked, admin: Client, path: str) -> None:
    asked.plan()
    answer = admin.get(f"/api/v1{path}")
    if path == "/evacuations":
        assert answer.json() == {"schema": "balancer/evacuations/v1", "evacuations": []}
    else:
        assert answer.status_code == 405
        assert answer.json()["allowed"] == "POST"
    assert asked.store.pauses() == ()
    assert asked.store.approvals("", last=9) == ()


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        f"Token {TOKENS[Role.ADMIN]}",
        f"Bearer {TOKENS[Role.ADMIN]}x",
        f"Bearer {TOKENS[Role.ADMIN]} {TOKENS[Role.ADMIN]}",
        f"Bearer {hashlib.sha256(TOKENS[Role.ADMIN].encode()).hexdigest()}",
        f"Bearer {'x' * 600}",
        "Bearer \xff\xfe",
        f"bearer,{TOKENS[Role.ADMIN]}",
    ],
)
def test_a_header_that_is_no_known_token_is_refused(
    as_role: Callable[..., Client], header: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        answer = as_role(None).get(
            "/api/v1/status", headers={b"authorization": header.encode("latin-1")}
        )
    assert answer.status_code == 401
    assert TOKENS[Role.ADMIN] not in answer.text + caplog.text
    assert "token refused" in caplog.messages


def test_two_headers_and_a_token_in_the_url_or_a_cookie_let_nobody_in(
    as_role: Callable[..., Client],
) -> None:
    client, token = as_role(None), TOKENS[Role.ADMIN]
    twice = [("authorization", "Bearer x"), ("authorization", f"Bearer {token}")]
    assert client.get("/api/v1/status", headers=twice).status_code == 401
    assert client.get(f"/api/v1/status?access_token={token}").status_code == 401
    assert client.get("/api/v1/status", headers={"cookie": f"token={token}"}).status_code == 401


def test_the_word_bearer_may_be_in_any_case(as_role: Callable[..., Client]) -> None:
    header = {"authorization": f"bEARER {TOKENS[Role.VIEWER]}"}
    assert as_role(None).get("/api/v1/status", headers=header).status_code == 200


def test_a_token_that_was_taken_away_is_refused_at_once(asked: Asked, viewer: Client) -> None:
    assert viewer.get("/api/v1/status").status_code == 200
    asked.gate.take([one for one in tokens() if one.role is not Role.VIEWER])
    assert viewer.get("/api/v1/status").status_code == 401


def test_without_tokens_nobody_is_let_in_and_probes_and_metrics_go_on(
    asked: Asked, admin: Client
) -> None:
    asked.gate.take([])
    answer = admin.get("/api/v1/status")
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:balancer:problem:no-tokens"
    assert "http.tokens" in answer.json()["where"]
    for path in ("/metrics", "/healthz", "/readyz", "/openapi.json"):
        assert admin.get(path).status_code == 200


def test_metrics_can_be_closed_and_probes_cannot(asked: Asked) -> None:
    app = asked.app(metrics_need_token=True)
    stranger, viewer = Client(app), Client(app, Role.VIEWER)
    assert stranger.get("/metrics").status_code == 401
    assert viewer.get("/metrics").status_code == 200
    assert {stranger.get(path).status_code for path in ("/healthz", "/readyz")} == {200}
    stranger.close()
    viewer.close()


def entry(token: str) -> HttpToken:
    digest = hashlib.sha256(token.encode()).hexdigest()
    return HttpToken(name="ann", role=Role.VIEWER, sha256=digest)


def refused(gate: Gate) -> int:
    with pytest.raises(Refused) as told:
        gate.let_in("Bearer wrong", client="x")
    return told.value.problem.status


def test_guessing_is_slowed_and_the_right_token_is_not() -> None:
    clock = FakeClock()
    gate = Gate([entry("right")], clock.monotonic)
    assert {refused(gate) for _ in range(FAILURES_AT_ONCE)} == {401}
    assert {refused(gate) for _ in range(100)} == {429}
    assert gate.let_in("Bearer right", client="x").name == "ann"
    clock.sleep(2.0)
    assert [refused(gate) for _ in range(3)] == [401, 401, 429]


def test_an_operator_ends_pauses_and_an_admin_acknowledges_too(
    asked: Asked, as_role: Callable[..., Client]
) -> None:
    operator, admin = as_role(Role.OPERATOR), as_role(Role.ADMIN)
    asked.plan()
    operator.post("/api/v1/pause", json={"reason": "storage"})
    told = operator.post("/api/v1/resume", json={}).json()["told"]
    assert told[0].startswith("Resumed everything: it was paused by operator")
    assert "takes the role admin" in told[-1]
    asked_for = operator.post("/api/v1/resume", json={"acknowledge": True})
    assert asked_for.status_code == 403
    assert "acknowledge" in asked_for.json()["where"]
    assert "admin" not in admin.post("/api/v1/resume", json={}).json()["told"][-1]
    without = admin.post("/api/v1/resume", json={"acknowledge": False}).json()["told"]
    assert "takes the role admin" in without[-1]


def test_what_was_done_stands_in_the_audit_log_under_the_tokens_name(
    asked: Asked, operator: Client, admin: Client
) -> None:
    operator.post("/api/v1/pause", json={"reason": "storage"})
    entries = admin.get("/api/v1/audit").json()["entries"]
    (pause,) = (one for one in entries if one["action"].startswith("pause"))
    assert (pause["actor"], pause["reason"]) == ("operator", "storage")
    assert admin.get("/api/v1/audit/verify").json()["holds"] is True


def test_roles_reach_as_far_as_they_say() -> None:
    reach = {role: [other.value for other in Role if role.includes(other)] for role in Role}
    assert reach == {
        Role.VIEWER: ["viewer"],
        Role.OPERATOR: ["viewer", "operator"],
        Role.ADMIN: ["viewer", "operator", "admin"],
    }


def test_a_header_from_another_client_does_not_change_this_one(asked: Asked) -> None:
    app = asked.app()
    first, second = Client(app, Role.OPERATOR), Client(app, Role.VIEWER)
    assert first.post("/api/v1/pause", json={}).status_code == 200
    assert second.post("/api/v1/resume", json={}).status_code == 403
    headers = bearer(Role.OPERATOR)
    assert second.post("/api/v1/resume", json={}, headers=headers).status_code == 200
    first.close()
    second.close()

"""Hostile strings in every place of a request and in every name: a well-formed problem or result, never a 500."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_from_bytes

import pytest

from balancer.model.access import Role
from tests.support.asking import Client, Reply, asked_of, uneven
from tests.support.hostile import EVERY
from tests.support.searching import part

PLACES = [
    "/plans/{}",
    "/plans/{}.html",
    "/clusters/{}/prod",
    "/clusters/vc1/{}",
    "/clusters/vc1/{}/snapshot",
    "/clusters/vc1/prod/explain?vm={}",
    "/clusters/vc1/prod/explain?host={}",
    "/clusters/vc1/prod/explain?vm=vm1&host={}",
    "/journal/{}",
    "/journal?vm={}",
    "/journal?cluster={}",
    "/journal?since={}",
    "/journal?plan={}",
    "/journal?state={}",
    "/journal?last={}",
    "/plans?cluster={}",
    "/plans?waiting={}",
    "/status?cluster={}",
    "/status?format={}",
    "/status?format=text&width={}",
    "/audit/verify?head={}",
    "/evacuations?cluster={}",
    "/report?batch={}",
    "/report?plan={}&format=html",
    "/report?since={}",
    "/{}",
]
BODIES = {
    "/pause": ("cluster", "reason"),
    "/resume": ("cluster", "reason", "acknowledge"),
    "/evacuations": ("host", "cluster", "reason"),
    "/evacuations/end": ("host", "cluster", "reason"),
    "/plans/77/approve": ("reason",),
    "/plans/77/reject": ("reason",),
}
REQUIRED = {"/evacuations": {"host": "esx1"}, "/evacuations/end": {"host": "esx1"}}
MEMBERS = {"type", "title", "status", "detail", "found", "where", "allowed", "mend"}


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder: Path = tmp_path_factory.mktemp("hostile")
    with asked_of(folder) as asked:
        asked.plan()
        client = Client(asked.app(), Role.ADMIN)
        yield client
        client.close()


def quoted(text: str) -> str:
    """Return a string for a URL, with its lone surrogates as the bytes that they stand for, or as they would be."""
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        return quote_from_bytes(text.encode("utf-8", "surrogatepass"), safe="")


def check(answer: Reply) -> None:
    """Check that an answer is a problem or a result, and none of an unexpected kind."""
    status, media, text = answer.status, answer.headers["content-type"], answer.text
    assert status < 500 or (status, '"not-seen-yet"' in text) == (503, True), text
    if status >= 400:
        assert media == "application/problem+json", text
        problem = json.loads(text)
        assert problem.keys() >= MEMBERS
        assert problem["status"] == status
        assert all(problem[member] for member in MEMBERS - {"status"}), problem
    elif media.startswith("application/json"):
        assert "schema" in json.loads(text)
    assert text.isascii() or "html" in media or "text" in media
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", text)


@pytest.mark.parametrize("place", PLACES)
def test_no_string_in_a_path_or_parameter_is_too_much(admin: Client, place: str) -> None:
    for hostile in part(EVERY, PLACES.index(place)):
        check(admin.get(f"/api/v1{place.replace('{}', quoted(hostile))}"))


@pytest.mark.parametrize("path", BODIES)
def test_no_string_in_a_body_is_too_much(admin: Client, path: str) -> None:
    for hostile in part(EVERY, list(BODIES).index(path)):
        for field in BODIES[path]:
            body = {**REQUIRED.get(path, {}), field: hostile}
            content = json.dumps(body).encode()
            headers = {"content-type": "application/json"}
            check(admin.post(f"/api/v1{path}", content=content, headers=headers))
    check(admin.get("/api/v1/audit?format=text&last=500"))
    check(admin.get("/api/v1/audit?last=500"))
    check(admin.get("/api/v1/status?format=text"))
    admin.post("/api/v1/resume", json={})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"reason": 1}',
        b'{"reason": "a", "else": 1}',
        b'{"reason": NaN}',
        b"\xff\xfe",
        b'{"reason": "\\ud800"}',
        b"[" * 20_000,
        b'{"reason": ' + b"9" * 5_000 + b"}",
        b'{"reason": "' + b"x" * 60_000 + b'"}',
    ],
    ids=lambda content: repr(content[:20]),
)
def test_a_body_that_is_none_is_told(admin: Client, content: bytes) -> None:
    answer = admin.post(
        "/api/v1/plans/77/reject", content=content, headers={"content-type": "application/json"}
    )
    check(answer)
    assert answer.status_code in (400, 422)


def test_a_form_as_browsers_send_it_changes_nothing(admin: Client) -> None:
    """Pages of other sites can make a browser send these without asking; none of them is JSON."""
    for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = admin.post(
            "/api/v1/pause", content=b'{"reason": "x"}', headers={"content-type": media}
        )
        check(answer)
        assert answer.status_code == 422


def test_names_of_vms_harm_no_report_and_no_explanation(tmp_path: Path) -> None:
    with asked_of(tmp_path) as asked:
        client = Client(asked.app(), Role.ADMIN)
        for first in range(0, len(EVERY), 60):
            number = asked.plan(uneven(*EVERY[first : first + 60]))
            for suffix in (".html", ".md", ".txt", ".json"):
                answer = client.get(f"/api/v1/plans/{number}{suffix}")
                assert answer.status_code == 200, answer.text
                check(answer)
            page = client.get(f"/api/v1/plans/{number}.html").text
            assert not re.search(r"<(script|img|svg|iframe|a)\b(?! class| viewBox| aria)", page)
            explained = client.get("/api/v1/clusters/vc1/prod/explain?vm=vm-1&format=text")
            assert explained.status_code == 200, explained.text
            check(explained)
        client.close()

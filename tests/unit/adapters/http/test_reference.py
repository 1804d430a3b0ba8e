"""The description of the interface: published as it is served, true of what is answered."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from balancer.adapters.http.problems import KINDS
from balancer.adapters.http.reference import PUBLISHED, http_page, openapi_document, openapi_text
from balancer.api.operations import OPERATIONS, PREFIX
from balancer.model.access import Role
from tests.support.asking import Client, Reply, asked_of

ROOT = Path(__file__).parents[4]
DOCUMENT = openapi_document()
READS = [
    (path, methods["get"])
    for path, methods in DOCUMENT["paths"].items()
    if path.startswith(PREFIX) and "get" in methods
]
CHANGES = [
    (path, methods["post"]) for path, methods in DOCUMENT["paths"].items() if "post" in methods
]
SOME = st.one_of(
    st.sampled_from(["vc1", "prod", "vc1/prod", "1", "vm-1", "vm1", "esx2", "24h", "done", "text"]),
    st.integers(-5, 10**20).map(str),
    st.text(max_size=40),
)


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with asked_of(tmp_path_factory.mktemp("described")) as asked:
        asked.plan()
        client = Client(asked.app(), Role.ADMIN)
        yield client
        client.close()


def test_page_and_document_are_up_to_date() -> None:
    """Run `python -m balancer.adapters.http.reference docs/reference` to write them anew."""
    assert PUBLISHED.read_text("utf-8") == openapi_text()
    assert (ROOT / "docs/reference/http.md").read_text("utf-8") == http_page()


def test_what_is_published_is_what_is_served(admin: Client) -> None:
    assert admin.get("/openapi.json").json() == json.loads(PUBLISHED.read_text("utf-8"))


def test_every_reference_within_the_document_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        place: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_route_says_what_it_takes_and_who_may() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            if path.startswith(PREFIX):
                assert operation["x-role"] in [role.value for role in Role]
                assert operation["security"] == [{"token": []}]
                assert operation["description"], path


def test_what_commands_ask_for_is_offered() -> None:
    for name, operation in OPERATIONS.items():
        methods = DOCUMENT["paths"][f"{PREFIX}{operation.path}"]
        assert ("post" if operation.is_change else "get") in methods, name


def problem_or_result(answer: Reply, operation: Any) -> None:
    """Check that an answer is one of those that the description names."""
    listed = operation["responses"]
    assert str(answer.status) in listed, (answer.status, answer.text)
    media = answer.headers["content-type"].partition(";")[0]
    assert media in listed[str(answer.status)]["content"], media
    if media == "application/problem+json":
        problem = answer.json()
        kind = problem["type"].rpartition(":")[2]
        assert (problem["status"], problem["title"]) == KINDS[kind]
        assert problem["status"] == answer.status


def filled(path: str, operation: Any, data: st.DataObject) -> str:
    """Return the path with something in each of its places and parameters."""
    query = []
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            word = data.draw(
                SOME.filter(lambda text: "/" not in text and text not in ("", ".", ".."))
            )
            path = path.replace(f"{{{parameter['name']}}}", quote(word, safe=""))
        elif data.draw(st.booleans()):
            query.append((parameter["name"], data.draw(SOME)))
    return f"{path}?{urlencode(query)}" if query else path


@pytest.mark.parametrize(("path", "operation"), READS, ids=[path for path, _ in READS])
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_reading_answers_as_described(
    admin: Client, path: str, operation: Any, data: st.DataObject
) -> None:
    accept = data.draw(st.sampled_from([None, "text/plain", "application/json", "image/png"]))
    headers = {"accept": accept} if accept else None
    problem_or_result(admin.get(filled(path, operation, data), headers=headers), operation)


FIELDS = st.one_of(SOME, st.none(), st.booleans(), st.integers(), st.lists(SOME, max_size=2))


@pytest.mark.parametrize(("path", "operation"), CHANGES, ids=[path for path, _ in CHANGES])
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_changing_answers_as_described(
    admin: Client, path: str, operation: Any, data: st.DataObject
) -> None:
    names = st.sampled_from(["reason", "cluster", "host", "acknowledge", "else"])
    body = data.draw(st.dictionaries(names, FIELDS, max_size=4))
    problem_or_result(admin.post(filled(path, operation, data), json=body), operation)

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from balancer.adapters.files import plan_file as types
from balancer.adapters.files.plan_file import MoveWord, parse_plan, read_plan
from balancer.model.errors import InputError
from balancer.model.plan import IncidentKind, MoveReason, PlanStatus, Priority

ROOT = Path(__file__).parents[4]
SMALL = ROOT / "tests/data/small.plan.json"
SCHEMA: dict[str, Any] = json.loads((ROOT / "balancer/schemas/plan.v1.schema.json").read_text())


def changed(change: str) -> bytes:
    document = json.loads(SMALL.read_text())
    exec(change, {"d": document, "m": document["moves"]})
    return json.dumps(document).encode()


def problems_of(content: bytes) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse_plan(content, name="p.json")
    return [str(problem) for problem in caught.value.problems]


def test_the_example_of_the_format_is_read() -> None:
    plan = read_plan(SMALL)
    assert plan["status"] is PlanStatus.DEGRADED
    assert [move["vm"] for move in plan["moves"]] == ["vm-107", "vm-104", "vm-102"]


def test_a_parked_vm_may_move_twice() -> None:
    change = "m.append(m[0] | {'id': 'm4', 'from': 'host-13', 'to': 'host-12', 'after': ['m1']})"
    assert len(parse_plan(changed(change), name="p")["moves"]) == 4


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            "m[1]['id'] = 'm1'",
            "moves[1].id: 'm1' is given twice; allowed: each id once",
            id="duplicate id",
        ),
        pytest.param(
            "m[1]['after'] = ['m9']",
            "moves[1].after: there is no move 'm9' in the plan; allowed: earlier moves",
            id="waits for an unknown move",
        ),
        pytest.param(
            "m[0]['after'] = ['m2']",
            "moves[0].after: 'm2' comes later in the plan; allowed: earlier moves",
            id="waits for a later move",
        ),
        pytest.param(
            "m[0]['after'] = ['m1']",
            "moves[0].after: 'm1' comes later in the plan; allowed: earlier moves",
            id="waits for itself",
        ),
        pytest.param(
            "m[0]['wave'] = 2; m[1]['after'] = ['m1']",
            "moves[1].after: 'm1' is in wave 2, after wave 1; allowed: earlier moves",
            id="waits for a later wave",
        ),
        pytest.param(
            "d['format_version'] = '2.0'",
            "format_version: '2.0'; allowed: text like ^1\\.[0-9]{1,6}$",
            id="another major version",
        ),
        pytest.param(
            "m[0]['to'] = 'host-14'",
            "moves[0].to: 'vm-107' would move to the host that it is on; allowed: another host",
            id="nowhere",
        ),
        pytest.param(
            "m[1]['vm'] = 'vm-107'",
            "moves[1].from: 'vm-107' was moved to 'host-13' before; allowed: 'host-13'",
            id="leaves a host that it is not on",
        ),
        pytest.param(
            "d['status'] = 'balanced'",
            "moves: 3 moves in a plan whose status is 'balanced'; allowed: no moves",
            id="moves where nothing is to be done",
        ),
        pytest.param(
            "d['elapsed_seconds'] = {}",
            "elapsed_seconds: 'total' is missing; allowed: it must be given",
            id="no total time",
        ),
        pytest.param(
            "m[0]['priority'] = 'hihg'",
            "moves[0].priority: 'hihg'; allowed: 'high', 'default' or 'low'; did you mean 'high'?",
            id="misspelt priority",
        ),
        pytest.param(
            "m[0]['expected_seconds'] = -1",
            "moves[0].expected_seconds: -1; allowed: at least 0",
            id="negative time",
        ),
        pytest.param(
            "del d['after']['cpu']",
            "after: 'cpu' is missing; allowed: it must be given",
            id="state without its CPU",
        ),
        pytest.param(
            "h = {'id': 'h1', 'cpu_ratio': 0, 'memory_ratio': 0, 'vms': 0}; "
            "d['before']['hosts'] = [h, h]",
            "before.hosts[1].id: 'h1' is given twice; allowed: each id once",
            id="host twice",
        ),
    ],
)
def test_a_mistake_is_named_with_its_json_path(change: str, expected: str) -> None:
    assert problems_of(changed(change)) == [expected]


def test_all_mistakes_are_listed_at_once() -> None:
    assert len(problems_of(changed("m[1]['id'] = 'm1'; m[1]['after'] = ['m9']"))) == 2


def test_errors_of_syntax_are_placed() -> None:
    assert problems_of(b'{"schema": nope}') == ["line 1, column 13: not valid JSON: expected ident"]


SHAPES = {
    "": (types.PlanEntry, SCHEMA),
    "cluster": (types.ClusterEntry, SCHEMA["properties"]["cluster"]),
    "bound": (types.BoundEntry, SCHEMA["properties"]["bound"]),
    "mode": (types.ModeEntry, SCHEMA["properties"]["mode"]),
    "moves": (types.MoveEntry, SCHEMA["properties"]["moves"]["items"]),
    "conflicts": (types.ConflictEntry, SCHEMA["properties"]["conflicts"]["items"]),
    "incidents": (types.IncidentEntry, SCHEMA["properties"]["incidents"]["items"]),
    "refusals": (types.RefusalEntry, SCHEMA["properties"]["refusals"]["items"]),
    "state": (types.StateEntry, SCHEMA["$defs"]["state"]),
    "spread": (types.SpreadEntry, SCHEMA["$defs"]["spread"]),
    "violations": (
        types.ViolationEntry,
        SCHEMA["$defs"]["state"]["properties"]["violations"]["items"],
    ),
    "hosts": (types.HostLoadEntry, SCHEMA["$defs"]["state"]["properties"]["hosts"]["items"]),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_reader_and_published_schema_have_the_same_keys(shape: tuple[Any, dict[str, Any]]) -> None:
    entry, schema = shape
    assert set(entry.__annotations__) == set(schema["properties"])
    assert entry.__required_keys__ == set(schema.get("required", ()))


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("reason", {reason.word for reason in MoveReason}),
        ("reason", set(get_args(MoveWord))),
        ("priority", {priority.value for priority in Priority}),
    ],
    ids=["reason", "reason as read", "priority"],
)
def test_the_words_of_the_schema_are_those_of_the_model(key: str, words: set[str]) -> None:
    moves = SCHEMA["properties"]["moves"]["items"]["properties"]
    assert set(moves[key]["enum"]) == words


def test_the_kinds_of_incidents_are_those_of_the_model() -> None:
    incidents = SCHEMA["properties"]["incidents"]["items"]["properties"]
    assert set(incidents["kind"]["enum"]) == {kind.value for kind in IncidentKind}

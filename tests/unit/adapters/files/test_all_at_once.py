"""Mistakes of shape, broken references and keys given twice are told together, in file order."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given

from balancer.adapters.files import parse_snapshot
from balancer.adapters.files.plan_file import parse_plan, plan_mistakes
from balancer.adapters.files.snapshot_checks import reference_mistakes
from balancer.model.errors import InputError
from tests.support.searching import examples
from tests.unit.adapters.files.any_json import ANY_JSON, damaged

DATA = Path(__file__).parents[3] / "data"
SNAPSHOT: dict[str, Any] = json.loads((DATA / "small.snapshot.json").read_text())
PLAN: dict[str, Any] = json.loads((DATA / "small.plan.json").read_text())
PATIENT = examples(200, suppress_health_check=list(HealthCheck))

Parse = Callable[..., object]


def problems_of(parse: Parse, content: bytes) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse(content, name="f.json")
    return [str(problem) for problem in caught.value.problems]


def changed(document: dict[str, Any], change: str) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(document))
    exec(change, {"d": copy})
    return copy


def snapshot_problems(change: str) -> list[str]:
    return problems_of(parse_snapshot, json.dumps(changed(SNAPSHOT, change)).encode())


def plan_problems(change: str) -> list[str]:
    return problems_of(parse_plan, json.dumps(changed(PLAN, change)).encode())


ALL_OF_A_SNAPSHOT = """
d['hosts'][1]['memory_capacity_mib'] = -5
d['vms'][2]['host'] = 'host-99'
d['vms'][4]['id'] = d['vms'][3]['id']
d['vms'].append(d['vms'][0] | {'id': 'vm-200', 'power': 'up'})
d['rules'][1]['vms'] = ['vm-200', 'vm-999']
d['cluster']['ha'] = {'failover_hosts': ['host-98'], 'host_failures_to_tolerate': -1}
d['migrations_in_flight'] = [{'vm': 'vm-998', 'from': 'host-97'}]
"""


def test_a_snapshot_lists_sizes_and_references_together() -> None:
    found = [line.split("; allowed")[0] for line in snapshot_problems(ALL_OF_A_SNAPSHOT)]
    twice = SNAPSHOT["vms"][3]["id"]
    owner = SNAPSHOT["vms"][2]["id"]
    rule = SNAPSHOT["rules"][1]["name"]
    vms = len(SNAPSHOT["vms"])
    lost = "there is no host 'host-9"
    assert found == [
        f"cluster.ha.failover_hosts: {lost}8' in the file",
        "cluster.ha.host_failures_to_tolerate: -1",
        "hosts[1].memory_capacity_mib: -5",
        f"vms[2].host: {lost}9' in the file (of {owner!r})",
        f"vms[4].id: {twice!r} is given twice, first at vms[3]",
        f"vms[{vms}].power: 'up'",
        f"rules[1].vms: there is no VM 'vm-999' in the file (of {rule!r})",
        "migrations_in_flight[0]: 'to' is missing",
        "migrations_in_flight[0].vm: there is no VM 'vm-998' in the file",
        f"migrations_in_flight[0].from: {lost}7' in the file",
    ]


def test_the_order_is_that_of_the_file_and_not_of_the_format() -> None:
    document = changed(SNAPSHOT, "d['hosts'][0]['cpu_cores'] = 0; d['vms'][0]['vcpus'] = 0")
    backwards = dict(reversed(document.items()))
    problems = problems_of(parse_snapshot, json.dumps(backwards).encode())
    assert [line.split(":")[0] for line in problems] == ["vms[0].vcpus", "hosts[0].cpu_cores"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param("del d['hosts']", ["the document: 'hosts' is missing"], id="no hosts"),
        pytest.param("d['hosts'] = 5", ["hosts: 5"], id="hosts that are no list"),
        pytest.param(
            "d['vms'] = [5]; d['rules'] = d['rules'][:1]", ["vms[0]: 5"], id="VMs without any id"
        ),
        pytest.param("d['vms'][0]['host'] = 5", ["vms[0].host: 5"], id="a number for a host"),
        pytest.param("d['vms'][0]['host'] = ''", ["vms[0].host: ''"], id="nothing for a host"),
    ],
)
def test_what_cannot_be_read_draws_no_second_problem(change: str, expected: list[str]) -> None:
    assert [line.split("; allowed")[0] for line in snapshot_problems(change)] == expected


def test_vms_without_any_host_in_the_file_are_named() -> None:
    change = "d['hosts'] = []; d['rules'] = []; d['vms'] = d['vms'][:2]"
    assert [line.split(":")[0] for line in snapshot_problems(change)] == [
        "vms[0].host",
        "vms[1].host",
    ]


def test_a_key_given_twice_is_told_beside_other_mistakes() -> None:
    content = json.dumps(changed(SNAPSHOT, "d['vms'][1]['vcpus'] = 0")).encode()
    doubled = content.replace(b'"hosts": [{', b'"hosts": [{"id": "host-0", "id": "host-0", ', 1)
    assert [line.split("; allowed")[0] for line in problems_of(parse_snapshot, doubled)] == [
        "hosts[0]: 'id' given twice",
        "vms[1].vcpus: 0",
    ]


def test_what_hides_behind_a_key_given_twice_is_not_judged() -> None:
    content = json.dumps(SNAPSHOT).encode().removeprefix(b"{")
    hidden = b'{"vms": [{"id": "a", "id": "b"}], ' + content
    assert problems_of(parse_snapshot, hidden) == [
        "the document: 'vms' given twice; allowed: each key once"
    ]


def test_a_hostile_key_cannot_write_to_the_terminal_nor_fill_it() -> None:
    (problem,) = plan_problems("d['elapsed_seconds'][chr(27) + '[2J' + 'x' * 999] = None")
    assert problem.isprintable()
    assert len(problem) < 250


def test_a_plan_lists_words_and_references_together() -> None:
    change = """
d['moves'][0]['wave'] = 0
d['moves'][1]['after'] = ['m9']
d['moves'][2]['priority'] = 'hihg'
d['moves'][2]['id'] = d['moves'][0]['id']
d['status'] = 'balancd'
d['elapsed_seconds'] = {}
del d['refusals']
"""
    assert [line.split("; ")[0] for line in plan_problems(change)] == [
        "the document: 'refusals' is missing",
        "status: 'balancd'",
        "moves[0].wave: 0",
        "moves[1].after: there is no move 'm9' in the plan",
        "moves[2].id: 'm1' is given twice",
        "moves[2].priority: 'hihg'",
        "elapsed_seconds: 'total' is missing",
    ]


def test_a_move_whose_vm_came_from_where_nobody_can_read_is_not_judged() -> None:
    change = "d['moves'][0]['to'] = 5; d['moves'][1]['vm'] = d['moves'][0]['vm']"
    assert [line.split(":")[0] for line in plan_problems(change)] == ["moves[0].to"]


@PATIENT
@given(document=ANY_JSON)
def test_no_json_makes_the_checks_raise(document: object) -> None:
    assert all(
        mistake.found for mistake in [*reference_mistakes(document), *plan_mistakes(document)]
    )


@PATIENT
@given(document=damaged(SNAPSHOT, values=ANY_JSON))
def test_a_snapshot_with_any_piece_replaced_is_read_or_refused(document: object) -> None:
    read_or_refused(parse_snapshot, document)


@PATIENT
@given(document=damaged(PLAN, values=ANY_JSON))
def test_a_plan_with_any_piece_replaced_is_read_or_refused(document: object) -> None:
    read_or_refused(parse_plan, document)


def read_or_refused(parse: Parse, document: object) -> None:
    try:
        parse(json.dumps(document).encode(), name="f.json")
    except InputError as err:
        lines = [str(problem) for problem in err.problems]
        assert lines
        assert len(lines) == len(set(lines))
        assert all(line.isprintable() for line in lines)


@PATIENT
@given(document=damaged(SNAPSHOT, values=ANY_JSON))
def test_broken_references_are_told_whatever_else_is_wrong(document: object) -> None:
    if not isinstance(document, dict) or len(list(reference_mistakes(document))) > 100:
        return
    try:
        text = json.dumps(document | {"taken_at": "yesterday"}).encode()
        parse_snapshot(text, name="f.json")
    except InputError as err:
        if "not valid JSON" not in err.problems[0].found:
            told = {problem.found for problem in err.problems}
            assert told >= {mistake.found for mistake in reference_mistakes(document)}
    else:
        pytest.fail("a snapshot of yesterday was read")

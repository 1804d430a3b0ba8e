"""`balancer policy test`: expectations that are met, that are not, and tests that are wrong."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import yaml

from balancer.adapters.files import write_snapshot
from balancer.cli.app import Session, run_command_line
from balancer.policy.expectation_document import ExpectationDocument
from balancer.policy.expectation_types import ExpectationKind
from tests.support.builders import host, snapshot, vm

HEAD = "apiVersion: balancer/v1\nkind: PolicyTest\nname: t\n"
CLUSTER = """\
cluster:
  hosts:
    - {name: esx, count: 3}
    - {name: spare, state: entering_maintenance}
  vms:
    - {name: web, count: 2, host: [esx-1], tags: ["tier:web"]}
    - {name: app, count: 6, host: [esx-2, esx-3]}
    - {name: last, host: [spare]}
    - {name: idle, host: [esx-1], power: "off"}
  rules:
    - {name: apart, type: anti_affinity, vms: [web-1, web-2]}
"""
"""Two moves are planned: one of the web servers leaves esx-1, `last` leaves the spare host."""

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "balancer/schemas/policy-test.v1.schema.json").read_text("utf-8")
)


def write(folder: Path, expect: str, *, head: str = HEAD, cluster: str = CLUSTER) -> Path:
    path = folder / "p.test.yaml"
    path.write_text(f"{head}{cluster}expect:\n{expect}")
    return path


def run(*arguments: str | Path) -> int:
    return run_command_line(["policy", "test", *map(str, arguments)], Session())


def result(path: Path, capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    run(path, "--format", "json")
    (test,) = json.loads(capfd.readouterr().out)["tests"]
    return dict(test)


MET_AND_NOT: dict[str, tuple[list[str], list[str]]] = {
    "no_moves": ([], ["true"]),
    "moves_at_most": (["2", "3"], ["1", "0"]),
    "moves_at_least": (["2", "1"], ["3"]),
    "never_share_host": (
        ["[web-1, web-2]", '{tag: "tier:web"}', "[app-1, app-2]"],
        ["[app-1, app-3]", "{glob: 'app-*'}"],
    ),
    "share_host": (["[app-1, app-3, app-5]"], ["[web-1, web-2]", "[app-1, app-2]"]),
    "empty": (["[spare]", "{name: spare}"], ["[esx-1]", "[spare, esx-2]"]),
    "runs_on": (
        ["{vms: [app-1], hosts: [esx-2]}", "{vms: {glob: 'app-*'}, hosts: {glob: 'esx-*'}}"],
        ["{vms: [app-1], hosts: [esx-3]}", "{vms: [last, app-1], hosts: [spare]}"],
    ),
    "stay": (["[app-1]", "{glob: 'app-*'}"], ["[last]", "[web-1, web-2]"]),
    "status": (["planned"], ["balanced", "refused"]),
    "rule_holds": (["apart"], []),
    "mode": (["automatic"], ["observe", "manual"]),
}


def test_every_kind_of_expectation_is_tried() -> None:
    assert set(MET_AND_NOT) == {kind.value for kind in ExpectationKind}
    assert set(MET_AND_NOT) == set(ExpectationDocument.model_fields)


@pytest.mark.parametrize("kind", MET_AND_NOT)
def test_an_expectation_is_met_or_not(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    met, unmet = MET_AND_NOT[kind]
    path = write(tmp_path, "".join(f"- {{{kind}: {value}}}\n" for value in [*met, *unmet]))
    found = result(path, capfd)["expectations"]
    assert [one["met"] for one in found] == [True] * len(met) + [False] * len(unmet), found
    jsonschema.validate(yaml.safe_load(path.read_text()), SCHEMA)


def test_a_rule_that_stays_broken_does_not_hold(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cluster = """\
cluster:
  hosts: [{name: esx}]
  vms: [{name: web, count: 2, host: [esx]}]
  rules: [{name: apart, type: anti_affinity, vms: [web-1, web-2]}]
"""
    path = write(
        tmp_path, "- rule_holds: apart\n- never_share_host: [web-1, web-2]\n", cluster=cluster
    )
    assert [(one["met"], one["found"]) for one in result(path, capfd)["expectations"]] == [
        (False, "broken by web-1 on esx, web-2 on esx"),
        (False, "web-1 and web-2 share esx still, as at the start"),
    ]


def test_one_line_says_what_was_found_and_the_last_one_counts(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, "- moves_at_most: 2\n- empty: [esx-1]\n")
    assert run(path) == 1
    out = capfd.readouterr().out
    words = " ".join(out.split())
    found = "2 moves: last to esx-1 (evacuate), web-1 to esx-2 (rule)"
    assert f"ok at most 2 moves; found: {found} FAIL" in words
    closed_up = "".join(out.split())  # a long path may be cut where the line ends
    assert "FAIL esx-1 empty; found: last and web-2 on esx-1" in words
    assert f"({path}:17:10)" in closed_up
    assert out.splitlines()[-1] == "1 test, 2 expectations, 1 not met"


def test_everything_met_ends_with_0(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(write(tmp_path, "- empty: [spare]\n")) == 0
    assert capfd.readouterr().out.endswith("1 test, 1 expectation: all met\n")


@pytest.mark.parametrize(
    ("mode", "moves", "held"),
    [("observe", 0, 2), ("manual", 0, 2), ("partial", 2, 0), ("automatic", 2, 0)],
)
def test_moves_are_those_that_the_mode_lets_happen(
    mode: str, moves: int, held: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    expect = f"- moves_at_least: {moves}\n- moves_at_most: {moves}\n- mode: {mode}\n"
    path = write(tmp_path, expect, head=f"{HEAD}mode: {mode}\n")
    found = result(path, capfd)
    assert found["passed"], found
    assert ("2 planned moves held back" in found["expectations"][0]["found"]) is (held == 2)


WRONG = {
    "unknown VM": ("- stay: [web-3]", "expect[0].stay[0]: there is no running VM 'web-3'"),
    "unknown host": ("- empty: [esx-9]", "expect[0].empty[0]: there is no host 'esx-9'"),
    "VM that is off": ("- stay: [idle]", "expect[0].stay[0]: 'idle' does not run"),
    "nobody selected": ("- stay: {glob: 'x*'}", "expect[0].stay: selects no running VM"),
    "no host selected": ("- empty: {glob: 'x*'}", "expect[0].empty: selects no host"),
    "unknown rule": ("- rule_holds: apurt", "no rule 'apurt' is in force; allowed: apart; did"),
    "one VM alone": ("- share_host: [web-1]", "expect[0].share_host: 1 running VM; allowed: two"),
    "two keys": ("- {no_moves: true, mode: observe}", "expect[0]: no_moves and mode in one entry"),
    "no key": ("- {}", "expect[0]: an empty entry"),
    "null": ("- {stay: null}", "expect[0].stay: null"),
    "unknown key": ("- {sty: [web-1]}", "unknown key 'sty'; did you mean 'stay'?"),
    "nothing expected": ("  []", "expect: a list; allowed: 1 or more entries"),
    "empty selector": ("- stay: {}", "a selector that says something"),
    "no_moves: false": ("- no_moves: false", "expect[0].no_moves: false; allowed: True"),
}


@pytest.mark.parametrize(("expect", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_expectation_is_an_error_and_never_met(
    expect: str, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, expect + "\n")
    assert run(path) == 1
    out = " ".join(capfd.readouterr().out.split())
    assert message in out
    assert out.endswith("1 test, 0 expectations, 1 error")


def test_all_mistakes_of_a_file_are_told_at_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cluster = """\
snapshot: a.json
cluster:
  hosts: [{name: esx, count: 2}, {name: esx-2}]
  vms: [{name: web, host: [esx-9], cpu_mhz: -1}]
  rules: [{name: r, type: affinity, vms: [web, wob]}]
at: yesterday
"""
    assert run(write(tmp_path, "- mode: loud\n", cluster=cluster)) == 1
    out = capfd.readouterr().out
    for message in (
        ":1:1: snapshot and cluster; allowed: one of",
        ":6:41: cluster.hosts[1].name: 'esx-2' is given twice",
        ":7:28: cluster.vms[0].host[0]: there is no 'esx-9' in this cluster",
        "cluster.vms[0].cpu_mhz: -1",
        "cluster.rules[0].vms[1]: there is no 'wob' in this cluster",
        "at: 'yesterday'",
        "expect[0].mode: 'loud'",
    ):
        assert message in out, message


def test_other_files_are_run_beside_a_wrong_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "none.yaml", write(tmp_path, "- empty: [spare]\n")) == 1
    out = capfd.readouterr().out
    assert "cannot be read" in out
    assert "ok    spare empty" in out


def test_a_snapshot_and_policies_are_looked_for_beside_the_test(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_snapshot(snapshot([host(1), host(2)], [vm(1, 1)]), tmp_path / "s.json")
    (tmp_path / "mine.yaml").write_text("apiVersion: balancer/v1\nkind: Policy\nname: mine\n")
    cluster = "snapshot: s.json\npolicies: [balanced, ./mine.yaml]\n"
    assert result(write(tmp_path, "- stay: [vm1]\n", cluster=cluster), capfd)["passed"]


NIGHTS = """\
apiVersion: balancer/v1
kind: Policy
name: nights
windows:
  - {name: night, effect: allow, time_zone: Europe/Zurich, weekdays: [mon, tue], start: "22:00",
     duration_min: 480}
rules:
  - {name: apps, type: vm-host, vms: {name: app-1}, run_on: {name: esx-1}}
"""


@pytest.mark.parametrize(
    ("at", "mode", "why"),
    [
        ("2026-01-05T12:00:00+01:00", "observe", "window 'night' opens 2026-01-05 22:00"),
        ("2026-01-05T23:00:00+01:00", "automatic", "as configured"),
        ("2026-01-06T05:59:00+01:00", "automatic", "as configured"),
        ("2026-01-07T23:00:00+01:00", "observe", "window 'night' opens 2026-01-12 22:00"),
    ],
)
def test_a_test_is_about_a_time(
    at: str, mode: str, why: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nights.yaml").write_text(NIGHTS)
    head = f"{HEAD}policies: [./nights.yaml]\nat: {at}\n"
    path = write(tmp_path, f"- mode: {mode}\n- rule_holds: apps\n", head=head)
    found = result(path, capfd)["expectations"]
    assert found[0]["met"], found
    assert why in found[0]["found"]
    assert found[1]["met"] is (mode == "automatic")


def test_a_policy_for_other_clusters_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = "apiVersion: balancer/v1\nkind: Policy\napplies_to: {clusters: [other]}\n"
    (tmp_path / "mine.yaml").write_text(text)
    path = write(tmp_path, "- no_moves: true\n", head=f"{HEAD}policies: [./mine.yaml]\n")
    assert "it applies to cluster other" in result(path, capfd)["error"]


def test_names_that_two_vms_have_are_asked_for_by_id(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    vms = [vm(1, 1, name="web"), vm(2, 1, name="web")]
    write_snapshot(snapshot([host(1), host(2)], vms), tmp_path / "s.json")
    found = result(write(tmp_path, "- stay: [web]\n", cluster="snapshot: s.json\n"), capfd)
    assert "'web' names 2 running VMs; allowed: an id: vm-1, vm-2" in found["error"]
    path = write(tmp_path, "- stay: [vm-1, vm-2]\n", cluster="snapshot: s.json\n")
    assert result(path, capfd)["passed"]


def test_a_generated_cluster_can_be_asked_for(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cluster = "generate: {hosts: 4, vms: 40, broken_pairs: 1, seed: 3}\n"
    path = write(tmp_path, "- rule_holds: apart-pair-1\n- status: planned\n", cluster=cluster)
    assert result(path, capfd)["passed"]
    path = write(tmp_path, "- no_moves: true\n", cluster="generate: {hosts: 40, vms: 4}\n")
    assert "needs 2 hosts and a VM for each" in result(path, capfd)["error"]


def test_junit_has_a_case_for_each_expectation(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, xml = write(tmp_path, "- empty: [spare]\n- no_moves: true\n"), tmp_path / "j.xml"
    assert run(path, tmp_path / "none.yaml", "--junit", xml) == 1
    suites = ET.parse(xml).getroot().findall("testsuite")
    assert [(s.get("tests"), s.get("failures"), s.get("errors")) for s in suites] == [
        ("2", "1", "0"),
        ("1", "0", "1"),
    ]
    failure = suites[0].find("testcase/failure")
    assert failure is not None
    assert str(failure.get("message")).startswith("2 moves:")


def test_hostile_names_harm_neither_terminal_nor_xml(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    evil = "x\x1b[2J<b>&\x00"
    write_snapshot(snapshot([host(1)], [vm(1, 1, name=evil)]), tmp_path / "s.json")
    path, xml = (
        write(tmp_path, "- empty: [esx1]\n", cluster="snapshot: s.json\n"),
        tmp_path / "j.xml",
    )
    assert run(path, "--junit", xml) == 1
    assert "\x1b" not in capfd.readouterr().out
    assert ET.parse(xml).getroot().find("testsuite/testcase/failure") is not None


GUIDE = Path(__file__).parents[3] / "docs/operate/policy-tools.md"


def test_the_example_of_the_guide_passes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```yaml\n(.*?kind: PolicyTest.*?)```", GUIDE.read_text("utf-8"), re.S)
    rule = '  - {name: web apart, type: anti-affinity, vms: {tag: "tier:web"}}\n'
    text = f"apiVersion: balancer/v1\nkind: Policy\nrules:\n{rule}"
    (tmp_path / "web-apart.yaml").write_text(text)
    (tmp_path / "t.yaml").write_text(example)
    assert run(tmp_path / "t.yaml") == 0
    assert "3 expectations: all met" in capfd.readouterr().out

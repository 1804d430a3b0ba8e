"""`balancer policy lint`: what policies ask that cannot be, or that does nothing."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from balancer.adapters.files import write_snapshot
from balancer.assess.lint import NOTES, lint
from balancer.assess.lint_rules import RuleBook
from balancer.cli.app import Session, run_command_line
from balancer.cli.policy_lint_plans import lint_by_plans
from balancer.model.host import HostState
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.vm import Automation
from balancer.policy.compose import PolicySet
from balancer.policy.lint_types import Level, LintFinding, LintKind
from balancer.policy.resolve import resolve
from balancer.policy.resolved import NoteKind
from balancer.policy.strict_yaml import parse_yaml
from tests.support.builders import NOON, host, rule, snapshot, vm

HEAD = "apiVersion: balancer/v1\nkind: Policy\n"


def cluster() -> Snapshot:
    """Return three hosts, two of them in a rack, with vm1 to vm6; the cluster keeps vm5 and vm6 apart."""
    hosts = [host(n, groups=frozenset({"rack"} if n < 3 else ())) for n in (1, 2, 3)]
    rules = [rule("own", RuleType.ANTI_AFFINITY, [5, 6])]
    return snapshot(hosts, [vm(n, on=1 + n % 3) for n in range(1, 7)], rules)


def policies(text: str) -> PolicySet:
    return PolicySet([parse_yaml((HEAD + text).encode(), name="p.yaml")])


def found(text: str, *, facts: Snapshot | None = None) -> list[tuple[str, str, str]]:
    """Return level, kind and rule of what is found against the cluster above."""
    asked, snap = policies(text), facts or cluster()
    findings = lint(asked, resolve(snap, asked.without_windows), NOON)
    assert all(finding.why and finding.mend for finding in findings)
    return [(f.level.value, f.kind.value, f.rule) for f in findings]


def rules(*entries: str) -> str:
    return "rules:\n" + "".join(f"  - {{{entry}}}\n" for entry in entries)


def vms(*numbers: int) -> str:
    return f"vms: {{name: [{', '.join(f'vm{n}' for n in numbers)}]}}"


A = "name: a, "
B = "name: b, "
RULES: dict[str, tuple[str, list[tuple[str, str, str]]]] = {
    "a sound rule": (rules(f"{A}type: anti-affinity, {vms(1, 2)}"), []),
    "no VM": (rules(f"{A}type: affinity, {vms(9)}"), [("warning", "no_vms", "a")]),
    "one VM": (rules(f"{A}type: affinity, {vms(1)}"), [("warning", "one_vm", "a")]),
    "no host": (
        rules(f"{A}type: vm-host, {vms(1)}, run_on: {{name: esx9}}"),
        [("error", "no_hosts", "a")],
    ),
    "no host to keep off": (
        rules(f"{A}type: vm-host, {vms(1)}, keep_off: {{name: esx9}}"),
        [("warning", "no_hosts", "a")],
    ),
    "one host alone": (
        rules(f"{A}type: vm-host, {vms(1)}, run_on: {{name: esx1}}"),
        [("warning", "one_host_down", "a")],
    ),
    "one host alone, as a wish": (
        rules(f"{A}type: prefer, {vms(1)}, run_on: {{name: esx1}}"),
        [],
    ),
    "more VMs than hosts": (
        rules(f"{A}type: anti-affinity, {vms(1, 2, 3, 4)}"),
        [("error", "oversize", "a")],
    ),
    "more VMs than hosts, as a wish": (
        rules(f"{A}type: anti-affinity, {vms(1, 2, 3, 4)}, enforce: should"),
        [("warning", "oversize", "a")],
    ),
    "as many VMs as hosts": (
        rules(f"{A}type: anti-affinity, {vms(1, 2, 3)}"),
        [("warning", "one_host_down", "a")],
    ),
    "no common host of one VM": (
        rules(
            f"{A}type: vm-host, {vms(1)}, run_on: {{name: [esx1, esx2]}}",
            f"{B}type: vm-host, {vms(1)}, keep_off: {{group: rack}}",
        ),
        [("error", "contradictory", "b")],
    ),
    "together and apart": (
        rules(f"{A}type: affinity, {vms(1, 2)}", f"{B}type: anti-affinity, {vms(1, 2, 3)}"),
        [("error", "contradictory", "b")],
    ),
    "together against the cluster's own rule": (
        rules(f"{A}type: affinity, {vms(5, 6)}"),
        [("error", "contradictory", "a")],
    ),
    "together without a common host": (
        rules(
            f"{A}type: affinity, {vms(1, 2)}",
            f"{B}type: vm-host, {vms(1)}, run_on: {{group: rack}}",
            f"name: c, type: vm-host, {vms(2)}, keep_off: {{group: rack}}",
        ),
        [("error", "contradictory", "a"), ("warning", "one_host_down", "c")],
    ),
    "apart on too few hosts": (
        rules(
            f"{A}type: anti-affinity, {vms(1, 2)}",
            f"{B}type: vm-host, {vms(1, 2)}, run_on: {{name: esx3}}",
        ),
        [("error", "contradictory", "a"), ("warning", "one_host_down", "b")],
    ),
    "asked twice": (
        rules(f"{A}type: affinity, {vms(1, 2)}", f"{B}type: affinity, {vms(1, 2)}"),
        [("warning", "redundant", "b")],
    ),
    "part of a larger rule": (
        rules(
            f"{A}type: affinity, {vms(1, 2)}",
            f"{B}type: affinity, {vms(1, 2, 3)}",
        ),
        [("warning", "redundant", "a")],
    ),
    "asked by the cluster already": (
        rules(f"{A}type: anti-affinity, {vms(5, 6)}"),
        [("warning", "redundant", "a")],
    ),
    "a wish beside a law is no reason to drop the law": (
        rules(
            f"{A}type: affinity, {vms(1, 2)}, enforce: should", f"{B}type: affinity, {vms(1, 2)}"
        ),
        [("warning", "redundant", "a")],
    ),
    "every host": (
        rules(f"{A}type: vm-host, {vms(1)}, run_on: {{glob: '*'}}"),
        [("warning", "no_effect", "a")],
    ),
    "most as large as the group": (
        rules(f"{A}type: max-per-host, {vms(1, 2)}, most: 2"),
        [("warning", "no_effect", "a")],
    ),
    "a name in drs that is not there": (
        "drs: {ignore_rules: [owm]}\n",
        [("warning", "unknown_name", "")],
    ),
    "a rule of the cluster that is ignored": (
        "drs: {ignore_rules: [own]}\n",
        [("info", "taken_in", "own")],
    ),
}


@pytest.mark.parametrize(("text", "expected"), RULES.values(), ids=RULES)
def test_rules_are_held_against_the_cluster(
    text: str, expected: list[tuple[str, str, str]]
) -> None:
    assert found(text) == expected


def test_many_rules_of_the_cluster_that_do_not_count_are_one_finding() -> None:
    own = [rule(f"r{n}", RuleType.AFFINITY, [1, 2]) for n in range(6)]
    asked = policies("drs: {rules: false}\n")
    (finding,) = lint(
        asked, resolve(replace(cluster(), rules=tuple(own)), asked.without_windows), NOON
    )
    assert finding.why == "6 rules of the cluster do not count: 'r0', 'r1', 'r2' and 3 more"


def test_every_note_of_a_resolution_is_a_finding() -> None:
    assert set(NOTES) == set(NoteKind)


def test_rules_on_hosts_out_of_service_are_told() -> None:
    snap = cluster()
    off = tuple(replace(h, state=HostState.MAINTENANCE) if h.groups else h for h in snap.hosts)
    text = rules(f"{A}type: vm-host, {vms(1)}, run_on: {{group: rack}}")
    assert found(text, facts=replace(snap, hosts=off)) == [("warning", "unreachable", "a")]


OLD = "{name: w, effect: deny, from: 2020-01-01, until: 2020-01-02}"
NEXT_YEAR = "{name: w, effect: allow, from: 2027-01-01, until: 2027-01-02}"
SETTINGS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "nothing": ("name: x\n", []),
    "a window that is over": (f"windows: [{OLD}]\n", [("window_never_opens", ":3:11")]),
    "a cron that never comes": (
        "windows: [{name: w, effect: deny, cron: '0 0 29 2 *', duration_min: 5}]\n",
        [],
    ),
    "a denial that denies nothing": (
        "mode: observe\nwindows: [{name: w, effect: deny, from: 2027-01-01, until: 2027-01-02}]\n",
        [("no_effect", ":4:11")],
    ),
    "an allowance that allows nothing more": (
        f"outside_windows: automatic\nwindows: [{NEXT_YEAR}]\n",
        [("no_effect", ":4:11")],
    ),
    "outside_windows without windows": (
        "outside_windows: partial\n",
        [("no_effect", ":3:18")],
    ),
    "a trigger of a goal that is off": (
        "thresholds: {vm_count_trigger: 0.5}\n",
        [("no_effect", ":3:32")],
    ),
    "a trigger of a goal that is on": (
        "goals: {vm_count: true}\nthresholds: {vm_count_trigger: 0.5}\n",
        [],
    ),
    "relief that lasts, of a goal that is off": (
        "goals: {contention: false}\ntrigger: {contention_sustained_s: 900, foreseen: false}\n",
        [("no_effect", ":4:35"), ("no_effect", ":4:50")],
    ),
    "balance that lasts, of a goal that is off": (
        "goals: {balance: false}\ntrigger: {balance_sustained_s: 900}\n",
        [("no_effect", ":4:32")],
    ),
    "grave overload where nothing has to last": (
        "trigger: {contention_sustained_s: 0, grave: 1.2}\n",
        [("no_effect", ":3:45")],
    ),
    "a share of looks of which there are none": (
        "trigger: {contention_sustained_s: 0, balance_sustained_s: 0, sustained_share: 0.9}\n",
        [("no_effect", ":3:79")],
    ),
    "an overload that is always grave": (
        "trigger: {contention_sustained_s: 900, grave: 0.8}\n",
        [("no_effect", ":3:35")],
    ),
    "an overload that is grave above its threshold": (
        "trigger: {contention_sustained_s: 900, grave: 0.95}\n",
        [],
    ),
    "idle memory that does not count": (
        "memory_metric: consumed\nidle_memory_share: 0.5\n",
        [("no_effect", ":4:20")],
    ),
    "a prefix of tags that do not count": (
        "tag_rules: {enabled: false, prefix: x}\n",
        [("no_effect", ":3:37")],
    ),
    "rules softened that do not count at all": (
        "drs: {rules: false, soften_rules: [{name: x}]}\n",
        [("no_effect", ":3:35")],
    ),
    "weights of a price that is nothing": (
        "prices: {soft_rule: 0}\n"
        + rules(f"{A}type: affinity, {vms(1, 2)}, enforce: should, weight: 3"),
        [("no_effect", ":3:21")],
    ),
    "a mode of VMs that binds nobody": (
        f"vm_modes: [{{{vms(1)}, mode: automatic}}]\n",
        [("no_effect", ":3:12")],
    ),
    "a rule said twice": (
        rules(f"{A}type: affinity, {vms(1, 2)}", f"{B}type: affinity, {vms(1, 2)}"),
        [("redundant", ":5:5")],
    ),
}


@pytest.mark.parametrize(("text", "expected"), SETTINGS.values(), ids=SETTINGS)
def test_settings_and_windows_are_judged_from_the_files_alone(
    text: str, expected: list[tuple[str, str]]
) -> None:
    findings = lint(policies(text), None, NOON)
    assert [(f.kind.value, f.where.removeprefix("p.yaml")) for f in findings] == expected


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    write_snapshot(cluster(), tmp_path / "s.json")
    (tmp_path / "p.yaml").write_text(HEAD + rules(f"{A}type: affinity, {vms(9)}"))
    return str(tmp_path / "p.yaml"), str(tmp_path / "s.json")


def run(*arguments: str) -> int:
    return run_command_line(["policy", "lint", *arguments], Session())


def test_warnings_fail_only_where_it_is_asked_for(
    files: tuple[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    policy, snap = files
    assert run(policy, "--snapshot", snap) == 0
    out = capfd.readouterr().out
    assert f"{policy}:4:5: warning: no_vms: rule 'a'\n" in out
    assert out.endswith("1 warning; looked at: cluster prod\n")
    assert run(policy, "--snapshot", snap, "--strict") == 1


def test_errors_fail(files: tuple[str, str]) -> None:
    policy, snap = files
    Path(policy).write_text(HEAD + rules(f"{A}type: affinity, {vms(5, 6)}"))
    assert run(policy, "--snapshot", snap) == 1


def test_a_file_of_the_wrong_form_is_told_as_ever(
    files: tuple[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    Path(files[0]).write_text(HEAD + "rulez: []\n")
    assert run(files[0]) == 1
    assert "unknown key 'rulez'; did you mean 'rules'?" in capfd.readouterr().err


def test_findings_as_json(files: tuple[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    assert run(files[0], "--snapshot", files[1], "--format", "json") == 0
    document = json.loads(capfd.readouterr().out)
    assert document["against"] == "cluster prod"
    (finding,) = document["findings"]
    assert (finding["kind"], finding["rule"], finding["level"]) == ("no_vms", "a", "warning")


def test_without_anything_to_look_at_the_command_says_so(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run() == 1
    assert "name policies, or give --config or --snapshot" in capfd.readouterr().err


def tight() -> Snapshot:
    """Return three hosts; a large VM on the second stays there, and leaves no room for another one."""
    hosts = [host(n, memory_capacity_mib=20_000.0) for n in (1, 2, 3)]
    tied = vm(2, on=2, memory_mib=14_000.0, automation=Automation.MANUAL)
    return snapshot(hosts, [vm(1, on=1, memory_mib=14_000.0), tied, vm(3, on=1, memory_mib=4000.0)])


def by_plans(text: str, **clock: Any) -> list[LintFinding]:
    asked, snap = policies(text), tight()
    resolved = resolve(snap, asked.without_windows)
    book = RuleBook(snapshot=resolved.snapshot, places=resolved.places)
    return list(lint_by_plans(book, snap, asked.without_windows, frozenset(), **clock))


def test_the_planner_is_asked_what_rules_and_memory_come_to_together() -> None:
    apart = rules(f"{A}type: anti-affinity, {vms(1, 2)}")
    assert by_plans(apart) == []
    (finding,) = by_plans(rules(f"{A}type: affinity, {vms(1, 2)}"))
    assert (finding.kind, finding.rule) == (LintKind.UNREACHABLE, "a")
    assert "cannot be met with hosts and VMs as they are" in finding.why


def test_with_a_host_down_memory_counts() -> None:
    text = rules(f"{A}type: vm-host, {vms(1)}, run_on: {{name: [esx1, esx2]}}")
    (finding,) = by_plans(text)
    assert (finding.kind, finding.rule) == (LintKind.ONE_HOST_DOWN, "a")
    assert "while esx1 is out of service" in finding.why


def test_the_planner_is_asked_for_a_bounded_time() -> None:
    times = iter([0.0, 0.1, 21.0])
    text = rules(f"{A}type: anti-affinity, {vms(1, 2)}")
    (finding,) = by_plans(text, clock=lambda: next(times))
    assert finding.level is Level.INFO
    assert finding.why == "after 20 seconds 2 hosts were not tried out of service"


def test_no_name_reaches_the_terminal_as_it_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    evil = "x\x1b[2J\u202e\n"
    own = rule(evil, RuleType.AFFINITY, [1, 2])
    named = snapshot([host(1, name=evil)], [vm(1, 1, name=evil), vm(2, 1)], [own])
    write_snapshot(named, tmp_path / "s.json")
    path = tmp_path / "p.yaml"
    path.write_text(HEAD + rules(f"{A}type: anti-affinity, vms: {{glob: '*'}}"))
    assert run(str(path), "--snapshot", str(tmp_path / "s.json")) == 1
    out = capfd.readouterr().out
    assert all(line.isprintable() for line in out.splitlines())
    assert "x\\x1b[2J\\u202e\\n" in out

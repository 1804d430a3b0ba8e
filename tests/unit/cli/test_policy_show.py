"""`balancer policy show`: each value with its origin, windows, modes, rules, and one VM."""

import json
from pathlib import Path
from typing import Any

import pytest

from balancer.adapters.files import write_snapshot
from balancer.cli.app import Session, run_command_line
from balancer.model.rule import RuleType
from tests.support.builders import host, rule, snapshot, vm

HEAD = "apiVersion: balancer/v1\nkind: Policy\n"
NIGHTS = """\
name: nights
migration_threshold: 4
limits: {moves_per_run_at_most: 7}
windows:
  - {name: freeze, effect: deny, from: 2026-12-24, until: 2026-12-26}
  - name: night
    effect: allow
    weekdays: [mon]
    start: "22:00"
    duration_min: 480
    settings: {thresholds: {balance_trigger: 0.2, balance_target: 0.1}}
vm_modes:
  - {vms: {name: vm1}, mode: partial}
rules:
  - {name: hands off, type: exclude, vms: {name: [vm1, vm2]}, from: [balance]}
  - {name: here, type: vm-host, vms: {name: vm1}, run_on: {name: [esx1, esx2]}}
"""
IN_NIGHT, AT_DAY = "2026-11-23T23:00:00+00:00", "2026-11-24T12:00:00+00:00"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    rules = [rule("apart", RuleType.ANTI_AFFINITY, [1, 2])]
    hosts, vms = [host(n) for n in (1, 2, 3)], [vm(n, on=n) for n in (1, 2, 3)]
    write_snapshot(snapshot(hosts, vms, rules), tmp_path / "s.json")
    (tmp_path / "n.yaml").write_text(HEAD + NIGHTS)
    return tmp_path


def run(source: Path, *arguments: str) -> int:
    files = ["--snapshot", str(source / "s.json"), "--policy", str(source / "n.yaml")]
    return run_command_line(["policy", "show", *files, *arguments], Session())


def shown(source: Path, capfd: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(source, "--format", "json", *arguments) == 0
    return dict(json.loads(capfd.readouterr().out))


def test_each_value_has_its_origin(source: Path, capfd: pytest.CaptureFixture[str]) -> None:
    settings, file = shown(source, capfd, "--at", IN_NIGHT)["settings"], source / "n.yaml"
    origins = {
        path: (settings[path]["value"], settings[path]["origin"].replace(str(file), "F"))
        for path in (
            "thresholds.cpu_ceiling",
            "limits.moves_per_run_at_most",
            "thresholds.balance_trigger",
            "prices.move_price",
            "migration_threshold",
        )
    }
    assert origins == {
        "thresholds.cpu_ceiling": (1.0, "default"),
        "limits.moves_per_run_at_most": (7, "F:5:33"),
        "thresholds.balance_trigger": (0.2, "window night (F:13:46)"),
        "prices.move_price": (1e-05, "migration_threshold 4 (F:4:22)"),
        "migration_threshold": (4, "F:4:22"),
    }


def test_a_window_that_is_closed_sets_nothing(
    source: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    setting = shown(source, capfd, "--at", AT_DAY)["settings"]["thresholds.balance_trigger"]
    assert setting["value"] == 0.03
    assert setting["origin"].startswith("migration_threshold 4 ")


def test_the_mode_in_force_says_what_holds_it(
    source: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = shown(source, capfd, "--at", AT_DAY)
    assert found["mode"]["in_force"] == "observe"
    assert "window 'night' opens 2026-11-30 22:00 UTC" in found["mode"]["detail"]
    assert shown(source, capfd, "--at", IN_NIGHT)["mode"]["in_force"] == "automatic"


def test_windows_say_when_they_change(source: Path, capfd: pytest.CaptureFixture[str]) -> None:
    freeze, night = shown(source, capfd, "--at", IN_NIGHT)["windows"]
    assert (freeze["open"], freeze["opens_at"]) == (False, "2026-12-24T00:00:00Z")
    assert (night["open"], night["closes_at"]) == (True, "2026-11-24T06:00:00Z")
    assert night["origin"].endswith("n.yaml:8:5")


def test_rules_say_whom_they_select_and_where_they_stand(
    source: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rules = {one["name"]: one for one in shown(source, capfd)["rules"]}
    assert (rules["apart"]["vms"], rules["apart"]["origin"]) == (2, "the cluster")
    assert (rules["here"]["vms"], rules["here"]["hosts"]) == (1, 2)
    assert rules["here"]["origin"].endswith("n.yaml:18:5")
    assert rules["hands off"]["asks"] == "leave alone (balance)"
    assert rules["hands off"]["vms"] == 2


def test_one_vm_is_told_what_holds_for_it(source: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = shown(source, capfd, "--vm", "vm1", "--at", IN_NIGHT)["vm"]
    assert (found["mode"], found["mode_of_vm"]) == ("partial", "partial")
    assert found["left_alone"] == {"balance": "rule 'hands off' leaves it alone"}
    assert [one["name"] for one in found["rules"]] == ["apart", "here"]
    assert found["allowed_hosts"] == ["esx1", "esx2"]
    other = shown(source, capfd, "--vm", "vm-3", "--at", IN_NIGHT)["vm"]
    assert (other["mode"], other["left_alone"], other["rules"]) == ("automatic", {}, [])
    assert other["allowed_hosts"] == ["esx1", "esx2", "esx3"]


def test_the_text_says_the_same(source: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(source, "--at", IN_NIGHT) == 0
    lines = [" ".join(line.split()) for line in capfd.readouterr().out.splitlines()]
    assert lines[0] == "Policy 'nights' of cluster prod at 2026-11-23 23:00:00 UTC"
    assert "thresholds.cpu_ceiling 1 default" in lines
    assert "apart keep apart (must): 2 VMs from the cluster" in lines
    assert any(line.startswith("night allow, open until 2026-11-24 06:00:00 UTC") for line in lines)
    assert run(source, "--vm", "vm1") == 0
    assert "hosts that rules allow: esx1, esx2" in capfd.readouterr().out


@pytest.mark.parametrize("at", ["yesterday", "2026-11-23T23:00:00"], ids=["no time", "no zone"])
def test_a_time_needs_a_zone(source: Path, at: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(source, "--at", at) == 1
    assert "is no date and time with a time zone" in " ".join(capfd.readouterr().err.split())


def test_an_unknown_vm_is_told(source: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(source, "--vm", "vm9") == 1
    assert "There is no VM 'vm9'" in capfd.readouterr().err

"""`balancer lab whatif` from the command line: text, JSON, exit codes, and what is said of wrong options."""

import json
from pathlib import Path

import jsonschema
import pytest

from balancer.adapters.files import write_snapshot
from balancer.cli.app import Session, run_command_line
from balancer.model.vm import Blocker
from tests.support import builders

SCHEMA = Path("balancer/schemas/what-if.v1.schema.json")


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    vms = [
        builders.vm(1, 1, memory_mib=90_000.0),
        builders.vm(2, 2, memory_mib=40_000.0),
        builders.vm(3, 3, blockers=(Blocker.USB_DEVICE,)),
    ]
    path = tmp_path / "s.json"
    write_snapshot(builders.snapshot([builders.host(n) for n in (1, 2, 3)], vms), path)
    return path


def run(*arguments: str | Path) -> int:
    return run_command_line(["lab", "whatif", *map(str, arguments)], Session())


def test_what_fits_is_said_first_and_ends_with_0(
    snapshot: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("--snapshot", snapshot, "--remove-host", "esx2") == 0
    lines = [" ".join(line.split()) for line in capfd.readouterr().out.splitlines()]
    assert lines[:4] == ["What if: cluster prod", "host esx2 emptied", "", "It fits."]
    assert "moves 1 move (1 must be made), 39 GiB, 49 s" in lines
    assert "without change none" in lines
    assert "esx2 5 % -> 0 % 25 % -> 0 % 40 % -> 0 % 1 -> 0 emptied" in lines


def test_what_does_not_fit_is_named_with_its_reasons_and_ends_with_3(
    snapshot: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    change = ("--fail-host", "esx1", "--fail-host", "esx3", "--add-vms", "1:like=vm2")
    assert run("--snapshot", snapshot, *change) == 3
    text = " ".join(capfd.readouterr().out.split())
    assert "It does not fit." in text
    assert "vm1 finds no host: esx2: memory would be 130 % full [memory_ceiling]" in text
    assert "vm3 finds no host: it is bound to its host and is not started on another one" in text
    assert "started new-vm-1 on esx2" in text
    assert "esx1 5 % -> - 56 % -> - 90 % -> - 1 -> - failed" in text
    assert "not survived of esx2" in text


def test_a_vm_that_stays_on_a_host_to_be_emptied_is_named_once(
    snapshot: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("--snapshot", snapshot, "--remove-host", "esx3") == 3
    verdict = capfd.readouterr().out.partition("It does not fit.")[2].partition("moves")[0]
    assert verdict.count("vm3 cannot leave esx3") == 1
    assert "stays on" not in verdict


@pytest.mark.parametrize(
    "change",
    [
        ["--remove-host", "esx2"],
        ["--fail-host", "esx1", "--fail-host", "esx3"],
        ["--remove-host", "esx3", "--add-host", "1", "--add-vms", "3"],
        ["--policy", "conservative"],
    ],
)
def test_the_document_is_of_its_schema(
    snapshot: Path, capfd: pytest.CaptureFixture[str], change: list[str]
) -> None:
    run("--snapshot", snapshot, "--format", "json", *change)
    document = json.loads(capfd.readouterr().out)
    jsonschema.validate(document, json.loads(SCHEMA.read_bytes()))
    assert document["fits"] is (change[0] == "--policy" or change == ["--remove-host", "esx2"])


def test_another_policy_alone_is_a_question_too(
    snapshot: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = tmp_path / "a.txt"
    assert run("--snapshot", snapshot, "--policy", "conservative", "--output", answer) == 0
    assert "nothing changed but the policy, balanced before" in answer.read_text("utf-8")
    assert capfd.readouterr().out == ""


def test_another_policy_is_set_against_the_usual_one_and_not_against_itself(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hosts = [builders.host(1), builders.host(2)]
    vms = [builders.vm(number, 1, cpu_demand_mhz=3000.0) for number in range(1, 7)]
    path = tmp_path / "s.json"
    write_snapshot(builders.snapshot(hosts, vms), path)
    assert run("--snapshot", path, "--policy", "rules-and-maintenance-only") == 0
    lines = capfd.readouterr().out.splitlines()
    assert "moves            none" in lines
    assert any(line.startswith("by balanced      3 moves, ") for line in lines)


def test_names_can_do_no_harm_to_a_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    evil = "\x1b[31mx\n"
    hosts = [builders.host(1, name=evil), builders.host(2)]
    path = tmp_path / "s.json"
    write_snapshot(builders.snapshot(hosts, [builders.vm(1, 1, name=evil)]), path)
    assert run("--snapshot", path, "--fail-host", "host-1") == 0
    assert "\x1b[31m" not in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--add-vms", "x"], "--add-vms x: 'x' is no number; allowed: N, N:like=VM"),
        (["--fail-host", "esx9"], "the snapshot has no host 'esx9'; allowed: names or ids such as"),
        ([], "nothing is asked: say a change (--remove-host,"),
    ],
)
def test_a_wrong_question_ends_with_1_and_says_what_is_allowed(
    snapshot: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    assert run("--snapshot", snapshot, *arguments) == 1
    assert expected in " ".join(capfd.readouterr().err.split())


def test_the_snapshot_is_not_written_over_by_its_answer(
    snapshot: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = snapshot.read_bytes()
    assert run("--snapshot", snapshot, "--add-host", "1", "--output", snapshot) == 1
    assert "cannot be written: this command reads it. Name another file." in capfd.readouterr().err
    assert snapshot.read_bytes() == before

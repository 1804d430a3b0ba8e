"""`balancer lab whatif --trace`: text, JSON, exit codes, and what is said of options that do not fit."""

import json
from pathlib import Path

import jsonschema
import pytest

from balancer.adapters.replaying import Lost
from balancer.cli import lab_session
from balancer.cli.app import Session, run_command_line
from balancer.model.rule import RuleType
from tests.support import builders
from tests.support.traces import trace_folder
from tests.unit.lab.recorded import added, cluster, record, removed

SCHEMA = Path("balancer/schemas/what-if-trace.v1.schema.json")
HOSTS = "host,cores,cpu_mhz,mem_mib\nh1,4,10400,65536\nh2,4,10400,65536\nh3,4,10400,65536\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three VMs of 4000 MHz over four slots, one on each of three hosts of 10,400 MHz."""
    rows = "".join(f"{slot},4000,4000,4000\n" for slot in range(4))
    return trace_folder(
        tmp_path / "day",
        cpu_mhz__csv=f"slot,a,b,c\n{rows}",
        mem_active_mib__csv=f"slot,a,b,c\n{rows}",
        vms__csv="vm,vcpus,cpu_mhz,mem_mib\na,2,5200,8192\nb,2,5200,8192\nc,2,5200,8192\n",
        hosts__csv=HOSTS,
        placement0__csv="vm,even\na,h1\nb,h2\nc,h3\n",
    )


def run(*arguments: object) -> int:
    return run_command_line(["lab", "whatif", *map(str, arguments)], Session())


def ask(folder: Path, *arguments: object) -> int:
    return run("--trace", folder, "--jobs", 1, *arguments)


def test_both_replays_stand_side_by_side_and_what_fits_ends_with_0(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert ask(folder, "--remove-host", "h2") == 0
    told = capfd.readouterr()
    lines = [" ".join(line.split()) for line in told.out.splitlines()]
    assert lines[:4] == [
        "What if: trace day, 3 VMs on 3 hosts, 20 min, placement even",
        *("host h2 emptied", "", "ours: it fits."),
    ]
    assert "as it is with the change" in lines
    assert "VMs, hosts 3, 3 3, 2" in lines
    assert "host-slots above 80 % 0 (0.00 %) 0 (0.00 %)" in lines
    assert "fullest host, CPU h1 38 % h1 77 %" in lines
    assert "started elsewhere or new: b on h1; 1 VM of hosts that are gone holds 4.9 GiB" in lines
    assert "[2/2] ours, placement even, changed, seed 0" in told.err


def test_vms_that_never_run_are_counted_on_neither_side(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"{slot},4000,4000,4000,{4000 if slot == 3 else ''}\n" for slot in range(4))
    for name in ("cpu_mhz.csv", "mem_active_mib.csv"):
        (folder / name).write_text(f"slot,a,b,c,d\n{rows}")
    for name, row in (("vms.csv", "d,2,5200,8192\n"), ("placement0.csv", "d,h2\n")):
        (folder / name).write_text((folder / name).read_text() + row)
    assert ask(folder, "--remove-host", "h2", "--with", "nothing", "--days", 0.007) == 0
    told = " ".join(capfd.readouterr().out.split())
    assert "3 VMs on 3 hosts" in told
    assert "VMs, hosts 3, 3 3, 2" in told


def test_what_does_not_fit_is_named_and_ends_with_3(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    change = ("--fail-host", "h2", "--fail-host", "h3", "--with", "nothing")
    big = ("--add-vms", "1:vcpus=4,memory_gib=64,cpu_mhz=0")
    assert ask(folder, *change, *big) == 3
    text = " ".join(capfd.readouterr().out.split())
    assert "nothing: it does not fit." in text
    assert "new-vm-1 finds no host: h1: memory" in text
    assert "13.3 % of the CPU demand goes unmet, more than the 0.02 % that may" in text
    assert ask(folder, *change, "--most-unmet", 14, "--output", folder / "answer") == 0
    written = " ".join((folder / "answer").read_text("utf-8").split())
    assert "at most 14 % of the CPU demand goes unmet" in written


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        (["--add-host", "1", "--add-vms", "2:like=a", "--with", "nothing", "--with", "ours"], True),
        (["--with", "nothing"], True),
        (
            ["--fail-host", "h1", "--with", "nothing", "--add-vms", "1:like=b", "--days", 0.01],
            True,
        ),
        (["--fail-host", "h1", "--add-vms", "9:vcpus=1,memory_gib=60,cpu_mhz=1"], False),
    ],
)
def test_the_document_is_of_its_schema(
    folder: Path, capfd: pytest.CaptureFixture[str], change: list[str], fits: bool
) -> None:
    ask(folder, "--format", "json", *change)
    document = json.loads(capfd.readouterr().out)
    jsonschema.validate(document, json.loads(SCHEMA.read_bytes()))
    assert document["fits"] is fits


def test_another_policy_alone_is_set_against_ours(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert ask(folder, "--policy", "conservative", "--days", 0.004) == 0
    text = capfd.readouterr().out
    assert "nothing changed but the policy" in text
    assert "ours:conservative: it fits." in text


def test_a_lost_replay_gives_no_answer_and_ends_with_1(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = Lost(why="the process was killed", traceback="")
    monkeypatch.setattr(
        lab_session, "side_by_side", lambda tasks, *_, **__: (one for one in enumerate([lost]))
    )
    assert ask(folder, "--remove-host", "h1", "--with", "nothing") == 1
    told = capfd.readouterr()
    assert told.out == ""
    assert "lost: the process was killed" in told.err
    assert "no answer" in told.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--add-host", "1"], "neither is given: say by --snapshot F which moment, or by --trace"),
        (["--snapshot", "s", "--trace", "t"], "both are given: say by --snapshot F"),
        (["--snapshot", "s", "--days", "1"], "--days can be said with --trace alone"),
        (["--trace", "t", "--time-limit", "3"], "--time-limit can be said with --snapshot alone"),
        (["--trace", "t"], "nothing is asked: say a change (--remove-host,"),
        (
            ["--trace", "t", *2 * ("--placement", "p")],
            "--placement is given 2 times; a what-if has",
        ),
        (
            ["--trace", "t", "--output", "no/a"],
            "/no is no folder that may be written to. Name another",
        ),
    ],
)
def test_options_that_do_not_fit_together_are_refused(
    capfd: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    assert run(*arguments) == 1
    assert expected in " ".join(capfd.readouterr().err.split())


def test_a_recording_is_asked_under_the_rules_that_were_recorded(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    apart = builders.rule("apart", RuleType.ANTI_AFFINITY, [1, 2, 3])
    recorded = record(
        tmp_path / "rec", cluster([builders.vm(n, n) for n in (1, 2, 3)], [apart]), slots=3
    )

    assert ask(recorded, "--remove-host", "esx3", "--format", "json") == 3
    answer = json.loads(capfd.readouterr().out)
    assert ask(recorded, "--add-host", "1:like=esx1", "--remove-host", "esx3") == 0
    text = " ".join(capfd.readouterr().out.split())

    jsonschema.validate(answer, json.loads(SCHEMA.read_text()))
    (case,) = answer["cases"]
    assert [one["name"] for one in case["unplaced"]] == ["vm3"]
    assert "recorded rules and settings" in answer["digests"]
    assert "What if: trace rec, 3 VMs on 3 hosts, 15 min, placement as recorded" in text
    assert "started elsewhere or new: vm3 on new-host-1" in text


def test_a_what_if_over_hosts_that_come_and_go_counts_those_of_its_part(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    begin = cluster([builders.vm(n, n) for n in (1, 2, 3)])
    at = {"at_2": added(4), "at_4": removed(1), "at_7": added(5)}
    folder = record(tmp_path / "rec", begin, slots=8, **at)
    of_part = ("--from-day", 5 * 300 / 86_400, "--days", 2 * 300 / 86_400)

    assert ask(folder, *of_part, "--remove-host", "esx2") == 0
    text = " ".join(capfd.readouterr().out.split())
    assert "3 VMs on 3 hosts, 10 min" in text
    assert "VMs, hosts 3, 3 3, 2" in text
    assert ask(folder, "--add-host", "1") == 0
    assert "3 VMs on 5 hosts, 40 min" in " ".join(capfd.readouterr().out.split())

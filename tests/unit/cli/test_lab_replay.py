"""`balancer lab replay` and its kin, from files to files, on a trace of a few slots."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest

from balancer.adapters.recording import Recorder
from balancer.adapters.replaying import Lost
from balancer.cli import lab_session
from balancer.cli.app import Session, run_command_line
from balancer.cli.lab_options import USUAL
from balancer.config.record import Record
from balancer.lab.contenders import CONTENDERS
from balancer.lab.document_types import lab_result_schema
from tests.support import builders
from tests.support.traces import trace_folder

HOSTS = "host,cores,cpu_mhz,mem_mib\nh1,4,10400,65536\nh2,4,10400,65536\n"
PLACES = "vm,even,crowded\na,h1,h1\nb,h2,h1\nc,h1,h1\n"
VMS = ("a", "b", "c")
SLOTS = 12
STEP = timedelta(minutes=5)


def matrix(value: int) -> str:
    rows = [f"{slot},{','.join(str(value + slot) for _ in VMS)}" for slot in range(SLOTS)]
    return "\n".join([f"slot,{','.join(VMS)}", *rows]) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return trace_folder(
        tmp_path / "day",
        cpu_mhz__csv=matrix(4000),
        mem_active_mib__csv=matrix(800),
        vms__csv="vm,vcpus,cpu_mhz,mem_mib\n" + "".join(f"{vm},2,5200,4096\n" for vm in VMS),
        hosts__csv=HOSTS,
        placement0__csv=PLACES,
    )


def lab(*words: object) -> int:
    return run_command_line(["lab", *map(str, words)], Session())


def crowded(folder: Path) -> tuple[str, ...]:
    return "replay", str(folder), "--placement", f"{folder}/placement0.csv:crowded", "--jobs", "1"


def test_a_replay_is_printed_written_and_shown_again(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output, page = tmp_path / "r.json", tmp_path / "r.html"
    who = ("--with", "nothing", "--with", "ours", "--policy", "aggressive")
    assert lab(*crowded(folder), *who, "--output", output, "--html", page) == 0
    told = capfd.readouterr()
    assert re.search(r"^=[- ] ours ", told.out, re.MULTILINE)
    assert re.search(r"^ [- ] ours:a", told.out, re.MULTILINE)
    assert "[3/3] ours:aggressive, placement crowded, seed 0: " in told.err
    document = json.loads(output.read_text())
    jsonschema.validate(document, lab_result_schema())
    assert [run["contender"] for run in document["runs"]] == ["nothing", "ours", "ours:aggressive"]
    unmet = {run["contender"]: run["score"]["unmet_ghz_h"] for run in document["runs"]}
    assert unmet["ours"] < unmet["nothing"]
    policies = document["recipe"]["policies"]
    assert [policy["name"] for policy in policies] == ["balanced", "aggressive"]
    assert all("kind: Policy" in policy["text"] for policy in policies)
    assert "</html>" in page.read_text()
    assert lab("show", output) == 0
    assert capfd.readouterr().out == told.out
    assert lab("show", output, output) == 0
    assert capfd.readouterr().out == told.out
    assert lab("compare", output, output) == 0
    assert "no figure differs" in capfd.readouterr().out


def test_contenders_that_were_replayed_by_themselves_are_shown_as_one(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / f"{name}.json" for name in ("ours", "nothing")]
    for file in files:
        assert lab(*crowded(folder), "--with", file.stem, "--days", 0.02, "--output", file) == 0
    both = tmp_path / "both.json"
    assert (
        lab(
            *crowded(folder),
            "--with",
            "ours",
            "--with",
            "nothing",
            "--days",
            0.02,
            "--output",
            both,
        )
        == 0
    )
    capfd.readouterr()
    assert lab("show", *files, "--format", "json") == 0
    shown = json.loads(capfd.readouterr().out)
    played = json.loads(both.read_text())
    assert len(shown.pop("clock")["wall_seconds"]) == len(played.pop("clock")["wall_seconds"])
    assert shown["recipe"]["options"].pop("--with") == ["ours", "nothing"]
    assert played["recipe"]["options"].pop("--with")
    assert shown == played
    assert lab("show", files[0], both) == 1
    assert "has ours from crowded with seed 0" in capfd.readouterr().err


def test_every_placement_with_every_seed_is_played_and_json_stands_alone(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    both = [f"--placement={folder}/placement0.csv:{column}" for column in ("even", "crowded")]
    words = ("replay", folder, *both, "--with", "nothing", "--seed", 1, "--seed", 2, "--jobs", 1)
    assert lab(*words, "--format", "json", "--from-day", 0.01, "--days", 0.02) == 0
    document = json.loads(capfd.readouterr().out)
    assert [(run["start"], run["seed"]) for run in document["runs"]] == [
        *(("crowded", 1), ("crowded", 2), ("even", 1), ("even", 2)),
    ]
    assert document["trace"]["slots"] == 6
    assert document["recipe"]["options"]["--days"] == ["0.02"]
    assert document["recipe"]["digests"].keys() == {"hosts", "placement even", "placement crowded"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(
            ("--with", "drs-9"), "there is no contender 'drs-9'; there are nothing", id="contender"
        ),
        pytest.param(("--policy", "no-such"), "policy 'no-such': not found", id="policy"),
        pytest.param(("--from-day", "2"), "the trace has 0.04167 days", id="days"),
        pytest.param(("--hosts", "/no/such.csv"), "/no/such.csv", id="hosts"),
        pytest.param(
            ("--placement", "PLACES:odd"),
            "there is no column 'odd'; allowed: one of even, crowded",
            id="column",
        ),
        pytest.param(
            ("--placement", "PLACES"), "it is not said which column counts", id="which column"
        ),
        pytest.param(
            ("--placement", "PLACES:even") * 2, "two placements are called 'even'", id="twice"
        ),
    ],
)
def test_what_cannot_be_played_is_refused_with_what_can(
    folder: Path, words: Sequence[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [word.replace("PLACES", f"{folder}/placement0.csv") for word in words]
    given += [] if "--placement" in words else ["--placement", f"{folder}/placement0.csv:even"]
    assert lab("replay", folder, *given) == 1
    assert told in " ".join(re.sub(r"[│╭╮╰╯─]", " ", capsys.readouterr().err).split())


def test_what_the_daemon_recorded_is_replayed_as_it_was(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    record = Record(folder=tmp_path / "recordings")
    recorder = Recorder(record, tmp_path / "recording.key", lambda _: None)
    vms = [builders.vm(number, 1, cpu_demand_mhz=9000.0) for number in range(1, 5)]
    for step in range(4):
        taken = builders.snapshot([builders.host(1), builders.host(2)], vms)
        recorder.put("main/prod", replace(taken, taken_at=taken.taken_at + step * STEP))
        recorder.write_waiting()

    folder = record.folder
    assert folder is not None
    assert lab("replay", folder / "main/prod", "--with", "nothing", "--jobs", 1) == 0
    told = capfd.readouterr()
    assert "20 min of 4 VMs on 2 hosts" in told.out
    assert "nothing, placement as recorded, seed 0: " in told.err
    assert lab("replay", folder, "--hosts", "other.csv") == 1
    assert "say by --placement where the VMs" in " ".join(capfd.readouterr().err.split())


def test_what_can_neither_be_read_nor_written_is_said_before_anything_is_played(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert lab(*crowded(folder), "--output", tmp_path / "no" / "r.json") == 1
    told = capfd.readouterr().err
    assert f"{tmp_path}/no is no folder that may be written to" in told
    assert "reading" not in told
    assert lab(*crowded(folder), "--html", tmp_path) == 1
    told = capfd.readouterr().err
    assert f"{tmp_path} cannot be written: it is a folder. Name another file." in told
    assert "reading" not in told
    assert lab(*crowded(folder), "--output", tmp_path / "r", "--html", tmp_path / "r") == 1
    assert f"{tmp_path}/r cannot be written: two options name it." in capfd.readouterr().err
    assert lab(*crowded(folder), "--html", folder / "placement0.csv") == 1
    assert "cannot be written: this command reads it. Name another" in capfd.readouterr().err
    assert lab("replay", tmp_path / "nowhere") == 1
    assert "there is no such folder; allowed: the folder of a trace" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"hosts.csv": None},
            "hosts.csv: there is no such file; allowed: a row for each host: host,",
        ),
        ({"placement0.csv": None}, "no such file; allowed: a row for each VM: vm, and the host"),
        ({"placement0.csv": "name,even\na,h1\n"}, "there is no column vm; there are name, even"),
        ({"placement0.csv": "vm\na\n"}, "row 1: names no placement; allowed: vm, then one column"),
        ({"placement0.csv": "vm,even\n"}, "VM a: has no place in the placement; mend the file, no"),
        (
            {"placement0.csv": "vm,even,odd\na,h1,h1\n"},
            "allowed: one of even, odd; say which, as --placement ",
        ),
        ({"hosts.csv": ""}, "hosts.csv: is a folder, not a file; allowed: a row for each host"),
    ],
    ids=["no hosts", "no placements", "no VMs", "no column", "no row", "two columns", "folder"],
)
def test_hosts_and_placements_that_are_none_say_what_to_write(
    folder: Path,
    changed: dict[str, str | None],
    words: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name, text in changed.items():
        (folder / name).unlink()
        if text:
            (folder / name).write_text(text)
        elif text == "":
            (folder / name).mkdir()

    assert lab("replay", folder, "--with", "nothing", "--jobs", 1) == 1

    assert words in capfd.readouterr().err


def test_a_lost_run_costs_itself_and_an_interrupt_the_rest(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    done = lab_session.side_by_side

    def stopped(errands: Sequence[object], work: object, **rest: object) -> object:
        yield 0, Lost(why="its process was ended by signal 9 (Killed)")
        yield from done(errands[1:2], work, jobs=1, heard=rest["heard"])  # type: ignore[type-var, arg-type]
        raise KeyboardInterrupt

    def shifted(*given: object, **rest: object) -> object:
        for place, end in stopped(*given, **rest):  # type: ignore[arg-type, attr-defined]
            yield (place if isinstance(end, Lost) else 1), end

    monkeypatch.setattr(lab_session, "side_by_side", shifted)
    output = tmp_path / "r.json"
    who = ("--with", "chase", "--with", "nothing", "--with", "ours")
    assert lab(*crowded(folder), *who, "--output", output) == 130
    told = capfd.readouterr()
    assert "interrupted: 1 run of 3 had ended and will be written; 1 is lost" in told.err
    document = json.loads(output.read_text())
    assert [run["contender"] for run in document["runs"]] == ["nothing"]
    assert {one["contender"]: one["why"] for one in document["lost"]} == {
        "chase": "its process was ended by signal 9 (Killed)",
        "ours": "interrupted",
    }


def test_results_of_different_traces_are_compared_on_demand_only(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    words = (*crowded(folder), "--with", "nothing")
    assert lab(*words, "--output", first) == 0
    assert lab(*words, "--output", second, "--days", 0.02) == 0
    capfd.readouterr()
    assert lab("compare", first, second) == 1
    assert "are of different traces" in capfd.readouterr().err
    assert lab("compare", first, second, "--other-trace", "--format", "markdown") == 0
    assert "| slots | 12 | 6 |" in capfd.readouterr().out


def test_the_contenders_are_listed_and_the_usual_ones_are_among_them(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert lab("contenders") == 0
    told = capfd.readouterr().out
    assert all(re.search(rf"^{re.escape(name)}  ", told, re.MULTILINE) for name in CONTENDERS)
    assert set(USUAL) <= CONTENDERS.keys()

from pathlib import Path

import pytest

from balancer.cli.app import Session, run_command_line
from balancer.lab.document import lab_result_text
from tests.support.traces import trace_folder
from tests.unit.lab.made_up import made_up

ROOT = Path(__file__).parents[3]
SMALL = ROOT / "tests/data/small.snapshot.json"
POLICY = "apiVersion: balancer/v1\nkind: Policy\n"


def validate(*files: Path) -> int:
    return run_command_line(["validate", *map(str, files)], Session())


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("file", "summary"),
    [
        (
            "tests/data/small.snapshot.json",
            "snapshot of cluster 'prod-a', 4 hosts, 8 VMs, 2 rules",
        ),
        ("tests/data/small.plan.json", "plan for cluster 'prod-a', degraded, 3 moves"),
        ("policies/conservative.yaml", "policy 'conservative'"),
        (
            "tests/policies/aggressive.yaml",
            "test of policies 'aggressive levels a difference of a few points', 1 expectation",
        ),
        ("config.example.yaml", "configuration, 1 vCenter, 1 cluster"),
    ],
    ids=["snapshot", "plan", "policy", "test of policies", "configuration"],
)
def test_a_right_file_is_named_for_what_it_is(
    file: str, summary: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert validate(ROOT / file) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"{ROOT / file}: ok: {summary}\n")
    assert captured.err == ""


def test_what_cannot_be_met_is_a_warning_and_no_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = '{"name": "all", "type": "affinity", "vms": ["vm-103", "vm-104"]}, '
    path = write(
        tmp_path, "s.json", SMALL.read_text().replace('"rules": [', f'"rules": [{rule}', 1)
    )
    assert validate(path) == 0
    assert "  warning: rules[0] and rules[1]: 'all' keeps together" in capsys.readouterr().out


def test_secrets_that_are_not_there_are_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    assert validate(ROOT / "config.example.yaml") == 0
    assert "warning: password_file of vCenter main" in capsys.readouterr().out


def test_every_file_is_checked_and_one_wrong_one_decides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = write(tmp_path, "p.yaml", POLICY + "goal: {}\nlimit: {}\n")
    assert validate(tmp_path / "none.yaml", wrong, SMALL) == 1
    captured = capsys.readouterr()
    assert f"{SMALL}: ok" in captured.out
    assert f"{wrong}: unknown" not in captured.err
    assert captured.err == (
        f"{tmp_path / 'none.yaml'}: 1 problem\n"
        f"  {tmp_path / 'none.yaml'}: cannot be read: No such file or directory\n"
        f"policy {wrong}: 2 problems\n"
        f"  {wrong}:3:1: goal: unknown key 'goal'; did you mean 'goals'?\n"
        f"  {wrong}:4:1: limit: unknown key 'limit'; did you mean 'limits'?\n"
    )


def test_a_result_of_the_lab_is_named_for_what_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, "r.json", lab_result_text(made_up()))
    assert validate(file) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"{file}: ok: result of lab replay, a made-up day: ")
    assert told.endswith(", 3 runs\n")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        pytest.param(
            "a.yaml",
            "kind: Polcy\n",
            "a.yaml:1:7: kind: 'Polcy'; allowed: kind: Config, Policy or PolicyTest (YAML), "
            "a snapshot, plan or lab result (JSON); did you mean 'Policy'?",
            id="misspelt kind",
        ),
        pytest.param(
            "a.yaml",
            "colour: red\n",
            "a.yaml:1:1: the file does not say its kind; allowed: kind: Config, Policy or PolicyTest",
            id="no kind",
        ),
        pytest.param("a.txt", "just words\n", "the file does not say its kind", id="no document"),
        pytest.param("a.yaml", "limits: {}\n", "'apiVersion' is missing", id="policy without head"),
        pytest.param(
            "a.yaml", "vcenters: []\n", "'clusters' is missing", id="half a configuration"
        ),
        pytest.param("a.json", '{"moves": []}', "'schema' is missing", id="plan without schema"),
        pytest.param("a.json", '{"vms": []', "line 1, column 10: not valid JSON", id="half a file"),
        pytest.param(
            "a.json",
            '{"schema": "balancer/plan/v2"}',
            "another kind or version, 'balancer/plan/v2'; allowed: 'balancer/plan/v1'",
            id="later version",
        ),
    ],
)
def test_a_file_that_says_little_is_still_answered_clearly(
    tmp_path: Path, name: str, text: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert validate(write(tmp_path, name, text)) == 1
    assert expected in capsys.readouterr().err


def test_a_policy_is_read_from_where_we_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "mine", POLICY + "name: mine\n")
    assert validate(Path("mine")) == 0
    assert capsys.readouterr().out == "mine: ok: policy 'mine'\n"


def test_a_folder_is_a_trace_with_what_was_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gap = "slot,a,b\n0,100,200\n1,,210\n2,120,220\n"
    placement = "vm,even\na,h1\nz,h1\n"
    hosts = "host,cores,cpu_mhz,mem_mib\nh1,8,20800,65536\n"
    folder = trace_folder(tmp_path, cpu_mhz__csv=gap, placement0__csv=placement, hosts__csv=hosts)

    assert validate(folder) == 0

    assert capsys.readouterr().out.removeprefix(str(folder)).splitlines() == [
        ": ok: trace of 2 VMs, 3 steps of 300 s from 2024-01-01T00:00:00Z, 1 host, placements even",
        "  warning: gap_filled: once: up to 15 minutes without CPU: the last value counts: slot 1, VM a",
        "  warning: placement0.csv, column even: 1 VM without a place: b; replay needs --leave-out then",
        "  warning: placement0.csv, column even: 1 place not used: z; no such VM, or it is left out",
    ]


def test_a_folder_that_is_no_trace_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert validate(tmp_path) == 1
    assert "there is no cpu_mhz.csv in this folder" in capsys.readouterr().err


def test_a_recording_under_other_names_is_told_the_names_of_its_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "last week.jsonl.gz").touch()
    assert validate(tmp_path) == 1
    assert "with files such as" in capsys.readouterr().err

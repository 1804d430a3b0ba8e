import contextlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from balancer.adapters.files import write_snapshot
from balancer.adapters.files.plan_file import parse_plan
from balancer.cli.app import Session, run_command_line
from balancer.cli.source import chosen_cluster
from balancer.config import Cluster, Config, VCenter
from balancer.model.errors import BalancerError
from balancer.model.snapshot import Snapshot
from tests.support import builders

ROOT = Path(__file__).parents[3]
SMALL = ROOT / "tests/data/small.snapshot.json"
SCHEMA = json.loads((ROOT / "balancer/schemas/plan.v1.schema.json").read_text())


def plan(*arguments: str | Path) -> int:
    return run_command_line(["plan", *map(str, arguments)], Session())


def saved(folder: Path, snapshot: Snapshot) -> Path:
    path = folder / "s.json"
    write_snapshot(snapshot, path)
    return path


def uneven() -> Snapshot:
    vms = [builders.vm(n, 1, cpu_demand_mhz=1500.0) for n in range(1, 9)]
    return builders.snapshot([builders.host(1), builders.host(2)], vms)


def level() -> Snapshot:
    vms = [builders.vm(n, 1 + n % 2) for n in range(1, 9)]
    return builders.snapshot([builders.host(1), builders.host(2)], vms)


def silent() -> Snapshot:
    nothing = dict.fromkeys(("cpu_demand_mhz", "memory_active_mib", "memory_consumed_mib"))
    vms = [builders.vm(n, 1, **nothing) for n in range(1, 9)]
    return builders.snapshot([builders.host(1), builders.host(2)], vms)


def test_a_plan_as_json_fits_the_published_schema_and_our_own_reader(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    assert plan("--snapshot", SMALL, "--format", "json") == 3
    content = capfdbinary.readouterr().out
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(content))
    assert parse_plan(content, name="p")["cluster"]["name"] == "prod-a"


def test_the_same_input_and_seed_give_the_same_plan(tmp_path: Path) -> None:
    outputs = [tmp_path / "one.json", tmp_path / "two.json"]
    for output in outputs:
        plan("--snapshot", SMALL, "--format", "json", "--seed", "7", "--output", output)
    first, second = (json.loads(output.read_text()) for output in outputs)
    for document in (first, second):
        for key in ("elapsed_seconds", "id", "digest", "report"):  # a proof may change the order
            del document[key]
    assert first == second


@pytest.mark.parametrize(
    ("form", "start"),
    [("text", "Plan: "), ("markdown", "**Plan: "), ("html", "<!doctype html>")],
    ids=["text", "markdown", "html"],
)
def test_a_report_is_written_to_a_file(
    form: str, start: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "report"
    assert plan("--snapshot", SMALL, "--format", form, "--output", output) == 3
    assert output.read_text(encoding="utf-8").lower().startswith(start.lower())
    assert capfd.readouterr().out == ""


def test_a_piped_report_has_no_colour(capfd: pytest.CaptureFixture[str]) -> None:
    plan("--snapshot", SMALL)
    assert "\x1b" not in capfd.readouterr().out


def shown_on_a_terminal(**environment: str) -> bytes:
    """Return what a terminal is sent; reading it ends with an error once nobody writes any more."""
    ours, theirs = pty.openpty()
    keep = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    process = subprocess.Popen(
        [Path(sys.executable).parent / "balancer", "plan", "--snapshot", SMALL],
        stdout=theirs,
        env=keep | {"TERM": "xterm"} | environment,
    )
    os.close(theirs)
    parts = []
    with contextlib.suppress(OSError):
        while part := os.read(ours, 65_536):
            parts.append(part)
    os.close(ours)
    process.wait(30)
    return b"".join(parts)


def test_a_terminal_gets_colour_unless_it_is_not_wanted() -> None:
    assert b"\x1b[" in shown_on_a_terminal()
    assert b"\x1b[" not in shown_on_a_terminal(NO_COLOR="1")
    assert b"\x1b[" not in shown_on_a_terminal(TERM="dumb")


@pytest.mark.parametrize(
    ("snapshot", "arguments", "code"),
    [
        pytest.param(uneven(), [], 0, id="changes"),
        pytest.param(uneven(), ["--detailed-exitcode"], 2, id="changes, told in detail"),
        pytest.param(level(), [], 0, id="nothing to do"),
        pytest.param(level(), ["--detailed-exitcode"], 0, id="nothing to do, told in detail"),
        pytest.param(silent(), [], 4, id="no figures"),
        pytest.param(silent(), ["--detailed-exitcode"], 4, id="refused, told in detail"),
    ],
)
def test_the_exit_code_says_what_came_of_it(
    snapshot: Snapshot, arguments: list[str], code: int, tmp_path: Path
) -> None:
    output = tmp_path / "report"
    assert plan("--snapshot", saved(tmp_path, snapshot), "--output", output, *arguments) == code
    assert output.exists()


def test_several_policies_are_merged_in_order(tmp_path: Path) -> None:
    off = tmp_path / "off.yaml"
    off.write_text("apiVersion: balancer/v1\nkind: Policy\ngoals: {balance: false}\n")
    path, output = saved(tmp_path, uneven()), tmp_path / "p.json"
    options = ["--format", "json", "--output", str(output)]
    plan("--snapshot", path, "--policy", "aggressive", *options)
    assert json.loads(output.read_text())["moves"]
    plan("--snapshot", path, "--policy", "aggressive", "--policy", str(off), *options)
    assert json.loads(output.read_text())["moves"] == []


def test_a_wrong_policy_and_a_wrong_snapshot_are_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plan("--snapshot", SMALL, "--policy", "balancd") == 1
    assert "did you mean 'balanced'?" in capsys.readouterr().err
    assert plan("--snapshot", ROOT / "tests/data/small.plan.json") == 1
    assert "allowed: 'balancer/snapshot/v1'" in capsys.readouterr().err
    assert plan("--snapshot", SMALL, "--output", tmp_path / "none" / "x") == 1
    assert "cannot be written" in capsys.readouterr().err


def configured(*names: str) -> Config:
    vcenters = sorted({name.split("/")[0] for name in names})
    return Config(
        vcenters=tuple(
            VCenter(name=name, host="vc", username="u", password_file=Path("pw"))
            for name in vcenters
        ),
        clusters=tuple(
            Cluster(vcenter=name.split("/")[0], name=name.split("/")[1]) for name in names
        ),
        apiVersion="balancer/v1",
    )


@pytest.mark.parametrize(
    ("names", "wanted", "expected"),
    [
        pytest.param(["a/x"], None, "x", id="the only one"),
        pytest.param(["a/x", "a/y"], "y", "y", id="by name"),
        pytest.param(["a/x", "b/x"], "b/x", "x", id="by full name"),
    ],
)
def test_a_cluster_is_chosen(names: list[str], wanted: str | None, expected: str) -> None:
    assert chosen_cluster(configured(*names), wanted).name == expected


@pytest.mark.parametrize(
    ("names", "wanted", "expected"),
    [
        pytest.param(
            ["a/x", "a/y"], None, r"Name one with --cluster: a/x, a/y\.", id="none is named"
        ),
        pytest.param(["a/x", "b/x"], "x", r"in several vCenters.*a/x, b/x", id="named in part"),
        pytest.param(
            ["a/prod"],
            "prd",
            r"No cluster 'prd' is configured \(did you mean 'prod'\?\). Configured: a/prod",
            id="misspelt",
        ),
    ],
)
def test_a_cluster_that_is_not_clear_is_asked_for_with_the_list(
    names: list[str], wanted: str | None, expected: str
) -> None:
    with pytest.raises(BalancerError, match=expected):
        chosen_cluster(configured(*names), wanted)


def test_a_certified_plan_has_the_same_moves_and_their_bounds(tmp_path: Path) -> None:
    plain, certified = tmp_path / "plain.json", tmp_path / "certified.json"
    source = saved(tmp_path, uneven())
    assert plan("--snapshot", source, "--format", "json", "--output", plain) == 0
    assert plan("--snapshot", source, "--format", "json", "--certify", "--output", certified) == 0
    first, second = (json.loads(path.read_text()) for path in (plain, certified))
    bound = second.pop("bound")
    for document in (first, second):
        for key in ("elapsed_seconds", "id", "digest", "report"):  # a proof may change the order
            del document[key]
    assert first == second
    assert 0.0 <= bound["cost"] <= second["after"]["cost"]
    assert bound["move_price"] <= bound["plan_price"]
    assert bound["move_price_ratio"] >= 1.0
    assert bound["makespan_ideal_seconds"] <= bound["makespan_seconds"]
    assert bound["fastest"] is (bound["makespan_seconds"] == second["makespan_seconds"])

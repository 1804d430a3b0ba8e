"""`balancer explain` as a user meets it: answers, forms, wrong names, wrong options, exit codes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from balancer.adapters.files import write_snapshot
from balancer.cli.app import Session, run_command_line
from balancer.cli.planning import need_behind
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.policy.types import Policy
from tests.support import builders
from tests.unit.plan.explained import planned, uneven

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "balancer/schemas/explain.v1.schema.json").read_text())
SMALL = ROOT / "tests/data/small.snapshot.json"


def explain(*arguments: str | Path) -> int:
    return run_command_line(["explain", *map(str, arguments)], Session())


def saved(folder: Path, snapshot: Snapshot) -> Path:
    path = folder / "s.json"
    write_snapshot(snapshot, path)
    return path


def document(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, Any]:
    assert explain(*arguments, "--format", "json") == 0
    answer: dict[str, Any] = json.loads(capfd.readouterr().out)
    jsonschema.Draft202012Validator(SCHEMA).validate(answer)
    return answer


def test_a_vm_that_moves_is_told_with_target_gain_and_every_other_host(
    capfd: pytest.CaptureFixture[str],
) -> None:
    first = _first_move(capfd)
    assert explain("--snapshot", SMALL, "--vm", first["vm_name"]) == 0
    text = capfd.readouterr().out
    assert text.startswith(f"{first['vm_name']} moves {first['from_name']} -> {first['to_name']}")
    assert first["why"] in " ".join(text.split())
    assert "Every other host" in text


def _first_move(capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    run_command_line(["plan", "--snapshot", str(SMALL), "--format", "json"], Session())
    move: dict[str, Any] = json.loads(capfd.readouterr().out)["moves"][0]
    return move


def test_a_vm_and_a_host_may_be_named_by_id(capfd: pytest.CaptureFixture[str]) -> None:
    move = _first_move(capfd)
    answer = document(capfd, "--snapshot", SMALL, "--vm", move["vm"], "--host", move["to"])
    (target,) = answer["vm"]["targets"]
    assert (answer["vm"]["id"], target["host"]) == (move["vm"], move["to"])
    assert target["is_chosen"]


def test_the_document_names_the_plan_that_it_explains(capfd: pytest.CaptureFixture[str]) -> None:
    run_command_line(["plan", "--snapshot", str(SMALL), "--format", "json"], Session())
    plan = json.loads(capfd.readouterr().out)
    answer = document(capfd, "--snapshot", SMALL, "--host", plan["moves"][0]["from"])
    assert answer["schema"] == "balancer/explain/v1"
    assert answer["plan"] == plan["id"]
    leaving = {move["id"] for move in answer["host"]["leaving"]}
    assert leaving <= {move["id"] for move in plan["moves"]}


def test_a_host_may_be_named_without_its_domain(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hosts = [builders.host(n, name=f"esx{n}.corp.test") for n in (1, 2)]
    path = saved(tmp_path, replace(uneven(), hosts=tuple(hosts)))
    assert document(capfd, "--snapshot", path, "--host", "ESX2")["host"]["id"] == "host-2"


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_an_answer_in_words_has_no_colour_in_a_pipe_and_ends_with_one_line_break(
    form: str, capfd: pytest.CaptureFixture[str]
) -> None:
    move = _first_move(capfd)
    assert explain("--snapshot", SMALL, "--vm", move["vm"], "--format", form) == 0
    text = capfd.readouterr().out
    assert "\x1b" not in text
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "give --vm, --host or both", id="nothing asked"),
        pytest.param(["--vm", "vm1"], "give either --config or --snapshot", id="no facts"),
        pytest.param(["--vm", "vm-l", "--snapshot", "S"], "Did you mean 'vm-", id="unknown VM"),
        pytest.param(
            ["--vm", "zzz", "--snapshot", "S"],
            "There is no VM 'zzz' among the 8 of the snapshot.",
            id="nothing near",
        ),
        pytest.param(["--host", "esx9", "--snapshot", "S"], "Did you mean 'esx", id="unknown host"),
        pytest.param(
            ["--vm", "vm1", "--host", "esx1", "--snapshot", "S"],
            "vm1 is on esx1 already",
            id="its own host",
        ),
    ],
)
def test_a_wrong_question_is_answered_with_the_mend(
    arguments: list[str], message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = str(saved(tmp_path, uneven()))
    assert explain(*[path if word == "S" else word for word in arguments]) == 1
    caught = capfd.readouterr()
    assert message in caught.err
    assert caught.out == ""


def test_a_name_that_several_vms_bear_is_answered_with_their_ids(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    snap = uneven()
    twins = tuple(replace(vm, name="twin") if vm.id in ("vm-2", "vm-3") else vm for vm in snap.vms)
    path = saved(tmp_path, replace(snap, vms=twins))
    assert explain("--snapshot", path, "--vm", "twin") == 1
    assert "'twin' names 2 VMs. Name one by its id: vm-2, vm-3." in capfd.readouterr().err
    assert explain("--snapshot", path, "--vm", "vm-2") == 0


def test_pairs_that_the_sequencing_gave_up_stay_ruled_out() -> None:
    snap = uneven()
    dead = Refusal.of(Reason.UNREACHABLE, "full", vm="vm-1", host="host-2")
    plan = replace(planned(snap), refusals=(dead,))
    need, _ = need_behind(plan, snap, Policy())
    assert need.holds.pairs == {(VmId("vm-1"), HostId("host-2")): dead}


def test_facts_that_are_unfit_are_explained_and_end_with_4(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    nothing = dict.fromkeys(("cpu_demand_mhz", "memory_active_mib", "memory_consumed_mib"))
    vms = [builders.vm(n, 1, **nothing) for n in range(1, 9)]
    path = saved(tmp_path, builders.snapshot([builders.host(1), builders.host(2)], vms))
    assert explain("--snapshot", path, "--vm", "vm1") == 4
    assert "vm1 stays on esx1: facts incomplete" in capfd.readouterr().out


def test_a_policy_is_obeyed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    policy = tmp_path / "p.yaml"
    policy.write_text(
        "apiVersion: balancer/v1\nkind: Policy\nname: quiet\n"
        "goals:\n  balance: false\n  contention: false\n"
    )
    path = saved(tmp_path, uneven())
    answer = document(capfd, "--snapshot", path, "--vm", "vm1", "--policy", policy)
    assert answer["vm"]["stays"]["reason"] == "goal_off"

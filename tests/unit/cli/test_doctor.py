"""`balancer doctor` as a person runs it, against the test vCenter."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from balancer.adapters.files import write_snapshot
from balancer.cli.app import Session, run_command_line
from balancer.model.privileges import Role, needed_ids
from tests.support import builders
from tests.support.stage import write_stage
from tests.support.vcenter import VCenterProcess, start_vcenter

pytestmark = pytest.mark.wire


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VCenterProcess]:
    hosts = [builders.host(n, cpu_vendor="intel", max_evc_mode="intel-icelake") for n in (1, 2, 3)]
    vms = [builders.vm(n, n) for n in (1, 2, 3)]
    write_snapshot(builders.snapshot(hosts, vms), tmp_path / "s.json")
    with start_vcenter(tmp_path / "s.json") as process:
        process.control.rights(needed_ids(Role.EXECUTOR))
        yield process


@pytest.fixture
def config(server: VCenterProcess, tmp_path: Path) -> Path:
    return write_stage(tmp_path, server, "prod")


def run(*arguments: str | Path) -> int:
    return run_command_line([str(word) for word in arguments], Session())


def changed(config: Path, change: Any) -> Path:
    """Apply a change to the configuration's document."""
    document = yaml.safe_load(config.read_text("utf-8"))
    change(document)
    plain = json.loads(json.dumps(document))  # without the anchors that YAML makes of shared parts
    config.write_text(yaml.safe_dump(plain), "utf-8")
    return config


def findings(config: Path, capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the document's vCenters."""
    run("doctor", "--config", config, "--format", "json")
    found: list[dict[str, Any]] = json.loads(capfd.readouterr().out)["vcenters"]
    return found


def outcomes(entry: dict[str, Any]) -> dict[str, str]:
    return {finding["check"]: finding["outcome"] for finding in entry["findings"]}


def test_without_a_problem_it_ends_with_0(
    config: Path, server: VCenterProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("doctor", "--config", config) == 0
    captured = capfd.readouterr()
    assert "0 problems" in captured.out
    assert "\x1b" not in captured.out
    assert captured.err == ""
    assert server.control.relocations() == ()


def test_a_problem_ends_it_with_1_and_says_what_to_do(
    config: Path, server: VCenterProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    server.control.drs(enabled=True, automation="fullyAutomated", vmotion_rate=3)
    assert run("doctor", "--config", config) == 1
    out = " ".join(capfd.readouterr().out.split())
    assert "PROBLEM drs DRS is on, fully automated, vmotionRate 3" in out
    assert "PROBLEM automatic_mode stands against it: drs; configured is automatic" in out


@pytest.mark.parametrize(
    "drs",
    [
        {"enabled": False},
        {"enabled": True, "automation": "manual"},
        {"enabled": True, "automation": "partiallyAutomated"},
        {"enabled": True, "automation": "fullyAutomated", "vmotion_rate": 5},
    ],
    ids=["off", "manual", "partial", "mandatory moves only"],
)
def test_drs_that_does_not_act_alone_is_no_problem(
    config: Path,
    server: VCenterProcess,
    drs: dict[str, Any],
    capfd: pytest.CaptureFixture[str],
) -> None:
    server.control.drs(**drs)
    assert run("doctor", "--config", config) == 0
    assert "nothing stands against it" in capfd.readouterr().out


def test_what_only_observes_may_have_a_drs_that_acts(config: Path, server: VCenterProcess) -> None:
    server.control.drs(enabled=True, automation="fullyAutomated")
    changed(config, lambda document: document["clusters"][0].update(mode="observe"))
    assert run("doctor", "--config", config) == 0


def test_rights_that_are_missing_or_too_many_are_told(
    config: Path, server: VCenterProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    reader = needed_ids(Role.READER)
    server.control.rights(reader | {"Authorization.ModifyRoles"}, {"vm-2": reader})
    (vcenter,) = findings(config, capfd)
    by_check = {finding["check"]: finding for finding in vcenter["findings"]}
    assert by_check["privileges_missing"]["objects"] == ["vm1", "vm2", "vm3"]
    assert by_check["privileges_excess"]["outcome"] == "problem"
    assert "administrator" in by_check["privileges_excess"]["found"]
    assert "cluster prod" in by_check["privileges_excess"]["objects"]


def test_one_vcenter_that_is_away_hides_no_other(
    config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as reserved:  # bound and not listening: refuses every connection
        reserved.bind(("127.0.0.1", 0))

        def add(document: dict[str, Any]) -> None:
            gone = {"name": "gone", "host": "127.0.0.1", "port": reserved.getsockname()[1]}
            secretless = {"name": "bare", "password_file": "nowhere"}
            first = document["vcenters"][0]
            document["vcenters"] = [first | gone, first | secretless, first]
            document["clusters"] += [
                {"vcenter": "gone", "name": "prod"},
                {"vcenter": "bare", "name": "prod"},
            ]

        gone, bare, well = findings(changed(config, add), capfd)
    assert outcomes(gone)["reach"] == "problem"
    assert outcomes(gone)["login"] == "unchecked"
    assert outcomes(gone["clusters"][0])["cluster"] == "unchecked"
    assert outcomes(bare) == {"settings": "problem"}
    assert set(outcomes(well).values()) <= {"ok", "advice"}
    assert outcomes(well["clusters"][0])["automatic_mode"] == "ok"


def test_a_wrong_password_is_one_problem_and_never_shown(
    config: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "password").write_text("hunter2")
    assert run("doctor", "--config", config) == 1
    captured = capfd.readouterr()
    assert "InvalidLogin" in captured.out
    assert "hunter2" not in captured.out + captured.err


def test_the_vmotion_set_up_is_advised_on(
    config: Path, server: VCenterProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    def adapter(speed: int, address: str) -> dict[str, object]:
        mask = "255.255.255.0"
        return {"links_mbps": [speed], "address": address, "netmask": mask, "mtu": 9000}

    old = [adapter(40_000, "192.0.2.1")]
    server.control.host_setup("esx1", version="7.0.1", adapters=old)
    slow = [adapter(1_000, "192.0.2.2")]
    server.control.host_setup("esx2", adapters=slow, options={"Migrate.VMotionStreamHelpers": 4})
    server.control.host_setup("esx3", adapters=[])
    (vcenter,) = findings(config, capfd)
    told = {f["check"]: f.get("objects") for f in vcenter["clusters"][0]["findings"]}
    assert told["vmotion_adapters"] == ["esx1"]
    assert told["vmotion_speed"] == told["vmotion_tuning"] == ["esx2"]
    assert told["vmotion_mixed_speed"] == ["esx2"]
    assert told["vmotion"] == ["esx3"]


def test_the_findings_are_written_to_a_file(config: Path, tmp_path: Path) -> None:
    output = tmp_path / "findings.json"
    assert run("doctor", "--config", config, "--format", "json", "--output", output) == 0
    assert json.loads(output.read_text("utf-8"))["schema"] == "balancer/doctor/v1"


def test_a_wrong_configuration_is_an_error_before_anything_is_connected(
    config: Path, server: VCenterProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    changed(config, lambda document: document.update(vcentres=[]))
    assert run("doctor", "--config", config) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "vcentres" in captured.err
    assert server.control.calls().calls == {}


def test_vcenters_with_one_account_are_sent_two_wrong_logins_together(
    config: Path, server: VCenterProcess, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("wrong")

    def five(document: dict[str, Any]) -> None:
        one = document["vcenters"][0]
        document["vcenters"] = [one | {"name": f"vc{number}"} for number in range(1, 6)]

    assert run("doctor", "--config", changed(config, five)) == 1
    assert server.control.calls().calls["Login"] == 2

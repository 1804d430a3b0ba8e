"""The commands that read a live cluster, against the test vCenter over the wire."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from balancer.adapters.files import read_snapshot, write_snapshot
from balancer.cli.app import Session, run_command_line
from tests.support import builders
from tests.support.stage import write_stage
from tests.support.vcenter import VCenterProcess, start_vcenter

pytestmark = pytest.mark.wire


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VCenterProcess]:
    vms = [builders.vm(n, 1, cpu_demand_mhz=1500.0) for n in range(1, 9)]
    path = tmp_path_factory.mktemp("vcenter") / "s.json"
    write_snapshot(builders.snapshot([builders.host(1), builders.host(2)], vms), path)
    with start_vcenter(path) as process:
        yield process


@pytest.fixture
def config(server: VCenterProcess, tmp_path: Path) -> Path:
    return write_stage(tmp_path, server, "prod")


def run(*arguments: str | Path) -> int:
    return run_command_line([str(word) for word in arguments], Session())


def change(config: Path, **facts: object) -> None:
    """Change settings of the only vCenter of a configuration."""
    document = yaml.safe_load(config.read_text())
    document["vcenters"][0] |= facts
    config.write_text(yaml.safe_dump(document))


def error_of(config: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert run("plan", "--config", config) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return captured.err


def test_a_live_cluster_is_planned_and_nothing_is_moved(
    server: VCenterProcess, config: Path, tmp_path: Path
) -> None:
    output = tmp_path / "plan.json"
    assert run("plan", "--config", config, "--format", "json", "--output", output) == 0
    assert {move["from"] for move in json.loads(output.read_text())["moves"]} == {"host-1"}
    assert server.control.relocations() == ()


def test_a_live_cluster_is_explained_and_nothing_is_moved(
    server: VCenterProcess, config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("explain", "--config", config, "--cluster", "prod", "--host", "esx1") == 0
    assert "vm1" in capfd.readouterr().out
    assert run("explain", "--config", config, "--vm", "vm1", "--host", "esx2") == 0
    assert "esx2" in capfd.readouterr().out
    assert server.control.relocations() == ()


def checks_of(config: Path, capfd: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    pair = ("--vm", "vm1", "--host", "esx2")
    assert run("explain", "--config", config, *pair, "--format", "json") == 0
    checks: list[dict[str, str]] = json.loads(capfd.readouterr().out)["vm"]["targets"][0]["checks"]
    return checks


def test_vcenter_is_asked_for_its_own_check_of_a_named_pair(
    server: VCenterProcess, config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = server.control.calls().calls.get("CheckRelocate_Task", 0)
    assert checks_of(config, capfd)[-1] == {"name": "server_check", "outcome": "passed"}
    assert server.control.calls().calls["CheckRelocate_Task"] == before + 1
    assert server.control.relocations() == ()


def test_what_vcenter_refuses_is_told_beside_what_we_find(
    server: VCenterProcess, config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    server.control.set_host_state("esx2", "maintenance")
    try:
        told = {check["name"]: check.get("reason") for check in checks_of(config, capfd)}
    finally:
        server.control.set_host_state("esx2", "connected")
    assert told["host_state"] == told["server_check"] == "target_host_state"


def test_a_live_cluster_is_recorded(config: Path, tmp_path: Path) -> None:
    output = tmp_path / "s.json"
    assert run("snapshot", "--config", config, "--cluster", "vc1/prod", "--output", output) == 0
    recorded = read_snapshot(output)
    assert {host.name for host in recorded.hosts} == {"esx1", "esx2"}
    assert len(recorded.vms) == 8


def test_a_live_cluster_is_recorded_without_its_names(
    config: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run("snapshot", "--config", config, "--anonymize") == 0
    content = capfdbinary.readouterr().out
    assert b"esx1" not in content
    assert len(json.loads(content)["hosts"]) == 2


def test_a_wrong_password_is_one_clear_error(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "password").write_text("hunter2")
    err = error_of(config, capsys)
    assert "password" in err
    assert "hunter2" not in err


def test_an_untrusted_certificate_is_one_clear_error(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(config, tls={})
    assert "certificate" in error_of(config, capsys)


def test_a_pinned_certificate_is_trusted(server: VCenterProcess, config: Path) -> None:
    change(config, tls={"thumbprint_sha256": server.greeting.thumbprint_sha256})
    assert run("plan", "--config", config, "--output", config.with_name("plan.txt")) == 0


def test_a_vcenter_that_is_not_there_is_one_clear_error(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as reserved:  # bound and not listening: refuses every connection
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        change(config, host="127.0.0.1", port=port)
        assert f"127.0.0.1:{port}" in error_of(config, capsys)


def test_a_cluster_that_the_vcenter_does_not_have_is_one_clear_error(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(config.read_text().replace("name: prod", "name: test"))
    assert "It shows: prod" in error_of(config, capsys)


def test_a_missing_password_file_is_one_clear_error(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(config, password_file="none")
    assert "password_file of vCenter vc1" in error_of(config, capsys)

"""`balancer evc` from a file and from the test vCenter."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from balancer.adapters.files import write_snapshot
from balancer.cli.app import Session, run_command_line
from tests.support import builders
from tests.support.stage import write_stage
from tests.support.vcenter import VCenterProcess, start_vcenter


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    hosts = [
        builders.host(1, cpu_vendor="intel", max_evc_mode="intel-icelake"),
        builders.host(2, cpu_vendor="intel", max_evc_mode="intel-skylake"),
    ]
    vms = [
        builders.vm(1, 1, min_evc_mode="intel-icelake", hardware_version=13),
        builders.vm(
            2, 2, min_evc_mode="intel-haswell", evc_mode="intel-haswell", hardware_version=20
        ),
    ]
    path = tmp_path / "s.json"
    write_snapshot(builders.snapshot(hosts, vms), path)
    return path


def run(*arguments: str | Path) -> int:
    return run_command_line([str(word) for word in arguments], Session())


def test_a_snapshot_file_is_reported(snapshot: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("evc", "--snapshot", snapshot) == 0
    lines = [" ".join(line.split()) for line in capfd.readouterr().out.splitlines()]
    assert "intel-skylake blocked 0 1 VMs vm1" in lines
    assert "vm1 esx1 on vmx-13 intel-icelake -" in lines


def test_markdown_is_offered_as_for_explanations(
    snapshot: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("evc", "--snapshot", snapshot, "--format", "markdown") == 0
    assert "| mode | state | hosts | VMs | in the way |" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "give either --config or --snapshot"),
        (["--snapshot", "a", "--config", "b"], "give either --config or --snapshot"),
        (["--snapshot", "a", "--cluster", "b"], "--cluster chooses among the clusters"),
        (["--snapshot", "nowhere.json"], "nowhere.json: cannot be read"),
    ],
    ids=["no source", "two sources", "cluster of a file", "no file"],
)
def test_a_wrong_command_line_is_told(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("evc", *arguments) == 1
    assert expected in " ".join(capsys.readouterr().err.split())


@pytest.fixture
def server(snapshot: Path) -> Iterator[VCenterProcess]:
    with start_vcenter(snapshot) as process:
        yield process


@pytest.mark.wire
def test_a_live_cluster_and_its_recording_give_the_same_report(
    server: VCenterProcess, snapshot: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = write_stage(tmp_path, server, "prod")
    assert run("evc", "--config", config, "--format", "json") == 0
    live = json.loads(capfd.readouterr().out)
    assert run("evc", "--snapshot", snapshot, "--format", "json") == 0
    recorded = json.loads(capfd.readouterr().out)
    assert live["vms"] == recorded["vms"]
    assert live["hosts"] == recorded["hosts"]
    assert live["modes"] == recorded["modes"]
    assert server.control.calls().calls["Login"] == 1

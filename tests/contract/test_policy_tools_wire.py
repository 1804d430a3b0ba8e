"""The policy commands on a live cluster say what they say of its recording."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from balancer.adapters.files import write_snapshot
from balancer.cli.app import Session, run_command_line
from balancer.model.rule import RuleType
from tests.support.builders import host, rule, snapshot, vm
from tests.support.stage import write_stage
from tests.support.vcenter import VCenterProcess, start_vcenter

pytestmark = pytest.mark.wire


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    rules = [
        rule("apart", RuleType.ANTI_AFFINITY, [1, 2]),
        rule("here", RuleType.VM_HOST_AFFINE, [3], on=[1, 2], mandatory=False),
    ]
    hosts, vms = [host(1), host(2), host(3)], [vm(n, on=1 + n % 3) for n in (1, 2, 3)]
    path = tmp_path / "s.json"
    write_snapshot(snapshot(hosts, vms, rules), path)
    return path


@pytest.fixture
def server(recording: Path) -> Iterator[VCenterProcess]:
    with start_vcenter(recording) as process:
        yield process


def out_of(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert run_command_line(["policy", *map(str, arguments)], Session()) == 0
    return capfd.readouterr().out


def test_rules_are_shown_linted_and_taken_over_from_a_live_cluster(
    server: VCenterProcess, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = write_stage(tmp_path, server, "prod")
    drs = tmp_path / "drs.yaml"
    out_of(capfd, "import-drs", "--config", config, "--output", drs)
    assert "name: apart" in drs.read_text()
    assert "enforce: should" in drs.read_text()
    shown = out_of(capfd, "show", "--config", config, "--policy", drs)
    assert "mode in force: " in shown
    assert f"from {drs}:" in shown
    assert "looked at: cluster prod" in out_of(capfd, "lint", drs, "--config", config)

"""Every shipped policy loads, is clean against the demo cluster, and does what its test says."""

from pathlib import Path

import pytest
import yaml

from balancer.adapters.files import write_snapshot
from balancer.adapters.simulated.inventory import generate
from balancer.cli.app import Session, run_command_line
from balancer.cli.demo_scene import SPECS
from balancer.policy.load import packaged_folder

BUNDLES = sorted(packaged_folder().glob("*.yaml"))
TESTS = sorted((Path(__file__).parents[1] / "policies").glob("*.yaml"))


def run(capsys: pytest.CaptureFixture[str], *words: str) -> None:
    code = run_command_line(list(words), Session())
    told = capsys.readouterr()
    assert code == 0, told.out + told.err


@pytest.mark.parametrize("test", TESTS, ids=lambda path: path.stem)
def test_a_shipped_policy_does_what_its_test_says(
    test: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "policy", "test", str(test))


def test_every_shipped_policy_has_a_test() -> None:
    named = {name for test in TESTS for name in yaml.safe_load(test.read_text())["policies"]}
    assert {path.stem for path in BUNDLES} == named


@pytest.fixture(scope="module")
def demo_clusters(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("demo")
    paths = [folder / f"{number}.json" for number, _ in enumerate(SPECS)]
    for path, spec in zip(paths, SPECS, strict=True):
        write_snapshot(generate(spec, 0), path)
    return paths


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.stem)
def test_a_shipped_policy_is_clean_against_the_demo_clusters(
    bundle: Path, demo_clusters: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for cluster in demo_clusters:
        run(capsys, "policy", "lint", "--strict", str(bundle), "--snapshot", str(cluster))

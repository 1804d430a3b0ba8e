"""What a wheel holds: one top-level name, the policies, the schemas, and none of the tests."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "-w",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=110)
    (wheel,) = folder.glob("vsphere_balancer-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.slow
def test_only_balancer_is_a_top_level_name(names: set[str]) -> None:
    tops = {name.split("/")[0] for name in names}

    assert {top for top in tops if not top.endswith(".dist-info")} == {"balancer"}


@pytest.mark.slow
def test_policies_and_schemas_travel_with_the_program(names: set[str]) -> None:
    assert "balancer/_policies/balanced.yaml" in names
    schemas = {path.name for path in (ROOT / "balancer/schemas").glob("*.json")}
    assert {f"balancer/schemas/{name}" for name in schemas} <= names
    assert {"config.v1.schema.json", "policy.v1.schema.json", "snapshot.v1.schema.json"} <= schemas


@pytest.mark.slow
def test_the_schema_lies_where_the_packaged_policies_look_for_it(names: set[str]) -> None:
    assert "balancer/_policies/policy.v1.schema.json" in names
    assert "balancer/py.typed" in names

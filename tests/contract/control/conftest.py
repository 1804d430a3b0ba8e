"""The stage of these tests: a busy cluster on the test vCenter, with a daemon's configuration beside it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from balancer.adapters.simulated.inventory import InventorySpec, generate
from tests.support.stage import write_inventory, write_stage
from tests.support.vcenter import VCenterProcess, start_vcenter

CLUSTER = "prod-a"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VCenterProcess]:
    cluster = generate(InventorySpec(hosts=6, vms=90, name=CLUSTER), 3)
    with start_vcenter(write_inventory(tmp_path, cluster)) as process:
        yield process


@pytest.fixture
def config(tmp_path: Path, server: VCenterProcess) -> Path:
    return write_stage(tmp_path, server, CLUSTER)


def in_mode(config: Path, mode: str, **settings: object) -> Path:
    """Change the cluster's mode and other settings of it."""
    document = yaml.safe_load(config.read_text(encoding="utf-8"))
    document["clusters"][0] |= {"mode": mode, **settings}
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    return config

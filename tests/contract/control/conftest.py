"""The stage of these tests: a busy cluster on the test vCenter, with a daemon's configuration beside it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from balancer.adapters.simulated.inventory import InventorySpec, generate
from tests.support.stage import DaemonRun, write_inventory, write_stage
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


def has_carried_out(daemon: DaemonRun) -> bool:
    """Whether the cycle of an approved plan ended. Its moves are journalled one by one: that all of them so far are
    done says nothing of those that follow.
    """
    begun = {line["cycle_id"] for line in daemon.events("approved plan")}
    return bool(begun) and begun <= {line["cycle_id"] for line in daemon.events("cycle ended")}

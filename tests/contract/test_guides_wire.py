"""The guides for operators, run as they are written, each line of each page in order, against the test vCenter."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.model.privileges import Role, needed_ids
from balancer.model.snapshot import Snapshot
from tests.support.guide import Reader
from tests.support.programs import program
from tests.support.stage import write_inventory
from tests.support.vcenter import VCenterProcess, start_vcenter

pytestmark = [pytest.mark.wire, pytest.mark.slow]


def named_as_in_the_pages() -> Snapshot:
    """Return a cluster with the hosts and VMs that the pages ask about."""
    made = generate(InventorySpec(hosts=4, vms=40, name="prod-a"), 3)
    hosts = (replace(made.hosts[0], name="esx07"), *made.hosts[1:])
    web = next(vm for vm in made.vms if vm.is_running and vm.host != hosts[0].id)
    vms = tuple(replace(vm, name="web-14") if vm is web else vm for vm in made.vms)
    return replace(made, hosts=hosts, vms=vms)


@pytest.fixture(name="server", scope="module")
def test_vcenter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VCenterProcess]:
    folder = tmp_path_factory.mktemp("inventory")
    with start_vcenter(write_inventory(folder, named_as_in_the_pages())) as process:
        process.control.rights(needed_ids(Role.READER))
        yield process


def test_the_quick_start_then_backup_then_upgrade(tmp_path: Path, server: VCenterProcess) -> None:
    for name in ("prometheus", "sqlite3", "curl"):
        program(name)
    reader = Reader(home=tmp_path, server=server)

    told = reader.read("quick-start.md")
    assert '"value"' in told or '"status":"success"' in told
    assert (tmp_path / "balancer/plan.html").stat().st_size > 10_000

    told = reader.read("backup.md")
    assert told.count("\nok\n") == 1

    reader.read("upgrade.md")


def test_the_first_dry_run(tmp_path: Path, server: VCenterProcess) -> None:
    told = Reader(home=tmp_path, server=server).read("first-steps.md")
    assert "web-14" in told
    assert (tmp_path / "balancer/cluster.json").is_file()

"""The whole loop on real input: the daemon balances a vCenter over the wire, seen by a client of its own."""

import math
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyVmomi import vim

from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.adapters.simulated.spec import VmShares
from balancer.execute.tools import HOLD_S
from balancer.model.host import Host
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.policy.types import Policy
from tests.support.stage import DaemonRun, running_daemon, wait_until, write_inventory, write_stage
from tests.support.vcenter import VCenterProcess, connect, start_vcenter

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(900)]


def stage_cluster(seed: int) -> Snapshot:
    """16 hosts of two EVC generations, 400 VMs, one host at 95 % CPU, two broken rules, one host leaving."""
    spec = InventorySpec(
        hosts=16,
        vms=400,
        name="prod-a",
        entering_maintenance=1,
        hottest_cpu=0.95,
        shares=VmShares(blocked=0.01),
    )
    return generate(spec, seed)


class Eye:
    """An independent client: reads hosts and VMs from the wire and computes with its own arithmetic."""

    def __init__(self, instance: vim.ServiceInstance) -> None:
        self._content = instance.content

    def _all(self, kind: type) -> list[object]:
        view = self._content.viewManager.CreateContainerView(self._content.rootFolder, [kind], True)
        try:
            return list(view.view)
        finally:
            view.Destroy()

    def placement(self) -> dict[str, str]:
        """Return host id by VM id."""
        return {vm._moId: vm.runtime.host._moId for vm in self._all(vim.VirtualMachine)}

    def cpu_ratios(self) -> dict[str, float]:
        """Return CPU demand over capacity of each connected host that is not in or entering maintenance."""
        demand: dict[str, float] = {}
        for vm in self._all(vim.VirtualMachine):
            host = vm.runtime.host._moId
            demand[host] = demand.get(host, 0.0) + vm.summary.quickStats.overallCpuDemand
        ratios = {}
        for host in self._all(vim.HostSystem):
            hardware = host.summary.hardware
            if not host.runtime.inMaintenanceMode:
                capacity = hardware.cpuMhz * hardware.numCpuCores
                ratios[host._moId] = demand.get(host._moId, 0.0) / capacity
        return ratios

    def in_maintenance(self) -> set[str]:
        """Return the ids of hosts in maintenance."""
        return {h._moId for h in self._all(vim.HostSystem) if h.runtime.inMaintenanceMode}


@pytest.fixture
def cluster() -> Snapshot:
    return stage_cluster(seed=11)


@pytest.fixture
def server(tmp_path: Path, cluster: Snapshot) -> Iterator[VCenterProcess]:
    with start_vcenter(write_inventory(tmp_path, cluster), migration_seconds=0.4) as process:
        yield process


def spread(ratios: dict[str, float]) -> float:
    mean = sum(ratios.values()) / len(ratios)
    return math.sqrt(sum((ratio - mean) ** 2 for ratio in ratios.values()) / len(ratios))


def broken_pairs(cluster: Snapshot, placement: dict[str, str]) -> list[str]:
    return [
        rule.name
        for rule in cluster.active_rules(RuleType.ANTI_AFFINITY)
        if rule.mandatory and len({placement[vm] for vm in rule.vms}) < len(rule.vms)
    ]


def test_the_daemon_repairs_empties_and_levels_a_cluster(
    tmp_path: Path, cluster: Snapshot, server: VCenterProcess
) -> None:
    leaving = {host.id for host in cluster.hosts if not host.state.takes}
    trigger = Policy().thresholds.balance_trigger
    with (
        connect(server) as instance,
        running_daemon(tmp_path, write_stage(tmp_path, server, "prod-a")) as daemon,
    ):
        eye = Eye(instance)
        assert max(eye.cpu_ratios().values()) > 0.9
        assert len(broken_pairs(cluster, eye.placement())) == 2

        wait_until(
            "the host is in maintenance", lambda: leaving <= eye.in_maintenance(), within_s=240
        )
        wait_until("rules hold", lambda: broken_pairs(cluster, eye.placement()) == [], within_s=240)
        wait_until("CPU is level", lambda: spread(eye.cpu_ratios()) < trigger, within_s=240)
        wait_until("the cluster is left alone", lambda: bool(quiet(daemon)), within_s=240)

        state = server.control.state()
        assert all(host.peak_migrations <= 2 for host in state.hosts.values())
        assert state.totals.refused == 0
        assert state.totals.failed == 0
        assert max(eye.cpu_ratios().values()) < Policy().thresholds.cpu_contention
        assert set(eye.placement().values()).isdisjoint(leaving)
        assert (
            daemon.metric("balancer_migrations_total", outcome="succeeded") == state.totals.success
        )
        assert daemon.metric("balancer_rule_violations", enforcement="hard") == 0
        assert daemon.metric("balancer_leader") == 1
        assert 0 < daemon.metric("balancer_cluster_imbalance_combined_ratio") < trigger
        assert daemon.get("/healthz").status_code == 200
        assert daemon.get("/readyz").status_code == 200
        assert daemon.stop() == 0


def quiet(daemon: DaemonRun) -> list[dict[str, object]]:
    lines = daemon.events("cycle ended")
    return [line for line in lines if line["moves_planned"] == 0]


def test_faults_are_survived_visible_and_not_repeated_at_once(
    tmp_path: Path, cluster: Snapshot, server: VCenterProcess
) -> None:
    leaving = next(host for host in cluster.hosts if not host.state.takes)
    stubborn = next(vm for vm in cluster.running_vms if vm.host == leaving.id)
    refusing = coldest(cluster)
    server.control.add_fault("Timedout", vm=stubborn.name, at="task", after_s=0.2)
    server.control.add_fault("HostNotConnected", host=refusing.name, role="target", at="call")
    server.control.drop_reply("RelocateVM_Task", times=1)
    with running_daemon(tmp_path, write_stage(tmp_path, server, "prod-a")) as daemon:

        def where() -> dict[str, str]:
            hosts = server.control.state().hosts.values()
            return {vm: host.id for host in hosts for vm in host.vms}

        def left() -> set[str]:
            return {vm for vm, host in where().items() if host == leaving.id}

        ids = {vm.name: vm.id for vm in cluster.vms}
        wait_until("half of the host has left", lambda: len(left()) < 15, within_s=240)
        server.control.outage(4.0)
        # A request that was in the air when the outage came is held for `HOLD_S`, and planned anew after that.
        within_s = HOLD_S + 120
        wait_until(
            "all but the stubborn VM left", lambda: left() == {stubborn.name}, within_s=within_s
        )
        wait_until(
            "rules hold",
            lambda: not broken_pairs(cluster, {ids[vm]: host for vm, host in where().items()}),
            within_s=240,
        )

        tries = [line for line in server.control.relocations() if line.vm == stubborn.name]
        assert len(tries) == 1
        assert daemon.metric("balancer_migrations_total", outcome="failed") >= 1
        assert daemon.metric("balancer_migration_faults_total", fault="Timedout") == 1
        assert [line for line in daemon.log() if line.get("fault") == "Timedout"]
        assert daemon.stop() == 0
    with connect(server) as instance:
        assert Eye(instance).placement()[stubborn.id] == leaving.id
    assert journal(tmp_path / "journal.sqlite")[stubborn.id] == [("failed", "Timedout")]
    report = server.control.state()
    log = server.control.relocations()
    assert server.control.calls().calls["RelocateVM_Task"] == len(log)
    refused = [line.vm for line in log if line.to_host == refusing.name]
    assert 1 <= len(refused) <= 3
    assert len(set(refused)) == len(refused)  # no VM is sent to the same failing host again
    assert all(host.peak_migrations <= 2 for host in report.hosts.values())


def coldest(cluster: Snapshot) -> Host:
    """Return the serving host with the least CPU demand, where a planner would want to go."""
    demand = {host.id: 0.0 for host in cluster.hosts}
    for vm in cluster.running_vms:
        demand[vm.host] += vm.cpu_demand_mhz or 0.0
    return min(cluster.serving_hosts, key=lambda host: demand[host.id] / host.cpu_capacity_mhz)


def journal(path: Path) -> dict[str, list[tuple[str, str]]]:
    """Return state and fault of each VM's rows, oldest first, read without our own code."""
    found: dict[str, list[tuple[str, str]]] = {}
    with sqlite3.connect(path) as database:
        for vm, state, fault in database.execute("select vm, state, fault from moves order by id"):
            found.setdefault(vm, []).append((state, fault))
    return found

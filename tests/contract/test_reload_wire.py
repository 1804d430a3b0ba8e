"""A running daemon and its files: a good change counts, a bad one does not; each submit asks for the mode."""

import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from balancer.adapters.simulated.inventory import InventorySpec, generate
from tests.support.stage import DaemonRun, running_daemon, wait_until, write_inventory, write_stage
from tests.support.vcenter import VCenterProcess, start_vcenter

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(600)]

LOADED = "configuration loaded"
REFUSED = "configuration refused, the old one stays in force"
ACCEPTED = "balancer_config_last_reload_successful"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VCenterProcess]:
    cluster = generate(InventorySpec(hosts=4, vms=40, name="prod-a"), 3)
    with start_vcenter(write_inventory(tmp_path, cluster)) as process:
        yield process


def change(path: Path, **changes: Any) -> None:
    """Change the keys of a document, those of its first cluster by `cluster`, in one step as editors do."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document.get("clusters", [{}])[0].update(changes.pop("cluster", {}))
    fresh = path.with_suffix(".new")
    fresh.write_text(yaml.safe_dump(document | changes), encoding="utf-8")
    fresh.replace(path)


def hang_up(daemon: DaemonRun) -> None:
    daemon.process.send_signal(signal.SIGHUP)


def mode_in_force(daemon: DaemonRun, mode: str) -> bool:
    return daemon.metric("balancer_cluster_mode_in_force", mode=mode) == 1


def test_a_good_change_counts_at_once_and_a_bad_one_leaves_everything_as_it_was(
    tmp_path: Path, server: VCenterProcess
) -> None:
    config = write_stage(tmp_path, server, "prod-a")
    change(config, cluster={"mode": "observe", "interval_s": 600})
    with running_daemon(tmp_path, config) as daemon:
        wait_until("a cycle", lambda: bool(daemon.events("cycle ended")), within_s=120)
        assert "RelocateVM_Task" not in server.control.calls().calls

        change(config, cluster={"mode": "automatic"})
        hang_up(daemon)
        wait_until("moves are made", lambda: bool(daemon.events("migration ended")), within_s=120)
        assert daemon.events(LOADED)
        assert daemon.metric(ACCEPTED) == 1
        wait_until("the metric says so", lambda: mode_in_force(daemon, "automatic"), within_s=120)
        loaded_at = daemon.metric("balancer_config_last_reload_success_timestamp_seconds")

        change(config, cluster={"mode": "automatik"}, htp={})
        hang_up(daemon)
        wait_until("the refusal is logged", lambda: bool(daemon.events(REFUSED)), within_s=120)
        told = str(daemon.events(REFUSED)[0]["error"])
        assert "did you mean 'automatic'?" in told
        assert "unknown key 'htp'" in told
        assert daemon.metric(ACCEPTED) == 0
        assert daemon.metric("balancer_cluster_mode", mode="automatic") == 1
        again = daemon.metric("balancer_config_last_reload_success_timestamp_seconds")
        assert again == loaded_at
        assert "did you mean 'automatic'?" in daemon.get("/readyz").text
        assert daemon.get("/healthz").status_code == 200
        assert daemon.stop() == 0


def test_a_policy_that_changes_on_disk_is_taken_up_without_a_signal(
    tmp_path: Path, server: VCenterProcess
) -> None:
    config = write_stage(tmp_path, server, "prod-a")
    change(config, cluster={"interval_s": 600})
    policy = tmp_path / "fast.yaml"
    change(policy, mode="manual")
    with running_daemon(tmp_path, config) as daemon:
        wait_until("a cycle", lambda: bool(daemon.events("cycle ended")), within_s=120)
        assert daemon.events("plan not carried out")[0]["reason"] == "not_approved"
        assert mode_in_force(daemon, "manual")
        assert "manual" in daemon.get("/readyz").text

        change(policy, mode="automatic")

        wait_until("moves are made", lambda: bool(daemon.events("migration ended")), within_s=120)
        assert daemon.events(LOADED)
        assert daemon.stop() == 0


def test_a_window_that_closes_during_a_run_ends_the_sending(
    tmp_path: Path, server: VCenterProcess
) -> None:
    config = write_stage(tmp_path, server, "prod-a", {"migrations_per_cluster": 2})
    change(config, cluster={"interval_s": 600})
    server.control.set_migration_seconds(3600.0)
    with running_daemon(tmp_path, config) as daemon:
        running = "balancer_migrations_in_flight"
        wait_until("migrations run", lambda: daemon.metric(running) >= 1, within_s=120)
        freeze = {"name": "freeze", "effect": "deny", **today()}

        change(tmp_path / "fast.yaml", windows=[freeze])
        hang_up(daemon)
        wait_until("the window counts", lambda: bool(daemon.events(LOADED)), within_s=120)
        server.control.end_migrations()

        wait_until("the run ends", lambda: bool(daemon.events("cycle ended")), within_s=120)
        held = [line for line in daemon.events("move not sent") if "reason" in line]
        closed = [line for line in held if line["reason"] == "window_closed"]
        assert "window 'freeze' allows mode observe until" in str(closed[0]["detail"])
        # What waits for a move that is not sent is not sent either, and says so.
        assert {line["reason"] for line in held} <= {"window_closed", "dependency_failed"}
        sent = len(server.control.relocations())
        wait_until("a cycle after", lambda: mode_in_force(daemon, "observe"), within_s=120)
        assert len(server.control.relocations()) == sent
        assert {line.state for line in server.control.relocations()} == {"success"}
        assert daemon.stop() == 0


def today() -> dict[str, str]:
    """Return a window of whole days around now."""
    day = datetime.now(tz=UTC)
    first, last = day - timedelta(days=1), day + timedelta(days=1)
    return {"from": f"{first:%Y-%m-%d}", "until": f"{last:%Y-%m-%d}"}


def test_clusters_come_and_go_and_what_needs_a_restart_is_refused(
    tmp_path: Path, server: VCenterProcess
) -> None:
    config = write_stage(tmp_path, server, "prod-a")
    change(config, cluster={"mode": "observe", "interval_s": 600})
    with running_daemon(tmp_path, config) as daemon:
        wait_until("a cycle", lambda: bool(daemon.events("cycle ended")), within_s=120)

        change(config, http={"listen": "127.0.0.1", "port": 1})
        hang_up(daemon)
        wait_until("the refusal is logged", lambda: bool(daemon.events(REFUSED)), within_s=120)
        assert "http.port: changed" in str(daemon.events(REFUSED)[0]["error"])

        document = yaml.safe_load(config.read_text(encoding="utf-8"))
        other = document["clusters"][0] | {"name": "elsewhere"}
        change(config, http={"listen": "127.0.0.1", "port": 0}, clusters=[other])
        hang_up(daemon)
        wait_until("the other cluster is asked for", lambda: elsewhere(daemon), within_s=120)
        wait_until("the first is gone", lambda: not known(daemon, "prod-a"), within_s=120)
        assert daemon.metric(ACCEPTED) == 1
        assert daemon.stop() == 0


def elsewhere(daemon: DaemonRun) -> bool:
    lines = daemon.events("vCenter could not be asked")
    return any("elsewhere" in str(line["error"]) for line in lines)


def known(daemon: DaemonRun, cluster: str) -> bool:
    page = daemon.get("/metrics").text.splitlines()
    gauges = [line for line in page if line.startswith("balancer_cluster_mode{")]
    return any(f'cluster="{cluster}"' in line for line in gauges)

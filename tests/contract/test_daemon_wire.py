"""The daemon when vCenter says no: it keeps running, says why it is not ready, and recovers by itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.model.privileges import ADMINISTRATION, Role, needed_ids
from tests.support.moves import are_settled, sent, states
from tests.support.stage import DaemonRun, running_daemon, wait_until, write_inventory, write_stage
from tests.support.vcenter import VCenterProcess, start_vcenter

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VCenterProcess]:
    cluster = generate(InventorySpec(hosts=4, vms=40, name="prod-a"), 3)
    with start_vcenter(write_inventory(tmp_path, cluster)) as process:
        yield process


def observed(config: Path, **settings: object) -> Path:
    """Change the configuration's cluster to observe mode, and other settings of it."""
    document = yaml.safe_load(config.read_text(encoding="utf-8"))
    document["clusters"][0] |= {"mode": "observe", **settings}
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    return config


def is_ready(daemon: DaemonRun) -> bool:
    return daemon.get("/readyz").status_code == 200


def test_a_wrong_password_is_told_and_a_mended_one_is_taken_up(
    tmp_path: Path, server: VCenterProcess
) -> None:
    config = observed(write_stage(tmp_path, server, "prod-a"))
    password = tmp_path / "password"
    password.write_text("not the password", encoding="utf-8")
    with running_daemon(tmp_path, config) as daemon:
        wait_until("the refusal is logged", lambda: bool(failures(daemon)), within_s=120)
        answer = daemon.get("/readyz")
        assert answer.status_code == 503
        assert "administrator" in answer.text
        assert "not the password" not in answer.text + daemon.log_file.read_text("utf-8")
        assert daemon.get("/healthz").status_code == 200
        assert server.control.calls().calls["Login"] == 1
        refused = {"vcenter": "vc1", "cause": "login_refused"}
        assert daemon.metric("balancer_vcenter_failing", **refused) == 1

        password.write_text(server.greeting.password, encoding="utf-8")
        wait_until("the daemon is ready", lambda: is_ready(daemon), within_s=120)
        assert daemon.metric("balancer_vcenter_up", vcenter="vc1") == 1
        assert daemon.metric("balancer_vcenter_failing", **refused) == 0
        assert daemon.stop() == 0


def failures(daemon: DaemonRun) -> list[dict[str, object]]:
    return daemon.events("vCenter could not be asked")


def test_a_vcenter_that_is_away_at_the_start_is_waited_for(
    tmp_path: Path, server: VCenterProcess
) -> None:
    config = observed(write_stage(tmp_path, server, "prod-a"))
    server.control.outage(300.0)
    with running_daemon(tmp_path, config) as daemon:
        wait_until("the outage is logged", lambda: bool(failures(daemon)), within_s=120)
        assert not is_ready(daemon)
        server.control.outage(0.0)
        wait_until("the daemon is ready", lambda: is_ready(daemon), within_s=150)
        assert daemon.metric("balancer_cycles_total", result="error") >= 1
        assert daemon.stop() == 0


def test_observing_sends_nothing_over_the_wire(tmp_path: Path, server: VCenterProcess) -> None:
    config = observed(write_stage(tmp_path, server, "prod-a"))
    with running_daemon(tmp_path, config) as daemon:
        wait_until("two cycles", lambda: len(daemon.events("cycle ended")) >= 2, within_s=150)
        assert daemon.metric("balancer_plan_moves") > 0
        assert daemon.stop() == 0
    assert "RelocateVM_Task" not in server.control.calls().calls
    assert server.control.relocations() == ()


def test_an_untrusted_certificate_stops_before_the_login(
    tmp_path: Path, server: VCenterProcess
) -> None:
    config = observed(write_stage(tmp_path, server, "prod-a"))
    document = yaml.safe_load(config.read_text(encoding="utf-8"))
    del document["vcenters"][0]["tls"]
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    with running_daemon(tmp_path, config) as daemon:
        wait_until("the refusal is logged", lambda: bool(failures(daemon)), within_s=120)
        assert "certificate" in str(failures(daemon)[0]["error"])
        assert daemon.stop() == 0
    assert "Login" not in server.control.calls().calls


def test_what_runs_at_a_stop_goes_on_and_is_settled_at_the_next_start(
    tmp_path: Path, server: VCenterProcess
) -> None:
    config = write_stage(tmp_path, server, "prod-a")
    server.control.set_migration_seconds(3600.0)
    with running_daemon(tmp_path, config) as daemon:
        running = "balancer_migrations_in_flight"
        wait_until("migrations run", lambda: daemon.metric(running) >= 2, within_s=150)
        assert daemon.stop() == 0
        started = daemon.events("migration started")
        assert len({line["move_id"] for line in started}) == len(started)
        assert len({(line["cycle_id"], line["vcenter"], line["cluster"]) for line in started}) == 1
    left = [line for line in server.control.relocations() if line.state == "running"]
    assert left
    assert "submitted" in states(tmp_path)

    server.control.end_migrations()
    with running_daemon(tmp_path, observed(config)) as daemon:
        wait_until("every row is settled", lambda: are_settled(tmp_path, "done"), within_s=150)
        assert daemon.stop() == 0
    assert {line.state for line in server.control.relocations()} == {"success"}
    assert {row.state for row in sent(tmp_path, server)} == {"done"}


def acting_withheld(daemon: DaemonRun, reason: str) -> float:
    return daemon.metric("balancer_cluster_acting_withheld", reason=reason)


def test_s1_as_an_administrator_the_daemon_observes_until_the_account_is_mended(
    tmp_path: Path, server: VCenterProcess
) -> None:
    config = write_stage(tmp_path, server, "prod-a")
    server.control.rights(needed_ids(Role.EXECUTOR) | {"Authorization.ModifyRoles"})
    with running_daemon(tmp_path, config) as daemon:
        wait_until("two cycles", lambda: len(daemon.events("cycle ended")) >= 2, within_s=150)
        assert server.control.relocations() == ()
        (line,) = daemon.events("observed only")  # told once, not each cycle
        assert (line["level"], line["configured"]) == ("warning", "automatic")
        assert "it holds Authorization.ModifyRoles on the root folder" in str(line["detail"])
        assert daemon.events("cycle ended")[0]["held"] == "excess_privileges"
        assert daemon.metric("balancer_plan_moves") > 0
        assert acting_withheld(daemon, "excess_privileges") == 1
        ready = daemon.get("/readyz")
        assert ready.status_code == 200
        (note,) = ready.json()["notes"]
        assert note["subject"] == "cluster vc1/prod-a"
        assert "administrator@vsphere.local is an administrator" in note["why"]

        server.control.rights(needed_ids(Role.EXECUTOR))
        wait_until("a move", lambda: bool(server.control.relocations()), within_s=150)
        assert daemon.events("acting again")
        assert daemon.stop() == 0


def test_s1_an_administrator_that_is_allowed_in_so_many_words_acts(
    tmp_path: Path, server: VCenterProcess
) -> None:
    config = write_stage(tmp_path, server, "prod-a")
    server.control.rights(needed_ids(Role.EXECUTOR) | ADMINISTRATION)
    document = yaml.safe_load(config.read_text(encoding="utf-8"))
    document["vcenters"][0]["allow_excess_privileges"] = True
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    with running_daemon(tmp_path, config) as daemon:
        wait_until("a move", lambda: bool(server.control.relocations()), within_s=150)
        assert acting_withheld(daemon, "excess_privileges") == 0
        assert daemon.stop() == 0


def test_s1_beside_a_drs_that_acts_the_daemon_says_that_it_observes(
    tmp_path: Path, server: VCenterProcess
) -> None:
    config = write_stage(tmp_path, server, "prod-a")
    server.control.drs(enabled=True, automation="fullyAutomated")
    with running_daemon(tmp_path, config) as daemon:
        wait_until("two cycles", lambda: len(daemon.events("cycle ended")) >= 2, within_s=150)
        assert server.control.relocations() == ()
        assert acting_withheld(daemon, "drs_automated") == 1
        assert "drs_automated" in daemon.get("/readyz").json()["notes"][0]["why"]
        assert daemon.stop() == 0

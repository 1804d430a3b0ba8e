"""The daemon finds its migrations again: after a stop, a lost reply, an outage, and beside a rival."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from balancer.adapters.simulated.inventory import InventorySpec, generate
from tests.contract.test_daemon_wire import observed
from tests.support.moves import are_settled, rows, sent, states
from tests.support.stage import running_daemon, wait_until, write_inventory, write_stage
from tests.support.vcenter import VCenterProcess, connect, start_vcenter
from tests.support.vcenter_control import Relocation

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(600)]

IN_FLIGHT = "balancer_migrations_in_flight"
LONG_S = 3600.0
"""So long a migration takes; the tests end it when they have seen what they wait for."""
RIVAL = "a rival with our account"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VCenterProcess]:
    cluster = generate(InventorySpec(hosts=4, vms=40, name="prod-a"), 3)
    with start_vcenter(write_inventory(tmp_path, cluster)) as process:
        yield process


def steps(folder: Path) -> dict[str, list[str]]:
    """Return the states that the row of each VM went through."""
    query = "select vm_name, t.state from transitions t join moves m on t.move = m.id order by t.id"
    found: dict[str, list[str]] = {}
    with sqlite3.connect(folder / "journal.sqlite") as database:
        for vm, state in database.execute(query):
            found.setdefault(vm, []).append(state)
    return found


def running(server: VCenterProcess) -> list[Relocation]:
    return [line for line in server.control.relocations() if line.state == "running"]


def stopped_in_flight(folder: Path, config: Path) -> None:
    """Run the daemon until migrations run, then stop it."""
    with running_daemon(folder, config) as daemon:
        wait_until("migrations run", lambda: daemon.metric(IN_FLIGHT) >= 2, within_s=150)
        assert daemon.stop() == 0


def test_the_next_start_watches_on_what_still_runs(tmp_path: Path, server: VCenterProcess) -> None:
    config = write_stage(tmp_path, server, "prod-a")
    server.control.set_migration_seconds(LONG_S)
    stopped_in_flight(tmp_path, config)
    assert server.control.sessions() == 0
    assert {line.state for line in server.control.relocations()} == {"running"}
    before = sent(tmp_path, server)
    assert {row.state for row in before} == {"submitted"}

    with running_daemon(tmp_path, observed(config)) as daemon:
        wait_until("a cycle", lambda: bool(daemon.events("cycle ended")), within_s=150)
        assert len(running(server)) == len(before)  # so that it saw them running
        assert are_settled(tmp_path, "submitted")
        server.control.end_migrations()
        wait_until("every row is settled", lambda: are_settled(tmp_path, "done"), within_s=150)
        assert daemon.stop() == 0
    after = sent(tmp_path, server)
    assert [(row.vm, row.task) for row in after] == [(row.vm, row.task) for row in before]
    passed = steps(tmp_path)
    assert {tuple(passed[row.vm]) for row in after} == {("intent", "submitted", "done")}
    assert server.control.sessions() == 0


def test_a_stop_does_not_wait_for_a_vcenter_that_is_away(
    tmp_path: Path, server: VCenterProcess
) -> None:
    config = write_stage(tmp_path, server, "prod-a")
    server.control.set_migration_seconds(LONG_S)
    with running_daemon(tmp_path, config) as daemon:
        wait_until("migrations run", lambda: daemon.metric(IN_FLIGHT) >= 2, within_s=150)
        server.control.outage(300.0)
        assert daemon.stop() == 0
    assert "submitted" in states(tmp_path)
    server.control.end_migrations()
    server.control.outage(0.0)
    with running_daemon(tmp_path, observed(config)) as daemon:
        wait_until("every row is settled", lambda: are_settled(tmp_path, "done"), within_s=150)
        assert daemon.stop() == 0
    assert {row.state for row in sent(tmp_path, server)} == {"done"}


def test_a_failure_that_nobody_watched_and_vcenter_forgot_is_recorded_with_its_fault(
    tmp_path: Path, server: VCenterProcess
) -> None:
    config = write_stage(tmp_path, server, "prod-a")
    server.control.set_migration_seconds(LONG_S)
    key = "msg.checkpoint.migration.maxSwitchoverTimeExceeded"
    server.control.add_fault("SystemError", after_s=LONG_S, message_key=key)
    stopped_in_flight(tmp_path, config)
    assert are_settled(tmp_path, "submitted")  # so that nobody watched
    server.control.end_migrations()
    server.control.forget_tasks()
    with running_daemon(tmp_path, observed(config)) as daemon:
        wait_until("every row is settled", lambda: are_settled(tmp_path, "failed"), within_s=150)
        assert daemon.stop() == 0
        told = [line["event"] for line in daemon.log()]
    settled_at = max(n for n, event in enumerate(told) if event == "open move settled")
    assert told[:settled_at].count("cycle ended") < 2
    assert {row.fault for row in sent(tmp_path, server)} == {"SystemError"}


def test_a_migration_whose_reply_was_lost_is_adopted_with_its_task(
    tmp_path: Path, server: VCenterProcess
) -> None:
    config = write_stage(tmp_path, server, "prod-a")
    server.control.set_migration_seconds(LONG_S)
    server.control.drop_reply("RelocateVM_Task", times=2)
    adopted = ["intent", "unknown", "submitted"]
    with running_daemon(tmp_path, config) as daemon:
        wait_until(
            "both are adopted",
            lambda: list(steps(tmp_path).values()).count(adopted) == 2,
            within_s=150,
        )
        server.control.set_migration_seconds(0.2)
        server.control.end_migrations()
        wait_until("a cycle with moves", lambda: bool(daemon.events("cycle ended")), within_s=150)
        assert daemon.stop() == 0
    lost = [line for line in steps(tmp_path).values() if line[1] == "unknown"]
    assert lost == [[*adopted, "done"]] * 2
    tasks = {line.vm: line.task for line in server.control.relocations()}
    assert {row.vm: row.task for row in sent(tmp_path, server)} == tasks


def test_beside_a_second_balancer_with_its_account_the_daemon_sends_nothing_and_says_so(
    tmp_path: Path, server: VCenterProcess
) -> None:
    config = write_stage(tmp_path, server, "prod-a")
    stranger = server.control.state().hosts
    name, host = next((vm, name) for name, host in stranger.items() for vm in host.vms)
    target = next(other for other in stranger if other != host)
    server.control.move(name, target, seconds=300.0, user=server.greeting.username)
    with running_daemon(tmp_path, config) as daemon:
        wait_until("it is told", lambda: bool(daemon.events(RIVAL)), within_s=120)
        assert name in str(daemon.events(RIVAL)[0]["detail"])
        wait_until("moves wait", lambda: bool(daemon.events("moves not sent")), within_s=120)
        assert [line.vm for line in server.control.relocations()] == [name]
        assert rows(tmp_path) == []
        assert daemon.metric("balancer_unclaimed_migrations_total") == 1
        refused = [line["reason"] for line in daemon.events("moves not sent")]
        assert set(refused) == {"lease_held"}
        cancel(server)
        wait_until("it acts again", lambda: bool(rows(tmp_path)), within_s=150)
        assert daemon.stop() == 0


def cancel(server: VCenterProcess) -> None:
    """Cancel the one migration that runs, as somebody in the vSphere Client would."""
    (line,) = running(server)
    with connect(server) as instance:
        (task,) = (t for t in instance.content.taskManager.recentTask if t._moId == line.task)
        task.CancelTask()

"""Planning that crashes or hangs in the real daemon: told in log and metrics, and never in the way of a stop."""

import fcntl
import os
import signal
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from balancer.adapters.simulated.inventory import InventorySpec, generate
from tests.contract.test_daemon_wire import observed
from tests.support.process_tree import below
from tests.support.stage import DaemonRun, running_daemon, wait_until, write_inventory, write_stage
from tests.support.vcenter import VCenterProcess, start_vcenter

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(600)]

PLANS = "balancer_plans_total"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VCenterProcess]:
    cluster = generate(InventorySpec(hosts=4, vms=40, name="prod-a"), 3)
    with start_vcenter(write_inventory(tmp_path, cluster)) as process:
        yield process


def impatient(config: Path) -> Path:
    """Give each plan a time that it takes on no machine, however busy, and that a test can wait for."""
    document = yaml.safe_load(config.read_text(encoding="utf-8"))
    document["planning"] = {"patience_s": 15}
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    return config


def failures(daemon: DaemonRun) -> list[dict[str, object]]:
    return daemon.events("planning failed")


def a_cycle_more(daemon: DaemonRun) -> None:
    before = len(daemon.events("cycle ended"))
    wait_until("a cycle", lambda: len(daemon.events("cycle ended")) > before, within_s=120)


def frozen(daemon: DaemonRun) -> int:
    """Freeze the process that plans, between two cycles, so that the next plan hangs; return it."""
    a_cycle_more(daemon)
    process, *_ = below(daemon.process.pid)  # its own child first, then what that has started
    os.kill(process, signal.SIGSTOP)
    return process


def is_asked(process: int) -> bool:
    """Whether something has come in that a frozen process has not read."""
    pipe = os.open(f"/proc/{process}/fd/0", os.O_RDONLY | os.O_NONBLOCK)
    try:
        return any(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
    finally:
        os.close(pipe)


def test_planning_that_hangs_or_crashes_is_told_and_a_stop_does_not_wait_for_it(
    tmp_path: Path, server: VCenterProcess
) -> None:
    config = impatient(observed(write_stage(tmp_path, server, "prod-a"), interval_s=5))
    with running_daemon(tmp_path, config) as daemon:
        hung = frozen(daemon)
        wait_until("it is told", lambda: bool(failures(daemon)), within_s=120)
        (line,) = failures(daemon)
        assert (line["level"], line["kind"]) == ("error", "PlanningTimedOut")
        assert line["cycle_id"]
        assert "planning took more than 15 s" in str(line["error"])
        assert daemon.get("/healthz").status_code == 200
        assert daemon.metric(PLANS, result="timed_out") == 1

        crashing = frozen(daemon)
        assert crashing != hung
        wait_until("a plan is asked for", lambda: is_asked(crashing), within_s=120)
        os.kill(crashing, signal.SIGSEGV)
        os.kill(crashing, signal.SIGCONT)
        wait_until("it is told", lambda: len(failures(daemon)) > 1, within_s=120)
        assert failures(daemon)[1]["signal"] == signal.SIGSEGV
        assert daemon.metric(PLANS, result="error") == 1

        waiting = frozen(daemon)
        wait_until("a plan is asked for", lambda: is_asked(waiting), within_s=120)
        assert daemon.stop() == 0
        assert daemon.events("stopped")[0]["clean"] is True
        assert len(failures(daemon)) == 2
    assert server.control.sessions() == 0

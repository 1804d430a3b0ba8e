"""Pause and stop file against a daemon at work: how long after them the server sees its last migration."""

from datetime import datetime
from pathlib import Path

import pytest

from tests.support.commands import balancer
from tests.support.stage import DaemonRun, running_daemon, wait_until
from tests.support.vcenter import VCenterProcess

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(600)]

WITHIN_S = 1.0
"""The promise: no submit later than this after the command has returned, or the file is there."""


def submits(server: VCenterProcess) -> list[float]:
    """Return when the server took each migration, in seconds since the epoch."""
    return [
        datetime.fromisoformat(one.queued_at).timestamp() for one in server.control.relocations()
    ]


def assert_last_submit(server: VCenterProcess, stopped_at: float) -> None:
    """Check that nothing was sent after a stop but the one request, at most, that was being made."""
    late_s = [at - stopped_at for at in submits(server) if at > stopped_at]
    assert len(late_s) <= 1, late_s
    assert max(late_s, default=0.0) < WITHIN_S, late_s


def flowing(server: VCenterProcess, least: int = 3) -> None:
    wait_until("migrations flow", lambda: len(submits(server)) >= least, within_s=120)


def cycles(daemon: DaemonRun) -> int:
    return len(daemon.events("cycle ended"))


def cycles_go_on(daemon: DaemonRun, more: int = 2) -> None:
    """Wait for whole cycles from now on: what would be sent has had its chance."""
    before = cycles(daemon)
    wait_until("further cycles", lambda: cycles(daemon) >= before + more, within_s=120)


def test_s8_after_a_pause_returns_nothing_is_sent_until_it_is_resumed(
    tmp_path: Path, server: VCenterProcess, config: Path
) -> None:
    server.control.set_migration_seconds(0.5)
    with running_daemon(tmp_path, config) as daemon:
        flowing(server)
        done = balancer("pause", "--reason", "storage work", config=config)
        assert done.code == 0, done.err
        wait_until("the note", lambda: "storage work" in daemon.get("/readyz").text, within_s=120)
        assert daemon.metric("balancer_paused", reason="operator") == 1
        cycles_go_on(daemon)
        assert_last_submit(server, done.ended_at)
        assert daemon.events("cycle ended")[-1]["held"] == "paused" or daemon.events(
            "plan not carried out"
        )

        sent = len(submits(server))
        again = balancer("resume", config=config)
        assert "storage work" in again.out
        if daemon.metric("balancer_plan_moves") > 0:
            wait_until("moves again", lambda: len(submits(server)) > sent, within_s=120)


def test_s8_once_the_stop_file_is_there_nothing_is_sent(
    tmp_path: Path, server: VCenterProcess, config: Path
) -> None:
    server.control.set_migration_seconds(0.5)
    with running_daemon(tmp_path, config) as daemon:
        flowing(server)
        stop = tmp_path / "stop"
        stop.write_text("fire in room 3\n", encoding="utf-8")
        there_at = stop.stat().st_mtime
        wait_until("the note", lambda: "fire in room 3" in daemon.get("/readyz").text, within_s=120)
        assert daemon.metric("balancer_paused", reason="stop_file") == 1
        cycles_go_on(daemon)
        assert_last_submit(server, there_at)

        stop.unlink()
        wait_until(
            "the note is gone", lambda: "room 3" not in daemon.get("/readyz").text, within_s=120
        )

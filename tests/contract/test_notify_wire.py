"""A running daemon tells people: a plan that waits, a vCenter that is gone; and a dead channel stops nothing."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from balancer.adapters.simulated.inventory import InventorySpec, generate
from tests.support.receiver import Received, Receiver, Reply
from tests.support.stage import running_daemon, wait_until, write_inventory, write_stage
from tests.support.vcenter import start_vcenter

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(600)]


def told(received: list[Received], kind: str) -> list[dict[str, Any]]:
    return [
        notice
        for one in received
        for notice in json.loads(one.body)["notices"]
        if notice["kind"] == kind
    ]


def test_people_are_told_and_a_dead_channel_is_in_nobodys_way(tmp_path: Path) -> None:
    cluster = generate(InventorySpec(hosts=4, vms=40, name="prod-a"), 3)
    # The dead channel fails for good at once, so that nothing but its log and count is left of it.
    with (
        Receiver() as receiver,
        Receiver([Reply(status=410)]) as dead,
        start_vcenter(write_inventory(tmp_path, cluster)) as server,
    ):
        config = write_stage(tmp_path, server, "prod-a")
        for name, text in {
            "url": receiver.url(),
            "dead": dead.url("/hidden"),
            "key": base64.b64encode(b"k" * 32).decode(),
        }.items():
            (tmp_path / name).write_text(text)
        document = yaml.safe_load(config.read_text("utf-8"))
        document["clusters"][0]["mode"] = "manual"
        document["log"]["level"] = "debug"
        document["notify"] = {
            "webhook": [
                {
                    "name": "hook",
                    "url_file": "url",
                    "secret_file": "key",
                    "least_interval_s": 0.1,
                }
            ],
            "slack": [{"name": "dead", "url_file": "dead"}],
        }
        config.write_text(yaml.safe_dump(document), encoding="utf-8")
        with running_daemon(tmp_path, config) as daemon:
            receiver.wait_for(1, within_s=120)
            (waits,) = told(receiver.received, "plan_waits")
            assert (waits["vcenter"], waits["cluster"]) == ("vc1", "prod-a")
            assert f"balancer approve {waits['facts']['digest'][:12]}" in waits["text"]
            delivered = "balancer_notifications_total"
            wait_until(
                "both are counted",
                lambda: (
                    daemon.metric(delivered, channel="hook", result="delivered") >= 1
                    and daemon.metric(delivered, channel="dead", result="failed") >= 1
                ),
                within_s=120,
            )
            server.close()
            wait_until(
                "the lost vCenter is told",
                lambda: bool(told(list(receiver.received), "cycles_fail")),
                within_s=120,
            )
            assert len(told(receiver.received, "plan_waits")) == 1
            assert daemon.stop() == 0
            log = daemon.log_file.read_text("utf-8")
    assert "notification not delivered" in log
    assert "hidden" not in log

"""The daemon and its vCenters: one that is dark delays no other, and changes by others are seen early."""

import itertools
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from balancer.adapters.simulated.inventory import InventorySpec, generate
from tests.support.stage import DaemonRun, running_daemon, wait_until, write_inventory, write_stage
from tests.support.vcenter import VCenterProcess, start_vcenter

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(600)]

DARK_CLUSTERS = 12
"""More than the scheduler's own pool has workers."""

INTERVAL_S = 4.0

DARK_INTERVAL_S = 300.0
"""Long enough that dark cycles which wait for a worker are not given up as missed, and take it."""

DARK_CONNECT_S = 120.0
"""So long a worker is held by the dark vCenter: whoever waited for one would be late by that."""

ON_TIME_S = DARK_CONNECT_S / 2
"""What a loaded machine may take between two cycles that nobody delays."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VCenterProcess]:
    cluster = generate(InventorySpec(hosts=4, vms=40, name="prod-a"), 3)
    with start_vcenter(write_inventory(tmp_path, cluster)) as process:
        yield process


@contextmanager
def black_hole() -> Iterator[int]:
    """Give a port that answers no connection attempt: its queue is full and nobody empties it."""
    with socket.socket() as listener, ExitStack() as fillers:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])


def changed(config: Path, **cluster: Any) -> dict[str, Any]:
    """Return the configuration as a document, its cluster in observe mode and with other settings."""
    document: dict[str, Any] = yaml.safe_load(config.read_text(encoding="utf-8"))
    document["clusters"][0] |= {"mode": "observe"} | cluster
    return document


def written(config: Path, document: dict[str, Any]) -> Path:
    plain = json.loads(json.dumps(document))  # YAML would write what is shared as an alias
    config.write_text(yaml.safe_dump(plain), encoding="utf-8")
    return config


def cycles_of(daemon: DaemonRun, vcenter: str) -> list[float]:
    """Return when the vCenter's cycles ended, in seconds."""
    lines = [line for line in daemon.events("cycle ended") if line["vcenter"] == vcenter]
    return [datetime.fromisoformat(str(line["timestamp"])).timestamp() for line in lines]


def test_a_vcenter_that_is_dark_delays_no_other_and_no_stop(
    tmp_path: Path, server: VCenterProcess
) -> None:
    config = write_stage(tmp_path, server, "prod-a")
    document = changed(config, interval_s=INTERVAL_S)
    with black_hole() as port:
        dark = document["vcenters"][0] | {"name": "dark", "port": port}
        document["vcenters"].append(dark | {"timeouts": {"connect_s": DARK_CONNECT_S}})
        document["clusters"] += [
            document["clusters"][0]
            | {"vcenter": "dark", "name": f"c{number}", "interval_s": DARK_INTERVAL_S}
            for number in range(DARK_CLUSTERS)
        ]
        with running_daemon(tmp_path, written(config, document)) as daemon:
            wait_until("three cycles", lambda: len(cycles_of(daemon, "vc1")) >= 3, within_s=150)
            ends = cycles_of(daemon, "vc1")
            gaps = [later - earlier for earlier, later in itertools.pairwise(ends)]
            assert max(gaps) < ON_TIME_S, gaps
            assert cycles_of(daemon, "dark") == []
            assert daemon.metric("balancer_vcenter_up", vcenter="vc1") == 1
            assert daemon.stop() == 0
            assert daemon.events("stopped")[0]["clean"] is True


def test_a_vm_moved_by_somebody_else_is_seen_before_the_interval_is_over(
    tmp_path: Path, server: VCenterProcess
) -> None:
    config = write_stage(tmp_path, server, "prod-a")
    document = changed(config, interval_s=600, shortest_interval_s=1)
    with running_daemon(tmp_path, written(config, document)) as daemon:
        wait_until("a cycle", lambda: bool(cycles_of(daemon, "vc1")), within_s=120)
        up = "balancer_vcenter_change_hints_up"
        wait_until("hints", lambda: daemon.metric(up) == 1, within_s=120)
        hosts = server.control.state().hosts
        source = next(name for name, host in sorted(hosts.items()) if host.vms)
        target = next(name for name in sorted(hosts) if name != source)
        vm = hosts[source].vms[0]
        seen = len(cycles_of(daemon, "vc1"))

        server.control.move(vm, target)

        wait_until("an early cycle", lambda: len(cycles_of(daemon, "vc1")) > seen, within_s=120)
        assert daemon.metric("balancer_vcenter_changes_total", kind="vm_moved") == 1
        assert daemon.events("cycle runs early")
        assert daemon.stop() == 0
    assert server.control.expire_sessions() == 0  # nobody is left logged in


def test_switched_off_hints_ask_for_no_updates(tmp_path: Path, server: VCenterProcess) -> None:
    config = write_stage(tmp_path, server, "prod-a")
    document = changed(config, interval_s=INTERVAL_S)
    document["vcenters"][0]["change_hints"] = False
    with running_daemon(tmp_path, written(config, document)) as daemon:
        wait_until("two cycles", lambda: len(cycles_of(daemon, "vc1")) >= 2, within_s=120)
        assert daemon.stop() == 0
    assert "WaitForUpdatesEx" not in server.control.calls().calls


def test_vcenters_that_share_an_account_send_two_wrong_logins_together(
    tmp_path: Path, server: VCenterProcess
) -> None:
    config = write_stage(tmp_path, server, "prod-a")
    (tmp_path / "password").write_text("not the password", encoding="utf-8")
    document = changed(config, interval_s=INTERVAL_S)
    linked = [document["vcenters"][0] | {"name": f"vc{number}"} for number in (1, 2, 3)]
    document["vcenters"] = linked
    document["clusters"] = [document["clusters"][0] | {"vcenter": each["name"]} for each in linked]
    with running_daemon(tmp_path, written(config, document)) as daemon:
        told = "vCenter could not be asked"
        wait_until(
            "each vCenter's cycles have failed twice",
            lambda: len({(line["vcenter"], line["cycle_id"]) for line in daemon.events(told)}) >= 6,
            within_s=120,
        )
        assert {line["vcenter"] for line in daemon.events(told)} == {"vc1", "vc2", "vc3"}
        assert server.control.calls().calls["Login"] == 2
        assert daemon.stop() == 0

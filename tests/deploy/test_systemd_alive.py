"""The unit under a real systemd, against the test vCenter: what it promises is looked at while it runs."""

import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
import yaml

from balancer.adapters.simulated.inventory import InventorySpec, generate
from tests.support.stage import SOURCES, write_inventory, write_stage
from tests.support.systemd import Machine, field_of, install, require_namespaces
from tests.support.vcenter import VCenterProcess, start_vcenter

pytestmark = [pytest.mark.wire, pytest.mark.slow]

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "balancer.service"
NAME = "balancer.service"
PASSWORD = "only-as-a-credential-5e81c7"
CREDENTIAL = f"/run/credentials/{NAME}/vcenter-password"
ETC = "files/etc/balancer"
SOLVER = b"balancer.adapters.solver.worker"

TRIAL_SETTINGS = """\
[Unit]
DefaultDependencies=no
After=systemd-journald.socket
[Service]
Environment=LD_LIBRARY_PATH=/opt/python/lib
WatchdogSec=5s
TimeoutStopSec=10s
RestartSec=100ms
"""
"""The trial does not wait a minute for the watchdog, and gives a stop ten seconds."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VCenterProcess]:
    cluster = generate(InventorySpec(hosts=4, vms=40, name="prod-a"), 3)
    with start_vcenter(write_inventory(tmp_path, cluster), password=PASSWORD) as process:
        yield process


@pytest.fixture
def machine(tmp_path: Path, server: VCenterProcess) -> Iterator[Machine]:
    """Give a machine on which the balancer is installed as docs/operate/install-systemd.md says."""
    require_namespaces()
    folder = tmp_path / "machine"
    etc = folder / ETC
    (etc / "credentials").mkdir(parents=True, mode=0o700)
    written = write_stage(tmp_path, server, "prod-a")
    config = yaml.safe_load(written.read_text("utf-8"))
    config["vcenters"][0] |= {
        "password_file": "vcenter-password",
        "tls": {"ca_file": "vcenter-ca.pem"},
    }
    config["clusters"][0]["policies"] = ["balanced", "fast.yaml"]
    del config["journal"]
    (etc / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    shutil.copy(tmp_path / "fast.yaml", etc / "fast.yaml")
    shutil.copy(server.ca_file, etc / "vcenter-ca.pem")
    (etc / "credentials/vcenter-password").write_text(PASSWORD, encoding="utf-8")
    install(folder, SOURCES)
    units = {NAME: UNIT.read_text("utf-8"), f"{NAME}.d/trial.conf": TRIAL_SETTINGS}
    with Machine(folder, units) as booted:
        booted.inside("/etc/balancer/credentials/vcenter-password").chmod(0o600)
        yield booted


def logged(machine: Machine) -> list[dict[str, object]]:
    """Return what the service has logged, line by line."""
    lines = machine.log(f"--unit={NAME}").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def events(machine: Machine, name: str) -> list[dict[str, object]]:
    """Return what the service has logged under a name."""
    return [line for line in logged(machine) if line["event"] == name]


class Sightings:
    """Looks for a kind of process inside, all the while that the context lasts, and at what bounds it."""

    def __init__(self, machine: Machine, module: bytes) -> None:
        self._machine, self._module = machine, module
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.fields: set[tuple[str, str]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.03):
            for pid in self._machine.processes():
                if self._module in command_line(pid):
                    found = {(name, field_of(pid, name)) for name in ("NoNewPrivs", "Seccomp")}
                    self.fields |= {(name, value) for name, value in found if value}


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return b""


def test_the_service_lives_confined_and_its_password_is_a_credential_alone(
    machine: Machine, server: VCenterProcess
) -> None:
    with Sightings(machine, SOLVER) as solvers:
        machine.run("systemctl", "start", NAME)  # returns once it is ready
        plans_and_moves(machine, server)
    assert solvers.fields == {("NoNewPrivs", "1"), ("Seccomp", "2")}
    assert machine.shown(NAME, "ActiveState") == "active"
    pid = machine.main_pid(NAME)
    knows_its_password_only_as_a_credential(machine, pid)
    is_confined(machine, pid)
    leaves_no_password_behind(machine)
    reloads(machine, pid)
    is_started_anew_when_it_hangs(machine, pid)
    stops_cleanly(machine)


def knows_its_password_only_as_a_credential(machine: Machine, pid: int) -> None:
    seen = machine.seen_by(pid, "stat", "--format=%a %u", CREDENTIAL)
    assert seen.stdout.split() == ["400", field_of(pid, "Uid").split()[0]]
    assert machine.seen_by(pid, "cat", CREDENTIAL).stdout == PASSWORD
    assert machine.seen_by(pid, "touch", CREDENTIAL).returncode != 0
    for process in machine.processes():
        for file in ("environ", "cmdline"):
            assert PASSWORD.encode() not in Path(f"/proc/{process}/{file}").read_bytes()
    assert PASSWORD not in machine.run("systemctl", "show", NAME)


def is_confined(machine: Machine, pid: int) -> None:
    uid = int(field_of(pid, "Uid").split()[0])
    assert 61184 <= uid <= 65519  # systemd's range of dynamic users
    assert int(field_of(pid, "CapEff"), 16) == 0
    assert field_of(pid, "NoNewPrivs") == "1"
    assert field_of(pid, "Seccomp") == "2"  # a filter of system calls
    for place in ("/etc/balancer/x", "/usr/x", "/opt/balancer/x", "/root/x"):
        done = machine.seen_by(pid, "touch", place)
        assert done.returncode != 0, place
        assert "Read-only file system" in done.stdout or "Permission denied" in done.stdout
    state = machine.seen_by(pid, "stat", "--format=%a %u", "/var/lib/balancer/journal.sqlite")
    assert state.stdout.split() == ["600", str(uid)]


def plans_and_moves(machine: Machine, server: VCenterProcess) -> None:
    """Planning works under the filters too, and nothing was warned of."""
    machine.until("a move", lambda: bool(server.control.relocations()), within_s=60)
    machine.until("a cycle", lambda: bool(events(machine, "cycle ended")), within_s=60)
    assert [line for line in logged(machine) if line["level"] not in ("info", "debug")] == []


def leaves_no_password_behind(machine: Machine) -> None:
    found = machine.run("grep", "-rlsI", PASSWORD, "/etc", "/run", "/var/lib", "/tmp", check=False)
    assert found.split() == ["/etc/balancer/credentials/vcenter-password", CREDENTIAL]
    assert machine.run("stat", "--format=%a %U", found.split()[0]).split() == ["600", "root"]


def reloads(machine: Machine, pid: int) -> None:
    machine.run("systemctl", "reload", NAME)
    told = "configuration unchanged"
    machine.until("the reload is told", lambda: bool(events(machine, told)), within_s=20)
    machine.until(
        "it is ready again", lambda: machine.shown(NAME, "ActiveState") == "active", within_s=20
    )
    assert machine.main_pid(NAME) == pid


def is_started_anew_when_it_hangs(machine: Machine, pid: int) -> None:
    assert machine.shown(NAME, "NRestarts") == "0"
    os.kill(pid, signal.SIGSTOP)
    machine.until("the restart", lambda: machine.shown(NAME, "NRestarts") == "1", within_s=30)
    assert "Watchdog timeout" in machine.log("_PID=1")
    machine.until(
        "it is ready again", lambda: machine.shown(NAME, "ActiveState") == "active", within_s=60
    )
    assert machine.main_pid(NAME) not in {0, pid}


def stops_cleanly(machine: Machine) -> None:
    machine.run("systemctl", "stop", NAME)
    assert machine.shown(NAME, "Result") == "success"  # not: timeout
    assert machine.shown(NAME, "ExecMainStatus") == "0"
    assert events(machine, "stopped")[-1]["clean"] is True
    assert not machine.inside(CREDENTIAL).exists()
    assert machine.inside("/var/lib/private/balancer/journal.sqlite").exists()

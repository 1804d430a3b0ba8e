"""The unit under a real systemd, against the test vCenter: what it promises is looked at while it runs."""

import json
import os
import re
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

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "operate" / "install-systemd.md"
NAME = "balancer.service"
PASSWORD = "only-as-a-credential-5e81c7"
CREDENTIAL = f"/run/credentials/{NAME}/vcenter-password"
PLAIN = "/etc/balancer/credentials/vcenter-password"
CHILDREN = (b"balancer.adapters.planning.worker", b"balancer.adapters.solver.worker")
EDITOR = "/opt/written/editor"

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


SITE_SETTINGS = "[Service]\nIPAddressDeny=any\nIPAddressAllow=localhost\n"


@pytest.fixture
def machine(tmp_path: Path, server: VCenterProcess) -> Iterator[Machine]:
    """Give a machine on which the program is, and beside it what somebody is going to write into files."""
    require_namespaces()
    folder = tmp_path / "machine"
    install(folder, SOURCES)
    write_site_files(folder / "files", server, write_stage(tmp_path, server, "prod-a"))
    with Machine(folder, {f"{NAME}.d/trial.conf": TRIAL_SETTINGS}) as booted:
        yield booted


def write_site_files(files: Path, server: VCenterProcess, stage: Path) -> None:
    """Write the sources that the page starts from, an editor that knows what to write, and a site's own files."""
    sources, written, etc = (files / at for at in ("opt/sources", "opt/written", "etc/balancer"))
    shutil.copytree(ROOT / "deploy" / "systemd", sources / "deploy" / "systemd")
    shutil.copy(ROOT / "config.example.yaml", sources)
    config = yaml.safe_load(stage.read_text("utf-8"))
    trust = {"password_file": "vcenter-password", "tls": {"ca_file": "vcenter-ca.pem"}}
    config["vcenters"][0] |= trust
    config["clusters"][0]["policies"] = ["balanced", "fast.yaml"]
    del config["journal"]
    written.mkdir()
    (written / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (written / "vcenter-password").write_text(PASSWORD, encoding="utf-8")
    (written / "site.conf").write_text(SITE_SETTINGS, encoding="utf-8")
    editor = files / EDITOR.removeprefix("/")
    editor.write_text(
        '#!/bin/sh\nfor file; do cat "/opt/written/$(basename "$file")" > "$file"; done\n'
    )
    editor.chmod(0o755)
    written.chmod(0o700)
    etc.mkdir(parents=True)
    shutil.copy(stage.parent / "fast.yaml", etc)
    shutil.copy(server.ca_file, etc / "vcenter-ca.pem")


def follow(machine: Machine, *sections: str) -> str:
    """Run what the page says in sections, as root and with an editor that knows what to write."""
    page = PAGE.read_text("utf-8")
    told = ""
    for section in sections:
        (text,) = (each for each in page.split("\n## ") if each.startswith(section))
        blocks = re.findall(r"^(<!-- .*? -->)\n```bash\n(.*?)^```", text, re.M | re.S)
        assert blocks
        for mark, block in blocks:
            assert "run by tests/deploy/test_systemd_alive.py" in mark
            head = f'cd /opt/sources; export EDITOR={EDITOR}; sudo() {{ "$@"; }}; set -ex\n'
            told += machine.run("bash", "-c", head + block)
    return told


def logged(machine: Machine) -> list[dict[str, object]]:
    """Return what the service has logged, line by line."""
    lines = machine.log(f"--unit={NAME}").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def events(machine: Machine, name: str) -> list[dict[str, object]]:
    """Return what the service has logged under a name."""
    return [line for line in logged(machine) if line["event"] == name]


class Sightings:
    """Looks for kinds of processes inside, all the while that the context lasts, and at what bounds it."""

    def __init__(self, machine: Machine, *modules: bytes) -> None:
        self._machine = machine
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.fields: dict[bytes, set[tuple[str, str]]] = {module: set() for module in modules}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.1):
            for pid in self._machine.processes():
                words = command_line(pid)
                for module in [each for each in self.fields if each in words]:
                    found = {(name, field_of(pid, name)) for name in ("NoNewPrivs", "Seccomp")}
                    self.fields[module] |= {(name, value) for name, value in found if value}


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return b""


def test_the_service_lives_confined_and_its_password_is_a_credential_alone(
    machine: Machine, server: VCenterProcess
) -> None:
    with Sightings(machine, *CHILDREN) as children:
        told = follow(machine, "2. ", "3. ")
        assert "Active: active (running)" in told
        plans_and_moves(machine, server)
    for child in CHILDREN:
        assert children.fields[child] == {("NoNewPrivs", "1"), ("Seccomp", "2")}
    pid = machine.main_pid(NAME)
    knows_its_password_only_as_a_credential(machine, pid)
    is_confined(machine, pid)
    leaves_no_password_behind(machine, PLAIN)
    reloads(machine, pid)
    is_started_anew_when_it_hangs(machine, pid)
    takes_an_encrypted_password(machine)
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


def leaves_no_password_behind(machine: Machine, *files: str) -> None:
    places = ("/etc", "/run", "/var/lib", "/var/log", "/tmp")
    found = machine.run("grep", "-rls", "--text", PASSWORD, *places, check=False)
    assert set(found.split()) == {*files, CREDENTIAL}
    for file in files:
        assert machine.run("stat", "--format=%a %U", file).split() == ["600", "root"]


def reloads(machine: Machine, pid: int) -> None:
    machine.run("systemctl", "reload", NAME)
    told = "configuration unchanged"
    machine.until("the reload is told", lambda: bool(events(machine, told)), within_s=60)
    machine.until(
        "it is ready again", lambda: machine.shown(NAME, "ActiveState") == "active", within_s=60
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


def takes_an_encrypted_password(machine: Machine) -> None:
    follow(machine, "4. ")
    assert machine.shown(NAME, "ActiveState") == "active"
    knows_its_password_only_as_a_credential(machine, machine.main_pid(NAME))
    assert not machine.inside(PLAIN).exists()
    leaves_no_password_behind(machine)


def stops_cleanly(machine: Machine) -> None:
    machine.run("systemctl", "stop", NAME)
    assert machine.shown(NAME, "Result") == "success"  # not: timeout
    assert machine.shown(NAME, "ExecMainStatus") == "0"
    assert events(machine, "stopped")[-1]["clean"] is True
    assert not machine.inside(CREDENTIAL).exists()
    assert machine.inside("/var/lib/private/balancer/journal.sqlite").exists()

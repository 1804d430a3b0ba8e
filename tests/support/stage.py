"""The stage of the whole-loop tests: a cluster on the test vCenter, the daemon beside it, a client of our own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx
import yaml

import balancer
from balancer.adapters.files import write_snapshot
from balancer.model.privileges import Role, needed_ids
from balancer.model.snapshot import Snapshot
from tests.support.vcenter import VCenterProcess

BALANCER = Path(sys.executable).parent / "balancer"
SOURCES = Path(balancer.__file__).parents[1]
"""Where the tests import from: the daemon shall run the same code, not that of another installed tree."""

FAST_LIMITS = {
    "moves_per_run_at_most": 60,
    "moves_per_run_ratio": 0.2,
    "moves_per_hour_ratio": 1.0,
    "migrations_per_host": 2,
    "migrations_per_cluster": 12,
    "residence_s": 0,
    "moves_per_vm_per_day": 4,
    "verdict_after_s": 3,
    "moves_on_trial": 60,
}
"""A test's hour has a minute: the budgets are widened, the limits per host are the shipped ones."""


@dataclass(kw_only=True)
class DaemonRun:
    """A running `balancer run`: its process, its log and its HTTP port."""

    process: subprocess.Popen[str]
    log_file: Path
    port: int = 0
    lines: list[dict[str, object]] = field(default_factory=list)

    def log(self) -> list[dict[str, object]]:
        """Return the JSON log lines so far."""
        text = self.log_file.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def events(self, name: str) -> list[dict[str, object]]:
        """Return the log lines of one event."""
        return [line for line in self.log() if line["event"] == name]

    def get(self, path: str) -> httpx.Response:
        """Ask the daemon over HTTP."""
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=60, verify=False)

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that carry the given labels; 0 where there is none."""
        total = 0.0
        for line in self.get("/metrics").text.splitlines():
            match = re.match(rf"^{name}(\{{.*\}})? (\S+)$", line)
            if match and all(
                f'{key}="{value}"' in (match[1] or "") for key, value in labels.items()
            ):
                total += float(match[2])
        return total

    def stop(self) -> int:
        """Ask it to stop, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_WITHIN_S)


STOP_WITHIN_S = 10.0
"""What the program promises for a stop."""


def wait_until(what: str, holds: Callable[[], bool], *, within_s: float) -> None:
    """Poll until something holds; the failure says what did not."""
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:.0f} s: {what}")
        time.sleep(0.2)


def write_stage(
    folder: Path, server: VCenterProcess, cluster: str, limits: Mapping[str, float] | None = None
) -> Path:
    """Write configuration, policy and password file for a daemon on this server; return the first.

    The account is given the executor's rights: as an administrator, nothing would act.
    """
    server.control.rights(needed_ids(Role.EXECUTOR))
    password = folder / "password"
    password.write_text(server.greeting.password, encoding="utf-8")
    password.chmod(0o600)
    policy = folder / "fast.yaml"
    document = {
        "apiVersion": "balancer/v1",
        "kind": "Policy",
        "name": "fast",
        "limits": {**FAST_LIMITS, **(limits or {})},
        "trigger": {"contention_sustained_s": 0, "balance_sustained_s": 0},
    }
    policy.write_text(yaml.safe_dump(document), encoding="utf-8")
    config = {
        "vcenters": [
            {
                "name": "vc1",
                "host": server.host,
                "port": server.port,
                "username": server.greeting.username,
                "password_file": str(password),
                "tls": {"ca_file": str(server.ca_file)},
            }
        ],
        "clusters": [
            {
                "vcenter": "vc1",
                "name": cluster,
                "mode": "automatic",
                "policies": ["balanced", str(policy)],
                "interval_s": 5,
            }
        ],
        "journal": {"path": str(folder / "journal.sqlite")},
        "http": {"listen": "127.0.0.1", "port": 0},
        "log": {"format": "json", "level": "info"},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def write_inventory(folder: Path, snapshot: Snapshot) -> Path:
    """Write the snapshot that the test vCenter serves."""
    path = folder / "inventory.json"
    write_snapshot(snapshot, path)
    return path


@contextmanager
def running_daemon(
    folder: Path,
    config: Path,
    *,
    piped: bool = False,
    environ: Mapping[str, str] | None = None,
) -> Iterator[DaemonRun]:
    """Start `balancer run` and end it at the end, whatever happened; waits until it serves HTTP.

    With `piped` another process writes its log to the file, as where the daemon may not write files.
    `environ` is added to the environment.
    """
    log_file = folder / "daemon.log"
    with log_file.open("w", encoding="utf-8") as file, _written_to(file, piped=piped) as sink:
        process = subprocess.Popen(
            [str(BALANCER), "run", "--config", str(config)],
            stdout=sink,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                **os.environ,
                "PYTHONUNBUFFERED": "1",
                "PYTHONPATH": str(SOURCES),
                **(environ or {}),
            },
        )
        run = DaemonRun(process=process, log_file=log_file)
        try:
            wait_until("the daemon serves HTTP", lambda: bool(run.events("serving")), within_s=90)
            run.port = int(str(run.events("serving")[0]["port"]))
            yield run
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(10)


@contextmanager
def _written_to(file: IO[str], *, piped: bool) -> Iterator[IO[str]]:
    if not piped:
        yield file
        return
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=file, text=True) as writer:
        assert writer.stdin is not None
        yield writer.stdin

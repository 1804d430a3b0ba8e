"""Starts a client in a process of its own and returns what it took."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.collect.paths import READS
from tests.bench.collect.target import Target
from tests.support.vcenter import SOURCE_DIR, VCenterBuildError, VCenterProcess, find_go
from tests.support.vcenter import run_go as go

_READER = SOURCE_DIR / "bin" / "reader"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Processor and wall seconds of each round, the process's peak, what was read."""

    cpu_s: tuple[float, ...]
    wall_s: tuple[float, ...]
    peak_mib: float
    objects: int
    values: int

    @property
    def best_s(self) -> float:
        """Return the least processor time: what others do on the machine only adds to it."""
        return min(self.cpu_s)


def target_of(server: VCenterProcess, *, repeats: int) -> Target:
    """Return what clients need to know of a server."""
    return Target(
        url=server.url,
        host=server.host,
        port=server.port,
        username=server.greeting.username,
        password=server.greeting.password,
        ca_file=server.ca_file,
        repeats=repeats,
    )


def run_client(target: Target, client: str, what: str) -> Run:
    """Run one of the clients in Python."""
    command = [sys.executable, "-m", "tests.bench.collect.clients", client, what]
    return _run(command, target.model_dump_json())


def run_go(target: Target, what: str) -> Run:
    """Run the client in Go, built where it is not."""
    _build_reader()
    order = {
        "url": target.url,
        "username": target.username,
        "password": target.password,
        "ca_file": str(target.ca_file),
        "page_size": target.page_size,
        "repeats": target.repeats,
        "reads": [{"kind": name, "paths": paths} for name, _, paths in READS[what]],
    }
    return _run([str(_READER)], json.dumps(order))


def _run(command: list[str], given: str) -> Run:
    done = subprocess.run(
        command, input=given, stdout=subprocess.PIPE, text=True, check=True, env=os.environ
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return Run(
        cpu_s=tuple(found["cpu_s"]),
        wall_s=tuple(found["wall_s"]),
        peak_mib=found["peak_mib"],
        objects=found["objects"],
        values=found["values"],
    )


def _build_reader() -> None:
    source: Path = SOURCE_DIR / "reader" / "main.go"
    if _READER.exists() and _READER.stat().st_mtime > source.stat().st_mtime:
        return
    built = go(find_go(), "build", "-trimpath", "-o", str(_READER), "./reader")
    if built.returncode != 0:
        raise VCenterBuildError(f"{source} does not compile:\n{built.stderr}")

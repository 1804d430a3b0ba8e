"""Where lives are played: one test vCenter and one fork server for many cases, reset between them."""

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from balancer.adapters.store.sqlite import SqliteStore
from balancer.execute.sight import JITTER
from tests.proof.books import Books, balanced
from tests.proof.forks import Forks
from tests.proof.life import LIMITS, Case
from tests.support.vcenter import VCenterProcess, start_vcenter
from tests.support.vcenter_control import Relocation
from tests.support.wire import document, host_row, vm_row, write

HOSTS, VMS = 3, 8
MIGRATION_S = 0.02
MUCH_MHZ, LITTLE_MHZ = 3_600, 300


@dataclass(kw_only=True)
class Theatre:
    """A server, a fork server, and the files of the case that is played."""

    server: VCenterProcess
    forks: Forks
    folder: Path
    number: int = 0
    journal: Path = field(init=False)

    def __post_init__(self) -> None:
        self.fresh = self.folder / "fresh.sqlite"
        SqliteStore(self.fresh).close()
        self.journal = self.fresh

    def curtain(self) -> None:
        """Begin anew: an empty journal, and an empty log on the server.

        The server's task history cannot be emptied. A new journal knows nothing of the tasks in it, so that it
        must not be asked for moves of which one of them could be the task.
        """
        self.quiet()
        pause_s(1.5 * JITTER.total_seconds())
        self.number += 1
        for name in (f"case-{self.number - 1}.sqlite{end}" for end in ("", "-wal", "-shm")):
            (self.folder / name).unlink(missing_ok=True)
        self.journal = self.folder / f"case-{self.number}.sqlite"
        shutil.copyfile(self.fresh, self.journal)
        self.sends.unlink(missing_ok=True)
        self.server.control.forget_relocations()

    def upset(self) -> None:
        """Let the VMs of the fullest host want much and all others little, so that there is something to do."""
        control = self.server.control
        hosts = control.state().hosts
        fullest = max(hosts, key=lambda name: (len(hosts[name].vms), name))
        for name, host in hosts.items():
            for vm in host.vms:
                control.set_demand(vm, cpu_mhz=MUCH_MHZ if name == fullest else LITTLE_MHZ)

    @property
    def sends(self) -> Path:
        """Return the file that every request is written to as it leaves."""
        return self.folder / "sends"

    def warm(self) -> None:
        """Let the fork server live once by itself."""
        self.curtain()
        self.upset()
        self.forks.warm(self.case("nobody"))

    def start(self, label: str, **facts: Any) -> int:
        """Start a life; return its process id."""
        (self.folder / f"said-{label}").unlink(missing_ok=True)
        return self.forks.start(self.case(label, **facts))

    def case(self, label: str, **facts: Any) -> Case:
        """Return what a process is to do."""
        greeting = self.server.greeting
        return Case(
            host=self.server.host,
            port=self.server.port,
            username=greeting.username,
            password=greeting.password,
            ca_file=str(self.server.ca_file),
            journal=str(self.journal),
            sends=str(self.sends),
            said=str(self.folder / f"said-{label}"),
            label=label,
            **facts,
        )

    def play(self, label: str, **facts: Any) -> str:
        """Start a life and return how it ended."""
        return self.forks.wait(self.start(label, **facts))

    def said(self, label: str) -> dict[str, Any]:
        """Return what a life said at its end."""
        found: dict[str, Any] = json.loads((self.folder / f"said-{label}").read_text("utf-8"))
        return found

    def sent(self) -> list[dict[str, Any]]:
        """Return every request that left, oldest first."""
        if not self.sends.exists():
            return []
        return [json.loads(line) for line in self.sends.read_text("utf-8").splitlines()]

    def leases_given(self) -> int:
        """Return how many leases were ever given in this journal."""
        with closing(sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True)) as base:
            return int(base.execute("SELECT coalesce(sum(token), 0) FROM leases").fetchone()[0])

    def quiet(self) -> None:
        """Wait until the server has nothing under way."""
        self.server.control.wait_for_state(
            lambda s: s.cluster.running_migrations + s.cluster.queued_migrations == 0,
            what="the end of all migrations",
        )

    def books(self) -> Books:
        """Compare journal and server."""
        lines = tuple(_by_id(line) for line in self.server.control.relocations())
        return balanced(self.journal, lines, per_run=LIMITS.moves_per_run_at_most)

    def audit_faults(self) -> tuple[str, ...]:
        """Return what does not hold in the audit log's chain."""
        with closing(SqliteStore(self.journal)) as store:
            return tuple(f"{fault.number}: {fault.detail}" for fault in store.verify_audit().faults)

    def too_many_at_once(self) -> list[str]:
        """Return the hosts, and the cluster, that ever carried more migrations than the limits allow."""
        state = self.server.control.state()
        most = LIMITS.migrations_per_host
        hosts = [n for n, h in state.hosts.items() if h.peak_migrations > most]
        is_over = state.cluster.peak_migrations > LIMITS.migrations_per_cluster
        return hosts + ["cluster"] * is_over


def _by_id(line: Relocation) -> Relocation:
    """Return a line with ids for names: esxN is host-N, vmN is vm-N."""
    return line.model_copy(
        update={
            "vm": line.vm if "-" in line.vm else line.vm.replace("vm", "vm-"),
            "from_host": line.from_host.replace("esx", "host-"),
            "to_host": line.to_host.replace("esx", "host-"),
        }
    )


def pause_s(seconds: float) -> None:
    """Let wall-clock time pass: leases and hold times end by it."""
    time.sleep(seconds)


@contextmanager
def theatre(folder: Path) -> Iterator[Theatre]:
    """Open a theatre: three hosts, eight VMs on the first, a migration in 20 ms."""
    hosts = [host_row(n, cpu_capacity_mhz=20_000) for n in range(1, HOSTS + 1)]
    vms = [vm_row(n, 1, cpu_demand_mhz=1_800) for n in range(1, VMS + 1)]
    path = write(folder, document(hosts, vms))
    with (
        start_vcenter(path, migration_seconds=MIGRATION_S) as server,
        Forks(folder / "errors") as forks,
    ):
        yield Theatre(server=server, forks=forks, folder=folder)

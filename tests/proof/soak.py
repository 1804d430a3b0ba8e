"""The real daemon for a long time against a vCenter that misbehaves.

Run: `python -m tests.proof.soak SECONDS [--log FILE]`. Prints what the daemon takes as it goes, then a table of
growth, and exits with 1 if sessions, descriptors or memory grow by more than `soak_rules` allow, if the daemon
stops working, or if it does not end cleanly.
"""

import argparse
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import yaml

from balancer.adapters.simulated.inventory import InventorySpec, generate
from tests.proof.soak_faults import Disturbances
from tests.proof.soak_rules import Growth, Sample, growths
from tests.support.process_tree import taken_by
from tests.support.stage import DaemonRun, running_daemon, wait_until, write_inventory, write_stage
from tests.support.vcenter import VCenterProcess, start_vcenter

INTERVAL_S = 15.0
SAMPLE_EVERY_S = 5.0
DISTURBANCES = 120
DISTURB_EVERY_S = (10.0, 60.0)
"""A run has so many disturbances as fit, no closer than the first and no rarer than the second. Most of them make
migrations, and those of the last day are remembered: hundreds in each hour would be a growth of their own.
"""
CALM_S = 20.0
"""So long before its end a run is disturbed no more: who cannot reach the server then cannot log out of it."""

TOLD_EVERY_S = 60.0
HOSTS, VMS = 6, 60
LIMITS = {
    "breaker_failures_in_row": 50,
    "breaker_failed_ratio": 1.0,
    "moves_per_vm_per_day": 1_000,
    "quiet_s": 0,
}
"""What would soon let nothing more happen: an open breaker, hosts that have just come back, VMs moved often."""

LEAST_CYCLES_RATIO = 0.2
"""So many of the cycles that there is time for must end well: a daemon that does nothing leaks nothing."""


class Soak:
    """One run: samples, disturbances, and what the log says meanwhile."""

    def __init__(self, server: VCenterProcess, daemon: DaemonRun) -> None:
        self._server, self._daemon = server, daemon
        self._begun = time.monotonic()
        self._read_up_to = 0
        self.samples: list[Sample] = []
        self.events: Counter[str] = Counter()
        self.disturbances: Counter[str] = Counter()
        self.cpu_s = 0.0

    @property
    def passed_s(self) -> float:
        """Return the seconds since the beginning."""
        return time.monotonic() - self._begun

    def run(self, seconds: float) -> None:
        """Disturb and measure for so long, or until the daemon ends by itself."""
        disturbances = Disturbances(self._server)
        disturbed_s = told_s = 0.0
        least_s, most_s = DISTURB_EVERY_S
        apart_s = min(max(seconds / DISTURBANCES, least_s), most_s)
        while self.passed_s < seconds and self._daemon.process.poll() is None:
            time.sleep(SAMPLE_EVERY_S)
            if disturbed_s + apart_s <= self.passed_s < seconds - CALM_S:
                disturbed_s = self.passed_s
                self.disturbances[disturbances.next()] += 1
            self._measure()
            if self.passed_s - told_s >= TOLD_EVERY_S:
                told_s = self.passed_s
                self._tell()

    def _measure(self) -> None:
        taken = taken_by(self._daemon.process.pid)
        self.cpu_s = max(self.cpu_s, taken.cpu_s)
        self.events.update(self._new_events())
        sample = Sample(
            at_s=self.passed_s,
            main_mib=taken.main_mib,
            children_mib=taken.all_mib - taken.main_mib,
            descriptors=taken.descriptors,
            threads=taken.threads,
            sessions=self._server.control.sessions(),
        )
        self.samples.append(sample)

    def _new_events(self) -> Iterator[str]:
        """Yield the events that were logged since the last look; the log is read once."""
        with self._daemon.log_file.open("rb") as file:
            file.seek(self._read_up_to)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read_up_to += len(line)
                found = re.search(rb'"event": "([^"]*)"', line)
                if found:
                    yield found[1].decode()

    def _tell(self) -> None:
        last = self.samples[-1]
        write(
            f"{last.at_s:7.0f} s  {last.main_mib:6.1f} MiB + {last.children_mib:5.1f} MiB  "
            f"{last.descriptors:3} descriptors  {last.threads:3} threads  {last.sessions} sessions  "
            f"{self.events['cycle ended']} cycles  {self.events['migration started']} migrations"
        )


def write(line: str) -> None:
    """Print a line at once: somebody may watch."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def table(found: list[Growth]) -> None:
    """Print how each figure grew."""
    write(f"{'figure':30} {'per hour':>10} {'in this run':>12} {'allowed':>8}")
    for growth in found:
        verdict = "TOO MUCH" if growth.is_too_much else "fine"
        write(
            f"{growth.name:30} {growth.per_hour:+10.2f} {growth.over_all:+12.2f} "
            f"{growth.allowed:8.2f}  {verdict}"
        )


def problems_of(soak: Soak, seconds: float) -> list[str]:
    """Return what the run has against it, but for growth."""
    least = LEAST_CYCLES_RATIO * seconds / INTERVAL_S
    found = []
    if soak.events["cycle ended"] < least:
        found.append(f"{soak.events['cycle ended']} cycles ended, fewer than {least:.0f}")
    for event in ("cycle failed unexpectedly", "planning failed", "a listener failed"):
        if soak.events[event]:
            found.append(f"the log says {soak.events[event]} times: {event}")
    return found


def ended_cleanly(server: VCenterProcess, daemon: DaemonRun) -> list[str]:
    """Stop the daemon, and return what was wrong with its end."""
    if daemon.process.poll() is not None:
        return [f"the daemon ended by itself with exit code {daemon.process.returncode}"]
    found = []
    code = daemon.stop()
    if code:
        found.append(f"exit code {code}")
    if server.control.sessions():
        found.append(f"{server.control.sessions()} sessions were left")
    return found


def soak(seconds: float, log: Path | None) -> int:
    """Run, tell, and return the exit code."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = generate(InventorySpec(hosts=HOSTS, vms=VMS, name="soak"), 3)
        inventory = write_inventory(folder, cluster)
        server = stack.enter_context(start_vcenter(inventory, migration_seconds=1.0))
        config = write_stage(folder, server, "soak", LIMITS)
        document = yaml.safe_load(config.read_text(encoding="utf-8"))
        document["clusters"][0] |= {"interval_s": INTERVAL_S, "shortest_interval_s": INTERVAL_S}
        config.write_text(yaml.safe_dump(document), encoding="utf-8")
        daemon = stack.enter_context(running_daemon(folder, config))
        wait_until("a cycle", lambda: bool(daemon.events("cycle ended")), within_s=120)
        run = Soak(server, daemon)
        run.run(seconds)
        problems = problems_of(run, seconds) + ended_cleanly(server, daemon)
        if log is not None:
            shutil.copy(daemon.log_file, log)
    return verdict(run, problems)


def verdict(run: Soak, problems: list[str]) -> int:
    """Print the end of the report, and return the exit code."""
    found = growths(run.samples)
    write(f"disturbances: {dict(sorted(run.disturbances.items()))}")
    write(f"events: {dict(run.events.most_common())}")
    write(f"processor: {run.cpu_s / run.passed_s:.1%} of a core")
    table(found)
    for problem in problems:
        write(f"PROBLEM: {problem}")
    return 1 if problems or any(growth.is_too_much for growth in found) else 0


def main(words: list[str]) -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.soak", description=__doc__)
    parser.add_argument("seconds", type=float, help="how long; 60 at the least")
    parser.add_argument("--log", type=Path, help="where to keep the daemon's log")
    given = parser.parse_args(words)
    if not given.seconds >= 60:
        parser.error(f"{given.seconds:g} seconds are too short to tell anything: 60 at the least")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to stop"))  # and end what was started
    return soak(given.seconds, given.log)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What an idle daemon takes between two cycles: `python -m tests.bench.idle [HOSTS VMS]`, else 32 and 1,000.

The real daemon observes one cluster of the test vCenter, over the wire. Measured are the first cycle, then the time
between cycles: resident memory of all its processes and processor time, with a scrape every fifteen seconds.
"""

import sys
import tempfile
import time
from pathlib import Path

import yaml

from balancer.adapters.simulated.inventory import InventorySpec, generate
from tests.support.process_tree import Taken, below, taken_by
from tests.support.stage import running_daemon, wait_until, write_inventory, write_stage
from tests.support.vcenter import start_vcenter

INTERVAL_S = 300
MEASURED_S = 60
SCRAPE_EVERY_S = 15
WARM_S = 60.0
"""By then the process that plans has been let go."""


def main(hosts: int, vms: int) -> None:
    """Measure and print."""
    cluster = generate(InventorySpec(hosts=hosts, vms=vms, name="idle"), 3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with start_vcenter(write_inventory(folder, cluster)) as server:
            config = write_stage(folder, server, "idle")
            document = yaml.safe_load(config.read_text(encoding="utf-8"))
            document["clusters"][0] |= {"interval_s": INTERVAL_S, "mode": "observe"}
            config.write_text(yaml.safe_dump(document), encoding="utf-8")
            with running_daemon(folder, config) as daemon:
                wait_until("a cycle", lambda: bool(daemon.events("cycle ended")), within_s=120)
                pid = daemon.process.pid
                told("after the first cycle", taken_by(pid))
                wait_until("no child is left", lambda: not below(pid), within_s=WARM_S)
                first, begun = taken_by(pid), time.monotonic()
                told("idle, at first", first)
                while time.monotonic() - begun < MEASURED_S:
                    time.sleep(SCRAPE_EVERY_S)
                    daemon.get("/metrics")
                last, passed_s = taken_by(pid), time.monotonic() - begun
                told("idle, at last", last)
                share = (last.cpu_s - first.cpu_s) / passed_s
                sys.stdout.write(
                    f"{hosts} hosts, {vms} VMs: {share:.2%} of a core over {passed_s:.0f} s\n"
                )
                daemon.stop()


def told(when: str, taken: Taken) -> None:
    """Print a line."""
    sys.stdout.write(
        f"{when:24} {taken.all_mib:6.1f} MiB in {taken.processes} processes, "
        f"{taken.threads} threads, {taken.descriptors} descriptors, {taken.cpu_s:.1f} s of a core\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    size = [int(argument) for argument in sys.argv[1:]] or [32, 1_000]
    main(*size)

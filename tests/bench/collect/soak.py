"""Whether reading again and again lets memory grow.

Run: `make soak-collect`, or `python -m tests.bench.collect.soak --help`. Prints what Python holds after each
cycle; the short form is a wire test. Now and then a cycle reads everything anew, as after `full_read_every_s`.
"""

import argparse
import gc
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path

from balancer.adapters.vsphere import VsphereConnection, connect
from tests.bench.collect.population import population
from tests.bench.collect.runs import target_of
from tests.support.vcenter import VCenterProcess, build_vcenter
from tests.support.wire import write

FULL_EVERY = 10


def held_after_each(
    vcenter: VsphereConnection, cycles: int, *, full_every: int = FULL_EVERY
) -> Iterator[int]:
    """Take snapshots one after the other and yield the bytes that Python's allocator holds after each."""
    (cluster,) = vcenter.inventory.clusters()
    tracemalloc.start()
    try:
        for number in range(cycles):
            if number % full_every == 0:
                vcenter.inventory.caches.forget_all()
            vcenter.inventory.snapshot(cluster)
            gc.collect()
            yield tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def main(words: Sequence[str]) -> None:
    """Print the held memory of each cycle and how much it grew after the first full round."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.collect.soak", description=__doc__)
    parser.add_argument("--size", default="1000x10000", help="HOSTSxVMS")
    parser.add_argument("--cycles", type=int, default=50)
    options = parser.parse_args(words)
    hosts, vms = map(int, options.size.split("x"))
    build_vcenter()
    with tempfile.TemporaryDirectory() as directory:
        file = write(Path(directory), population(hosts, vms))
        with VCenterProcess(file) as server:
            settings = target_of(server, repeats=1).settings()
            with connect(settings) as vcenter:
                held = []
                for at in held_after_each(vcenter, options.cycles):
                    held.append(at)
                    sys.stdout.write(f"cycle {len(held)}: {at / 2**20:.2f} MiB\n")
                    sys.stdout.flush()
    settled = held[min(FULL_EVERY, len(held) - 1)]
    sys.stdout.write(
        f"{(held[-1] - settled) / 2**10:.0f} KiB more than after {FULL_EVERY + 1} cycles\n"
    )


if __name__ == "__main__":
    main(sys.argv[1:])

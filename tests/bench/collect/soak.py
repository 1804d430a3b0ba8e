"""Whether reading again and again lets memory grow.

Run: `make soak-collect`, or `python -m tests.bench.collect.soak --help`. Prints after each cycle how many blocks
Python's allocator holds and what the process has in memory; the short form is a wire test, which counts bytes.
Now and then a cycle reads everything anew, as after `full_read_every_s`.
"""

import argparse
import gc
import resource
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


def blocks_after_each(
    vcenter: VsphereConnection, cycles: int, *, full_every: int = FULL_EVERY
) -> Iterator[tuple[int, float]]:
    """Take snapshots and yield the blocks that Python holds and the resident MiB; costs no time by itself."""
    (cluster,) = vcenter.inventory.clusters()
    for number in range(cycles):
        if number % full_every == 0:
            vcenter.inventory.caches.forget_all()
        vcenter.inventory.snapshot(cluster)
        gc.collect()
        yield sys.getallocatedblocks(), _resident_mib()


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def main(words: Sequence[str]) -> None:
    """Print what each cycle leaves and how much it grew after the first full round."""
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
                for blocks, resident in blocks_after_each(vcenter, options.cycles):
                    held.append((blocks, resident))
                    sys.stdout.write(f"cycle {len(held)}: {blocks} blocks, {resident:.1f} MiB\n")
                    sys.stdout.flush()
    settled = held[min(FULL_EVERY, len(held) - 1)]
    sys.stdout.write(
        f"{held[-1][0] - settled[0]:+d} blocks and {held[-1][1] - settled[1]:+.1f} MiB "
        f"since cycle {FULL_EVERY + 1}\n"
    )


if __name__ == "__main__":
    main(sys.argv[1:])

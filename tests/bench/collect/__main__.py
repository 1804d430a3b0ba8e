"""The benchmark of collection. Prints Markdown tables; measures, and never passes or fails.

Run: `make bench-collect`, `BENCH=quick make bench-collect`, or `python -m tests.bench.collect --help`.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.bench.collect.equality import differences
from tests.bench.collect.page import write_tables
from tests.bench.collect.paths import READS
from tests.bench.collect.population import population
from tests.bench.collect.runs import Run, run_client, run_go, target_of
from tests.bench.collect.tables import SIZES, comparison, cycles, equality, heading
from tests.bench.collect.target import Target
from tests.support.vcenter import VCenterProcess, build_vcenter
from tests.support.wire import write

COMPARED = ("ours", "plain", "go")
ALONE = ("naive", "tiers", "statistics", "snapshots")
PARTS = (*READS, *ALONE, "equality")


def main(words: Sequence[str]) -> None:
    """Serve each size, measure each client against it, and print a table when it is done."""
    options = _options(words)
    quick = os.environ.get("BENCH") == "quick"
    sizes = options.size or (SIZES[:1] if quick else SIZES)
    build_vcenter()
    printed = [_say(heading(words, platform.python_version(), os.cpu_count() or 0))]
    for size in sizes:
        repeats = 1 if quick else options.repeats
        parts = options.parts.split(",")
        found = _measured(size, repeats=repeats, parts=parts, is_laden=options.laden)
        printed += [_say(text) for text in found]
    if options.page:
        write_tables(options.page, "\n".join(printed))


def _measured(size: str, *, repeats: int, parts: Sequence[str], is_laden: bool) -> list[str]:
    hosts, vms = map(int, size.split("x"))
    with tempfile.TemporaryDirectory() as directory:
        file = write(Path(directory), population(hosts, vms, is_laden=is_laden))
        with VCenterProcess(file) as server:
            target = target_of(server, repeats=repeats)
            runs = {name: _run(target, size, *name.split()) for name in _names(parts)}
            title = f"{size}, VMs with devices and custom attributes" if is_laden else size
            texts = [comparison(title, runs), cycles(title, runs)]
            if "equality" in parts:
                _tell(size, "equality")
                texts.append(equality(differences(target)))
            return [text for text in texts if text]


def _names(parts: Sequence[str]) -> list[str]:
    compared = [f"{client} {what}" for what in READS if what in parts for client in COMPARED]
    return compared + [part for part in ALONE if part in parts]


def _run(target: Target, size: str, client: str, what: str = "leaves") -> Run:
    _tell(size, client, what)
    return run_go(target, what) if client == "go" else run_client(target, client, what)


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.collect", description=__doc__)
    parser.add_argument("--size", action="append", help="HOSTSxVMS; may be given several times")
    parser.add_argument("--repeats", type=int, default=3, help="rounds of each client")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {','.join(PARTS)}")
    laden = "give each VM seven devices and three custom attributes"
    parser.add_argument("--laden", action="store_true", help=laden)
    parser.add_argument("--page", type=Path, help="write the tables into this page")
    return parser.parse_args(words)


def _tell(*words: str) -> None:
    sys.stderr.write(" ".join(words) + "\n")


def _say(text: str) -> str:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
    return text


if __name__ == "__main__":
    main(sys.argv[1:])

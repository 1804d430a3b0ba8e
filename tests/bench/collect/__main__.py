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
from tests.bench.collect.population import population
from tests.bench.collect.runs import Run, run_client, run_go, target_of
from tests.bench.collect.tables import SIZES, comparison, cycles, equality, heading
from tests.support.vcenter import VCenterProcess, build_vcenter
from tests.support.wire import write


def main(words: Sequence[str]) -> None:
    """Serve each size, measure each client against it, and print a table when it is done."""
    options = _options(words)
    quick = os.environ.get("BENCH") == "quick"
    sizes = options.size or (SIZES[:1] if quick else SIZES)
    build_vcenter()
    printed = [_say(heading(words, platform.python_version(), os.cpu_count() or 0))]
    for size in sizes:
        printed += [_say(text) for text in _measured(size, repeats=1 if quick else options.repeats)]
    if options.page:
        write_tables(options.page, "\n".join(printed))


def _measured(size: str, *, repeats: int) -> list[str]:
    hosts, vms = map(int, size.split("x"))
    with tempfile.TemporaryDirectory() as directory:
        file = write(Path(directory), population(hosts, vms))
        with VCenterProcess(file) as server:
            target = target_of(server, repeats=repeats)
            runs: dict[str, Run] = {}
            for what in ("leaves", "full", "cycle"):
                for client in ("ours", "plain"):
                    _tell(size, client, what)
                    runs[f"{client} {what}"] = run_client(target, client, what)
                _tell(size, "go", what)
                runs[f"go {what}"] = run_go(target, what)
            for client in ("naive", "tiers", "snapshots"):
                _tell(size, client, "")
                runs[client] = run_client(target, client, "leaves")
            _tell(size, "equality", "")
            return [comparison(size, runs), cycles(size, runs), equality(differences(target))]


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.collect", description=__doc__)
    parser.add_argument("--size", action="append", help="HOSTSxVMS; may be given several times")
    parser.add_argument("--repeats", type=int, default=3, help="rounds of each client")
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

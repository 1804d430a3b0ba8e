"""How the HTTP side stands 5,000 idle connections, and how long a scrape takes: `python -m tests.bench.http`.

The daemon's server runs in a process of its own with 10,000 series; connections are opened from this one, and again
as they are ended, while /metrics is read 200 times. Prints a table and judges nothing.
"""

import http.client
import os
import resource
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONNECTIONS = 5_000
SCRAPES = 200
SERIES = 10_000
_LINE = (
    b'balancer_host_cpu_usage_ratio{vcenter="vc1",cluster="prod",host="esx%05d.example.com"} 0.5\n'
)


def serve() -> None:
    """Serve until standard input ends; print the port."""
    from balancer.adapters.clock import SystemClock
    from balancer.adapters.http.app import build_app
    from balancer.adapters.http.server import HttpServer
    from balancer.expose.health import Health

    page = b"".join(_LINE % number for number in range(SERIES))

    class Page:
        def page(self, accept: str = "") -> tuple[bytes, str]:
            return page, "text/plain"

    server = HttpServer(build_app(Page(), Health(SystemClock(), vcenters={}, loops={})))
    server.start()
    say(str(server.port))
    sys.stdin.read()
    server.stop()


@contextmanager
def served() -> Iterator[tuple[int, int]]:
    """Give process id and port of a server."""
    words = [sys.executable, "-m", "tests.bench.http", "serve"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.pid, int(process.stdout.readline())
    finally:
        process.communicate("", timeout=20)


def crowd(port: int, a_second: int) -> None:
    """Hold idle connections until standard input ends; open ended ones anew, so many a second at most."""
    selector, ended, opened = selectors.DefaultSelector(), 0, 0
    selector.register(sys.stdin, selectors.EVENT_READ)
    began = time.monotonic()
    while True:
        allowed = CONNECTIONS + int(a_second * max(time.monotonic() - began - 3.0, 0.0))
        for _ in range(min(CONNECTIONS + ended - opened, allowed - opened, 100)):
            connection = socket.socket()
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", port))
            selector.register(connection, selectors.EVENT_READ)
            opened += 1
        if opened == CONNECTIONS:
            say("full")
        for key, _ in selector.select(timeout=0.02):
            if key.fileobj is sys.stdin:
                say(f"{opened} {ended}")
                return
            one = key.fileobj
            assert isinstance(one, socket.socket)
            selector.unregister(one)
            one.close()
            ended += 1


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def crowded(port: int, a_second: int) -> Iterator[None]:
    """Have a crowd while something is done, and tell what it saw."""
    words = [sys.executable, "-m", "tests.bench.http", "crowd", str(port), str(a_second)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield
    finally:
        told = process.communicate("end\n", timeout=20)[0].split()
        say(f"{'':<28} connections opened {int(told[-2]):,}, ended by the server {int(told[-1]):,}")


def scraped(port: int) -> tuple[list[float], int]:
    """Return the seconds of each scrape, each on a connection of its own, and how many failed."""
    took, failed = [], 0
    for _ in range(SCRAPES):
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10.0)
        try:
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            failed += answer.status != 200 or not answer.read()
        except (OSError, http.client.HTTPException):
            failed += 1
        finally:
            connection.close()
        took.append(time.perf_counter() - began)
        time.sleep(0.05)  # so that connections are ended and come back meanwhile
    return took, failed


def threads_of(process: int) -> int:
    """Return how many threads a process has now."""
    return len(list(Path(f"/proc/{process}/task").iterdir()))


def descriptors_of(process: int) -> int:
    """Return how many files and connections a process holds now."""
    return len(os.listdir(f"/proc/{process}/fd"))  # noqa: PTH208  # entries vanish while they are read


def row(name: str, took: list[float], failed: int, process: int) -> str:
    """Return a line of the table."""
    marks = statistics.quantiles(took, n=100)
    figures = f"{marks[49] * 1e3:>8.1f} {marks[98] * 1e3:>8.1f} {max(took) * 1e3:>8.1f}"
    return (
        f"{name:<28} {figures} {failed:>7} {threads_of(process):>8} {descriptors_of(process):>6} "
        f"{memory_of(process):>6.0f}"
    )


def memory_of(process: int) -> float:
    """Return the MiB of memory that a process holds now."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def main() -> None:
    """Print the table."""
    say(f"{'while':<28} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}  failed  threads  files    MiB")
    with served() as (process, port):
        say(row("nobody else", *scraped(port), process))
        with crowded(port, 0):
            say(row(f"{CONNECTIONS:,} idle", *scraped(port), process))
        with crowded(port, 500):
            say(row(f"{CONNECTIONS:,} idle, 500/s come back", *scraped(port), process))
        say(row("afterwards", *scraped(port), process))


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    match sys.argv[1:]:
        case ["serve"]:
            serve()
        case ["crowd", port, a_second]:
            crowd(int(port), int(a_second))
        case _:
            main()

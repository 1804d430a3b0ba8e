"""The demo runs the real cycle against the simulated vCenter and says honestly how it went."""

import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from balancer.cli.demo_session import DemoOptions, run_demo
from balancer.model.errors import BalancerError
from tests.support.free_port import free_port

LINE = re.compile(
    r"imbalance (?P<before>[\d.]+) % -> (?P<after>[\d.]+) %, (?P<moves>\d+) moves?, "
    r"(?P<failures>\d+) failures? handled, (?P<fixed>\d+) rules? fixed, "
    r"(?P<broken>\d+) must-rules? broken\n"
)
RUN = [sys.executable, "-c", "import typer; from balancer.cli.demo import demo; typer.run(demo)"]
DEADLINE_S = 100.0
PATIENT_S = 500.0
"""A run that ends early on a busy machine would end otherwise than one that does not."""

pytestmark = pytest.mark.timeout(1200)


def shows_a_better_end(out: str) -> bool:
    """Whether one line was printed, and it tells of a run that helped, met a failure and fixed the rules."""
    found = LINE.fullmatch(out)
    assert found is not None, out
    assert float(found["after"]) < float(found["before"]) / 2
    assert int(found["failures"]) >= 1
    return (found["fixed"], found["broken"]) == ("2", "0")


@pytest.mark.slow
def test_headless_prints_one_line_with_a_better_end(capsys: pytest.CaptureFixture[str]) -> None:
    code = run_demo(DemoOptions(headless=True, seed=2, seconds=PATIENT_S))
    assert shows_a_better_end(capsys.readouterr().out)
    assert code == 0


@pytest.mark.slow
def test_the_same_seed_ends_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    ends = []
    for _ in range(2):
        assert run_demo(DemoOptions(headless=True, seed=1, seconds=PATIENT_S)) == 0
        ends.append(capsys.readouterr().out)
    assert ends[0] == ends[1]
    assert shows_a_better_end(ends[0])


def test_a_run_too_short_to_help_ends_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    code = run_demo(DemoOptions(headless=True, seconds=1e-9))
    found = LINE.fullmatch(capsys.readouterr().out)
    assert found is not None
    assert found["moves"] == "0"
    assert code == 1


def test_without_a_terminal_the_report_is_printed_and_no_page(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_demo(DemoOptions(seconds=1e-9))
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "production: imbalance" in out
    assert LINE.search(out) is not None


class Terminal:
    """The demo as a process on a terminal of its own."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self._master, slave = pty.openpty()
        plain = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
        size = {"COLUMNS": "100", "LINES": "50", "TERM": "xterm-256color"}
        self.process = subprocess.Popen(
            [*RUN, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=plain | size | environment,
            close_fds=True,
        )
        os.close(slave)
        self.text = ""

    def read_until(self, word: str) -> None:
        """Read until `word` was shown; fail at the deadline or at the end of the process."""
        end = time.monotonic() + DEADLINE_S
        while word not in self.text:
            assert time.monotonic() < end, self.text[-2000:]
            assert self._read(), self.text[-2000:]

    def finish(self) -> int:
        """Read to the end and return the exit code."""
        end = time.monotonic() + DEADLINE_S
        while self._read():
            assert time.monotonic() < end, self.text[-2000:]
        os.close(self._master)
        return self.process.wait(timeout=DEADLINE_S)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._master], [], [], 1.0)
        if not ready:
            return True
        try:
            data = os.read(self._master, 65_536)
        except OSError:  # the other side is closed
            return False
        self.text += data.decode("utf-8", errors="replace")
        return bool(data)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what the demo leaves behind be left in a folder of the test."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    """Collect the processes that a test starts, and leave none behind."""
    started: list[Terminal] = []
    yield started
    for terminal in started:
        if terminal.process.poll() is None:
            terminal.process.kill()
            terminal.process.wait()


def test_ctrl_c_ends_the_page_with_the_report_and_130(terminals: list[Terminal]) -> None:
    terminal = Terminal("--port", "0")
    terminals.append(terminal)
    terminal.read_until("edge")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.finish() == 130
    assert "handled" in terminal.text
    assert "Traceback" not in terminal.text


def test_the_page_shows_clusters_migrations_and_decisions(terminals: list[Terminal]) -> None:
    terminal = Terminal("--port", "0")
    terminals.append(terminal)
    for word in ("production", "edge", "Migrations running", "planned", "simulated", "\x1b[32m"):
        terminal.read_until(word)


def test_no_color_is_respected(terminals: list[Terminal]) -> None:
    terminal = Terminal("--seconds", "2", "--port", "0", NO_COLOR="1")
    terminals.append(terminal)
    terminal.finish()
    assert "production" in terminal.text
    assert re.search(r"\x1b\[[0-9;]*3[0-9]m", terminal.text) is None


def test_metrics_and_probes_are_served_while_the_page_is_shown(terminals: list[Terminal]) -> None:
    terminal = Terminal("--port", "0")
    terminals.append(terminal)
    terminal.read_until("planned, ")
    found = re.search(r"http://127\.0\.0\.1:\d+", terminal.text)
    assert found is not None
    pages = {path: _get(found[0] + path) for path in ("/metrics", "/healthz")}
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.finish() == 130
    assert "balancer_cluster_vms{" in pages["/metrics"]
    assert 'cluster="production"' in pages["/metrics"]
    assert "alive" in pages["/healthz"]


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return str(answer.read().decode())


def test_a_port_that_is_taken_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BalancerError, match=str(port)):
            run_demo(DemoOptions(headless=True, seconds=1e-9, port=port))


def test_a_port_that_is_asked_for_is_free_again_afterwards() -> None:
    port = free_port()
    run_demo(DemoOptions(headless=True, seconds=1e-9, port=port))
    with socket.create_server(("127.0.0.1", port)):
        pass

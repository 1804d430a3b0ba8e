"""One demo from its start to its exit code: page or no page, metrics or none, and the closing words.

Starts what the demo needs and ends it again, whatever happens. The loop itself is `demo_run.py`.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.live import Live

from balancer.adapters.files.json_file import write_bytes
from balancer.adapters.http.app import build_app
from balancer.adapters.http.server import HttpServer
from balancer.cli.demo_figures import Measured, measure_all
from balancer.cli.demo_page import closing_page
from balancer.cli.demo_record import DemoRecord
from balancer.cli.demo_report import Ending, closing_line, closing_report
from balancer.cli.demo_run import DemoLoop, demo_health
from balancer.cli.demo_scene import SPEED, Scene, build_scene
from balancer.expose.figures import duration
from balancer.expose.live import LiveCluster, LivePage, render
from balancer.expose.metrics import Metrics
from balancer.model.errors import BalancerError
from balancer.model.units import Seconds

INTERRUPTED = 130
DEFAULT_PORT = 9715
DEFAULT_REPORT = Path("demo-report.html")
LIVE_SECONDS = 180.0
HEADLESS_SECONDS = 120.0
SIMULATED_S = 3 * 3600.0
_PAGE_EVERY_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What the command line asks for; None stands for the default of the way it runs."""

    headless: bool = False
    seconds: float | None = None
    seed: int = 1
    port: int | None = None
    report: Path | None = None


def run_demo(options: DemoOptions) -> int:
    """Run the demo, print how it ended, and return the exit code: 0, 1, or 130 after Ctrl-C."""
    logging.getLogger("balancer").addHandler(logging.NullHandler())
    console = Console()
    is_live = not options.headless and sys.stdout.isatty() and not console.is_dumb_terminal
    session = _Session(options, console, is_live=is_live)
    is_interrupted = session.run()
    ending = session.ending()
    print(closing_line(ending) if options.headless else closing_report(ending))
    _write_report(ending, options.report or (DEFAULT_REPORT if is_live else None))
    if is_interrupted:
        return INTERRUPTED
    return 0 if ending.is_better else 1


def _write_report(ending: Ending, path: Path | None) -> None:
    """Write the closing page where it is wanted, and say where."""
    if path is None:
        return
    write_bytes(path, closing_page(ending).encode())
    print(f"Report: {path}", file=sys.stderr)


class _Session:
    """The scene, what is known of it, and its end."""

    def __init__(self, options: DemoOptions, console: Console, *, is_live: bool) -> None:
        self._options = options
        self._console = console
        self._is_live = is_live
        self._seconds = options.seconds or (LIVE_SECONDS if is_live else HEADLESS_SECONDS)
        self._page_at_s = 0.0
        self._live: Live | None = None
        self._address = ""
        speed = SPEED if is_live else None
        self._scene: Scene = build_scene(options.seed, speed=speed, pause=self._pause)
        self._record = DemoRecord(self._scene.start)
        self._metrics = Metrics(self._scene.clock)
        self._health = demo_health(self._scene)
        self._before = measure_all(self._scene)
        self._started_s = time.monotonic()

    def run(self) -> bool:
        """Run until the end; return whether Ctrl-C ended it."""
        loop = DemoLoop(
            self._scene, self._record, self._metrics, self._health, seed=self._options.seed
        )
        try:
            with self._serving(), self._page():
                loop.run(self._is_over)
        except KeyboardInterrupt:
            return True
        return False

    def ending(self) -> Ending:
        """Return the run as a value."""
        return Ending(
            before=self._before,
            after=measure_all(self._scene),
            record=self._record,
            simulated_s=self._scene.clock.monotonic(),
        )

    def _is_over(self) -> bool:
        if self._left_s() <= 0.0:
            return True
        return not self._is_live and self._scene.clock.monotonic() >= SIMULATED_S

    def _left_s(self) -> Seconds:
        return self._seconds - (time.monotonic() - self._started_s)

    @contextmanager
    def _serving(self) -> Iterator[None]:
        """Serve metrics and probes while the demo runs, where they are wanted."""
        wanted = self._options.port
        if wanted is None and not self._is_live:
            yield
            return
        server = _start_server(self._listen, wanted)
        self._address = f"{server.url}/metrics"
        try:
            yield
        finally:
            server.stop()

    def _listen(self, port: int) -> HttpServer:
        server = HttpServer(build_app(self._metrics, self._health), port=port)
        server.start()
        return server

    @contextmanager
    def _page(self) -> Iterator[None]:
        if not self._is_live:
            yield
            return
        with Live(console=self._console, auto_refresh=False, transient=True) as self._live:
            self._draw()
            yield

    def _pause(self, seconds: float) -> None:
        time.sleep(seconds)
        if time.monotonic() - self._page_at_s >= _PAGE_EVERY_S:
            self._draw()

    def _draw(self) -> None:
        self._page_at_s = time.monotonic()
        if self._live is not None:
            self._live.update(render(self._contents(), columns=self._console.width), refresh=True)

    def _contents(self) -> LivePage:
        now = self._scene.clock.now()
        left = duration(max(self._left_s(), 0.0))
        status = f"{now:%H:%M} simulated, {left} left  {self._address}"
        pairs = zip(self._before, measure_all(self._scene), strict=True)
        return LivePage(
            title="vsphere-balancer demo",
            status=status,
            clusters=tuple(_live_cluster(first, then) for first, then in pairs),
            running=self._record.running,
            decisions=tuple(self._record.decisions),
        )


def _live_cluster(first: Measured, then: Measured) -> LiveCluster:
    return LiveCluster(
        snapshot=then.snapshot, state=then.state, start_imbalance=first.state.imbalance
    )


def _start_server(listen: Callable[[int], HttpServer], wanted: int | None) -> HttpServer:
    """Listen on the wanted port; where none is wanted, on the usual one or else on any free one."""
    try:
        return listen(DEFAULT_PORT if wanted is None else wanted)
    except BalancerError:
        if wanted is not None:
            raise
        return listen(0)

"""A real Prometheus scrapes the running demo: every query of dashboards and rules returns data, or is known not to.

One run for all of it: demo and Prometheus are started together, and looked at when the demo has ended.
"""

import json
import math
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.dashboards import ROOT, Query, queries, runnable
from tests.deploy.queries import metrics_in
from tests.deploy.test_prometheus_rules import ALERTS, RULES, rules
from tests.support.free_port import free_port
from tests.support.programs import program

pytestmark = pytest.mark.timeout(600)

DEADLINE_S = 240.0
"""Five times what it takes on two idle cores and a lot more than that on busy ones."""

LATEST = "sum(increase(balancer_plan_realized_benefit_ratio_count[30s])) > 0"
"""What comes last in a run: a batch of moves has settled and was measured. Then enough was seen."""

NO_MEMORY = "the demo plans from its newest figures: hours are no memory"
NO_WIRE = "the demo's vCenter is inside of its process: there are no calls on a wire"
NO_FILE = "the demo keeps its journal in memory and has no configuration"
NOTHING_LEFT_OUT = "every object of the demo can be read"

EMPTY: dict[str, str] = {
    "balancer_config_hash_info": NO_FILE,
    "balancer_config_last_reload_success_timestamp_seconds": NO_FILE,
    "balancer_config_last_reload_successful": NO_FILE,
    "balancer_store_size_bytes": NO_FILE,
    "balancer_history_oldest_timestamp_seconds": NO_FILE,
    "balancer_history_size_bytes": NO_FILE,
    "balancer_history_vms": NO_FILE,
    "balancer_forecast_error_ratio": NO_MEMORY,
    "balancer_vcenter_change_hints_up": NO_WIRE,
    "balancer_vcenter_changes_total": NO_WIRE,
    "balancer_vcenter_faulty_samples_total": NO_WIRE,
    "balancer_vcenter_request_duration_seconds": NO_WIRE,
    "balancer_vcenter_requests_total": NO_WIRE,
    "balancer_snapshot_statistics_objects": NO_WIRE,
    "balancer_snapshot_rejected_objects": NOTHING_LEFT_OUT,
    "balancer_notifications_total": "the demo has no channel to notify on",
    "balancer_recorded_snapshots_total": "the demo records nothing",
    "balancer_plan_optimality_gap_ratio": "only plans that were asked for bounds carry one",
    "vcenter:balancer_vcenter_requests:ratio_failed5m": NO_WIRE,
    'ALERTS{alertstate="firing"}': "alerts fire only where something is wrong",
}
"""What the demo, which is healthy, has no series of."""

BY_CHANCE = {
    "balancer_plan_predicted_relief_hertz": "only a plan that moves VMs for the load's sake has it",
    "balancer_plan_gain_price_ratio": "only a plan that moves VMs for the load's sake has it",
    "balancer_oldest_migration_start_timestamp_seconds": "a migration of the demo takes milliseconds of real time",
}
"""What a scrape may see or miss."""


@dataclass(frozen=True, kw_only=True)
class Scraped:
    """A Prometheus that has scraped the demo, and the pages that the demo served last."""

    url: str
    began: float
    ended: float
    page: str

    def ask(self, path: str, **parameters: object) -> dict:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=60) as answer:
            return json.load(answer)["data"]

    def has_data(self, expr: str) -> bool:
        """Whether an expression had a value that is a number at any moment of the run."""
        found = self.ask("query_range", query=expr, start=self.began, end=self.ended, step=1)
        values = (value for series in found["result"] for _, value in series["values"])
        return any(math.isfinite(float(value)) for value in values)


def fetched(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.read().decode()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


def wait_for(what: str, ready: Callable[[], object]) -> None:
    """Ask again until it is so: other processes tell it in no other way."""
    end = time.monotonic() + DEADLINE_S
    while not ready():
        assert time.monotonic() < end, f"{what} did not come within {DEADLINE_S:.0f} s"
        time.sleep(0.5)


def configuration(folder: Path, target: str) -> Path:
    """Write a configuration that scrapes often, with the rules on ranges that fit into the run."""
    for path in (RULES, ALERTS):
        (folder / path.name).write_text(runnable(path.read_text()))
    settings = {
        "global": {"scrape_interval": "250ms", "evaluation_interval": "500ms"},
        "rule_files": [RULES.name, ALERTS.name],
        "scrape_configs": [{"job_name": "balancer", "static_configs": [{"targets": [target]}]}],
    }
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(settings))
    return file


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    tool, folder = program("prometheus"), tmp_path_factory.mktemp("prometheus")
    port, own = free_port(), free_port()
    file = configuration(folder, f"127.0.0.1:{port}")
    options = [f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}"]
    options += [f"--web.listen-address=127.0.0.1:{own}", "--log.level=warn"]
    url = f"http://127.0.0.1:{own}"
    with ExitStack() as running, (folder / "log").open("w") as log:
        running.enter_context(process([tool, *options], stdout=log, stderr=log))
        wait_for("Prometheus", lambda: fetched(f"{url}/-/ready"))
        began = time.time()
        seen = Scraped(url=url, began=began, ended=began + DEADLINE_S, page="")
        wait_for("the first scrape", lambda: seen.has_data("up"))  # fails still, but is tried
        command = [sys.executable, "-c", "from balancer.cli import main; main()"]
        command += ["demo", "--headless", "--port", str(port), "--seconds", str(DEADLINE_S)]
        demo = running.enter_context(process(command, cwd=ROOT, stdout=log))

        def is_enough() -> bool:
            assert demo.poll() is None, f"the demo ended early: {(folder / 'log').read_text()}"
            return seen.has_data(LATEST)

        wait_for("the first verdict", is_enough)
        page = fetched(f"http://127.0.0.1:{port}/metrics")
        assert page, "the demo ended before it was looked at"
        demo.send_signal(signal.SIGINT)
        yield replace(seen, ended=time.time() + 3.0, page=page)  # ranges look back


@contextmanager
def process(command: list[str], **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process, and end it whatever happens."""
    started = subprocess.Popen(command, **settings)
    try:
        yield started
    finally:
        started.terminate()
        started.wait(timeout=DEADLINE_S)


def reason_for_silence(expr: str) -> str:
    """Return why an expression has no data in the demo, empty where it should have some."""
    empty = {name: why for entry, why in EMPTY.items() for name in _families(entry)} | BY_CHANCE
    return next((empty[name] for name in sorted(_families(expr)) if name in empty), "")


def _families(expr: str) -> set[str]:
    return {
        re.sub(r"(_seconds|_ratio)_(bucket|sum|count)$", r"\1", name) for name in metrics_in(expr)
    }


ASKED = [
    *queries(),
    *(
        Query(board="rules", panel=rule["record"], letter="expr", expr=rule["expr"])
        for rule in rules(RULES)
    ),
]


@pytest.mark.slow
def test_every_query_of_dashboards_and_records_returns_data(scraped: Scraped) -> None:
    silent = [
        f"{query.place}: {query.expr}"
        for query in ASKED
        if not reason_for_silence(query.expr) and not scraped.has_data(runnable(query.expr))
    ]
    assert not silent, "\n".join(silent)


@pytest.mark.slow
def test_what_is_said_to_be_empty_is_empty(scraped: Scraped) -> None:
    assert [expr for expr in EMPTY if scraped.has_data(expr)] == []
    asked = {name for query in ASKED for name in _families(query.expr)}
    assert {name for expr in EMPTY for name in _families(expr)} <= asked


@pytest.mark.slow
def test_what_alerts_read_is_there(scraped: Scraped) -> None:
    """An alert is silent while all is well; its parts are not, or it could never fire."""
    asked = {name for rule in rules(ALERTS) for name in metrics_in(rule["expr"])}
    known = {name for name in asked if not reason_for_silence(name)}
    assert [name for name in sorted(known) if not scraped.has_data(name)] == []


@pytest.mark.slow
def test_no_rule_fails_and_nothing_fires_that_should_not(scraped: Scraped) -> None:
    groups = scraped.ask("rules")["groups"]
    assert {group["name"] for group in groups} == {"balancer.records", "balancer.alerts"}
    broken = [rule["name"] for group in groups for rule in group["rules"] if rule["health"] != "ok"]
    assert broken == []


@pytest.mark.slow
def test_the_page_of_the_demo_lints(scraped: Scraped) -> None:
    tool = program("promtool")
    result = subprocess.run(
        [tool, "check", "metrics"], input=scraped.page, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout + result.stderr) == (0, "")

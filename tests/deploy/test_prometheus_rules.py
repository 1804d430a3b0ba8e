"""Alerts and records: they lint, each fires when it should and is silent when it should, each has a runbook."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from balancer.expose.metric_catalog import CATALOGUE
from balancer.expose.metric_spec import MetricType
from tests.deploy.alert_cases import Case, Firing
from tests.deploy.alert_cases_clusters import CASES
from tests.deploy.queries import metrics_in
from tests.support.programs import program

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
RULES, ALERTS = FOLDER / "rules.yaml", FOLDER / "alerts.yaml"
FOREIGN = {"process_start_time_seconds"}
"""Metrics of the client library that alerts read beside ours."""


def rules(path: Path) -> list[dict]:
    return [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


BY_NAME = {rule["alert"]: rule for rule in rules(ALERTS)}
RECORDS = {rule["record"]: rule for rule in rules(RULES)}


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_rules_lint_without_a_word() -> None:
    tool = program("promtool")
    result = run(tool, "check", "rules", "--lint=all", "--lint-fatal", str(RULES), str(ALERTS))
    assert result.returncode == 0, result.stdout + result.stderr


def shown(text: str, firing: Firing) -> str:
    """Return an annotation as Prometheus renders it; the value as the case gives it."""
    labels, value = firing
    text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda match: labels[match[1]], text)
    return re.sub(r"\{\{ \$value[^}]*\}\}", lambda _: value, text)


def expected(rule: dict, firing: Firing) -> dict:
    notes = {key: shown(text, firing) for key, text in rule["annotations"].items()}
    return {"exp_labels": {**firing[0], **rule["labels"]}, "exp_annotations": notes}


def as_promtool(case: Case) -> dict:
    rule = BY_NAME[case.alert]
    alerts = [expected(rule, firing) for firing in case.fires]
    asked = {"eval_time": case.at, "alertname": case.alert, "exp_alerts": alerts}
    return {
        "name": f"{case.alert}: {case.name}",
        "interval": case.step,
        "input_series": [
            {"series": name, "values": values} for name, values in case.series.items()
        ],
        "alert_rule_test": [asked],
    }


@pytest.mark.parametrize("step", sorted({case.step for case in CASES}))
def test_each_alert_fires_and_is_silent_as_its_cases_say(step: str, tmp_path: Path) -> None:
    tool = program("promtool")
    tests = {
        "rule_files": [str(RULES), str(ALERTS)],
        "evaluation_interval": step,
        "tests": [as_promtool(case) for case in CASES if case.step == step],
    }
    file = tmp_path / "alerts_test.yaml"
    file.write_text(yaml.safe_dump(tests, sort_keys=False))
    result = run(tool, "test", "rules", str(file))
    assert result.returncode == 0, (result.stdout + result.stderr)[-6000:]


def test_a_wrong_expectation_would_be_seen(tmp_path: Path) -> None:
    """Guard against cases that promtool passes over: the opposite of a firing case must fail."""
    tool = program("promtool")
    firing = next(case for case in CASES if case.fires)
    wrong = as_promtool(firing)
    wrong["alert_rule_test"][0]["exp_alerts"] = []
    file = tmp_path / "wrong_test.yaml"
    body = {"rule_files": [str(RULES), str(ALERTS)], "evaluation_interval": "1m", "tests": [wrong]}
    file.write_text(yaml.safe_dump(body))
    assert run(tool, "test", "rules", str(file)).returncode != 0


@pytest.mark.parametrize("alert", BY_NAME)
def test_each_alert_has_a_case_that_fires_and_one_that_is_silent(alert: str) -> None:
    cases = [case for case in CASES if case.alert == alert]
    assert [case for case in cases if case.fires]
    assert [case for case in cases if not case.fires]


@pytest.mark.parametrize(
    "alert", [name for name, rule in BY_NAME.items() if " on (" in rule["expr"]]
)
def test_each_join_has_a_firing_case_with_two_of_which_one_fires(alert: str) -> None:
    for case in CASES:
        if case.alert == alert and case.fires:
            told = {re.search(r'(?:cluster|instance)="(\w+)"', series) for series in case.series}
            assert len({match[1] for match in told if match}) > 1
            assert len(case.fires) == 1


@pytest.mark.parametrize("alert", BY_NAME)
def test_each_alert_says_what_how_grave_and_where_to_read_on(alert: str) -> None:
    rule = BY_NAME[alert]
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/operate/runbooks/{alert}.md"
    page = (ROOT / rule["annotations"]["runbook_url"]).read_text()
    assert page.startswith(f"# {alert}\n")
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert headings == ["Meaning", "Impact", "See more", "What to do", "When it is harmless"]
    assert "```" in page


def test_no_runbook_is_left_without_its_alert() -> None:
    pages = {path.stem for path in (ROOT / "docs/operate/runbooks").glob("*.md")} - {"README"}
    assert pages == set(BY_NAME)


@pytest.mark.parametrize("rule", [*RECORDS.values(), *BY_NAME.values()], ids=[*RECORDS, *BY_NAME])
def test_each_metric_that_a_rule_names_exists(rule: dict) -> None:
    names = metrics_in(rule["expr"])
    assert names
    assert names - exposed() - set(RECORDS) - FOREIGN == set()


def exposed() -> set[str]:
    """Return the names of all series of ours."""
    names = {spec.name for spec in CATALOGUE}
    for spec in CATALOGUE:
        if spec.type is MetricType.HISTOGRAM:
            names |= {f"{spec.name}_{end}" for end in ("bucket", "sum", "count")}
    return names


def test_the_example_of_a_scrape_configuration_is_right() -> None:
    result = run(program("promtool"), "check", "config", str(FOLDER / "prometheus.example.yaml"))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "2 rule files found" in result.stdout

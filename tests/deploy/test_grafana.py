"""The dashboards: as their generator writes them, whole in Grafana's model, laid out, described, of our metrics."""

import json
import subprocess
from collections.abc import Iterator

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from balancer.expose.metric_catalog import CATALOGUE
from deploy.grafana.written import BOARDS, text_of
from tests.deploy.dashboards import FOLDER, NAMES, Query, panels, queries, read, runnable
from tests.deploy.queries import metrics_in
from tests.deploy.test_prometheus_rules import ALERTS, RULES, exposed, rules
from tests.support.programs import program

FOREIGN = {
    "ALERTS",
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
}
"""Metrics of Prometheus itself and of the client library."""

NOT_SHOWN: dict[str, str] = {}
"""Metrics of the catalogue that neither a dashboard nor a rule reads, with the reason."""

UNITS = {"short", "percentunit", "s", "bytes", "hertz", "Bps", "reqps", "none"}

PANELS = [(name, panel) for name in NAMES for panel in panels(read(name))]
IDS = [f"{name}: {panel['title']}" for name, panel in PANELS]


def test_the_files_are_those_that_the_generator_writes() -> None:
    assert set(BOARDS) == set(NAMES) == {path.stem for path in FOLDER.glob("*.json")}
    stale = [
        name for name in NAMES if (FOLDER / f"{name}.json").read_text("utf-8") != text_of(name)
    ]
    assert stale == [], "run: python -m deploy.grafana"


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_lost_on_the_way_through_grafanas_model(name: str) -> None:
    board = read(name)
    again = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
    assert again == board


def test_a_key_that_the_model_does_not_know_would_be_seen() -> None:
    board = read("fleet")
    board["panels"][1]["surprise"] = True
    again = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
    assert again != board


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_has_a_stable_name_and_the_classic_model(name: str) -> None:
    board = read(name)
    assert board["uid"] == f"balancer-{name}"
    assert 39 <= board["schemaVersion"] <= 41
    assert board["title"].startswith("Balancer / ")
    assert board["description"]
    assert board["tags"] == ["vsphere-balancer"]
    assert board.get("id") is None


@pytest.mark.parametrize("name", NAMES)
def test_variables_choose_the_source_then_vcenters_then_their_clusters(name: str) -> None:
    source, vcenter, cluster = read(name)["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )
    assert (vcenter["name"], cluster["name"]) == ("vcenter", "cluster")
    assert '"$vcenter"' in cluster["query"]
    for chosen in (vcenter, cluster):
        assert (chosen["includeAll"], chosen["multi"], chosen["allValue"]) == (True, True, ".*")
        assert chosen["datasource"]["uid"] == "${datasource}"


@pytest.mark.parametrize("name", NAMES)
def test_dashboards_lead_to_each_other_and_keep_what_was_chosen(name: str) -> None:
    (link,) = read(name)["links"]
    assert (link["type"], link["tags"]) == ("dashboards", ["vsphere-balancer"])
    assert (link["includeVars"], link["keepTime"]) == (True, True)


def test_the_fleet_leads_to_each_cluster() -> None:
    text = (FOLDER / "fleet.json").read_text("utf-8")
    assert "/d/balancer-cluster?" in text


@pytest.mark.parametrize("name", NAMES)
def test_migrations_and_verdicts_are_marked(name: str) -> None:
    notes = {note["name"]: note["expr"] for note in read(name)["annotations"]["list"]}
    assert "balancer_migrations_total" in notes["Migrations ended"]
    assert "balancer_batch_verdicts_total" in notes["Verdicts on batches"]


@pytest.mark.parametrize("name", NAMES)
def test_no_panel_stands_on_another_or_outside_of_the_grid(name: str) -> None:
    taken: dict[tuple[int, int], str] = {}
    board = read(name)
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert place["w"] > 0 < place["h"]
        for cell in _cells(place):
            assert cell not in taken, f"{panel['title']} stands on {taken.get(cell)}"
            taken[cell] = panel["title"]
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    titles = [panel["title"] for panel in panels(board)]
    assert len(set(titles)) == len(titles)


def _cells(place: dict[str, int]) -> Iterator[tuple[int, int]]:
    for x in range(place["x"], place["x"] + place["w"]):
        for y in range(place["y"], place["y"] + place["h"]):
            yield x, y


@pytest.mark.parametrize(("name", "panel"), PANELS, ids=IDS)
def test_a_panel_says_what_it_shows_in_which_unit_and_from_when_on_it_matters(
    name: str, panel: dict
) -> None:
    assert len(panel["description"]) > 15
    assert panel["description"].rstrip().endswith(".")
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"] in UNITS
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["type"] not in ("graph", "singlestat", "table-old")
    if panel["type"] != "heatmap":
        steps = defaults["thresholds"]["steps"]
        assert steps[0]["value"] is None
        values = [step["value"] for step in steps[1:]]
        assert values == sorted(values)
    for target in panel["targets"]:
        assert target["datasource"]["uid"] == "${datasource}"


@pytest.mark.parametrize("query", list(queries()), ids=lambda query: query.place)
def test_each_metric_that_a_dashboard_names_exists(query: Query) -> None:
    names = metrics_in(runnable(query.expr))
    assert names
    records = {rule["record"] for rule in rules(RULES)}
    assert names - exposed() - records - FOREIGN == set()


def test_each_metric_of_the_catalogue_is_shown_or_left_out_for_a_reason() -> None:
    asked = [query.expr for query in queries()]
    asked += [rule["expr"] for path in (RULES, ALERTS) for rule in rules(path)]
    read_names = set().union(*(metrics_in(runnable(expr)) for expr in asked))
    shown = {
        spec.name
        for spec in CATALOGUE
        if {spec.name, f"{spec.name}_bucket", f"{spec.name}_sum", f"{spec.name}_count"} & read_names
    }
    unseen = {spec.name for spec in CATALOGUE} - shown
    assert unseen == set(NOT_SHOWN)
    assert all(NOT_SHOWN.values())


def test_prometheus_can_read_every_query(tmp_path) -> None:
    tool = program("promtool")
    records = [
        {"record": f"test:query:{number}", "expr": runnable(query.expr)}
        for number, query in enumerate(queries())
    ]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": records}]}))
    result = subprocess.run(
        [tool, "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(records)} rules found" in result.stdout

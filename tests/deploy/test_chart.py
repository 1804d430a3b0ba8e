"""deploy/kubernetes/chart, rendered by real Helm: what it makes of each set of values, and what it refuses."""

import tarfile
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from helm_python import Chart
from jsonschema import Draft7Validator

from balancer.config import Config, load_config
from balancer.reload import NEEDS_RESTART, NO_RESTART, digest_of
from tests.deploy import operator_schemas
from tests.support import chart
from tests.support.chart_values import Values
from tests.support.helm import Kubernetes, complaints, notes, rendered, value_sets
from tests.support.hostile import EVERY

SETS = value_sets()
KUBERNETES_VERSIONS = ("1.25", "1.31", "1.37")
MINIMAL = SETS["minimal"]


def minimal(**more: Any) -> dict[str, Any]:
    """Return the least values with more beside them."""
    return {**deepcopy(dict(MINIMAL)), **more}


def of_kind(objects: list[Kubernetes], kind: str) -> list[Kubernetes]:
    return [each for each in objects if each["kind"] == kind]


def the(objects: list[Kubernetes], kind: str) -> Kubernetes:
    (found,) = of_kind(objects, kind)
    return found


def pods(objects: list[Kubernetes]) -> Iterator[Kubernetes]:
    """Yield the pods that are made of a Deployment and of CronJobs."""
    for each in of_kind(objects, "Deployment"):
        yield each["spec"]["template"]
    for each in of_kind(objects, "CronJob"):
        yield each["spec"]["jobTemplate"]["spec"]["template"]


def written(folder: Path, objects: list[Kubernetes]) -> Path:
    """Write the files that the pod would see below /etc/balancer; return the configuration."""
    laid_out(folder, mounted(objects), "..1")
    return folder / "config.yaml"


# -- each set of values


def test_there_are_sets_for_the_ways_of_installing_it() -> None:
    assert len(SETS) >= 6


@pytest.mark.parametrize("name", SETS)
def test_helm_has_nothing_to_complain_about(name: str) -> None:
    assert complaints(SETS[name]) == []


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_each_object_is_what_kubernetes_takes(name: str, version: str) -> None:
    for each in rendered(SETS[name]):
        if each["apiVersion"] not in operator_schemas.API_VERSIONS:
            kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.parametrize("name", SETS)
def test_each_object_of_the_operator_is_what_it_takes(name: str) -> None:
    for each in rendered(SETS[name]):
        if each["apiVersion"] in operator_schemas.API_VERSIONS:
            schema = operator_schemas.BY_KIND[each["kind"]]
            assert [str(e.message) for e in Draft7Validator(schema).iter_errors(each)] == []


@pytest.mark.parametrize("name", SETS)
def test_pods_are_restricted(name: str) -> None:
    """By the rules of the level "restricted" of Pod Security Standards, and a little beyond."""
    for pod in pods(rendered(SETS[name])):
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == 65532
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & spec.keys()
        assert not [v for v in spec["volumes"] if "hostPath" in v]
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert not [port for port in container.get("ports", []) if "hostPort" in port]


@pytest.mark.parametrize("name", SETS)
def test_nothing_asks_for_rights_in_the_cluster(name: str) -> None:
    kinds = {each["kind"] for each in rendered(SETS[name])}
    assert not {kind for kind in kinds if "Role" in kind}
    assert "Secret" not in kinds


@pytest.mark.parametrize("name", SETS)
def test_the_program_reads_the_configuration(name: str, tmp_path: Path) -> None:
    objects = rendered(SETS[name])
    config = load_config(written(tmp_path, objects))
    asked = SETS[name]["config"]
    assert isinstance(asked, Mapping)
    assert [each.name for each in config.clusters] == [each["name"] for each in asked["clusters"]]
    assert str(config.journal.path).startswith("/var/lib/balancer/")
    (port,) = (
        each["containerPort"]
        for pod in pods(objects)
        for container in pod["spec"]["containers"]
        for each in container.get("ports", [])
    )
    assert port == config.http.port


def test_names_are_not_read_as_templates_nor_as_yaml(tmp_path: Path) -> None:
    names = [name for name in dict.fromkeys(EVERY) if name.isprintable() and name]
    clusters = [{"vcenter": "main", "name": name} for name in names]
    values = minimal(dryRun={"enabled": True})
    values["config"]["clusters"] = clusters
    objects = rendered(values)
    config = load_config(written(tmp_path, objects))
    assert [each.name for each in config.clusters] == names
    jobs = [pod["spec"]["containers"][0]["args"][2] for pod in pods(objects)][1:]
    assert jobs == [f"--cluster=main/{name}" for name in names]
    for each in {each["kind"]: each for each in objects}.values():
        kubernetes_validate.validate(each, KUBERNETES_VERSIONS[-1], strict=True)


# -- how the kubelet lays it out


def laid_out(folder: Path, files: Mapping[str, str], name: str) -> None:
    """Lay files out as the kubelet does: below a folder of their own that `..data` is swapped to.

    Source: Kubernetes, pkg/volume/util/atomic_writer.go, the comment of AtomicWriter.Write.
    """
    for path, text in files.items():
        target = folder / name / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    fresh = folder / "..data_tmp"
    fresh.symlink_to(name)
    fresh.rename(folder / "..data")
    for top in {path.partition("/")[0] for path in files}:
        link = folder / top
        if not link.is_symlink():
            link.symlink_to(f"..data/{top}")


def mounted(objects: list[Kubernetes]) -> dict[str, str]:
    """Return the files of the configuration's volume by their place in it."""
    (data,) = (
        each["data"] for each in of_kind(objects, "ConfigMap") if "config.yaml" in each["data"]
    )
    (mount,) = (v for v in next(pods(objects))["spec"]["volumes"] if v["name"] == "config")
    return {item["path"]: data[item["key"]] for item in mount["configMap"]["items"]}


def test_the_program_reads_what_the_kubelet_lays_out_and_sees_it_swapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    etc, secrets = tmp_path / "etc", tmp_path / "secrets"
    etc.mkdir()
    secrets.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secrets))
    laid_out(secrets, {"east-user": "ann", "east-password": "first", "west-password": "w"}, "..1")
    laid_out(etc, mounted(rendered(SETS["several"])), "..1")
    config = load_config(etc / "config.yaml")
    before = digest_of(etc / "config.yaml", config)
    assert (config.vcenters[0].user(), config.vcenters[0].password()) == ("ann", "first")

    changed = deepcopy(dict(SETS["several"]))
    changed["policies"]["nights"]["limits"]["moves_per_run_at_most"] = 7  # type: ignore[index]
    laid_out(secrets, {"east-user": "ann", "east-password": "second"}, "..2")
    laid_out(etc, mounted(rendered(changed)), "..2")
    assert digest_of(etc / "config.yaml", config) != before
    assert config.vcenters[0].password() == "second"


# -- what each object says


def test_one_pod_at_a_time_writes_the_journal() -> None:
    spec = the(rendered(MINIMAL), "Deployment")["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}
    assert the(rendered(MINIMAL), "PersistentVolumeClaim")["spec"]["accessModes"] == [
        "ReadWriteOnce"
    ]


def test_probes_ask_what_the_program_serves() -> None:
    (container,) = next(pods(rendered(MINIMAL)))["spec"]["containers"]
    paths = {
        name: container[f"{name}Probe"]["httpGet"]["path"]
        for name in ("startup", "liveness", "readiness")
    }
    assert paths == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}


def test_a_stop_has_more_time_than_the_program_takes() -> None:
    assert next(pods(rendered(MINIMAL)))["spec"]["terminationGracePeriodSeconds"] > 10


def test_selectors_find_the_daemon_alone() -> None:
    objects = rendered(minimal(dryRun={"enabled": True}))
    daemon, job = (pod["metadata"]["labels"] for pod in pods(objects))
    for kind in ("Service", "PodDisruptionBudget"):
        selector = the(objects, kind)["spec"]["selector"]
        wanted = selector.get("matchLabels", selector)
        assert wanted.items() <= daemon.items()
        assert not wanted.items() <= job.items()


def test_the_dry_run_holds_no_word_that_acts() -> None:
    objects = rendered(minimal(dryRun={"enabled": True}))
    (_, job) = pods(objects)
    (container,) = job["spec"]["containers"]
    assert container["args"][0] == "plan"
    assert the(objects, "CronJob")["spec"]["concurrencyPolicy"] == "Forbid"


def test_long_names_stay_apart() -> None:
    values = minimal(dryRun={"enabled": True}, fullnameOverride="b" * 70)
    values["config"]["clusters"] = [{"vcenter": "main", "name": f"c{n}"} for n in range(12)]
    objects = rendered(values)
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(set(names)) == len(names)
    assert max(len(name) for kind, name in names if kind == "CronJob") <= 52
    assert max(len(name) for _, name in names) <= 63


def test_the_network_is_bounded_to_what_is_needed() -> None:
    policy = the(rendered(SETS["monitored"]), "NetworkPolicy")["spec"]
    names, vcenters = policy["egress"]
    assert [port["port"] for port in names["ports"]] == [53, 53]
    assert [port["port"] for port in vcenters["ports"]] == [443]
    assert [to["ipBlock"]["cidr"] for to in vcenters["to"]] == ["192.0.2.10/32", "2001:db8::10/128"]
    (ingress,) = policy["ingress"]
    assert [port["port"] for port in ingress["ports"]] == [9715]
    assert len(ingress["from"]) == 1


def digest(values: Mapping[str, object]) -> str:
    annotations: dict[str, str] = next(pods(rendered(values)))["metadata"]["annotations"]
    return annotations["checksum/config"]


def test_tokens_are_taken_up_without_a_new_pod() -> None:
    changed = deepcopy(dict(SETS["api"]))
    changed["config"]["http"]["tokens"].pop()  # type: ignore[index]
    assert NO_RESTART == "http.tokens"
    assert digest(changed) == digest(SETS["api"])


def test_with_a_certificate_everybody_speaks_https() -> None:
    objects = rendered(SETS["api"])
    (container,) = next(pods(objects))["spec"]["containers"]
    schemes = {container[f"{name}Probe"]["httpGet"]["scheme"] for name in ("startup", "liveness")}
    assert schemes == {"HTTPS"}
    (endpoint,) = the(objects, "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["scheme"] == "https"
    assert "https://127.0.0.1" in notes(SETS["api"])


CHANGES: Mapping[str, object] = {
    "vcenters": [
        {"name": "main", "host": "b.example.com", "username": "x", "password_file": "p"},
    ],
    "clusters": [{"vcenter": "main", "name": "prod-a", "mode": "partial"}],
    "journal": {"retention_days": 200},
    "http": {"listen": "0.0.0.0", "port": 9716},
    "log": {"format": "json", "level": "debug"},
    "planning": {"memory_mib": 4096},
    "history": {"hourly_days": 30},
    "record": {"folder": "/var/lib/balancer/recording"},
    "notify": {"slack": [{"name": "ops", "url_file": "slack-url"}]},
}
SECTIONS = [section for section in CHANGES if section in Config.model_fields]


@pytest.mark.parametrize("section", SECTIONS)
def test_a_change_makes_a_new_pod_where_the_running_one_cannot_take_it_up(section: str) -> None:
    changed = minimal(networkPolicy={"enabled": False})
    changed["config"][section] = CHANGES[section]
    assert (digest(changed) != digest(MINIMAL)) == (section in NEEDS_RESTART)
    assert digest({**changed, "restartOn": "any"}) != digest({**MINIMAL, "restartOn": "any"})


def test_each_section_of_the_configuration_is_asked_that_question() -> None:
    assert set(SECTIONS) == Config.model_fields.keys() - set(chart.OF_THE_CHART["Config"]) - {
        "api_version"
    }


def test_a_secret_is_seen_by_the_pod_and_by_nobody_else() -> None:
    objects = rendered(MINIMAL)
    (volume,) = (v for v in next(pods(objects))["spec"]["volumes"] if v["name"] == "secrets")
    assert volume["secret"] == {"secretName": "vcenter", "defaultMode": 0o440}
    (container,) = next(pods(objects))["spec"]["containers"]
    assert {"name": "CREDENTIALS_DIRECTORY", "value": "/run/secrets/balancer"} in container["env"]


def test_the_notes_say_what_runs_and_what_is_risky() -> None:
    told = notes(SETS["dry-run-only"])
    assert "main/prod-a: observe" in told
    assert "WARNING: persistence.enabled is false" in told
    assert "WARNING" not in notes(MINIMAL)
    assert "--cluster" not in notes(MINIMAL)


def test_dashboards_and_rules_are_those_of_the_project() -> None:
    copies = chart.copies()
    there = {path for path in (chart.CHART / "files").rglob("*") if path.is_file()}
    assert there == copies.keys()
    assert {path: path.read_bytes() for path in there} == dict(copies)
    objects = rendered(SETS["monitored"])
    groups = [
        group
        for path, text in sorted(copies.items())
        if path.parent.name == "prometheus"
        for group in yaml.safe_load(text)["groups"]
    ]
    assert groups
    assert the(objects, "PrometheusRule")["spec"]["groups"] == groups
    boards = {
        name: text
        for each in of_kind(objects, "ConfigMap")
        if "grafana_dashboard" in each["metadata"]["labels"]
        for name, text in each["data"].items()
    }
    assert {name: text.strip().encode() for name, text in boards.items()} == {
        path.name: text.strip() for path, text in copies.items() if path.parent.name == "grafana"
    }


# -- what is generated


def test_the_schema_is_up_to_date() -> None:
    stored = (chart.CHART / "values.schema.json").read_text("utf-8")
    assert stored == chart.schema_text()


def test_the_table_of_values_is_up_to_date() -> None:
    readme = (chart.CHART / "README.md").read_text("utf-8")
    assert readme == chart.with_table(readme)
    assert chart.values_table() in readme


def test_the_defaults_are_those_that_are_told() -> None:
    stored = yaml.safe_load((chart.CHART / "values.yaml").read_text("utf-8"))
    told = Values().model_dump(by_alias=True)
    assert {key: stored[key] for key in told} == told
    assert stored.keys() - told.keys() == {"config", "policies"}


def test_the_chart_has_the_program_s_version() -> None:
    text = (chart.ROOT / "pyproject.toml").read_text("utf-8")
    head = yaml.safe_load((chart.CHART / "Chart.yaml").read_text("utf-8"))
    assert f'version = "{head["appVersion"]}"' in text
    assert head["version"] == head["appVersion"]


def test_the_archive_of_the_chart_holds_what_it_reads(tmp_path: Path) -> None:
    with Chart.load(chart.CHART) as loaded, tarfile.open(loaded.save(tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    copied = {str(path.relative_to(chart.CHART)) for path in chart.copies()}
    assert {"values.schema.json", "README.md", "templates/NOTES.txt", *copied} <= names
    assert not [name for name in names if name.startswith("ci/")]

"""The metrics page as text: the same as the client library would write, exemplars, and any name parsed back."""

import threading

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from balancer.expose.gauge_text import gauge_lines
from balancer.expose.instruments import Instruments, PageFormat, header
from balancer.expose.metric_catalog import CATALOGUE
from balancer.expose.metric_labels import unique_labels
from balancer.expose.metric_samples import Sample
from balancer.expose.metric_spec import MetricType
from balancer.expose.metrics import Metrics
from balancer.model.events import PlanMade, SnapshotTaken
from balancer.model.outcome import MoveState
from balancer.policy.mode import Mode
from balancer.policy.types import Policy
from tests.support.builders import host, snapshot, vm
from tests.support.hostile import EVERY
from tests.unit.expose.board import Board, StillClock, busy_board, ended, judged, started
from tests.unit.expose.plans import move, plan, small_plan, small_snapshot

OPENMETRICS = "application/openmetrics-text"
SPECS = {spec.name: spec for spec in CATALOGUE}


@pytest.mark.parametrize("value", [0.0, 1.0, -0.5, 1e15, 2.5e-7, float("inf"), 123456789.25])
@pytest.mark.parametrize("name", ["esx1", 'quo"te', "back\\slash", "new\nline", "é\U0001f4a5"])
def test_gauges_are_written_as_the_client_library_writes_them(name: str, value: float) -> None:
    spec = SPECS["balancer_host_utilization_ratio"]
    family = GaugeMetricFamily(spec.name, spec.help, labels=spec.labels)
    family.add_metric(["vc1", "prod", name, "cpu"], value)

    class One(Collector):
        def collect(self):
            return [family]

    sample = Sample(spec.name, (name, "cpu"), value)
    lines = gauge_lines(("vc1", "prod"), [sample])[spec.name].encode()
    assert header(spec, PageFormat.TEXT) + lines == generate_latest(One())


@pytest.mark.parametrize("page_format", list(PageFormat))
def test_the_kept_text_of_a_metric_follows_its_changes(page_format: PageFormat) -> None:
    spec = SPECS["balancer_cycles_missed_total"]
    ours = Instruments([spec])
    theirs = Counter(spec.name, spec.help, spec.labels, registry=CollectorRegistry())
    for _ in range(3):
        ours.count(spec.name, "vc1", "prod")
        theirs.labels("vc1", "prod").inc()
        first = ours.text(spec.name, page_format)
        assert first is ours.text(spec.name, page_format)
        number = theirs.labels("vc1", "prod")._value.get()
        assert f"}} {number}\n".encode() in first


def test_no_change_is_lost_while_pages_are_read() -> None:
    spec = SPECS["balancer_cycles_missed_total"]
    instruments, each = Instruments([spec]), 500
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            instruments.text(spec.name, PageFormat.TEXT)

    def write() -> None:
        for _ in range(each):
            instruments.count(spec.name, "vc1", "prod")

    reader, writers = threading.Thread(target=read), [threading.Thread(target=write) for _ in "ab"]
    reader.start()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done.set()
    reader.join()
    assert f"}} {2.0 * each}\n".encode() in instruments.text(spec.name, PageFormat.TEXT)


def test_what_was_never_told_is_not_shown_as_zero() -> None:
    board = Board()
    page = board.metrics.page()[0].decode()
    for name in ("config_last_reload_successful", "config_hash_info", "store_size_bytes"):
        assert f"\nbalancer_{name}" not in page
    board.metrics.config_rejected()
    assert board.value("config_last_reload_successful") == 0.0


def test_a_cluster_that_is_gone_has_no_gauges_and_keeps_what_was_counted() -> None:
    board = busy_board()
    board.metrics.keep_clusters([])
    assert board.series("host_vms") == {}
    assert board.series("leader") == {}
    assert board.value("migrations_total", "vmotion", "rule_fix", "succeeded") == 1.0
    again = board.metrics.for_cluster("vc1", "prod", policy=Policy(), mode=Mode.OBSERVE)
    again.tell(ended(move(1, 1, 1, 2), seconds=3.0))
    assert board.value("migrations_total", "vmotion", "balance", "succeeded") == 1.0
    assert board.value("migrations_total", "vmotion", "rule_fix", "succeeded") == 1.0


def test_a_name_of_another_type_is_a_mistake() -> None:
    instruments = Instruments([SPECS["balancer_cycles_missed_total"]])
    with pytest.raises(TypeError, match="is a Counter, not a Gauge"):
        instruments.set("balancer_cycles_missed_total", 1.0, "vc1", "prod")


def test_both_formats_hold_the_same_samples() -> None:
    metrics = busy_board().metrics

    def samples(families) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
            if not sample.name.startswith("process_")
        }

    text = samples(parse_text(metrics.page()[0].decode()))
    assert text == samples(parse_openmetrics(metrics.page(OPENMETRICS)[0].decode()))
    assert len(text) > 200


def exemplars(board: Board) -> dict[str, set[str]]:
    """Return the plans that each metric's exemplars name."""
    found: dict[str, set[str]] = {}
    for family in parse_openmetrics(board.metrics.page(OPENMETRICS)[0].decode()):
        for sample in family.samples:
            if sample.exemplar:
                found.setdefault(family.name, set()).add(sample.exemplar.labels["plan_id"])
    return found


def test_counts_and_times_of_plans_and_migrations_name_the_plan_behind_them() -> None:
    board, made = Board(), small_plan(id="feedc0de")
    board.show(small_snapshot(), made)
    board.cluster.tell(started(made.moves[0]))
    board.cluster.tell(ended(made.moves[0], seconds=20.0))
    board.cluster.tell(ended(made.moves[1], MoveState.FAILED, fault="Timedout"))
    board.cluster.tell(judged())
    ours = ("plans", "plan_duration_seconds", "migrations", "migration_faults")
    more = ("migration_duration_seconds", "migration_queue_wait_seconds")
    most = ("migration_duration_error_ratio",)
    expected = {f"balancer_{name}": {"feedc0de"} for name in (*ours, *more, *most)}
    judgements = {f"balancer_{n}": {"p"} for n in ("batch_verdicts", "plan_realized_benefit_ratio")}
    assert exemplars(board) == expected | judgements


def test_an_exemplar_of_any_length_and_content_fits() -> None:
    board = Board()
    for text in (*EVERY, "x" * 500):
        board.cluster.tell(PlanMade(plan=small_plan(id=text)))
        named = exemplars(board).get("balancer_plans", set())
        assert named <= {
            "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "_" for c in text[:64])
        }
        assert len(named) == bool(text)


def test_the_text_format_has_no_exemplars() -> None:
    board = Board()
    board.cluster.tell(PlanMade(plan=small_plan(id="feedc0de")))
    assert b"feedc0de" not in board.metrics.page()[0]


def read_back(metrics: Metrics, *labels: str) -> list[tuple[set[str], ...]]:
    """Return the values of these labels as each of the two parsers reads them."""
    pages = (
        list(parse_text(metrics.page()[0].decode("utf-8", "strict"))),
        list(parse_openmetrics(metrics.page(OPENMETRICS)[0].decode("utf-8", "strict"))),
    )
    return [tuple(values_of(page, label) for label in labels) for page in pages]


def values_of(page: list[Metric], label: str) -> set[str]:
    return {
        sample.labels[label]
        for family in page
        for sample in family.samples
        if label in sample.labels
    }


def test_hostile_host_names_are_read_back_as_they_were_made_safe() -> None:
    hosts = [host(number, name=name) for number, name in enumerate(EVERY, 1)]
    snap = snapshot(hosts, [vm(1, on=1)])
    board = Board()
    board.show(snap)
    labels = unique_labels({one.id: one.name for one in snap.hosts})
    assert len(set(labels.values())) == len(EVERY)
    for (found,) in read_back(board.metrics, "host"):
        assert found == set(labels.values())


def test_hostile_names_of_vcenters_and_clusters_are_read_back_as_they_were_made_safe() -> None:
    metrics, snap = Metrics(StillClock()), snapshot([host(1)], [vm(1, on=1)])
    made, known = plan(snap), []
    for name in EVERY:
        cluster = metrics.for_cluster(name, name, policy=Policy(), mode=Mode.AUTOMATIC)
        cluster.tell(SnapshotTaken(snapshot=snap, state=made.before, asked_at=snap.taken_at))
        known.append(cluster.labels)
    vcenters = {vcenter for vcenter, _ in known}
    assert len(vcenters) == len(EVERY)
    clusters = {cluster for _, cluster in known}
    for found in read_back(metrics, "vcenter", "cluster"):
        assert found == (vcenters, clusters)


@pytest.mark.parametrize("label", ["fault", "method", "result", "kind", "cause", "channel", "hash"])
def test_hostile_words_of_the_other_side_are_words_or_other(label: str) -> None:
    board = Board()
    listener = board.metrics.for_vcenter("vc1")
    for text in EVERY:
        board.cluster.tell(ended(move(1, 1, 1, 2), MoveState.FAILED, fault=text))
        listener.request(text, text, 0.1)
        listener.login(text)
        listener.changed(text)
        listener.rejected(text, text, 1)
        board.metrics.notified(text, text)
        board.metrics.config_loaded(text)
    board.show(small_snapshot())
    for (found,) in read_back(board.metrics, label):
        assert found
        assert all(text.isprintable() for text in found)
        if label != "hash":
            assert all(text.replace("_", "").isalnum() or text == "anti_affinity" for text in found)


def test_the_catalogue_keeps_to_the_conventions_of_names() -> None:
    for spec in CATALOGUE:
        assert spec.name.startswith("balancer_")
        assert spec.name.endswith("_total") == (spec.type is MetricType.COUNTER), spec.name
        assert spec.name.endswith("_info") == (spec.type is MetricType.INFO), spec.name
        assert not spec.name.endswith(("_bucket", "_count", "_sum", "_created")), spec.name
        assert spec.help.endswith("."), spec.name
        assert len(set(spec.labels)) == len(spec.labels), spec.name
        assert not {"vm", "le", "quantile", "job", "instance"} & set(spec.labels), spec.name
        assert bool(spec.buckets) == (spec.type is MetricType.HISTOGRAM), spec.name
        assert list(spec.buckets) == sorted(set(spec.buckets)), spec.name
    assert len({spec.name for spec in CATALOGUE}) == len(CATALOGUE)

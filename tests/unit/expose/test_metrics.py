"""The metrics page: names, labels and units as documented, safe with any name, bounded."""

from datetime import UTC, datetime

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from balancer.expose.metric_catalog import CATALOGUE
from balancer.expose.metric_labels import (
    Words,
    unique_labels,
)
from balancer.expose.metric_spec import MetricType
from balancer.expose.metrics import Metrics
from balancer.model.events import (
    MoveProgressed,
    PlanMade,
    SnapshotTaken,
)
from balancer.model.outcome import MoveState
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Ha, InFlight
from balancer.model.units import HostId, VmId
from balancer.model.vm import Automation, Blocker
from balancer.policy.mode import Mode
from balancer.policy.types import Limits, Policy
from tests.support.builders import NOON, host, snapshot, vm
from tests.unit.expose.board import Board, StillClock, busy_board, ended, started
from tests.unit.expose.plans import hostile, move, plan, small_plan, small_snapshot


def test_the_page_holds_every_metric_of_the_catalogue_with_its_labels() -> None:
    page = busy_board().metrics.page()[0].decode()
    found = {
        family.name: {frozenset(sample.labels) - {"le"} for sample in family.samples}
        for family in parse_text(page)
    }
    for spec in CATALOGUE:
        name = spec.name.removesuffix("_total") if spec.type is MetricType.COUNTER else spec.name
        assert found.get(name) == {frozenset(spec.labels)}, spec.name


def test_nothing_is_exposed_that_is_not_in_the_catalogue() -> None:
    page = busy_board().metrics.page()[0].decode()
    names = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE balancer_")}
    assert names == {spec.name for spec in CATALOGUE}


def test_names_carry_their_unit() -> None:
    units = ("_seconds", "_bytes", "_hertz", "_ratio", "_total", "_info")
    counts = {
        *("leader", "config_last_reload_successful", "vcenter_up", "cluster_mode"),
        *("cluster_acting_withheld", "cluster_mode_in_force", "paused"),
        *("snapshot_objects", "snapshot_rejected_objects", "snapshot_statistics_objects"),
        *("cluster_hosts", "cluster_vms", "snapshot_denied_objects", "snapshot_unfit"),
        *("vcenter_change_hints_up", "circuit_open"),
        *("quarantined", "contended_vms", "foreign_moves_against"),
        *("host_vms", "rule_violations", "plan_moves", "plan_decision", "concurrency_limit"),
        *("migrations_in_flight", "migrations_queued", "plan_approvals_pending"),
        *("vcenter_failing", "history_vms"),
        *("circuit_open", "quarantined", "contended_vms", "foreign_moves_against"),
    }
    bare = {spec.name for spec in CATALOGUE if not spec.name.endswith(units)}
    assert bare == {f"balancer_{name}" for name in counts}


def test_openmetrics_is_served_to_whom_asks_for_it() -> None:
    board = busy_board()
    page, content_type = board.metrics.page("application/openmetrics-text;version=1.0.0,*/*;q=0.1")
    assert content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    families = {family.name for family in parse_openmetrics(page.decode())}
    assert {"balancer_cycles", "balancer_build", "balancer_host_vms"} <= families
    assert board.metrics.page("text/html")[1].startswith("text/plain; version=0.0.4")


def test_no_series_tells_when_a_counter_was_created() -> None:
    board = busy_board()
    assert b"_created" not in board.metrics.page()[0]
    assert b"_created" not in board.metrics.page("application/openmetrics-text")[0]


def test_two_pages_do_not_share_their_figures() -> None:
    board, other = Board(), Board()
    board.cluster.cycle_missed()
    assert (board.value("cycles_missed_total"), other.value("cycles_missed_total")) == (1.0, 0.0)


def test_hosts_are_shown_in_base_units() -> None:
    board = Board()
    board.show(snapshot([host(1)], [vm(1, on=1, memory_mib=8192.0)]))
    assert board.value("host_cpu_capacity_hertz", "esx1") == 20e9
    assert board.value("host_cpu_demand_hertz", "esx1") == pytest.approx(1e9)
    assert board.value("host_memory_capacity_bytes", "esx1") == 100_000 * 2**20
    assert board.value("host_memory_demand_bytes", "esx1") == pytest.approx(4096 * 2**20)
    assert board.value("host_utilization_ratio", "esx1", "cpu") == pytest.approx(0.05)
    assert board.value("host_vms", "esx1") == 1.0


def test_a_host_that_is_gone_has_no_series() -> None:
    board = Board()
    board.show(snapshot([host(1), host(2)], []))
    board.show(snapshot([host(2)], []))
    assert set(board.series("host_vms")) == {("esx2",)}


def test_hosts_of_one_name_stay_two_series() -> None:
    board = Board()
    board.show(snapshot([host(1, name="esx"), host(2, name="esx")], [vm(1, on=2)]))
    assert board.series("host_vms") == {("esx",): 0.0, ("esx (host-2)",): 1.0}


def test_the_mode_in_force_is_one_and_the_others_are_zero() -> None:
    board = Board(mode=Mode.PARTIAL)
    modes = {(mode.value,): float(mode is Mode.PARTIAL) for mode in Mode}
    assert board.series("cluster_mode") == modes


def test_new_settings_replace_the_old_ones_and_keep_the_rest() -> None:
    board = busy_board()
    again = board.metrics.for_cluster(
        "vc1",
        "prod",
        policy=Policy(limits=Limits(migrations_per_host=1)),
        mode=Mode.OBSERVE,
        interval_s=60.0,
    )
    assert again is board.cluster
    assert board.value("concurrency_limit", "host") == 1.0
    assert board.value("cycle_interval_seconds") == 60.0
    assert board.value("migrations_in_flight", "vmotion") == 1.0


def test_every_state_of_host_has_a_series_even_at_zero() -> None:
    board = Board()
    board.show(small_snapshot())
    states = board.series("cluster_hosts")
    assert states["connected",] == 3.0
    assert states["entering_maintenance",] == 1.0
    assert states["standby",] == 0.0
    assert len(states) == 7


def test_running_vms_are_sorted_into_classes() -> None:
    snap = snapshot(
        [host(1), host(2)],
        [
            vm(1, on=1),
            vm(2, on=1, blockers=(Blocker.USB_DEVICE,)),
            vm(3, on=1, automation=Automation.MANUAL),
            vm(4, on=1),
            vm(5, on=1),
        ],
        in_flight=(InFlight(vm=VmId("vm-4"), source=HostId("host-1"), target=HostId("host-2")),),
    )
    board = Board()
    board.show(snap, plan(snap, refusals=(Refusal.of(Reason.RECENTLY_MOVED, vm="vm-5"),)))
    assert board.series("cluster_vms") == {
        ("movable",): 1.0,
        ("immovable",): 1.0,
        ("excluded",): 1.0,
        ("pinned",): 1.0,
        ("cooling_down",): 1.0,
    }


def test_broken_rules_are_counted_by_type_and_force() -> None:
    board = Board()
    board.show(small_snapshot())
    broken = {key: value for key, value in board.series("rule_violations").items() if value}
    assert broken == {("anti_affinity", "hard"): 1.0, ("affinity", "soft"): 1.0}
    assert len(board.series("rule_violations")) == 8


@pytest.mark.parametrize(
    ("ha", "cpu"),
    [
        pytest.param(Ha(), 0.8, id="no HA: nothing is kept"),
        pytest.param(Ha(enabled=True, host_failures_to_tolerate=1), 0.3, id="the largest host"),
        pytest.param(Ha(enabled=True, cpu_reserve_percent=30.0), 0.5, id="a share"),
        pytest.param(
            Ha(enabled=True, host_failures_to_tolerate=1, cpu_reserve_percent=90.0),
            -0.1,
            id="the larger of both, and negative where none is left",
        ),
    ],
)
def test_headroom_is_what_demand_and_ha_leave(ha: Ha, cpu: float) -> None:
    snap = snapshot(
        [host(1), host(2)],
        [vm(n, on=1, cpu_demand_mhz=4000.0) for n in (1, 2)],
        cluster={"ha": ha},
    )
    board = Board()
    board.show(snap)
    assert board.value("cluster_headroom_ratio", "cpu") == pytest.approx(cpu)


def test_demand_above_a_hosts_capacity_is_not_satisfied() -> None:
    board = Board()
    board.show(snapshot([host(1), host(2)], [vm(1, on=1, cpu_demand_mhz=25_000.0)]))
    assert board.value("cluster_demand_satisfied_ratio", "cpu") == pytest.approx(0.8)
    assert board.value("cluster_demand_satisfied_ratio", "memory") == 1.0


def test_an_empty_cluster_has_full_satisfaction_and_no_headroom() -> None:
    board = Board()
    board.show(snapshot([], []))
    assert board.value("cluster_demand_satisfied_ratio", "cpu") == 1.0
    assert board.value("cluster_headroom_ratio", "cpu") == 0.0


def test_imbalance_stands_beside_its_trigger_and_target() -> None:
    board, snap = Board(), small_snapshot()
    board.show(snap)
    state = plan(snap).before
    assert board.value("cluster_imbalance_ratio", "cpu") == pytest.approx(state.cpu.stddev)
    assert board.value("cluster_imbalance_combined_ratio") == pytest.approx(state.imbalance)
    assert board.value("cluster_imbalance_trigger_ratio") == 0.05
    assert board.value("cluster_imbalance_target_ratio") == 0.025


def test_calls_on_the_wire_are_counted_and_timed() -> None:
    board = Board()
    listener = board.metrics.for_vcenter("vc1")
    listener.request("Login", "ok", 0.2)
    listener.request("Login", "timeout", 30.0)
    listener.login("refused")
    assert board.series("vcenter_requests_total") == {
        ("Login", "ok"): 1.0,
        ("Login", "timeout"): 1.0,
    }
    assert board.value("vcenter_request_duration_seconds_sum", "Login") == 30.2
    logins = board.series("vcenter_logins_total")
    assert logins == {("failed",): 0.0, ("ok",): 0.0, ("refused",): 1.0}


def test_objects_left_out_belong_to_the_snapshot_they_were_left_out_of() -> None:
    board = Board()
    board.metrics.for_vcenter("vc1").rejected("vm", "incomplete", 2)
    board.metrics.for_vcenter("vc1").rejected("vm", "incomplete", 1)
    board.show(small_snapshot())
    assert board.series("snapshot_rejected_objects") == {("vm", "incomplete"): 3.0}
    board.show(small_snapshot())
    assert board.series("snapshot_rejected_objects") == {}


def test_a_failed_cycle_leaves_no_rejected_objects_to_the_next_one() -> None:
    board = Board()
    board.metrics.for_vcenter("vc1").rejected("vm", "incomplete", 2)
    board.cluster.cycle_failed()
    board.show(small_snapshot())
    assert board.series("snapshot_rejected_objects") == {}


def test_what_came_of_reading_statistics_is_shown_with_its_snapshot() -> None:
    board = Board()
    listener = board.metrics.for_vcenter("vc1")
    listener.sampled("vm", "fresh", 7)
    listener.sampled("vm", "stale", 0)
    listener.sampled("vm", "fresh", 8)  # read anew: the later reading counts
    listener.faulty_samples("negative", 3)
    board.show(small_snapshot())
    shown = {("vm", "fresh"): 8.0, ("vm", "stale"): 0.0}
    assert board.series("snapshot_statistics_objects") == shown
    assert board.series("vcenter_faulty_samples_total") == {("negative",): 3.0}
    board.cluster.cycle_failed()
    board.show(small_snapshot())
    assert board.series("snapshot_statistics_objects") == {}


def test_words_of_the_other_side_stay_bounded() -> None:
    board = Board()
    for n in range(500):
        board.cluster.tell(ended(move(n, n, 1, 2), MoveState.FAILED, fault=f"Fault{n}"))
        board.metrics.for_vcenter("vc1").request(f"Method{n}", f"result{n}", 0.1)
        board.metrics.for_vcenter("vc1").rejected(f"kind{n}", f"cause{n}", 1)
    board.show(small_snapshot())
    assert len(board.series("migration_faults_total")) == 65
    assert len(board.series("vcenter_requests_total")) <= 49 * 17
    assert len(board.series("snapshot_rejected_objects")) <= 25
    assert sum(board.series("migration_faults_total").values()) == 500.0


@pytest.mark.parametrize("text", ["", "a b", "x" * 65, "\udc80", "<b>", "1st"])
def test_what_is_no_word_becomes_other(text: str) -> None:
    assert Words().word(text) == "other"


def test_the_number_of_series_does_not_grow_with_the_vms_nor_with_time() -> None:
    def lines(vms: int, cycles: int) -> int:
        board = Board()
        snap = snapshot([host(1), host(2)], [vm(n, on=1) for n in range(1, vms + 1)])
        made = plan(snap, [move(n, n, 1, 2) for n in range(1, vms)])
        for _ in range(cycles):
            board.show(snap, made)
            for step in made.moves:
                board.cluster.tell(started(step))
                board.cluster.tell(ended(step, seconds=12.0))
            board.end(made)
        return len(board.metrics.page()[0].splitlines())

    assert lines(5, 1) == lines(80, 4)


def test_hostile_names_cannot_break_the_page() -> None:
    made, snap = hostile()
    metrics = Metrics(StillClock())
    cluster = metrics.for_cluster(
        "vc\n\udc80\x1b", snap.cluster.name, policy=Policy(), mode=Mode.AUTOMATIC
    )
    cluster.tell(SnapshotTaken(snapshot=snap, state=made.before, asked_at=snap.taken_at))
    cluster.tell(PlanMade(plan=made))
    for step in made.moves:
        cluster.tell(started(step))
        cluster.tell(ended(step, MoveState.FAILED, fault=step.vm_name))
    families = {
        family.name: family for family in parse_text(metrics.page()[0].decode("utf-8", "strict"))
    }
    hosts = {sample.labels["host"] for sample in families["balancer_host_vms"].samples}
    assert len(hosts) == len(snap.hosts)
    assert all(name.isprintable() and len(name) < 260 for name in hosts)
    list(parse_openmetrics(metrics.page("application/openmetrics-text")[0].decode()))


def test_two_clusters_and_two_vcenters_do_not_mix() -> None:
    metrics = Metrics(StillClock())
    for vcenter, cluster in (("vc1", "a"), ("vc1", "b"), ("vc2", "a")):
        one = metrics.for_cluster(vcenter, cluster, policy=Policy(), mode=Mode.OBSERVE)
        taken = small_snapshot()
        state = small_plan().before
        one.tell(SnapshotTaken(snapshot=taken, state=state, asked_at=taken.taken_at))
    page = metrics.page()[0].decode()
    rows = {
        (sample.labels["vcenter"], sample.labels["cluster"])
        for family in parse_text(page)
        for sample in family.samples
        if sample.name == "balancer_host_vms"
    }
    assert rows == {("vc1", "a"), ("vc1", "b"), ("vc2", "a")}


def test_clusters_whose_labels_would_be_equal_are_told_apart() -> None:
    metrics = Metrics(StillClock())
    labels = {
        metrics.for_cluster("vc1", name, policy=Policy(), mode=Mode.OBSERVE).labels
        for name in ("a\udc80", "a\udc81", "a\udc80")
    }
    assert len(labels) == 2


def test_labels_are_unique_and_do_not_depend_on_order() -> None:
    names = {"h2": "x", "h1": "x", "h3": "", "h4": "y"}
    assert unique_labels(names) == {"h1": "x", "h2": "x (h2)", "h3": "h3", "h4": "y"}
    assert unique_labels(names) == unique_labels(dict(reversed(names.items())))


def test_progress_is_heard_with_every_event() -> None:
    board, heard = Board(), []
    board.cluster.on_progress(lambda: heard.append(1))
    board.cluster.tell(MoveProgressed(move=move(1, 1, 1, 2), progress_percent=3))
    board.show(small_snapshot())
    assert len(heard) == 3


def test_the_configurations_fate_is_shown() -> None:
    board = Board()
    board.metrics.config_loaded("0123abcd")
    assert board.value("config_last_reload_successful") == 1.0
    assert board.value("config_hash_info", "0123abcd") == 1.0
    board.metrics.config_rejected()
    assert board.value("config_last_reload_successful") == 0.0
    stamp = board.value("config_last_reload_success_timestamp_seconds")
    assert datetime.fromtimestamp(stamp, UTC) == NOON

"""Freshness, completeness and lost hosts: which snapshots are fit to act on."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from balancer.collect import judge_quality
from balancer.model.host import HostState
from balancer.model.reasons import Reason
from balancer.model.snapshot import Snapshot, Source
from balancer.model.vm import PowerState, Profile
from balancer.policy.types import Limits
from tests.support.builders import NOON, host, snapshot, vm

BLIND: dict[str, Any] = {
    "cpu_demand_mhz": None,
    "memory_active_mib": None,
    "memory_consumed_mib": None,
}


def reasons(snap: Snapshot, age_s: float = 0.0) -> list[Reason]:
    now = NOON + timedelta(seconds=age_s)
    return [refusal.reason for refusal in judge_quality(snap, Limits(), now=now)]


def cluster(size: int, **lost: HostState) -> Snapshot:
    """Return `size` hosts with one VM each; `lost` maps h0, h1... to a state."""
    hosts = [host(n, state=lost.get(f"h{n}", HostState.CONNECTED)) for n in range(size)]
    return snapshot(hosts, [vm(n, on=n) for n in range(size)])


@pytest.mark.parametrize(
    ("age_s", "expected"),
    [
        pytest.param(0, [], id="just taken"),
        pytest.param(60, [], id="exactly at the limit"),
        pytest.param(61, [Reason.SNAPSHOT_STALE], id="one second too old"),
        pytest.param(-30, [], id="a little ahead of our clock"),
        pytest.param(-120, [Reason.SNAPSHOT_STALE], id="so far ahead that its age is unknown"),
    ],
)
def test_age_is_judged_against_the_limit_in_both_directions(
    age_s: float, expected: list[Reason]
) -> None:
    assert reasons(cluster(4), age_s) == expected


@pytest.mark.parametrize(
    ("silent", "expected"),
    [
        pytest.param(0, [], id="all measured"),
        pytest.param(5, [], id="5 of 100 silent is allowed"),
        pytest.param(6, [Reason.SNAPSHOT_PARTIAL], id="6 of 100 silent is too many"),
    ],
)
def test_running_vms_must_show_demand(silent: int, expected: list[Reason]) -> None:
    measured = {"cpu_usage_mhz": 1.0, "memory_usage_mib": 1.0}
    vms = [vm(n, on=0, **(BLIND if n < silent else {})) for n in range(100)]
    assert reasons(snapshot([host(0, **measured)], vms)) == expected


def test_vms_that_do_not_run_need_no_figures() -> None:
    vms = [vm(1, on=0), vm(2, on=0, power=PowerState.OFF, **BLIND)]
    assert reasons(snapshot([host(0)], vms)) == []


def test_a_profile_counts_as_demand() -> None:
    profile = Profile(cpu_demand_mhz=(1.0,), memory_demand_mib=(1.0,))
    assert reasons(snapshot([host(0)], [vm(1, on=0, **BLIND, profile=profile)])) == []


def test_cpu_demand_without_any_memory_figure_is_not_enough() -> None:
    silent = vm(1, on=0, memory_active_mib=None, memory_consumed_mib=None)
    assert Reason.SNAPSHOT_PARTIAL in reasons(snapshot([host(0)], [silent]))


def test_hosts_without_figures_of_their_own_are_fit_when_all_their_vms_show_some() -> None:
    assert reasons(cluster(3)) == []


def test_hosts_that_show_neither_usage_nor_their_vms_demand_make_a_snapshot_partial() -> None:
    vms = [vm(n, on=1) for n in range(100)] + [vm(200 + n, on=n + 2, **BLIND) for n in range(2)]
    refusals = judge_quality(snapshot([host(n) for n in range(5)], vms), Limits(), now=NOON)
    assert [refusal.reason for refusal in refusals] == [Reason.SNAPSHOT_PARTIAL]
    assert "2 of 5 hosts" in refusals[0].detail


def test_hosts_in_standby_and_maintenance_are_not_asked_for_figures() -> None:
    idle = [host(1, state=HostState.STANDBY), host(2, state=HostState.MAINTENANCE)]
    assert reasons(snapshot([host(0), *idle], [vm(1, on=0)])) == []


@pytest.mark.parametrize(
    ("size", "lost", "expected"),
    [
        pytest.param(8, 1, [], id="1 of 8"),
        pytest.param(10, 2, [], id="2 of 10 is exactly 20 percent"),
        pytest.param(10, 3, [Reason.HOSTS_LOST], id="3 of 10 is above 20 percent"),
        pytest.param(40, 3, [], id="3 of 40"),
        pytest.param(40, 4, [Reason.HOSTS_LOST], id="4 of 40 is above the count"),
    ],
)
def test_lost_hosts_are_reported_above_ratio_or_count(
    size: int, lost: int, expected: list[Reason]
) -> None:
    states = (HostState.DISCONNECTED, HostState.NOT_RESPONDING)
    assert reasons(cluster(size, **{f"h{n}": states[n % 2] for n in range(lost)})) == expected


def test_vms_on_lost_hosts_do_not_make_the_snapshot_partial() -> None:
    hosts = [host(n) for n in range(9)] + [host(9, state=HostState.NOT_RESPONDING)]
    vms = [vm(n, on=n) for n in range(9)] + [vm(100 + n, on=9, **BLIND) for n in range(20)]
    assert reasons(snapshot(hosts, vms)) == []


def test_the_refusal_names_the_hosts_that_are_lost() -> None:
    lost = cluster(4, h2=HostState.NOT_RESPONDING)
    [refusal] = judge_quality(lost, Limits(), now=NOON)
    assert refusal.reason is Reason.HOSTS_LOST
    assert "esx2" in refusal.detail


def test_an_empty_cluster_is_fit() -> None:
    assert reasons(snapshot([], [])) == []


@pytest.mark.parametrize(
    ("unread", "is_fit"), [(0, True), (1, True), (2, False)], ids=["none", "one of 20", "two of 21"]
)
def test_objects_that_could_not_be_read_count_as_silent(unread: int, is_fit: bool) -> None:
    snap = snapshot([host(1)], [vm(n, 1) for n in range(19)])
    partly = replace(snap, source=Source(rejected_objects=unread))

    assert (judge_quality(partly, Limits(), now=partly.taken_at) == ()) is is_fit


@pytest.mark.parametrize(
    ("old", "silent", "expected"),
    [
        pytest.param(5, 0, [], id="5 of 100 old is allowed"),
        pytest.param(6, 0, [Reason.SNAPSHOT_STALE], id="6 of 100 old"),
        pytest.param(3, 2, [], id="old and silent together 5"),
        pytest.param(4, 2, [Reason.SNAPSHOT_STALE], id="most of the 6 are old"),
        pytest.param(2, 4, [Reason.SNAPSHOT_PARTIAL], id="most of the 6 are silent"),
    ],
)
def test_old_samples_are_not_fresh(old: int, silent: int, expected: list[Reason]) -> None:
    figures = {"cpu_usage_mhz": 1.0, "memory_usage_mib": 1.0}
    late, fresh = NOON - timedelta(seconds=121), NOON - timedelta(seconds=119)
    vms = [vm(n, on=0, sampled_at=late if n < old else fresh) for n in range(100 - silent)]
    vms += [vm(200 + n, on=0, **BLIND) for n in range(silent)]
    assert reasons(snapshot([host(0, **figures)], vms)) == expected


def test_hosts_with_old_samples_make_a_snapshot_stale() -> None:
    late = NOON - timedelta(minutes=10)
    hosts = [host(n, sampled_at=late if n < 2 else NOON) for n in range(10)]
    [refusal] = judge_quality(snapshot(hosts, []), Limits(), now=NOON)
    assert refusal.reason is Reason.SNAPSHOT_STALE
    assert refusal.detail == (
        "0 of 10 hosts show no figures, 2 none newer than 120 s, wanted are 90 % that do"
    )


def test_figures_without_a_time_are_judged_by_their_presence_alone() -> None:
    assert reasons(snapshot([host(0)], [vm(1, on=0, sampled_at=None)])) == []


@pytest.mark.parametrize(
    ("denied", "allowed", "is_fit"), [(0, 0, True), (1, 0, False), (3, 3, True)]
)
def test_hidden_properties_make_a_snapshot_partial(denied: int, allowed: int, is_fit: bool) -> None:
    snap = replace(cluster(4), source=Source(denied_objects=denied))
    found = judge_quality(snap, Limits(denied_objects_at_most=allowed), now=NOON)
    assert [refusal.reason for refusal in found] == ([] if is_fit else [Reason.PERMISSION_HOLES])

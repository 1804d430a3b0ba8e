"""Real-time statistics over the wire: figures, units, batches, faults, and the way back to quickStats."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from balancer.adapters.vsphere import VsphereConnection, connect
from balancer.model.errors import SourceUnreachable
from balancer.model.snapshot import Snapshot, Statistics
from balancer.model.units import ClusterId, HostId, VmId
from balancer.model.vm import Blocker
from balancer.ports import ClusterRef
from tests.support.vcenter import VCenterProcess, start_vcenter
from tests.support.vsphere import HeardRequests, settings_for
from tests.support.wire import Row, document, host_row, vm_row, write

pytestmark = pytest.mark.wire

CLUSTER = ClusterRef(id=ClusterId("domain-c8"), name="prod")


class Bench:
    """A test vCenter with a client on it."""

    def __init__(self, server: VCenterProcess, vcenter: VsphereConnection, heard: HeardRequests):
        self.server, self.vcenter, self.heard = server, vcenter, heard

    def read(self) -> Snapshot:
        self.heard.samplings.clear()
        self.heard.requests.clear()
        return self.vcenter.inventory.snapshot(CLUSTER)

    def queries(self) -> int:
        return sum(n for (method, _), n in self.heard.requests.items() if method == "QueryPerf")


@contextmanager
def bench(directory: Path, vms: list[Row], hosts: int = 2) -> Iterator[Bench]:
    doc = document([host_row(n) for n in range(1, hosts + 1)], vms)
    heard = HeardRequests()
    with (
        start_vcenter(write(directory, doc)) as server,
        connect(settings_for(server), observer=heard) as vcenter,
    ):
        yield Bench(server, vcenter, heard)


def show(on: Bench, vm: str, **samples: Any) -> None:
    on.server.control.set_statistics(vms=[{"vm": vm, **samples}])


def test_samples_follow_the_load_in_our_units(tmp_path: Path) -> None:
    row = vm_row(1, 1, vcpus=4, cpu_ready_percent=5, memory_ballooned_mib=48)
    with bench(tmp_path, [row]) as on:
        show(on, "vm1", active_write_mib=1000, swap_in_kibps=1000, network_kibps=2000)
        on.server.control.set_demand("vm1", cpu_mhz=3_500, active_mib=2_000, consumed_mib=9_000)
        show(on, "vm1")
        read = on.read()
    vm = read.vms[0]
    assert read.source.statistics is Statistics.REAL_TIME
    assert (vm.cpu_demand_mhz, vm.cpu_demand_stddev_mhz) == (3_500, 0)
    assert (vm.cpu_demand_p95_mhz, vm.cpu_demand_max_mhz) == (3_500, 3_500)
    assert (vm.memory_active_mib, vm.memory_consumed_mib) == (2_000, 9_000)
    assert vm.memory_ballooned_mib == 48
    assert vm.dirty_rate_mbps == pytest.approx(1000 * 2**20 * 8 / 1e6 / 20)
    assert vm.swap_in_mbps == pytest.approx(1000 * 1024 * 8 / 1e6)
    assert vm.network_mbps == pytest.approx(2000 * 1024 * 8 / 1e6)
    assert on.heard.samplings == {("vm", "fresh"): 1, ("host", "fresh"): 2}


def test_ready_time_is_a_share_of_each_vcpu(tmp_path: Path) -> None:
    with bench(tmp_path, [vm_row(1, 1, vcpus=8, cpu_usage_mhz=100, cpu_ready_percent=5)]) as on:
        assert on.read().vms[0].cpu_ready_percent == pytest.approx(5)


def test_samples_carry_the_servers_time(tmp_path: Path) -> None:
    with bench(tmp_path, [vm_row(1, 1)]) as on:
        on.server.control.set_clock(7_200)
        read = on.read()
        ended_at = datetime.now(UTC) + timedelta(seconds=7_200)
        vm, host = read.vms[0], read.host_by_id[HostId("host-1")]
    assert read.taken_at - datetime.now(UTC) > timedelta(seconds=7_100)
    assert vm.sampled_at is not None
    assert host.sampled_at is not None
    # A sample of 20 s may end while the rest is read, after the time that the whole has.
    assert read.taken_at - timedelta(seconds=40) < vm.sampled_at <= ended_at
    assert read.taken_at - timedelta(seconds=40) < host.sampled_at <= ended_at
    assert on.heard.samplings["vm", "fresh"] == 1


def test_what_is_asked_once_per_session_is_not_asked_again(tmp_path: Path) -> None:
    with bench(tmp_path, [vm_row(1, 1)]) as on:
        on.read()
        assert on.heard.requests["QueryPerfProviderSummary", "ok"] == 1
        on.read()
        assert on.heard.requests["QueryPerfProviderSummary", "ok"] == 0
        on.server.control.expire_sessions()
        on.read()
        assert on.heard.requests["QueryPerfProviderSummary", "ok"] == 1


def test_a_refused_batch_is_halved_until_it_is_answered(tmp_path: Path) -> None:
    with bench(tmp_path, [vm_row(n, 1) for n in range(1, 41)]) as on:
        on.server.control.set_statistics(largest_batch=6)
        read = on.read()
        refused = on.heard.requests["QueryPerf", "fault"]
        assert read.source.statistics is Statistics.REAL_TIME
        assert on.heard.samplings["vm", "fresh"] == 40
        assert 3 <= refused <= 5  # 40, 20, 10, and where it grew too far
        on.read()
        assert on.heard.requests["QueryPerf", "fault"] == 0


def test_the_servers_own_limit_is_never_exceeded(tmp_path: Path) -> None:
    with bench(tmp_path, [vm_row(n, 1) for n in range(1, 21)]) as on:
        on.server.control.set_statistics(most_metrics=64)
        assert on.read().source.statistics is Statistics.REAL_TIME
        assert on.heard.requests["QueryPerf", "fault"] == 0
        on.read()
        assert on.heard.requests["QueryPerf", "fault"] == 0
        assert on.queries() == 4  # 7 VMs of 9 metrics in each, and the hosts


def test_a_server_that_always_refuses_is_asked_a_few_times_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with bench(tmp_path, [vm_row(n, 1) for n in range(1, 81)]) as on:
        on.server.control.add_fault("RestrictedByAdministrator", at="call", method="QueryPerf")
        with caplog.at_level(logging.INFO):
            read = on.read()
            assert on.queries() == 10
            on.read()
        assert on.heard.samplings == {("vm", "refused"): 80, ("host", "refused"): 2}
        warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert [record.cause for record in warnings] == ["refused"]
    assert read.source.statistics is Statistics.QUICK_STATS
    assert {vm.cpu_demand_mhz for vm in read.vms} == {2_000}


def test_without_the_right_quick_stats_stand_in_and_it_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with bench(tmp_path, [vm_row(n, 1) for n in range(1, 4)]) as on, caplog.at_level(logging.INFO):
        on.server.control.set_statistics(denied=True)
        read = on.read()
        on.read()
        assert read.source.statistics is Statistics.QUICK_STATS
        assert {(vm.cpu_demand_mhz, vm.sampled_at) for vm in read.vms} == {(2_000, None)}
        assert on.heard.samplings == {("vm", "no_permission"): 3, ("host", "no_permission"): 2}
        on.server.control.set_statistics(denied=False)
        assert on.read().source.statistics is Statistics.REAL_TIME
    said = [record for record in caplog.records if record.name.startswith("balancer")]
    assert [record.levelname for record in said] == ["WARNING", "INFO"]
    assert said[0].cause == "no_permission"
    assert "System.Read" in said[0].detail


def test_one_vm_without_the_right_costs_only_itself(tmp_path: Path) -> None:
    with bench(tmp_path, [vm_row(n, 1) for n in range(1, 11)]) as on:
        show(on, "vm4", denied=True)
        read = on.read()
        assert on.heard.samplings["vm", "fresh"] == 9
        assert on.heard.samplings["vm", "no_permission"] == 1
    assert read.source.statistics is Statistics.PARTLY
    assert [vm.id for vm in read.vms if vm.sampled_at is None] == ["vm-4"]


def test_a_server_without_real_time_samples_is_told(tmp_path: Path) -> None:
    with bench(tmp_path, [vm_row(1, 1)]) as on:
        on.server.control.set_statistics(off=True)
        assert on.read().source.statistics is Statistics.QUICK_STATS
        assert on.heard.samplings["vm", "not_offered"] == 1
        assert on.queries() == 0


@pytest.mark.parametrize(
    ("switch", "fault"), [({"gaps": True}, "gap"), ({"negatives": True}, "negative")]
)
def test_values_that_are_none_are_counted_and_do_not_count(
    tmp_path: Path, switch: dict[str, bool], fault: str
) -> None:
    with bench(tmp_path, [vm_row(1, 1)]) as on:
        show(on, "vm1", **switch)
        vm = on.read().vms[0]
        assert on.heard.sample_faults == {fault: 8 * 5}  # every other of 15, in five series
        assert (vm.cpu_demand_mhz, vm.memory_active_mib) == (2_000, 4_096)


def test_a_vm_without_samples_keeps_its_quick_stats(tmp_path: Path) -> None:
    with bench(tmp_path, [vm_row(1, 1), vm_row(2, 1)]) as on:
        show(on, "vm2", silent=True)
        read = on.read()
        assert on.heard.samplings["vm", "no_samples"] == 1
    silent = read.vm_by_id[VmId("vm-2")]
    assert (silent.cpu_demand_mhz, silent.sampled_at) == (2_000, None)
    assert read.source.statistics is Statistics.PARTLY


def test_old_samples_change_no_figure_and_tell_their_age(tmp_path: Path) -> None:
    with bench(tmp_path, [vm_row(1, 1)]) as on:
        show(on, "vm1", age_seconds=600, active_write_mib=100)
        read = on.read()
        assert on.heard.samplings["vm", "stale"] == 1
    vm = read.vms[0]
    assert vm.sampled_at is not None
    assert read.taken_at - vm.sampled_at >= timedelta(seconds=600)
    assert (vm.cpu_demand_mhz, vm.dirty_rate_mbps) == (2_000, None)


def test_samples_ahead_of_the_server_have_no_known_age(tmp_path: Path) -> None:
    with bench(tmp_path, [vm_row(1, 1)]) as on:
        show(on, "vm1", age_seconds=-300)
        vm = on.read().vms[0]
        assert on.heard.samplings["vm", "ahead"] == 1
        assert vm.sampled_at is None


def test_hosts_and_vms_that_are_out_of_reach_or_off_are_not_asked(tmp_path: Path) -> None:
    rows = [vm_row(1, 1), vm_row(2, 2), vm_row(3, 2, power="off")]
    with bench(tmp_path, rows) as on:
        on.server.control.set_host_state("esx1", "not_responding")
        on.read()
        assert on.heard.samplings == {("vm", "fresh"): 1, ("host", "fresh"): 1}


@pytest.mark.parametrize("way", ["drop_request", "drop_reply"])
def test_a_query_that_breaks_the_connection_is_made_smaller(tmp_path: Path, way: str) -> None:
    with bench(tmp_path, [vm_row(n, 1) for n in range(1, 31)]) as on:
        getattr(on.server.control, way)("QueryPerf", times=1)
        assert on.read().source.statistics is Statistics.REAL_TIME
        assert on.heard.requests["QueryPerf", "broken"] == 1
        assert on.queries() >= 4  # the 30 were not sent again in one piece


def test_a_server_that_is_gone_ends_the_reading(tmp_path: Path) -> None:
    with bench(tmp_path, [vm_row(1, 1)]) as on:
        on.read()
        on.server.control.outage(60.0)
        with pytest.raises(SourceUnreachable):
            on.read()


def test_what_is_read_again_before_a_wave_has_its_samples_too(tmp_path: Path) -> None:
    with bench(tmp_path, [vm_row(1, 1), vm_row(2, 2)]) as on:
        base = on.read()
        show(on, "vm1", active_write_mib=500)
        fresh = on.vcenter.inventory.refresh(base, vms=[VmId("vm-1")], hosts=[])
    assert fresh.vm_by_id[VmId("vm-1")].dirty_rate_mbps == pytest.approx(209.7152)
    assert fresh.vm_by_id[VmId("vm-2")] == base.vm_by_id[VmId("vm-2")]
    assert fresh.source.statistics is base.source.statistics


def test_properties_that_are_not_shown_are_counted_and_hold_the_vm(tmp_path: Path) -> None:
    with bench(tmp_path, [vm_row(1, 1), vm_row(2, 1)]) as on:
        on.server.control.deny("vm2", "disabledMethod")
        on.server.control.deny("esx1", "capability.maxHostRunningVms")
        read = on.read()
    assert read.source.denied_objects == 1  # the host has no such value
    assert read.vm_by_id[VmId("vm-1")].blockers == ()
    assert read.vm_by_id[VmId("vm-2")].blockers == (Blocker.INACCESSIBLE,)

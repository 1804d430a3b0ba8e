"""Statistics of the past over the wire: a day and a week of use, within the server's limit on a query."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from balancer.adapters.vsphere.past_blocks import ACTIVE, CPU
from tests.contract.test_statistics_wire import bench
from tests.support.wire import vm_row

pytestmark = pytest.mark.wire


def test_a_vcenter_at_level_1_tells_what_was_used_over_a_week(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "balancer.adapters.vsphere.past_demand")
    with bench(tmp_path, [vm_row(n, 1, cpu_usage_mhz=100 * n) for n in range(1, 4)]) as on:
        on.server.control.set_statistics(past=True, most_metrics=2)
        read = on.read()
        on.heard.requests.clear()
        blocks = list(on.vcenter.past_demand.read(read.vms, read.taken_at))
        assert on.queries() == 4  # two VMs, as the limit says, and one; of each of two periods
    assert [(block.step_s, len(block.members)) for block in blocks] == [
        (300.0, 2),
        (300.0, 1),
        (1800.0, 2),
        (1800.0, 1),
    ]
    busiest = read.vms[2]
    assert blocks[0].members[0].identity == busiest.uuid
    day, week = blocks[0].figures[CPU], blocks[2].figures[CPU]
    assert set(day[:, 0][np.isfinite(day[:, 0])].tolist()) == {300.0}
    assert np.count_nonzero(np.isfinite(day[:, 0])) in (287, 288)
    assert np.count_nonzero(np.isfinite(week[:, 0])) >= 6 * 48
    assert read.taken_at - blocks[2].starts_at >= timedelta(days=7) - timedelta(minutes=30)
    assert not any(np.isfinite(block.figures[ACTIVE]).any() for block in blocks)
    ours = [each.message for each in caplog.records if each.name.endswith("past_demand")]
    assert ours == ["past demand read"]


def test_a_vcenter_that_keeps_nothing_or_refuses_everything_costs_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "balancer.adapters.vsphere.past_demand")
    with bench(tmp_path, [vm_row(1, 1, cpu_usage_mhz=100)]) as on:
        read = on.read()
        assert list(on.vcenter.past_demand.read(read.vms, read.taken_at)) == []
        on.server.control.set_statistics(past=True, denied=True)
        assert list(on.vcenter.past_demand.read(read.vms, read.taken_at)) == []
    (nothing, refused) = caplog.records
    assert nothing.message == "past demand read"
    assert (refused.levelname, vars(refused)["cause"]) == ("WARNING", "no_permission")
    assert "Read-only" in vars(refused)["mend"]

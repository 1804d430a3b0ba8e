"""When a cluster calls for balance or relief, and which VMs are held for want of figures."""

import pytest

from balancer.assess.need import assess
from balancer.model.host import HostState
from balancer.model.need import Holds, Need
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import VmId
from balancer.policy.types import Policy
from tests.support.builders import host, snapshot, vm


def need_of(snap: Snapshot, holds: Holds | None = None) -> Need:
    return assess(snap, Policy(), holds or Holds())


def cluster(*cpu_mhz: float) -> Snapshot:
    """Return one host with one VM of that demand for each figure; hosts have 20,000 MHz."""
    numbers = range(1, len(cpu_mhz) + 1)
    vms = [vm(n, on=n, cpu_demand_mhz=mhz) for n, mhz in zip(numbers, cpu_mhz, strict=True)]
    return snapshot([host(n) for n in numbers], vms)


def test_an_even_cluster_wants_nothing() -> None:
    need = need_of(cluster(8000, 8000, 8000))
    assert (need.imbalance, need.wants_balance, need.wants_relief) == (0.0, False, False)


@pytest.mark.parametrize(
    ("high", "wants"), [(8400, False), (12000, True)], ids=["within the band", "above the trigger"]
)
def test_balance_is_wanted_above_the_trigger_only(high: float, wants: bool) -> None:
    assert need_of(cluster(high, 8000)).wants_balance is wants


def test_relief_is_wanted_when_one_host_is_above_a_threshold() -> None:
    assert need_of(cluster(17_100, 1000)).wants_relief
    assert not need_of(cluster(16_900, 1000)).wants_relief


def test_hosts_that_do_not_serve_are_not_measured() -> None:
    hosts = [host(1), host(2), host(3, state=HostState.ENTERING_MAINTENANCE)]
    need = need_of(snapshot(hosts, [vm(n, on=n) for n in (1, 2)]))
    assert not need.wants_balance


def test_vms_without_a_cpu_figure_are_held_with_the_reason() -> None:
    snap = snapshot([host(1)], [vm(1, on=1, cpu_demand_mhz=None), vm(2, on=1)])
    held = need_of(snap).holds.vms
    assert {vm_id: refusal.reason for vm_id, refusal in held.items()} == {
        "vm-1": Reason.NO_DEMAND_DATA
    }


def test_holds_that_were_there_keep_their_reason() -> None:
    snap = snapshot([host(1)], [vm(1, on=1, cpu_demand_mhz=None)])
    moved = Refusal.of(Reason.RECENTLY_MOVED, vm="vm-1")
    assert need_of(snap, Holds(vms={VmId("vm-1"): moved})).holds.vms == {"vm-1": moved}


@pytest.mark.parametrize(
    "snap",
    [
        snapshot([], []),
        snapshot([host(1)], []),
        snapshot([host(1, state=HostState.MAINTENANCE)], [vm(1, on=1)]),
        cluster(0.0, 0.0),
    ],
    ids=["no hosts", "no VMs", "nobody serves", "no demand"],
)
def test_degenerate_clusters_want_nothing(snap: Snapshot) -> None:
    need = need_of(snap)
    assert (need.imbalance, need.wants_balance, need.wants_relief) == (0.0, False, False)

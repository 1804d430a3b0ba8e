"""A cycle's memory: what a snapshot is made to show of the demand to come."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from balancer.assess.need import assess
from balancer.collect.history import DemandHistory
from balancer.foresight import RememberedDemand
from balancer.model.need import Holds
from balancer.model.reasons import Reason
from balancer.model.snapshot import Snapshot
from balancer.model.units import VmId
from balancer.model.vm import DemandBasis, PowerState, Vm
from balancer.policy.types import DemandReading, ForecastKind, Policy
from tests.support.builders import NOON, host, snapshot, vm


def at(step: int, mhz: float) -> Snapshot:
    """Return a cluster of one VM, `step` steps of five minutes after noon."""
    taken_at = NOON + timedelta(minutes=5 * step)
    return snapshot([host(1)], [vm(1, on=1, uuid="a", cpu_demand_mhz=mhz)], taken_at=taken_at)


def policy(kind: ForecastKind) -> Policy:
    return Policy(demand=DemandReading(forecast=kind))


def seen_last(kind: ForecastKind, *mhz: float) -> Vm:
    """Return the VM as it is shown after its last figure, the newest of those that were taken."""
    history = DemandHistory(steps=9)
    for step, figure in enumerate(mhz[:-1]):
        history.take(at(step, figure))
    return RememberedDemand(history).seen(at(len(mhz) - 1, mhz[-1]), policy(kind)).vms[0]


def test_the_newest_sample_is_planned_for_where_the_policy_says_so() -> None:
    assert seen_last(ForecastKind.SAMPLE, 100.0, 200.0, 600.0) == at(2, 600.0).vms[0]


def test_a_level_is_the_mean_of_the_window_with_its_deviation() -> None:
    seen = seen_last(ForecastKind.LEVEL, 9e3, 100.0, 200.0, 600.0)
    assert (seen.cpu_demand_mhz, seen.profile) == (300.0, None)
    assert np.isclose(seen.cpu_demand_stddev_mhz or 0.0, np.std([100, 200, 600], ddof=1))


def test_a_profile_tells_the_length_of_its_slots() -> None:
    seen = RememberedDemand(DemandHistory(steps=9)).seen(at(0, 100.0), policy(ForecastKind.PROFILE))
    assert seen.profile_slot_seconds == 900.0
    assert replace(seen, vms=(), hosts=(), recent_step_seconds=None) == replace(
        at(0, 1.0), vms=(), hosts=(), profile_slot_seconds=900.0
    )


def memory_of(*mhz: float) -> DemandHistory:
    """Return a history in which vm-1 wanted so much, the newest figure last."""
    history = DemandHistory(steps=99)
    for step, figure in enumerate(mhz):
        history.take(at(step, figure))
    return history


@pytest.mark.parametrize("kind", ForecastKind)
def test_a_vm_without_a_figure_counts_with_what_it_seldom_exceeded_and_stays(
    kind: ForecastKind,
) -> None:
    silent = vm(1, on=1, uuid="a", cpu_demand_mhz=None)
    later = snapshot([host(1)], [silent], taken_at=NOON + timedelta(minutes=55))
    seen = RememberedDemand(memory_of(*[100.0 * n for n in range(1, 12)])).seen(later, policy(kind))
    assert seen.vms[0].cpu_demand_mhz == pytest.approx(1000.0, rel=0.03)
    assert seen.vms[0].demand_basis is DemandBasis.ASSUMED
    need = assess(seen, policy(kind), Holds())
    assert need.demand[VmId("vm-1")].is_measured is False
    assert need.holds.vms[VmId("vm-1")].reason is Reason.NO_DEMAND_DATA


def test_a_vm_of_which_nothing_is_known_stays_as_the_snapshot_says() -> None:
    silent, new = vm(1, on=1, cpu_demand_mhz=None), vm(2, on=1, cpu_demand_mhz=700.0)
    off = vm(3, on=1, power=PowerState.OFF)
    snap = snapshot([host(1)], [silent, new, off])
    seen = RememberedDemand(DemandHistory(steps=9)).seen(snap, policy(ForecastKind.LEVEL))
    assert [one.cpu_demand_mhz for one in seen.vms] == [None, 700.0, off.cpu_demand_mhz]
    assert seen.vms[0] is silent


def test_a_starved_vm_is_remembered_with_what_it_wants() -> None:
    starved = vm(1, on=1, cpu_demand_mhz=None, cpu_usage_mhz=1000.0, cpu_ready_percent=20.0)
    seen = RememberedDemand(DemandHistory(steps=9)).seen(
        snapshot([host(1, cpu_cores=10)], [starved]), policy(ForecastKind.LEVEL)
    )
    assert seen.vms[0].cpu_demand_mhz == pytest.approx(1800.0)


def test_active_memory_is_expected_where_it_was_measured() -> None:
    """What stands in for active memory that is not measured is larger than what is remembered of it."""
    foresight = RememberedDemand(DemandHistory(steps=9))
    for minute, mib in ((0, 1000.0), (5, 2000.0), (10, None)):
        one = vm(1, on=1, memory_active_mib=mib)
        taken_at = NOON + timedelta(minutes=minute)
        seen = foresight.seen(
            snapshot([host(1)], [one], taken_at=taken_at), policy(ForecastKind.LEVEL)
        )
        if minute == 5:
            assert seen.vms[0].memory_active_mib == 1500.0
    assert seen.vms[0].memory_active_mib is None

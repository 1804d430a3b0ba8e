"""A cycle's memory: what a snapshot is made to show of the demand to come."""

from dataclasses import replace
from datetime import timedelta

import numpy as np

from balancer.collect.history import DemandHistory
from balancer.foresight import RememberedDemand
from balancer.model.snapshot import Snapshot
from balancer.model.vm import Vm
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
    same = {"vms": (), "hosts": (), "recent_step_seconds": 300.0}
    assert replace(seen, **same) == replace(at(0, 1.0), **same, profile_slot_seconds=900.0)

"""What a cycle makes of a snapshot before it plans: it is remembered, and shows what is expected.

Composes the history of `collect` and the forecast of `assess` for one cluster. A VM of which nothing is
remembered keeps what the snapshot says.
"""

from dataclasses import replace
from typing import Protocol

import numpy as np

from balancer.assess.forecast import Forecast
from balancer.assess.forecaster import Forecaster
from balancer.collect.history import DemandHistory
from balancer.model.changed import changed
from balancer.model.history import identity_of
from balancer.model.snapshot import Snapshot
from balancer.model.vm import Profile, Vm
from balancer.policy.types import ForecastKind, Policy


class Foresight(Protocol):
    """What a cycle asks of the memory of its cluster."""

    def seen(self, snapshot: Snapshot, policy: Policy) -> Snapshot:
        """Remember a snapshot, and return it with the demand that is expected of its running VMs."""


class NoForesight:
    """Only the last sample counts."""

    def seen(self, snapshot: Snapshot, policy: Policy) -> Snapshot:
        """Return the snapshot as it is."""
        del policy
        return snapshot


class RememberedDemand:
    """`Foresight` from a history in memory."""

    def __init__(self, history: DemandHistory) -> None:
        self._history = history
        self._forecaster = Forecaster(history)

    def seen(self, snapshot: Snapshot, policy: Policy) -> Snapshot:
        """Remember a snapshot, and return it with what the policy's `demand` asks for."""
        self._history.take(snapshot)
        if policy.demand.forecast is ForecastKind.SAMPLE:
            return snapshot
        return with_forecast(snapshot, self._forecaster.forecast(policy.demand))


def with_forecast(snapshot: Snapshot, forecast: Forecast) -> Snapshot:
    """Return the snapshot with the forecast in place of the point figures of its running VMs."""
    column = {key: at for at, key in enumerate(forecast.vms)}
    vms = tuple(_expected(vm, forecast, column.get(identity_of(vm))) for vm in snapshot.vms)
    slot_s = forecast.slot_s if len(forecast.cpu_slots_mhz) else snapshot.profile_slot_seconds
    return replace(snapshot, vms=vms, profile_slot_seconds=slot_s)


def _expected(vm: Vm, forecast: Forecast, column: int | None) -> Vm:
    if column is None or not vm.is_running or np.isnan(forecast.cpu_mhz[column]):
        return vm
    profile = vm.profile
    if len(forecast.cpu_slots_mhz):
        profile = Profile(
            cpu_demand_mhz=tuple(forecast.cpu_slots_mhz[:, column].tolist()),
        )
    return changed(
        vm,
        cpu_demand_mhz=float(forecast.cpu_mhz[column]),
        cpu_demand_stddev_mhz=float(forecast.cpu_stddev_mhz[column]),
        profile=profile,
    )

"""What a cycle makes of a snapshot before it plans: it is remembered, and shows what is expected.

Composes the history of `collect` and the forecast of `assess` for one cluster. A VM of which nothing is
remembered keeps what the snapshot says.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from balancer.assess.demand import has_cpu_figure
from balancer.assess.demand_wanted import as_wanted
from balancer.assess.forecast import Forecast
from balancer.assess.forecaster import Forecaster
from balancer.collect.history import STEP_S, DemandHistory
from balancer.collect.recent import with_recent
from balancer.model.drafts import all_changed, changed
from balancer.model.events import ForecastError
from balancer.model.history import identity_of
from balancer.model.snapshot import Snapshot
from balancer.model.units import VmId
from balancer.model.vm import DemandBasis, Profile, Vm
from balancer.policy.types import ForecastKind, Policy


class Foresight(Protocol):
    """What a cycle asks of the memory of its cluster."""

    def seen(self, snapshot: Snapshot, policy: Policy) -> Snapshot:
        """Remember a snapshot, and return it with the demand that is expected of its running VMs."""

    @property
    def errors(self) -> tuple[ForecastError, ...]:
        """How wrong earlier forecasts were, as the newest snapshot showed."""


class NoForesight:
    """Only the last sample counts."""

    errors: tuple[ForecastError, ...] = ()

    def seen(self, snapshot: Snapshot, policy: Policy) -> Snapshot:
        """Return the snapshot as it is."""
        del policy
        return snapshot


class RememberedDemand:
    """`Foresight` from a history in memory."""

    def __init__(self, history: DemandHistory) -> None:
        self._history = history
        self._forecaster = Forecaster(history)

    @property
    def errors(self) -> tuple[ForecastError, ...]:
        """How wrong earlier forecasts were, as the newest snapshot showed."""
        return self._forecaster.errors

    def seen(self, snapshot: Snapshot, policy: Policy) -> Snapshot:
        """Remember a snapshot, and return it with what the policy's `demand` asks for.

        What is remembered is what VMs want, where their hosts do not give it. A VM without a figure counts
        with a high quantile of what it wanted of late, marked as assumed.
        """
        wanted = as_wanted(snapshot)
        self._history.take(wanted)
        recent = with_recent(wanted, self._history.view(recent_steps(policy)))
        forecast = self._forecaster.forecast(policy.demand)
        shown = self._with_assumed(recent)
        if policy.demand.forecast is ForecastKind.SAMPLE:
            return shown
        return with_forecast(shown, forecast)

    def _with_assumed(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with a cautious figure for each running VM that has none, but is remembered."""
        assumed: dict[VmId, Vm] = {}
        for vm in snapshot.running_vms:
            if vm.cpu_demand_mhz is None and not has_cpu_figure(vm):
                mhz = self._forecaster.cautious_mhz(identity_of(vm))
                if mhz is not None:
                    basis = DemandBasis.ASSUMED
                    assumed[vm.id] = changed(vm, cpu_demand_mhz=mhz, demand_basis=basis)
        if not assumed:
            return snapshot
        return replace(snapshot, vms=tuple(assumed.get(vm.id, vm) for vm in snapshot.vms))


def with_forecast(snapshot: Snapshot, forecast: Forecast) -> Snapshot:
    """Return the snapshot with what is expected of the running VMs that have a figure now.

    Active memory is expected only where it was measured: what stands in for it otherwise is the larger.
    """
    column = {key: at for at, key in enumerate(forecast.vms)}
    known = np.isfinite(forecast.cpu_mhz).tolist()
    looked_up = ((vm, column.get(identity_of(vm))) for vm in snapshot.running_vms)
    places = [
        (vm, at) for vm, at in looked_up if at is not None and known[at] and has_cpu_figure(vm)
    ]
    vms = [vm for vm, _ in places]
    shown = all_changed(vms, _columns(vms, np.array([at for _, at in places], int), forecast))
    expected = {vm.id: vm for vm in shown}
    slot_s = forecast.slot_s if len(forecast.cpu_slots_mhz) else snapshot.profile_slot_seconds
    return replace(
        snapshot,
        vms=tuple(expected.get(vm.id, vm) for vm in snapshot.vms),
        profile_slot_seconds=slot_s,
    )


def _columns(
    vms: Sequence[Vm], at: npt.NDArray[np.intp], forecast: Forecast
) -> dict[str, Sequence[Any]]:
    """Return the values of the fields that a forecast sets, in the order of the VMs."""
    memory = np.nan_to_num(forecast.memory_mib[at], nan=-1.0).tolist()
    columns: dict[str, Sequence[Any]] = {
        "cpu_demand_mhz": forecast.cpu_mhz[at].tolist(),
        "cpu_demand_stddev_mhz": forecast.cpu_stddev_mhz[at].tolist(),
        "demand_basis": [DemandBasis.EXPECTED] * len(vms),
        "memory_active_mib": [
            mib if vm.memory_active_mib is not None and mib >= 0.0 else vm.memory_active_mib
            for vm, mib in zip(vms, memory, strict=True)
        ],
    }
    if len(forecast.cpu_slots_mhz):
        slots = forecast.cpu_slots_mhz[:, at].T.tolist()
        columns["profile"] = [Profile(cpu_demand_mhz=tuple(course)) for course in slots]
    return columns


def recent_steps(policy: Policy) -> int:
    """Return how many steps of history a policy's `trigger` asks for, at least 1."""
    asked_s = max(policy.trigger.contention_sustained_s, policy.trigger.balance_sustained_s)
    return max(ceil(asked_s / STEP_S - 1e-9), 1)

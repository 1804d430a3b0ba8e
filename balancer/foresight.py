"""What a cycle makes of a snapshot before it plans: it is remembered, and shows what is expected.

Composes the history of `collect` and the forecast of `assess` for one cluster. A VM of which nothing is
remembered keeps what the snapshot says.
"""

from dataclasses import replace
from math import ceil
from typing import Protocol

import numpy as np

from balancer.assess.forecast import Forecast
from balancer.assess.forecaster import Forecaster
from balancer.collect.history import STEP_S, DemandHistory
from balancer.model.changed import changed
from balancer.model.history import HistoryView, identity_of
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
        snapshot = with_recent(snapshot, self._history.view(recent_steps(policy)), policy)
        if policy.demand.forecast is ForecastKind.SAMPLE:
            return snapshot
        return with_forecast(snapshot, self._forecaster.forecast(policy.demand))


def with_forecast(snapshot: Snapshot, forecast: Forecast) -> Snapshot:
    """Return the snapshot with the forecast in place of the point figures of its running VMs."""
    column = {key: at for at, key in enumerate(forecast.vms)}
    vms = tuple(_expected(vm, forecast, column.get(identity_of(vm))) for vm in snapshot.vms)
    slot_s = forecast.slot_s if len(forecast.cpu_slots_mhz) else snapshot.profile_slot_seconds
    return replace(snapshot, vms=vms, profile_slot_seconds=slot_s)


def recent_steps(policy: Policy) -> int:
    """Return how many steps of history a policy's `trigger` asks for, at least 1."""
    asked_s = max(policy.trigger.contention_sustained_s, policy.trigger.balance_sustained_s)
    return max(ceil(asked_s / STEP_S - 1e-9), 1)


def with_recent(snapshot: Snapshot, view: HistoryView, policy: Policy) -> Snapshot:
    """Return the snapshot with what the VMs on each host wanted over the time that the policy's `trigger` asks for.

    A VM of which a step is not known counts with what it wants now. Steps before anything was known are left out.
    """
    steps = min(recent_steps(policy), len(view.cpu_mhz))
    column = {key: at for at, key in enumerate(view.vms)}
    vms = [vm for vm in snapshot.running_vms if identity_of(vm) in column]
    place = {host.id: at for at, host in enumerate(snapshot.hosts)}
    loads = np.zeros((2, steps, len(place)))
    columns = [column[identity_of(vm)] for vm in vms]
    first = len(view.cpu_mhz) - steps
    now = (
        [vm.cpu_usage_mhz if vm.cpu_demand_mhz is None else vm.cpu_demand_mhz for vm in vms],
        [vm.memory_active_mib for vm in vms],
    )
    late = view.cpu_mhz[first:, columns], view.memory_mib[first:, columns]
    known = np.flatnonzero(np.isfinite(late[0]).any(axis=1))
    for load, figures, present in zip(loads, late, now, strict=True):
        filled = np.where(np.isfinite(figures), figures, [one or 0.0 for one in present])
        np.add.at(load.T, [place[vm.host] for vm in vms], filled.T)
    kept = loads[:, known[0] if len(known) else steps :]
    hosts = tuple(
        changed(
            host,
            recent_cpu_mhz=tuple(kept[0, :, at].tolist()),
            recent_memory_mib=tuple(kept[1, :, at].tolist()),
        )
        for at, host in enumerate(snapshot.hosts)
    )
    return replace(snapshot, hosts=hosts, recent_step_seconds=view.step_s)


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

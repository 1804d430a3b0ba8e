"""Which EVC modes a cluster could be set to, and what stands in the way of each. Pure.

Owns the question "what if the cluster's mode were M": hosts whose processors cannot offer M or that are out
of reach, and VMs that are not powered off and need more than M. Which mode runs which is computed from what
the server lists.

Source: vSphere API, `EVCMode`; vSphere documentation, "EVC Requirements for Hosts" and "Enable EVC on an
Existing Cluster": VMs that use more than the mode must be powered off or moved out first, and no host may be
disconnected.
"""

from collections.abc import Iterable
from typing import TypeVar

from balancer.model.evc import EvcMode, EvcOrder
from balancer.model.evc_report import EvcReport, ModeAnswer, ModeState
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.model.vm import PowerState, Vm

Id = TypeVar("Id", HostId, VmId)


def report_evc(snapshot: Snapshot) -> EvcReport:
    """Answer for every mode that the server lists for the processors of this cluster."""
    order = EvcOrder(snapshot.cluster.evc_modes)
    answers = tuple(_answer(snapshot, order, mode) for mode in _modes_of(snapshot))
    return EvcReport(current=snapshot.cluster.evc_mode, modes=answers)


def required_mode(vm: Vm) -> str | None:
    """Return what a VM asks of a host: its own mode where it has one, else its minimum; None if unknown."""
    return vm.evc_mode or vm.min_evc_mode


def _modes_of(snapshot: Snapshot) -> list[EvcMode]:
    vendors = {host.cpu_vendor for host in snapshot.hosts if host.cpu_vendor}
    modes = snapshot.cluster.evc_modes
    chosen = [mode for mode in modes if not vendors or mode.vendor in vendors]
    return sorted(chosen, key=lambda mode: (mode.vendor, mode.tier, mode.key))


def _answer(snapshot: Snapshot, order: EvcOrder, mode: EvcMode) -> ModeAnswer:
    offered = {
        host.id: host.state.answers and _runs(order, host.max_evc_mode, mode.key)
        for host in snapshot.hosts
    }
    needed = {
        vm.id: _runs(order, mode.key, required_mode(vm))
        for vm in snapshot.vms
        if vm.power is not PowerState.OFF
    }
    hosts, unknown_hosts = _named(offered.items(), False), _named(offered.items(), None)
    vms, unknown_vms = _named(needed.items(), False), _named(needed.items(), None)
    is_current = mode.key == snapshot.cluster.evc_mode
    return ModeAnswer(
        mode=mode,
        state=_state(is_current, bool(hosts or vms), bool(unknown_hosts or unknown_vms)),
        hosts=hosts,
        vms=vms,
        unknown_hosts=unknown_hosts,
        unknown_vms=unknown_vms,
    )


def _state(is_current: bool, is_blocked: bool, is_unknown: bool) -> ModeState:
    if is_current:
        return ModeState.CURRENT
    if is_blocked:
        return ModeState.BLOCKED
    return ModeState.UNDECIDED if is_unknown else ModeState.POSSIBLE


def _runs(order: EvcOrder, have: str | None, need: str | None) -> bool | None:
    return None if have is None or need is None else order.can_run(have, need)


def _named(answers: Iterable[tuple[Id, bool | None]], wanted: bool | None) -> tuple[Id, ...]:
    return tuple(key for key, answer in answers if answer is wanted)

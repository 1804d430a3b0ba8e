"""How the simulated vCenter looks to a client: snapshots, whole or in part, with quickStats of now.

Reads the estate and the demand model and changes neither.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from balancer.adapters.simulated.demand import CORE_MHZ, Demands, Wants
from balancer.adapters.simulated.estate import Estate
from balancer.adapters.simulated.migrations import Board
from balancer.model.drafts import all_changed, changed
from balancer.model.host import Host
from balancer.model.snapshot import InFlight, Snapshot
from balancer.model.units import ClusterId, HostId, Mhz, Mib, Ratio, Seconds, VmId
from balancer.model.vm import PowerState, Vm

STATS_TICK_S = 20.0
"""quickStats stand still between two such ticks. Source: ESXi samples every 20 s."""

_MEASURED = (
    "cpu_demand_mhz",
    "cpu_usage_mhz",
    "cpu_ready_percent",
    "memory_active_mib",
    "memory_consumed_mib",
)
_UNMEASURED: Mapping[str, None] = MappingProxyType(
    {"cpu_demand_mhz": None, "cpu_usage_mhz": None, "memory_active_mib": None}
)


class View:
    """The estate as it shows at one moment. Made anew for each call."""

    def __init__(
        self,
        estate: Estate,
        board: Board,
        demand: Demands,
        *,
        now_s: Seconds,
        start: datetime,
    ) -> None:
        self._start = start
        self._estate = estate
        self._board = board
        self._demand = demand
        self._tick_s = now_s // STATS_TICK_S * STATS_TICK_S
        self._wants: dict[VmId, Wants] = {}
        self._loads: dict[HostId, _Load] = {}

    def snapshot(self, cluster: ClusterId, taken_at: datetime) -> Snapshot:
        """Return one cluster whole."""
        base = self._estate.snapshots[cluster]
        hosts = [host.id for host in base.hosts if self._estate.is_there(host.id)]
        vms = sorted(vm for host in hosts for vm in self._estate.residents[host])
        return replace(
            base,
            taken_at=taken_at,
            hosts=tuple(self.host(host) for host in hosts),
            vms=self._vms(vms),
            in_flight=self.in_flight(cluster),
        )

    def refreshed(
        self, base: Snapshot, taken_at: datetime, *, vms: Iterable[VmId], hosts: Iterable[HostId]
    ) -> Snapshot:
        """Return `base` with the named VMs and hosts, and the VMs found there, as they are now."""
        estate = self._estate
        named_hosts = set(hosts)
        found = {vm for host in named_hosts & estate.hosts.keys() for vm in estate.residents[host]}
        stale = set(vms) | found
        fresh = self._vms(sorted(stale & estate.vms.keys()))
        kept = [vm for vm in base.vms if vm.id not in stale]
        return replace(
            base,
            taken_at=taken_at,
            hosts=tuple(self.host(h.id) if h.id in named_hosts else h for h in base.hosts),
            vms=(*kept, *(vm for vm in fresh if vm.host in base.host_by_id)),
            cluster=estate.snapshots[base.cluster.id].cluster,
            rules=estate.snapshots[base.cluster.id].rules,
            in_flight=self.in_flight(base.cluster.id),
        )

    def vm(self, vm: VmId) -> Vm:
        """Return one VM as it is now."""
        return self._vms([vm])[0]

    def _vms(self, vms: Sequence[VmId]) -> tuple[Vm, ...]:
        """Return VMs as they are now; without statistics while they are off."""
        estate, is_on = self._estate, PowerState.ON
        on = [vm for vm in vms if estate.power_of[vm] is is_on]
        facts = [estate.vms[vm] for vm in on]
        figures = [self._measured(vm) for vm in facts]
        columns: dict[str, Sequence[object]] = {
            "host": [estate.host_of[vm] for vm in on],
            "power": [is_on] * len(on),
            "last_moved_at": [estate.moved_at[vm] for vm in on],
        }
        columns |= dict(zip(_MEASURED, zip(*figures, strict=True), strict=False))
        running = dict(zip(on, all_changed(facts, columns), strict=True))
        return tuple(running[vm] if vm in running else self._at_rest(vm) for vm in vms)

    def _at_rest(self, vm: VmId) -> Vm:
        estate, power = self._estate, self._estate.power_of[vm]
        facts, host, moved_at = estate.vms[vm], estate.host_of[vm], estate.moved_at[vm]
        known, shown = estate.shown_at_rest.get(vm, (None, facts))
        is_same = known is facts and shown.host == host
        if not (is_same and shown.power is power and shown.last_moved_at == moved_at):
            shown = changed(facts, host=host, power=power, last_moved_at=moved_at, **_UNMEASURED)
            estate.shown_at_rest[vm] = facts, shown
        return shown

    def _measured(self, vm: Vm) -> tuple[float | None, ...]:
        """Return the figures of a running VM, in the order of `_MEASURED`."""
        served = self._load_of(self._estate.host_of[vm.id]).served
        cpu_mhz, active_mib, consumed_mib = self._wants[vm.id]
        held_mib = vm.memory_consumed_mib if consumed_mib is None else consumed_mib
        if served == 1.0:
            return cpu_mhz, round(cpu_mhz, 1), 0.0, active_mib, held_mib
        usage_mhz = cpu_mhz * served
        missed = (cpu_mhz - usage_mhz) / (vm.vcpus * CORE_MHZ)
        return cpu_mhz, round(usage_mhz, 1), round(100.0 * missed, 2), active_mib, held_mib

    def host(self, host: HostId) -> Host:
        """Return one host as it is now."""
        estate, facts, load = self._estate, self._estate.hosts[host], self._load_of(host)
        return changed(
            facts,
            state=estate.state_of[host],
            cpu_usage_mhz=round(load.wanted_mhz * load.served + facts.cpu_overhead_mhz),
            memory_usage_mib=round(load.held_mib + facts.memory_overhead_mib),
        )

    def in_flight(self, cluster: ClusterId) -> tuple[InFlight, ...]:
        """Return the queued and running migrations of a cluster, oldest first."""
        hosts = self._estate.cluster_of
        return tuple(
            InFlight(
                vm=m.vm.id,
                source=m.source.id,
                target=m.target.id,
                queued_at=self._start + timedelta(seconds=m.queued_s),
                task=m.task,
                is_ours=not m.is_foreign,
            )
            for m in self._board.open
            if hosts[m.source.id] == cluster
        )

    def _load_of(self, host: HostId) -> "_Load":
        """Return what the VMs of a host want and hold; from then on the wants of each are known, too."""
        known = self._loads.get(host)
        if known is None:
            vms = self._estate.running_on(host)
            wants = self._demand.all_at(vms, self._tick_s)
            self._wants.update(zip((vm.id for vm in vms), wants, strict=True))
            known = self._loads[host] = _Load.of(self._estate.hosts[host], vms, wants)
        return known


class _Load(NamedTuple):
    """The CPU that the running VMs of a host want, the share of it that they get, and the memory that they hold."""

    wanted_mhz: Mhz
    served: Ratio
    held_mib: Mib

    @classmethod
    def of(cls, host: Host, vms: Sequence[Vm], wants: Sequence[Wants]) -> "_Load":
        wanted_mhz, usable_mhz = sum(each.cpu_mhz for each in wants), host.usable_cpu_mhz
        held_mib = (
            vm.footprint_mib if each.consumed_mib is None else each.consumed_mib
            for vm, each in zip(vms, wants, strict=True)
        )
        served = 1.0 if wanted_mhz <= usable_mhz else usable_mhz / wanted_mhz
        return cls(wanted_mhz=wanted_mhz, served=served, held_mib=sum(held_mib))

"""What changes inside the simulated vCenter: where VMs are, power, host states. Mutable bookkeeping.

The facts of hosts and VMs stay as they were generated; `view.py` puts the two together.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from balancer.model.host import Host, HostState
from balancer.model.snapshot import Snapshot
from balancer.model.units import ClusterId, HostId, VmId
from balancer.model.vm import PowerState, Vm


class Estate:
    """All hosts and VMs of all clusters.

    Raises:
        ValueError: two snapshots share an id of a cluster, host or VM.
    """

    def __init__(self, snapshots: Iterable[Snapshot]) -> None:
        self.snapshots: dict[ClusterId, Snapshot] = {}
        self.hosts: dict[HostId, Host] = {}
        self.vms: dict[VmId, Vm] = {}
        self.cluster_of: dict[HostId, ClusterId] = {}
        self.state_of: dict[HostId, HostState] = {}
        self.host_of: dict[VmId, HostId] = {}
        self.power_of: dict[VmId, PowerState] = {}
        self.moved_at: dict[VmId, datetime | None] = {}
        self.residents: dict[HostId, set[VmId]] = {}
        self.away: frozenset[HostId] = frozenset()
        """Hosts that are not in the inventory, or leave it as soon as they are in maintenance."""
        self.shown_at_rest: dict[VmId, tuple[Vm, Vm]] = {}
        """The facts of VMs that are off, and how these were shown last: nothing of them changes by itself."""
        for snapshot in snapshots:
            self._add(snapshot)

    def _add(self, snapshot: Snapshot) -> None:
        cluster = snapshot.cluster.id
        shared = self.hosts.keys() & snapshot.host_by_id or self.vms.keys() & snapshot.vm_by_id
        if cluster in self.snapshots or shared:
            raise ValueError(f"cluster {cluster} shares ids with another one")
        self.snapshots[cluster] = snapshot
        for host in snapshot.hosts:
            self.hosts[host.id], self.state_of[host.id] = host, host.state
            self.cluster_of[host.id], self.residents[host.id] = cluster, set()
        for vm in snapshot.vms:
            self.vms[vm.id], self.host_of[vm.id], self.power_of[vm.id] = vm, vm.host, vm.power
            self.moved_at[vm.id] = vm.last_moved_at
            self.residents[vm.host].add(vm.id)

    def is_there(self, host: HostId) -> bool:
        """Whether a host shows in the inventory."""
        return host not in self.away or not self.state_of[host].is_idle

    def is_running(self, vm: VmId) -> bool:
        """Whether the VM is powered on."""
        return self.power_of[vm] is PowerState.ON

    def running_on(self, host: HostId) -> list[Vm]:
        """Return the powered-on VMs of a host, by id."""
        power_of, on = self.power_of, PowerState.ON
        return [self.vms[vm] for vm in sorted(self.residents[host]) if power_of[vm] is on]

    def move(self, vm: VmId, target: HostId, at: datetime) -> None:
        """Put a VM on another host."""
        self.residents[self.host_of[vm]].discard(vm)
        self.residents[target].add(vm)
        self.host_of[vm] = target
        self.moved_at[vm] = at

    def start(self, vm: VmId, host: HostId) -> None:
        """Power a VM on, on whatever host: that is no migration, and `moved_at` stays as it was."""
        self.residents[self.host_of[vm]].discard(vm)
        self.residents[host].add(vm)
        self.host_of[vm], self.power_of[vm] = host, PowerState.ON

    def remove(self, vm: VmId) -> None:
        """Delete a VM; it leaves its rules too."""
        cluster = self.cluster_of[self.host_of[vm]]
        base = self.snapshots[cluster]
        rules = tuple(
            replace(rule, vms=tuple(member for member in rule.vms if member != vm))
            for rule in base.rules
        )
        self.snapshots[cluster] = replace(base, rules=rules)
        self.residents[self.host_of.pop(vm)].discard(vm)
        del self.vms[vm], self.power_of[vm], self.moved_at[vm]
        self.shown_at_rest.pop(vm, None)

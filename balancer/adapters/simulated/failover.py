"""What HA of the simulated vCenter does when a host fails: its VMs go down, and are started where they can be.

A simple model of it, documented in docs/operate/recording.md. VMs are tried `RESTART_S` after the failure, those
bound by must-rules first, then the largest; each goes to the host with the most free memory that takes it, hosts
that are kept for HA before all others. What finds no host is tried again every `RETRY_S`, and is started on its
own host when that is back. Nothing is drawn by chance.

Source of what HA looks at: VMware, "vSphere Availability", vSphere 8: "vSphere HA: Virtual Machine Restart",
"Admission Control" (dedicated failover hosts are tried first), and the advanced option
`das.respectvmvmantiaffinityrules` (default true: a VM is rather left off than started beside one that it must be
apart from).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from balancer.adapters.simulated.admission import ServerFault, restart_fault
from balancer.adapters.simulated.estate import Estate
from balancer.adapters.simulated.migrations import Board
from balancer.model.host import Host
from balancer.model.units import HostId, Mib, Seconds, VmId
from balancer.model.vm import PowerState, Vm

RESTART_S: Seconds = 120.0
"""From the failure of a host to the moment at which its VMs run elsewhere. Assumed: HA declares a host dead some
15 to 20 s after its last heartbeat, and the guest boots in the rest."""

RETRY_S: Seconds = 300.0
"""VMs that found no host are tried again so often. Assumed: HA tries again when resources become free."""

HOST_FAULT = "HostNotConnected"
"""The fault of migrations whose source or target dies."""


@dataclass(slots=True, kw_only=True)
class Downtime:
    """A VM that went down with its host. `target` and `until_s` are None while it is down."""

    vm: Vm
    source: HostId
    since_s: Seconds
    ready_s: Seconds
    is_wanted: bool
    target: HostId | None = None
    until_s: Seconds | None = None
    was_started: bool = False


class Failover:
    """The hosts that have failed, and the VMs that went down with them. `held` is what a VM holds at a moment."""

    def __init__(self, estate: Estate, board: Board, held: Callable[[Vm, Seconds], Mib]) -> None:
        self._estate, self._board, self._held = estate, board, held
        self._restarts_of: dict[HostId, bool] = {}
        self._down: dict[VmId, Downtime] = {}
        self.all: list[Downtime] = []

    @property
    def is_waiting(self) -> bool:
        """Whether any VM is down."""
        return bool(self._down)

    def has_failed(self, host: HostId) -> bool:
        """Whether a host is down."""
        return host in self._restarts_of

    def fail(self, host: HostId, at_s: Seconds, *, restarts: bool) -> None:
        """Let a host die; its migrations must have ended. `restarts`: HA starts its VMs elsewhere."""
        estate = self._estate
        self._restarts_of[host] = restarts
        for vm in sorted(estate.residents[host] - self._down.keys()):
            down = Downtime(
                vm=estate.vms[vm],
                source=host,
                since_s=at_s,
                ready_s=at_s + RESTART_S,
                is_wanted=estate.is_running(vm),
            )
            if down.is_wanted:
                estate.power_of[vm] = PowerState.OFF
            self._down[vm] = down
            self.all.append(down)

    def bring_back(self, host: HostId, at_s: Seconds) -> None:
        """Let a host answer again; what is still down on it can be started there after it has booted."""
        del self._restarts_of[host]
        for down in self._down.values():
            if down.source == host:
                down.ready_s = at_s + RESTART_S

    def wish(self, vm: VmId, power: PowerState) -> bool:
        """Take note of how a VM that is down is to be from now on; False where it is not down."""
        down = self._down.get(vm)
        if down is not None:
            down.is_wanted = power is PowerState.ON
        return down is not None

    def forget(self, vm: VmId) -> None:
        """A VM is deleted."""
        self._down.pop(vm, None)

    def attempt(self, at_s: Seconds) -> None:
        """Start what is due and finds a host; what is to be off rests on its own host again once that is back."""
        due = [down for down in self._down.values() if down.ready_s <= at_s]
        for down in [down for down in due if not down.is_wanted]:
            if not self.has_failed(down.source):
                self._end(down, down.source, at_s)
        for down in sorted((down for down in due if down.is_wanted), key=self._order(at_s)):
            target = next(self._hosts_for(down, at_s), None)
            if target is not None:
                self._estate.start(down.vm.id, target)
                down.was_started = True
                self._end(down, target, at_s)

    def _end(self, down: Downtime, host: HostId, at_s: Seconds) -> None:
        down.target, down.until_s = host, at_s
        del self._down[down.vm.id]

    def _order(self, at_s: Seconds) -> Callable[[Downtime], tuple[bool, Mib, VmId]]:
        bound = {
            vm
            for snapshot in self._estate.snapshots.values()
            for rule in snapshot.active_rules()
            if rule.mandatory
            for vm in rule.vms
        }

        def order(down: Downtime) -> tuple[bool, Mib, VmId]:
            vm = down.vm.id
            return vm not in bound, -self._held(self._estate.vms[vm], at_s), vm

        return order

    def _hosts_for(self, down: Downtime, at_s: Seconds) -> Iterator[HostId]:
        """Yield the hosts that take a VM, the best one first."""
        estate, vm = self._estate, self._estate.vms[down.vm.id]
        snapshot = estate.snapshots[estate.cluster_of[down.source]]
        kept = snapshot.cluster.ha.failover_hosts
        free = {host.id: self._free_mib(host, at_s) for host in self._within_reach(down)}
        for host in sorted(free, key=lambda host: (host not in kept, -free[host], host)):
            fault = self._fault(vm, host, is_home=host == down.source)
            if fault is None and self._held(vm, at_s) <= free[host]:
                yield host

    def _within_reach(self, down: Downtime) -> Iterator[Host]:
        estate = self._estate
        goes_elsewhere = self._restarts_of.get(down.source, True)
        for host in estate.snapshots[estate.cluster_of[down.source]].hosts:
            is_home = host.id == down.source
            if estate.state_of[host.id].takes and (is_home or goes_elsewhere):
                yield estate.hosts[host.id]

    def _fault(self, vm: Vm, host: HostId, *, is_home: bool) -> ServerFault | None:
        return restart_fault(self._estate, self._board, vm.id, host, is_home=is_home)

    def _free_mib(self, host: Host, at_s: Seconds) -> Mib:
        coming = (migration.vm for migration in self._board.heading_to(host.id))
        vms = {vm.id: vm for vm in (*self._estate.running_on(host.id), *coming)}
        return host.usable_memory_mib - sum(self._held(vm, at_s) for vm in vms.values())

"""Where every VM is and is going: the ledger that judges look at. No law lives here, only bookkeeping."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from balancer.model.evc import EvcOrder
from balancer.model.need import Demand
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, Mhz, Mib, VmId
from balancer.model.vm import Vm
from balancer.policy.objective import HostArrays
from balancer.policy.types import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A move put before the judges. Mandatory ones serve an evacuation or a broken must-rule."""

    vm: VmId
    target: HostId
    is_mandatory: bool = False


class Ground:
    """What does not change while moves are judged: snapshot, policy, demand, and indexes over them."""

    def __init__(self, snapshot: Snapshot, policy: Policy, demand: Mapping[VmId, Demand]) -> None:
        self.snapshot = snapshot
        self.policy = policy
        self.demand = demand

    @cached_property
    def evc(self) -> EvcOrder:
        """Return the order of EVC modes as the server lists them."""
        return EvcOrder(self.snapshot.cluster.evc_modes)

    @cached_property
    def must_rules_of(self) -> Mapping[VmId, tuple[Rule, ...]]:
        """Return the enabled mandatory rules of each VM that has any."""
        found: defaultdict[VmId, list[Rule]] = defaultdict(list)
        for rule in self.snapshot.active_rules():
            if rule.mandatory:
                for vm in rule.vms:
                    found[vm].append(rule)
        return {vm: tuple(rules) for vm, rules in found.items()}

    def musts(self, vm: VmId, kind: RuleType) -> tuple[Rule, ...]:
        """Return the must-rules of one type that name `vm`."""
        return tuple(rule for rule in self.must_rules_of.get(vm, ()) if rule.type is kind)


class Placement:
    """Where each running VM is, and where those on their way are going. Mutable, used by one caller.

    A VM that is on its way counts on both hosts: its memory is held on both, and it may meet a VM that
    it must keep away from on either. Only running VMs count; the others hold no host memory.
    """

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.host_of: dict[VmId, HostId] = {}
        self.heading: dict[VmId, HostId] = {}
        self.present: dict[HostId, set[VmId]] = {h.id: set() for h in ground.snapshot.hosts}
        self.cpu_mhz: dict[HostId, Mhz] = dict.fromkeys(self.present, 0.0)
        self.footprint_mib: dict[HostId, Mib] = dict.fromkeys(self.present, 0.0)
        self.cpu_reserved_mhz: dict[HostId, Mhz] = dict.fromkeys(self.present, 0.0)
        self.memory_reserved_mib: dict[HostId, Mib] = dict.fromkeys(self.present, 0.0)
        for vm in ground.snapshot.running_vms:
            demand, host = ground.demand[vm.id], vm.host
            self.host_of[vm.id] = host
            self.present[host].add(vm.id)
            self.cpu_mhz[host] += demand.cpu_mhz
            self.footprint_mib[host] += demand.footprint_mib
            self.cpu_reserved_mhz[host] += vm.cpu_reservation_mhz
            self.memory_reserved_mib[host] += vm.memory_reservation_mib

    def copy(self) -> "Placement":
        """Return an equal placement that changes by itself; many times faster than a new count."""
        twin = object.__new__(Placement)
        twin.ground = self.ground
        twin.host_of, twin.heading = dict(self.host_of), dict(self.heading)
        twin.present = {host: set(vms) for host, vms in self.present.items()}
        twin.cpu_mhz, twin.footprint_mib = dict(self.cpu_mhz), dict(self.footprint_mib)
        twin.cpu_reserved_mhz = dict(self.cpu_reserved_mhz)
        twin.memory_reserved_mib = dict(self.memory_reserved_mib)
        return twin

    def vm(self, vm: VmId) -> Vm:
        """Return the VM's facts."""
        return self.ground.snapshot.vm_by_id[vm]

    def destination(self, vm: VmId) -> HostId | None:
        """Return where the VM will be once all moves have ended; None for a VM that does not run."""
        return self.heading.get(vm, self.host_of.get(vm))

    def host_arrays(self) -> HostArrays:
        """Return capacity and demand of the serving hosts by id; a VM on its way loads both hosts."""
        hosts = self.ground.snapshot.serving_hosts
        load = np.zeros((len(hosts), 2))
        for row, host in enumerate(hosts):
            demands = [self.ground.demand[vm] for vm in sorted(self.present[host.id])]
            load[row] = (sum(d.cpu_mhz for d in demands), sum(d.memory_mib for d in demands))
        capacity = np.array([(host.usable_cpu_mhz, host.usable_memory_mib) for host in hosts])
        return HostArrays(capacity=capacity.reshape(-1, 2), load=load)

    def start(self, vm: VmId, target: HostId) -> None:
        """Let a move begin: from now on the VM counts on both hosts."""
        if vm in self.heading:
            raise ValueError(f"{vm} is already on its way to {self.heading[vm]}")
        if self.host_of[vm] == target:
            raise ValueError(f"{vm} is on {target} already")
        self.heading[vm] = target
        self._add(vm, target)

    def finish(self, vm: VmId) -> None:
        """Let a begun move end: the VM is on its target, the source is free of it."""
        source, self.host_of[vm] = self.host_of[vm], self.heading.pop(vm)
        self._remove(vm, source)

    def cancel(self, vm: VmId) -> None:
        """Let a begun move fail: the VM stays on its source, the target is free of it."""
        self._remove(vm, self.heading.pop(vm))

    def move(self, vm: VmId, target: HostId) -> None:
        """Let a move happen at once."""
        self.start(vm, target)
        self.finish(vm)

    def begin_flights(self) -> None:
        """Let the snapshot's running migrations be under way, where VM and target are known.

        A queued one whose target cannot be told yet (source and target alike) stays where it is.
        """
        for flight in self.ground.snapshot.in_flight:
            source = self.host_of.get(flight.vm)
            is_going = flight.target in self.present and source not in (None, flight.target)
            if is_going and flight.vm not in self.heading:
                self.start(flight.vm, flight.target)

    def start_all(self, moves: Iterable[tuple[VmId, HostId]]) -> None:
        """Let several moves begin together, as a wave does."""
        for vm, target in moves:
            self.start(vm, target)

    def _add(self, vm: VmId, host: HostId) -> None:
        self._count(vm, host, +1)
        self.present[host].add(vm)

    def _remove(self, vm: VmId, host: HostId) -> None:
        self._count(vm, host, -1)
        self.present[host].discard(vm)

    def _count(self, vm: VmId, host: HostId, sign: int) -> None:
        facts, demand = self.vm(vm), self.ground.demand[vm]
        self.cpu_mhz[host] += sign * demand.cpu_mhz
        self.footprint_mib[host] += sign * demand.footprint_mib
        self.cpu_reserved_mhz[host] += sign * facts.cpu_reservation_mhz
        self.memory_reserved_mib[host] += sign * facts.memory_reservation_mib

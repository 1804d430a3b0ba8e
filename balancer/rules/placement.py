"""Where every VM is and is going: the ledger that judges look at. No law lives here, only bookkeeping."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from balancer.model.evc import EvcOrder
from balancer.model.need import Demand
from balancer.model.pace import MODEL, Paces
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, Mhz, Mib, VmId
from balancer.model.vm import Vm
from balancer.policy.objective import Array, HostArrays
from balancer.policy.types import Policy

LOAD_FIGURES = ("CPU demand", "memory demand", "CPU variance", "number of VMs")
"""Figures of a VM that add up to a host's load; those of the slots follow, all of CPU before memory."""

_POINT = attrgetter("cpu_mhz", "memory_mib", "cpu_variance_mhz2")
_HELD = attrgetter("cpu_mhz", "footprint_mib", "cpu_reserved_mhz", "memory_reserved_mib")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A move put before the judges. Mandatory ones serve an evacuation or a broken must-rule."""

    vm: VmId
    target: HostId
    is_mandatory: bool = False


class Ground:
    """What does not change while moves are judged: snapshot, policy, demand, paces, and indexes over them."""

    def __init__(
        self,
        snapshot: Snapshot,
        policy: Policy,
        demand: Mapping[VmId, Demand],
        *,
        paces: Paces = MODEL,
    ) -> None:
        self.snapshot = snapshot
        self.policy = policy
        self.demand = demand
        self.paces = paces

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

    @cached_property
    def _name_of(self) -> Mapping[str, str]:
        stores = {store.id: store.name for store in self.snapshot.datastores}
        return stores | {network.id: network.name for network in self.snapshot.networks}

    def names_of(self, places: Iterable[str]) -> list[str]:
        """Return the names of datastores or networks in order; an id where no name is known."""
        return sorted(self._name_of.get(place) or place for place in places)

    def musts(self, vm: VmId, kind: RuleType) -> tuple[Rule, ...]:
        """Return the must-rules of one type that name `vm`."""
        return tuple(rule for rule in self.must_rules_of.get(vm, ()) if rule.type is kind)

    @cached_property
    def row_of_host(self) -> Mapping[HostId, int]:
        """Return the place of each host in the snapshot."""
        return {host.id: row for row, host in enumerate(self.snapshot.hosts)}

    @cached_property
    def serving_rows(self) -> list[int]:
        """Return the places of the serving hosts."""
        return [self.row_of_host[host.id] for host in self.snapshot.serving_hosts]

    @cached_property
    def serving_capacity(self) -> Array:
        """Return what the serving hosts have for their VMs, (hosts, 2)."""
        hosts = self.snapshot.serving_hosts
        rows = [(host.usable_cpu_mhz, host.usable_memory_mib) for host in hosts]
        return np.array(rows, dtype=np.float64).reshape(-1, 2)

    @cached_property
    def figures(self) -> Mapping[VmId, Array]:
        """Return what each running VM adds to a host's load, a vector in the order of `LOAD_FIGURES`."""
        return dict(zip((vm.id for vm in self.snapshot.running_vms), self._rows, strict=True))

    @cached_property
    def _demands(self) -> list[Demand]:
        return [self.demand[vm.id] for vm in self.snapshot.running_vms]

    @cached_property
    def _rows(self) -> Array:
        rows = np.empty((len(self._demands), len(LOAD_FIGURES) + 2 * self.slots))
        rows[:, :3] = np.array(list(map(_POINT, self._demands))).reshape(-1, 3)
        rows[:, 3] = 1.0
        if self.slots:
            rows[:, 4:] = [demand.slots for demand in self._demands]
        return rows

    @cached_property
    def load_at_start(self) -> Array:
        """Return what the VMs add up to on each host of the snapshot, (hosts, figures)."""
        load = np.zeros((len(self.snapshot.hosts), len(LOAD_FIGURES) + 2 * self.slots))
        if self.demand:
            np.add.at(load, self._at_start, self._rows)
        return load

    @cached_property
    def _at_start(self) -> list[int]:
        return [self.row_of_host[vm.host] for vm in self.snapshot.running_vms]

    @cached_property
    def held_at_start(self) -> tuple[list[float], ...]:
        """Return, for each host of the snapshot, what its VMs add up to.

        CPU demand, footprint, CPU and memory reservations, vCPUs, each summed in the order of the VMs.
        """
        vms, hosts = self.snapshot.running_vms, len(self.snapshot.hosts)
        figures = np.array(list(map(_HELD, self._demands))).reshape(-1, 4).T
        vcpus = [vm.vcpus for vm in vms]
        at = np.array(self._at_start, dtype=np.int64)
        return tuple(np.bincount(at, one, minlength=hosts).tolist() for one in (*figures, vcpus))

    @cached_property
    def slots(self) -> int:
        """Return the number of slots of the horizon, 0 where demand is a point."""
        return len(next(iter(self.demand.values())).cpu_slots_mhz) if self.demand else 0


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
        for vm in ground.snapshot.running_vms:
            name, host = vm.id, vm.host
            self.host_of[name] = host
            self.present[host].add(name)
        sums = ground.held_at_start
        self.cpu_mhz: dict[HostId, Mhz] = dict(zip(self.present, sums[0], strict=True))
        self.footprint_mib: dict[HostId, Mib] = dict(zip(self.present, sums[1], strict=True))
        self.cpu_reserved_mhz: dict[HostId, Mhz] = dict(zip(self.present, sums[2], strict=True))
        self.memory_reserved_mib: dict[HostId, Mib] = dict(zip(self.present, sums[3], strict=True))
        self.vcpus: dict[HostId, int] = dict(zip(self.present, map(int, sums[4]), strict=True))
        self._load = ground.load_at_start.copy()

    def copy(self) -> "Placement":
        """Return an equal placement that changes by itself; many times faster than a new count."""
        twin = object.__new__(Placement)
        twin.ground = self.ground
        twin.host_of, twin.heading = dict(self.host_of), dict(self.heading)
        twin.present = {host: set(vms) for host, vms in self.present.items()}
        twin.cpu_mhz, twin.footprint_mib = dict(self.cpu_mhz), dict(self.footprint_mib)
        twin.cpu_reserved_mhz = dict(self.cpu_reserved_mhz)
        twin.memory_reserved_mib = dict(self.memory_reserved_mib)
        twin.vcpus, twin._load = dict(self.vcpus), self._load.copy()
        return twin

    def vm(self, vm: VmId) -> Vm:
        """Return the VM's facts."""
        return self.ground.snapshot.vm_by_id[vm]

    def destination(self, vm: VmId) -> HostId | None:
        """Return where the VM will be once all moves have ended; None for a VM that does not run."""
        return self.heading.get(vm, self.host_of.get(vm))

    def host_arrays(self) -> HostArrays:
        """Return capacity and demand of the serving hosts by id; a VM on its way loads both hosts."""
        ground, load = self.ground, self._load[self.ground.serving_rows]
        slots = load[:, len(LOAD_FIGURES) :].reshape(len(load), 2, ground.slots).transpose(2, 0, 1)
        return HostArrays(
            capacity=ground.serving_capacity,
            load=load[:, :2],
            cpu_variance=load[:, 2],
            slots=slots if ground.slots else None,
            vms=load[:, 3] if ground.policy.goals.vm_count else None,
        )

    def levelled_arrays(self) -> HostArrays:
        """Return the same of the hosts over which balance is measured.

        All serving hosts; only those that run VMs where the policy empties hosts.
        """
        arrays = self.host_arrays()
        if not self.ground.policy.goals.consolidation:
            return arrays
        return arrays.of(self._runs_some())

    def levelled_rows(self) -> list[int]:
        """Return the places of these hosts among the serving ones."""
        if not self.ground.policy.goals.consolidation:
            return list(range(len(self.ground.serving_rows)))
        return np.flatnonzero(self._runs_some()).tolist()

    def _runs_some(self) -> npt.NDArray[np.bool_]:
        result: npt.NDArray[np.bool_] = np.rint(self._load[self.ground.serving_rows, 3]) > 0
        return result

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
        demand = self.ground.demand[vm]
        self.cpu_mhz[host] += sign * demand.cpu_mhz
        self.footprint_mib[host] += sign * demand.footprint_mib
        self.cpu_reserved_mhz[host] += sign * demand.cpu_reserved_mhz
        self.memory_reserved_mib[host] += sign * demand.memory_reserved_mib
        self.vcpus[host] += sign * self.vm(vm).vcpus
        self._load[self.ground.row_of_host[host]] += sign * self.ground.figures[vm]

"""What the assessment found: demand of every running VM, what is held still, and which goals call for action."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from balancer.model.decision import NOTHING_READ, Reading
from balancer.model.goal import Goal
from balancer.model.pace import MODEL, Paces
from balancer.model.reasons import Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, Mhz, Mib, Ratio, VmId

NO_VM_HOLDS: Mapping[VmId, Refusal] = MappingProxyType({})
NO_HOST_HOLDS: Mapping[HostId, Refusal] = MappingProxyType({})

NO_EXCLUSIONS: Mapping[Goal, Mapping[VmId, Refusal]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one running VM asks of the host it stands on.

    `cpu_mhz` and `memory_mib` are what the balance is measured by; `footprint_mib` is the host memory
    that the VM holds, what the memory ceiling is judged by and what a vMotion copies. `cpu_variance_mhz2`
    is how much the CPU demand varies around its mean; the reservations are what the VM is guaranteed, by
    itself and by its resource pools. `cpu_slots_mhz` and `memory_slots_mib` are the demand in each slot of
    the horizon: as many for every VM of a need, and none where no VM has a profile.
    `is_measured` is False where a figure had to be replaced by the configured size or by nothing.
    """

    cpu_mhz: Mhz
    memory_mib: Mib
    footprint_mib: Mib
    cpu_variance_mhz2: float = 0.0
    cpu_reserved_mhz: Mhz = 0.0
    memory_reserved_mib: Mib = 0.0
    cpu_slots_mhz: tuple[Mhz, ...] = ()
    memory_slots_mib: tuple[Mib, ...] = ()
    is_measured: bool = True

    @property
    def slots(self) -> tuple[float, ...]:
        """Return the demand in each slot of the horizon: CPU in MHz, then memory in MiB."""
        return (*self.cpu_slots_mhz, *self.memory_slots_mib)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """What must not be touched now, for reasons of time and experience.

    `vms` stay unless an evacuation or a broken must-rule calls; `pinned` stay whatever happens (a
    migration is running, its end is unknown, or it failed a moment ago); `targets` take no VM; `pairs`
    were found impossible by the server or by the sequencing of an earlier try. `excluded` are the VMs that
    the policy leaves alone as far as one goal is concerned.
    """

    vms: Mapping[VmId, Refusal] = field(default_factory=lambda: NO_VM_HOLDS)
    pinned: Mapping[VmId, Refusal] = field(default_factory=lambda: NO_VM_HOLDS)
    targets: Mapping[HostId, Refusal] = field(default_factory=lambda: NO_HOST_HOLDS)
    pairs: Mapping[tuple[VmId, HostId], Refusal] = field(
        default_factory=lambda: MappingProxyType({})
    )
    excluded: Mapping[Goal, Mapping[VmId, Refusal]] = field(default_factory=lambda: NO_EXCLUSIONS)

    def excludes(self, vm: VmId, goal: Goal) -> Refusal | None:
        """Return why a VM is left alone as far as a goal is concerned; None where it is not."""
        return self.excluded.get(goal, NO_VM_HOLDS).get(vm)

    def without_pairs(self, dead: Mapping[tuple[VmId, HostId], Refusal]) -> "Holds":
        """Return these holds with further pairs ruled out."""
        return replace(self, pairs=MappingProxyType({**self.pairs, **dead}))

    def without_choice(self, vms: Iterable[VmId], reason: Refusal) -> "Holds":
        """Return these holds with all the given VMs held, so that only what must move does."""
        held = dict.fromkeys(vms, reason)
        return replace(self, vms=MappingProxyType({**held, **self.vms}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One snapshot, read with one policy: everything that the planner starts from.

    `demand` has one entry for each running VM of the snapshot. `imbalance` is the capacity-weighted
    standard deviation of host load over CPU and memory (see `policy.objective`); `wants_balance` says
    that it has stood above the trigger for long enough, `wants_relief` the same of some host and its contention
    threshold; `balance` and `contention` say what that was decided by. `paces` say how much longer migrations
    take than the model of duration says.
    """

    snapshot: Snapshot
    demand: Mapping[VmId, Demand]
    holds: Holds
    imbalance: Ratio
    wants_balance: bool
    wants_relief: bool
    paces: Paces = MODEL
    contention: Reading = NOTHING_READ
    balance: Reading = NOTHING_READ

    def excluding(self, goal: Goal, vms: Mapping[VmId, Refusal]) -> "Need":
        """Return this need with further VMs left alone for one goal; who is already keeps the reason."""
        left = {**vms, **self.holds.excluded.get(goal, NO_VM_HOLDS)}
        excluded = MappingProxyType({**self.holds.excluded, goal: MappingProxyType(left)})
        return replace(self, holds=replace(self.holds, excluded=excluded))

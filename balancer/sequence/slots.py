"""How many migrations may run at once, and which slots of a wave are taken.

Counts only; knows neither laws nor time. A limit of the policy never lifts one of vCenter.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import chain

from balancer.model.ceilings import DATASTORE_MIGRATIONS, host_migrations
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import InFlight, Snapshot
from balancer.model.units import HostId, VmId
from balancer.policy.types import Limits
from balancer.sequence.units import Step, Unit

NO_HOST_SLOT = Refusal.of(Reason.HOST_SLOTS, "no migration slot is free on a host or datastore")
NO_CLUSTER_SLOT = Refusal.of(Reason.CLUSTER_SLOTS, "no migration slot is free in the cluster")

Resource = HostId | tuple[str, str]
"""A host, or ("datastore", its id)."""


class Capacities:
    """How many migrations each host, each datastore and the cluster may take part in.

    Datastores are counted only where the cluster's limit lets more migrations run than one of them
    carries. The limits of policy and vCenter hold alike for source and target.
    """

    def __init__(self, snapshot: Snapshot, limits: Limits) -> None:
        self.cluster = max(min(limits.migrations_per_cluster, limits.migrations_per_vcenter), 1)
        self._snapshot = snapshot
        self._hosts = {
            host.id: max(min(limits.migrations_per_host, host_migrations(host)), 1)
            for host in snapshot.hosts
        }
        self._counts_datastores = self.cluster > DATASTORE_MIGRATIONS

    def of(self, resource: Resource) -> int:
        """Return how many migrations one resource may take part in."""
        if isinstance(resource, tuple):
            return DATASTORE_MIGRATIONS
        return self._hosts[resource]

    def claims(self, step: Step) -> tuple[Resource, ...]:
        """Return what one migration takes a slot of: both hosts, and the datastores that count."""
        return (step.source, step.target, *self._datastores(step.vm))

    def claims_of_flight(self, flight: InFlight) -> tuple[Resource, ...]:
        """Return what a running migration holds; hosts that the snapshot does not show are left out."""
        ends = (
            (flight.source, flight.target) if flight.source != flight.target else (flight.source,)
        )
        known = (host for host in ends if host in self._hosts)
        return (*known, *self._datastores(flight.vm))

    def _datastores(self, vm: VmId) -> Iterable[tuple[str, str]]:
        facts = self._snapshot.vm_by_id.get(vm) if self._counts_datastores else None
        return (("datastore", name) for name in sorted(facts.datastores)) if facts else ()


class Slots:
    """The slots of one wave. Migrations that run already hold theirs in every wave, see `release`."""

    def __init__(self, snapshot: Snapshot, capacities: Capacities) -> None:
        flights = snapshot.in_flight
        self.capacities = capacities
        self._claims_of: dict[Unit, Counter[Resource]] = {}
        self._foreign = Counter(chain.from_iterable(map(capacities.claims_of_flight, flights)))
        self._foreign_total = len(flights)
        self.clear()

    def clear(self) -> None:
        """Begin a new wave."""
        self._taken: Counter[Resource] = Counter(self._foreign)
        self._total = self._foreign_total
        self._units = 0
        self._is_taken_whole = False

    def release(self) -> bool:
        """Count running migrations as ended; False where there were none.

        They end some time, and moves that wait for nothing else are planned for then.
        """
        had_any = self._foreign_total > 0
        self._foreign.clear()
        self._foreign_total = 0
        self.clear()
        return had_any

    @property
    def is_full(self) -> bool:
        """Whether nothing more fits into this wave: no slot is left, or an oversize group has it."""
        return self._total >= self.capacities.cluster or self._is_taken_whole

    def refuse(self, unit: Unit) -> Refusal | None:
        """Return why `unit` does not fit into this wave, or None.

        An affinity group that is larger than the limits has a wave of its own, in which the limits
        are left to the executor: the group takes turns there.
        """
        if self._units == 0 and self._is_oversize(unit):
            return None
        if self._is_taken_whole or self._total + len(unit.steps) > self.capacities.cluster:
            return NO_CLUSTER_SLOT
        for resource, count in self._claims(unit).items():
            if self._taken[resource] + count > self.capacities.of(resource):
                return NO_HOST_SLOT
        return None

    def take(self, unit: Unit) -> None:
        """Hold the unit's slots; an oversize unit holds the whole wave."""
        self._is_taken_whole = self._units == 0 and self._is_oversize(unit)
        self._taken.update(self._claims(unit))
        self._total += len(unit.steps)
        self._units += 1

    def give_back(self, unit: Unit) -> None:
        """Free the unit's slots."""
        self._taken.subtract(self._claims(unit))
        self._total -= len(unit.steps)
        self._units -= 1
        self._is_taken_whole = False

    def _is_oversize(self, unit: Unit) -> bool:
        if len(unit.steps) > self.capacities.cluster:
            return True
        return any(
            count > self.capacities.of(resource) for resource, count in self._claims(unit).items()
        )

    def _claims(self, unit: Unit) -> Counter[Resource]:
        """Return how often the unit claims each resource; remembered, as it is asked in every wave."""
        if unit not in self._claims_of:
            claims = chain.from_iterable(map(self.capacities.claims, unit.steps))
            self._claims_of[unit] = Counter(claims)
        return self._claims_of[unit]

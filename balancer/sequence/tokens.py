"""Whose room an arrival uses: free room of the start, or room that a certain departure gives back.

One ledger for each host and resource. Every unit of room is given to one arrival at most, so an
arrival that waits for its donors finds room in whatever order all other moves run.
"""

from dataclasses import dataclass, field

from balancer.model.units import HostId, VmId
from balancer.rules.capacity import SLACK
from balancer.rules.placement import Candidate, Placement

_ENOUGH = 2.0 * SLACK


@dataclass(slots=True)
class _Pool:
    """Room that the departure `donor` gives back; a donor of -1 is the free room of the start."""

    donor: int
    left: float


@dataclass(slots=True)
class Ledger:
    """One resource of one host. `debt` is load above the limit that departures pay off first."""

    debt: float = 0.0
    pools: list[_Pool] = field(default_factory=list)
    payers: set[int] = field(default_factory=set)

    @classmethod
    def opened_with(cls, free: float) -> "Ledger":
        """Return the ledger of a host with `free` room; a negative figure is debt."""
        if free >= 0.0:
            return cls(pools=[_Pool(donor=-1, left=free)])
        return cls(debt=-free)

    def depart(self, donor: int, amount: float) -> None:
        """Book the room that a move gives back at its end."""
        paid = min(self.debt, amount)
        if paid > 0.0:
            self.debt -= paid
            self.payers.add(donor)
        if amount > paid:
            self.pools.append(_Pool(donor=donor, left=amount - paid))

    def arrive(self, amount: float, ancestors: int) -> set[int]:
        """Take room and return the donors: first those that have ended anyway, then the free room.

        `ancestors` has bit i set where move i has ended before this arrival whatever happens.
        """
        known = [pool for pool in self.pools if pool.donor >= 0 and ancestors >> pool.donor & 1]
        free = [pool for pool in self.pools if pool.donor < 0]
        short, donors = _draw(known + free, amount)
        if short > _ENOUGH:
            _, more = _draw(self._best_donors(short), short)
            donors |= more
        return donors | self.payers

    def force(self, amount: float) -> None:
        """Take room without waiting for it, as a mandatory move may: what is missing becomes debt."""
        free = [pool for pool in self.pools if pool.donor < 0]
        short, _ = _draw(free, amount)
        short, donors = _draw([pool for pool in self.pools if pool.donor >= 0], short)
        self.payers |= donors
        if short > _ENOUGH:
            self.debt += short

    def _best_donors(self, amount: float) -> list[_Pool]:
        """Return the pools so that few are used: the smallest that is enough, else the largest first."""
        pools = [pool for pool in self.pools if pool.donor >= 0 and pool.left > 0.0]
        enough = [pool for pool in pools if pool.left >= amount - _ENOUGH]
        if enough:
            return [min(enough, key=lambda pool: (pool.left, pool.donor))]
        return sorted(pools, key=lambda pool: (-pool.left, pool.donor))


def _draw(pools: list[_Pool], amount: float) -> tuple[float, set[int]]:
    """Take up to `amount` from the pools in order; return what is still missing, and who gave."""
    donors = set()
    for pool in pools:
        taken = min(pool.left, amount)
        if amount <= _ENOUGH or taken <= 0.0:
            continue
        pool.left -= taken
        amount -= taken
        if pool.donor >= 0:
            donors.add(pool.donor)
    return amount, donors


class HostLedgers:
    """The ledgers of one host: the resources that the laws of capacity and reservations judge.

    `placement` is the start, with running migrations on both of their hosts.
    """

    def __init__(self, placement: Placement, host: HostId) -> None:
        facts = placement.ground.snapshot.host_by_id[host]
        limits = placement.ground.policy.thresholds
        self._ground = placement.ground
        memory = limits.memory_ceiling * facts.usable_memory_mib - placement.footprint_mib[host]
        cpu = limits.cpu_ceiling * facts.usable_cpu_mhz - placement.cpu_mhz[host]
        self._memory, self._cpu = Ledger.opened_with(memory), Ledger.opened_with(cpu)
        self._memory_reserved = Ledger.opened_with(
            facts.usable_memory_mib - placement.memory_reserved_mib[host]
        )
        self._cpu_reserved = Ledger.opened_with(
            facts.usable_cpu_mhz - placement.cpu_reserved_mhz[host]
        )
        most = float("inf") if facts.max_running_vms is None else facts.max_running_vms
        self._places = Ledger.opened_with(most - len(placement.present[host]))

    def arrive(self, move: Candidate, ancestors: int) -> set[int]:
        """Book an arrival and return the departures that it waits for."""
        demand = self._ground.demand[move.vm]
        donors = self._memory.arrive(demand.footprint_mib, ancestors)
        donors |= self._places.arrive(1.0, ancestors)
        if demand.memory_reserved_mib > 0.0:
            donors |= self._memory_reserved.arrive(demand.memory_reserved_mib, ancestors)
        if demand.cpu_reserved_mhz > 0.0:
            donors |= self._cpu_reserved.arrive(demand.cpu_reserved_mhz, ancestors)
        if move.is_mandatory:
            self._cpu.force(demand.cpu_mhz)
        else:
            donors |= self._cpu.arrive(demand.cpu_mhz, ancestors)
        return donors

    def depart(self, donor: int, vm: VmId) -> None:
        """Book what a move gives back to its source when it ends."""
        demand = self._ground.demand[vm]
        self._memory.depart(donor, demand.footprint_mib)
        self._cpu.depart(donor, demand.cpu_mhz)
        self._memory_reserved.depart(donor, demand.memory_reserved_mib)
        self._cpu_reserved.depart(donor, demand.cpu_reserved_mhz)
        self._places.depart(donor, 1.0)

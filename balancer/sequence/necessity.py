"""What no order of the jobs can avoid: the earliest start and the least that comes after each entry.

`after` tells who waits for whom in the waves as they are; another order might wait for others. Here stands
only what holds in every order: a parked VM goes there before it goes on, VMs that are kept apart meet
nowhere, and an arrival that lacks room waits until enough has left. Where several of a group may share a
host or a domain, their places are room like any other. The ground of bounds and proof.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from balancer.model.rule import Rule, RuleType
from balancer.model.units import HostId
from balancer.rules.anti_affinity import members_on, stays_inside
from balancer.rules.capacity import SLACK
from balancer.rules.placement import Placement
from balancer.rules.violations import offenders
from balancer.sequence.dependencies import Entry
from balancer.sequence.jobs import Shop
from balancer.sequence.origin import Origin

ENOUGH = 2.0 * SLACK

MOST_ROUNDS = 50
"""How often earliest starts are pushed on. Each round adds at most one link to every chain."""


@dataclass(slots=True, kw_only=True)
class Store:
    """One resource of one host or domain that arrivals take at their start and departures give back at their end.

    `free` is what no VM holds at the start; below zero where the host is above its limit.
    """

    free: float
    arrivals: list[tuple[int, float]] = field(default_factory=list)
    departures: list[tuple[int, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Necessity:
    """Pairs (first, then) of entries that never overlap, and the stores of all hosts."""

    pairs: tuple[tuple[int, int], ...]
    stores: tuple[Store, ...]

    @property
    def has_chains(self) -> bool:
        """Whether some move has to wait for another in every order."""
        return bool(self.pairs or self.stores)


def necessity(origin: Origin, entries: Sequence[Entry]) -> Necessity:
    """Return what every legal order of the entries has in common."""
    start = origin.start
    pairs = sorted({*_hops(entries), *_kept_apart(start, entries)})
    stores = (*_stores(start, entries), *_counted(start, entries))
    return Necessity(pairs=tuple(pairs), stores=stores)


def earliest_starts(shop: Shop, needs: Necessity, lengths: Sequence[int]) -> list[int]:
    """Return the ticks before which no order lets each entry start. Entries of a job start together.

    `lengths` are the ticks of each entry, by number.
    """
    heads = [0] * len(lengths)
    before = defaultdict(list)
    for first, then in needs.pairs:
        before[then].append(first)
    groups = _groups_of(shop)
    for _ in range(MOST_ROUNDS):
        ends = [head + length for head, length in zip(heads, lengths, strict=True)]
        pushed = list(heads)
        for then, firsts in before.items():
            pushed[then] = max(pushed[then], *(ends[first] for first in firsts))
        for store in needs.stores:
            for number, amount in store.arrivals:
                pushed[number] = max(pushed[number], _room_at(store, amount, ends))
        for group in groups:
            latest = max(pushed[number] for number in group)
            for number in group:
                pushed[number] = latest
        if pushed == heads:
            break
        heads = pushed
    return heads


def least_afterwards(needs: Necessity, lengths: Sequence[int]) -> list[int]:
    """Return the ticks that pass in every order between the end of each entry and the end of all."""
    tails = [0] * len(lengths)
    links = [*needs.pairs, *_indispensable(needs.stores)]
    for _ in range(MOST_ROUNDS):
        pushed = list(tails)
        for first, then in links:
            pushed[first] = max(pushed[first], tails[then] + lengths[then])
        if pushed == tails:
            break
        tails = pushed
    return tails


def _groups_of(shop: Shop) -> list[list[int]]:
    groups = ([entry.number for entry in job.entries] for job in shop.jobs)
    return [group for group in groups if len(group) > 1]


def _room_at(store: Store, amount: float, ends: Sequence[int]) -> int:
    """Return when enough can have left for an arrival, if every departure ends as early as it can."""
    missing = amount - store.free
    if missing <= ENOUGH:
        return 0
    for at, given in sorted((ends[number], given) for number, given in store.departures):
        missing -= given
        if missing <= ENOUGH:
            return at
    return 0


def _indispensable(stores: Iterable[Store]) -> Iterator[tuple[int, int]]:
    """Yield (departure, arrival) where the arrival finds no room though all others have left."""
    for store in stores:
        given = sum(amount for _, amount in store.departures)
        for arrival, amount in store.arrivals:
            for departure, share in store.departures:
                if amount - store.free - (given - share) > ENOUGH and departure != arrival:
                    yield departure, arrival


def _hops(entries: Sequence[Entry]) -> Iterator[tuple[int, int]]:
    last: dict[str, int] = {}
    for entry in entries:
        if entry.step.vm in last:
            yield last[entry.step.vm], entry.number
        last[entry.step.vm] = entry.number


def _kept_apart(start: Placement, entries: Sequence[Entry]) -> Iterator[tuple[int, int]]:
    """Yield (departure, arrival) of VMs that may never share a host, where their rule holds at the start."""
    ground = start.ground
    held: dict[str, bool] = {}
    first_leave = {}
    for entry in reversed(entries):
        first_leave[entry.step.vm] = entry
    for entry in entries:
        for rule in ground.musts(entry.step.vm, RuleType.ANTI_AFFINITY):
            if rule.name not in held:
                held[rule.name] = not _is_counted(rule) and not offenders(start, rule)
            for mate in rule.vms if held[rule.name] else ():
                leave = first_leave.get(mate)
                if mate != entry.step.vm and leave and leave.step.source == entry.step.target:
                    yield leave.number, entry.number


def _is_counted(rule: Rule) -> bool:
    """Whether more than pairs must be looked at: several may share a host, or hosts count as one."""
    return rule.most > 1 or bool(rule.domains)


def _counted(start: Placement, entries: Sequence[Entry]) -> list[Store]:
    """Return the places that rules give their VMs on hosts and in domains, where the rule holds at the start."""
    stores: dict[tuple[int, frozenset[HostId]], Store] = {}

    def places(rule: Rule, host: HostId) -> Store:
        key = id(rule), rule.domain_of(host)
        if key not in stores:
            stores[key] = Store(free=float(rule.most - len(members_on(start, rule, host))))
        return stores[key]

    holds: dict[int, bool] = {}
    for entry in entries:
        source, target = entry.step.source, entry.step.target
        for rule in start.ground.musts(entry.step.vm, RuleType.ANTI_AFFINITY):
            if not _is_counted(rule) or stays_inside(rule, source, target):
                continue
            if holds.setdefault(id(rule), not offenders(start, rule)):
                places(rule, source).departures.append((entry.number, 1.0))
                places(rule, target).arrivals.append((entry.number, 1.0))
    return [store for store in stores.values() if _is_scarce(store)]


def _stores(start: Placement, entries: Sequence[Entry]) -> Iterator[Store]:
    ground = start.ground
    ceiling = ground.policy.thresholds.memory_ceiling

    def memory(host: HostId) -> float:
        return (
            ceiling * ground.snapshot.host_by_id[host].usable_memory_mib - start.footprint_mib[host]
        )

    def places(host: HostId) -> float:
        most = ground.snapshot.host_by_id[host].max_running_vms
        return float("inf") if most is None else most - len(start.present[host])

    yield from _stores_of(entries, memory, lambda e: ground.demand[e.step.vm].footprint_mib)
    yield from _stores_of(entries, places, lambda _: 1.0)


def _stores_of(
    entries: Iterable[Entry], free: Callable[[HostId], float], amount: Callable[[Entry], float]
) -> list[Store]:
    """Return the stores of one resource in which the arrivals do not all fit at once."""
    stores: dict[HostId, Store] = {}
    for entry in entries:
        for host in (entry.step.source, entry.step.target):
            if host not in stores:
                stores[host] = Store(free=free(host))
        stores[entry.step.source].departures.append((entry.number, amount(entry)))
        stores[entry.step.target].arrivals.append((entry.number, amount(entry)))
    return [store for store in stores.values() if _is_scarce(store)]


def _is_scarce(store: Store) -> bool:
    return sum(amount for _, amount in store.arrivals) - store.free > ENOUGH

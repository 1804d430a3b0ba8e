"""How soon a schedule could be over at best: a bound that needs no solver, and is always valid.

The greatest of: the longest way that no order avoids, and for each host, datastore and the cluster the
work to be done there over its slots. Says nothing about how to get there.
"""

from bisect import insort
from collections.abc import Sequence

from balancer.sequence.jobs import Running, Shop
from balancer.sequence.necessity import Necessity, earliest_starts, least_afterwards


def makespan_bound(shop: Shop, needs: Necessity) -> int:
    """Return the ticks that every legal order of these jobs takes at least."""
    heads, tails = earliest_starts(shop, needs), least_afterwards(shop, needs)
    work: list[list[tuple[int, int, int]]] = [[] for _ in shop.capacity]
    longest = 0
    for job in shop.jobs:
        for entry, ticks, claims in zip(job.entries, job.ticks, job.claims, strict=True):
            head, tail = heads[entry.number], tails[entry.number]
            longest = max(longest, head + ticks + tail)
            for resource in claims:
                work[resource].append((head, ticks, tail))
    busy = (
        _least_for(tasks, slots, [flight for flight in shop.running if resource in flight.claims])
        for resource, (tasks, slots) in enumerate(zip(work, shop.capacity, strict=True))
    )
    return max(longest, *busy)


def _least_for(
    tasks: Sequence[tuple[int, int, int]], slots: int, running: Sequence[Running]
) -> int:
    """Return the least ticks until one resource has done its tasks (head, ticks, tail)."""
    if not tasks:
        return 0
    by_length = sorted((ticks for _, ticks, _ in tasks), reverse=True)
    most_first = _after_work(sum(by_length), slots, running)
    return max(
        most_first, _crowded(by_length, slots), _from_heads(tasks, slots), _to_tails(tasks, slots)
    )


def _after_work(work: int, slots: int, running: Sequence[Running]) -> int:
    """Return when `work` can be over on the slots that running migrations leave or give back."""
    now, free = 0, slots - len(running)
    for end in sorted(flight.ticks for flight in running):
        if free > 0:
            if work <= free * (end - now):
                break
            work -= free * (end - now)
        now, free = end, free + 1
    return now + -(-work // free)


def _crowded(by_length: Sequence[int], slots: int) -> int:
    """Return the bound from the longest tasks: of k x slots + 1, some k + 1 share a slot."""
    found, k = 0, 1
    while k * slots < len(by_length):
        found = max(found, sum(by_length[k * slots - k : k * slots + 1]))
        k += 1
    return found


def _from_heads(tasks: Sequence[tuple[int, int, int]], slots: int) -> int:
    """Return the greatest of: a head, plus the work that cannot start before it over the slots."""
    found, work = 0, 0
    least_tails: list[int] = []
    for head, ticks, tail in sorted(tasks, reverse=True):
        work += ticks
        insort(least_tails, tail)
        found = max(found, head + -(-work // slots) + least_tails[0])
    return found


def _to_tails(tasks: Sequence[tuple[int, int, int]], slots: int) -> int:
    """Return the same for tails, by looking at time from its end."""
    return _from_heads([(tail, ticks, head) for head, ticks, tail in tasks], slots)

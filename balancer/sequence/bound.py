"""How soon a schedule could be over at best: a bound that needs no solver, and is always valid.

The greatest of: the longest way that no order avoids; for each host, datastore and the cluster the work
to be done there over its slots; for each host what goes through its link. Says nothing about how to get
there.
"""

from bisect import insort
from collections.abc import Sequence

from balancer.sequence.jobs import SETUP_TICKS, Running, Shop
from balancer.sequence.necessity import Necessity, earliest_starts, least_afterwards

Task = tuple[int, int, int]
"""Ticks before it at the least, its own, and after it at the least."""


def ideal_bound(shop: Shop, needs: Necessity) -> int:
    """Return the ticks that every legal order of these jobs takes at least, however it shares links.

    Counts each copy as if it had its links to itself, and beside it that the copies of a host, however
    many run at once, all have to go through its link.
    """
    lengths = [copy.ticks for job in shop.jobs for copy in job.copies]
    sent: list[list[Task]] = [[] for _ in range(shop.hosts)]
    heads, tails = earliest_starts(shop, needs, lengths), least_afterwards(needs, lengths)
    for job in shop.jobs:
        for entry, copy in zip(job.entries, job.copies, strict=True):
            head, tail = heads[entry.number], tails[entry.number]
            for end, host in enumerate(copy.hosts):
                sent[host].append((head, copy.link_ticks(end), tail))
    links = (
        _through_link(tasks, _most_at_once(shop, host, len(tasks)))
        for host, tasks in enumerate(sent)
        if tasks
    )
    return max(makespan_bound(shop, needs, lengths), *links)


def _through_link(tasks: Sequence[Task], at_once: int) -> int:
    """Return the least ticks until one link has carried its tasks, of which `at_once` share it at most.

    The first has to be set up before anything is sent. And a copy has its share of the link from its
    start on, while it is set up as well: all of them together lose that much of the link.
    """
    late = [(head + SETUP_TICKS, ticks, tail) for head, ticks, tail in tasks]
    lost = SETUP_TICKS // at_once
    whole = [(head, ticks + lost, tail) for head, ticks, tail in tasks]
    return max(_from_heads(late, 1), _to_tails(late, 1), _from_heads(whole, 1), _to_tails(whole, 1))


def _most_at_once(shop: Shop, host: int, copies: int) -> int:
    running = sum(1 for flight in shop.running if host in flight.claims)
    return min(shop.capacity[host], shop.capacity[-1], copies + running)


def makespan_bound(shop: Shop, needs: Necessity, lengths: Sequence[int]) -> int:
    """Return the ticks that every legal order takes at least if each entry takes its `lengths`."""
    heads, tails = earliest_starts(shop, needs, lengths), least_afterwards(needs, lengths)
    tasks = list(zip(heads, lengths, tails, strict=True))
    work: list[list[Task]] = [[] for _ in shop.capacity]
    for job in shop.jobs:
        for entry, copy in zip(job.entries, job.copies, strict=True):
            for resource in copy.claims:
                work[resource].append(tasks[entry.number])
    busy = (
        least_for(tasks, slots, [flight for flight in shop.running if resource in flight.claims])
        for resource, (tasks, slots) in enumerate(zip(work, shop.capacity, strict=True))
    )
    return max(*map(sum, tasks), *busy)


def least_for(tasks: Sequence[Task], slots: int, running: Sequence[Running]) -> int:
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


def _from_heads(tasks: Sequence[Task], slots: int) -> int:
    """Return the greatest of: a head, plus the work that cannot start before it over the slots."""
    found, work = 0, 0
    least_tails: list[int] = []
    for head, ticks, tail in sorted(tasks, reverse=True):
        work += ticks
        insort(least_tails, tail)
        found = max(found, head + -(-work // slots) + least_tails[0])
    return found


def _to_tails(tasks: Sequence[Task], slots: int) -> int:
    """Return the same for tails, by looking at time from its end."""
    return _from_heads([(tail, ticks, head) for head, ticks, tail in tasks], slots)

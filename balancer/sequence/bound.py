"""How soon a schedule could be over at best: a bound that needs no solver, and is always valid.

The greatest of: the longest way that no order avoids; for each host, datastore and the cluster the work
to be done there over its slots; for each host what goes through its link. Says nothing about how to get
there.
"""

from bisect import insort
from collections import Counter
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


def eager_bound(shop: Shop) -> int:
    """Return the ticks that every order takes at least in which whatever finds slots starts at once.

    That is how orders are carried out. While more copies of a host are left than it has slots, these are
    all taken, and each copy is the longer for it by what its guest dirties; towards the end the last but
    one shares the link with one other at least, the one before with two. Says nothing, 0, where other
    limits may keep the slots of a host free.
    """
    copies = [(job, copy) for job in shop.jobs for copy in job.copies]
    wanted = Counter(r for _, copy in copies for r in copy.claims)
    wanted.update(resource for flight in shop.running for resource in flight.claims)
    if wanted[len(shop.capacity) - 1] > shop.capacity[-1] or len(copies) > len(shop.jobs):
        return 0
    narrow = {r for r, count in wanted.items() if count > shop.capacity[r]}
    slots = [min(most, wanted[resource]) for resource, most in enumerate(shop.capacity)]
    ends: list[list[tuple[int, int]]] = [[] for _ in range(shop.hosts)]
    for job, copy in copies:
        for end, host in enumerate(copy.hosts):
            is_free = not (job.after or job.behind or narrow & {*copy.claims} - {host})
            more = copy.ticks_more(end, slots[host]) if is_free else 0
            ends[host].append((copy.link_ticks(end), more))
    return max((_shared(found, slots[host]) for host, found in enumerate(ends)), default=0)


def _shared(ends: Sequence[tuple[int, int]], slots: int) -> int:
    """Return how long a link is busy with copies: their ticks alone, and more for each that shares it."""
    alone = sum(ticks + SETUP_TICKS // max(slots, 1) for ticks, _ in ends)
    dearest = sorted((more for _, more in ends if more), reverse=True)
    return alone + sum(more * min(rank, slots - 1) for rank, more in enumerate(dearest))


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

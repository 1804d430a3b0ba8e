"""A search for an order that is over sooner: one move after the other tries another place in the list.

Each trial is a whole simulation, so that it counts what copies cost each other. For plans that somebody
wants to see proven: hundreds of simulations take some tenths of a second. Changes neither waves nor what
a move waits for.
"""

from collections.abc import Sequence
from random import Random

from balancer.sequence.jobs import Shop
from balancer.sequence.timing import Timing, list_schedule

MOST_TRIALS = 60
WORK = 250_000
"""Trials times the square of the jobs, as more jobs share links with more: 0.1 to 0.25 s on a present-day core."""

MOST_SHIFTED = 3
ELSEWHERE = 0.2
"""Share of the trials that shift a job of any host, not one of those that are over last."""


def in_better_order(shop: Shop, timing: Timing, enough: int) -> Timing:
    """Return the best timing found, the given one where none is over sooner; stops at `enough` ticks.

    Deterministic: a fixed seed, and a number of trials that depends on the number of jobs alone.
    """
    jobs, dice = len(shop.jobs), Random(0)
    order = sorted(range(jobs), key=lambda job: (timing.starts[job], job))
    best, late = timing, _critical(shop, timing)
    for _ in range(min(MOST_TRIALS, WORK // jobs**2)):
        if best.makespan <= enough:
            break
        tried = _shifted(order, late, dice)
        found = list_schedule(shop, order=_places(tried))
        if found.makespan > best.makespan:
            continue
        if found.makespan < best.makespan:
            best, late = found, _critical(shop, found)
        order = tried
    return best


def _shifted(order: Sequence[int], late: Sequence[int], dice: Random) -> list[int]:
    """Return the order with some jobs put elsewhere."""
    tried = list(order)
    for _ in range(dice.randint(1, MOST_SHIFTED)):
        job = dice.choice(order if dice.random() < ELSEWHERE else late)
        tried.remove(job)
        tried.insert(dice.randrange(len(order)), job)
    return tried


def _places(order: Sequence[int]) -> list[int]:
    places = [0] * len(order)
    for place, job in enumerate(order):
        places[job] = place
    return places


def _critical(shop: Shop, timing: Timing) -> list[int]:
    """Return the jobs that share the busier host of the one that is over last."""
    work = [0] * shop.hosts
    using: list[list[int]] = [[] for _ in range(shop.hosts)]
    for number, job in enumerate(shop.jobs):
        for copy in job.copies:
            for end, host in enumerate(copy.hosts):
                work[host] += copy.link_ticks(end)
                using[host].append(number)
    ended = [timing.ends[entry.number] for job in shop.jobs for entry in job.entries]
    copies = [copy for job in shop.jobs for copy in job.copies]
    last = copies[max(range(len(ended)), key=ended.__getitem__)]
    return using[max(last.hosts, key=work.__getitem__)]

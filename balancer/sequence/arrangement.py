"""Waves, read: their entries, what each waits for, and the jobs that the list schedule and its proof work on.

Also puts units into waves anew, in an order that somebody found to be quicker. Judges every step of it by
the yard, as `waves` does, and gives up where that order is not lawful; decides on nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from balancer.sequence.dependencies import Entry, dependencies, entries_of
from balancer.sequence.jobs import Shop, make_shop
from balancer.sequence.necessity import Necessity, necessity
from balancer.sequence.origin import Origin
from balancer.sequence.units import Unit
from balancer.sequence.yard import Yard


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """Entries in wave order; `after` by the number of the entry."""

    entries: tuple[Entry, ...]
    after: tuple[tuple[int, ...], ...]
    shop: Shop
    needs: Necessity


def arrange(origin: Origin, waves: Sequence[Sequence[Unit]]) -> Arrangement:
    """Read the waves."""
    entries, after = entries_of(waves), dependencies(origin, waves)
    return Arrangement(
        entries=tuple(entries),
        after=tuple(after),
        shop=make_shop(origin, entries, after),
        needs=necessity(origin, entries),
    )


def rearranged(origin: Origin, old: Arrangement, starts: Sequence[int]) -> Arrangement | None:
    """Return the same units in the order of `starts` (by job), None where that leads nowhere.

    The more urgent classes go first, as far as they can, so that budgets still admit these.
    """
    first: dict[Unit, int] = {}
    for job, start in zip(old.shop.jobs, starts, strict=True):
        unit = job.entries[0].unit
        first[unit] = min(start, first.get(unit, start))
    ordered = sorted(first, key=lambda unit: (unit.urgency, first[unit]))
    waves = _waves_in_order(origin, ordered)
    return None if waves is None else arrange(origin, waves)


def _waves_in_order(origin: Origin, ordered: Sequence[Unit]) -> list[tuple[Unit, ...]] | None:
    """Begin the units in order; a wave ends where the next one may not begin.

    A unit that may not even begin as the first of a wave is passed over until the next wave.
    """
    yard, waiting = Yard(origin), list(ordered)
    hops = {unit.then: unit for unit in ordered if unit.then is not None}
    waves: list[tuple[Unit, ...]] = []
    while waiting:
        for unit in tuple(waiting):
            if hops.get(unit) in waiting or hops.get(unit) in yard.wave:
                continue
            if yard.begin(unit) is None:
                waiting.remove(unit)
            elif yard.wave:
                break
        if yard.wave:
            waves.append(yard.end_wave())
        elif not yard.slots.release():
            return None
    return waves

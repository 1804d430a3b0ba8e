"""Puts units into waves, one after the other, until nothing more may begin.

Greedy in the order of `ranking`, with the yard as the judge of every addition. Where nothing may begin,
in this order: moves that only together are no loss (swaps), slots of migrations that run already,
parking. What is left then cannot be reached and is told with the reason.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from balancer.model.reasons import Refusal
from balancer.sequence.parking import choose_hops
from balancer.sequence.ranking import Ranking
from balancer.sequence.units import Unit
from balancer.sequence.yard import WORSE, Yard

COMBINE_FIRST = 24
COMBINE_WITH = 48
"""How many units are tried as the first and as each further one of a combination. Bounds the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """A unit that could not begin, and what the judges said in the end."""

    unit: Unit
    refusal: Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How an attempt goes about it.

    With `mandatory_alone` nothing optional begins before every mandatory unit has moved or is stuck:
    slower, but nothing optional can take the room that a mandatory unit waits for. With `cost_waits`
    mandatory units may cost balance until the last of them has moved.
    """

    mandatory_alone: bool = False
    cost_waits: bool = False
    largest_first: bool = False
    may_park: bool = True


class WaveBuilder:
    """One attempt; `build` carries it out, once."""

    def __init__(self, yard: Yard, units: Iterable[Unit], manner: Manner) -> None:
        self._yard = yard
        self._manner = manner
        self._pending = {unit.key: unit for unit in units}
        self._ranking = Ranking(self._pending.values(), largest_first=manner.largest_first)
        self._refusals: dict[str, Refusal] = {}

    def build(self) -> tuple[list[tuple[Unit, ...]], list[Stuck]]:
        """Return the waves and what is stuck, both in order."""
        waves: list[tuple[Unit, ...]] = []
        later = self._set_aside() if self._manner.mandatory_alone else []
        while True:
            waves += self._exhaust()
            if not later:
                break
            for unit in later:
                self._enter(unit)
            later = []
        ordered = self._ranking.in_order()
        return waves, [Stuck(unit=u, refusal=self._refusals[u.key]) for u in ordered]

    def _set_aside(self) -> list[Unit]:
        optional = [unit for unit in self._pending.values() if not unit.is_mandatory]
        for unit in optional:
            self._leave(unit)
        return optional

    def _exhaust(self) -> list[tuple[Unit, ...]]:
        waves: list[tuple[Unit, ...]] = []
        while self._pending:
            if self._fill() or self._combine():
                waves.append(self._close())
            elif not (self._yard.slots.release() or self._park()):
                break
        return waves

    def _enter(self, unit: Unit) -> None:
        self._pending[unit.key] = unit
        self._ranking.add(unit)

    def _leave(self, unit: Unit) -> None:
        del self._pending[unit.key]
        self._ranking.remove(unit)

    def _close(self) -> tuple[Unit, ...]:
        wave = self._yard.end_wave()
        for unit in wave:
            self._leave(unit)
            if unit.then is not None:
                self._enter(unit.then)
        return wave

    def _fill(self) -> bool:
        """Begin every unit that may, best first, until the cluster's slots are taken."""
        self._refusals.clear()
        for unit in self._ranking.in_order():
            if self._yard.slots.is_full:
                break
            refusal = self._yard.begin(unit)
            if refusal is not None:
                self._refusals[unit.key] = refusal
        return bool(self._yard.wave)

    def _combine(self) -> bool:
        """Begin units that would each be a loss, but not together."""
        losing = [
            unit for unit in self._ranking.in_order() if self._refusals.get(unit.key) is WORSE
        ]
        return any(self._grow(first, losing) for first in losing[:COMBINE_FIRST])

    def _grow(self, first: Unit, losing: list[Unit]) -> bool:
        """Begin `first` and what helps most beside it, until the end is no loss; else undo it all."""
        yard = self._yard
        yard.begin(first, may_worsen=True)
        while yard.wave and yard.prospect.is_worse():
            best = self._best_beside(losing)
            if best is None:
                for unit in tuple(yard.wave):
                    yard.cancel(unit)
                break
            yard.begin(best, may_worsen=True)
        return bool(yard.wave)

    def _best_beside(self, losing: list[Unit]) -> Unit | None:
        """Return the unit that lowers the objective most beside the wave, None where none lowers it."""
        yard = self._yard
        best, least = None, yard.prospect.excess()
        for unit in [unit for unit in losing if unit not in yard.wave][:COMBINE_WITH]:
            if yard.begin(unit, may_worsen=True) is None:
                if yard.prospect.excess() < least:
                    best, least = unit, yard.prospect.excess()
                yard.cancel(unit)
        return best

    def _park(self) -> bool:
        """Replace some stuck units by a hop and the rest of their way; False where none helps."""
        if not self._manner.may_park:
            return False
        hops = choose_hops(self._yard, list(self._ranking.in_order()))
        for hop in hops:
            self._leave(self._pending[hop.key])
            self._enter(hop)
        return bool(hops)

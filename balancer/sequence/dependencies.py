"""Which moves truly must have ended before which: the `after` of a plan.

Read off the finished waves. A move waits for the departures whose room it uses, for those of mates that
it must be kept apart from, for its own parking hop, and for all that the rest of its affinity group waits for.
Whatever else runs, a move whose `after` has ended then finds every law fulfilled, so an executor need
not wait for whole waves. Every edge points to an earlier wave: no cycles.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from balancer.model.rule import Rule, RuleType
from balancer.model.units import HostId, VmId
from balancer.rules.anti_affinity import members_on, stays_inside
from balancer.sequence.origin import Origin
from balancer.sequence.tokens import HostLedgers, Ledger
from balancer.sequence.units import Step, Unit
from balancer.sequence.yard import is_one_too_many


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One step with its place in the waves, numbered from 0 in wave order."""

    number: int
    wave: int
    unit: Unit
    step: Step


def entries_of(waves: Sequence[Sequence[Unit]]) -> list[Entry]:
    """Return all steps in wave order; waves count from 1."""
    found: list[Entry] = []
    for wave, units in enumerate(waves, start=1):
        for unit in units:
            for step in unit.steps:
                found.append(Entry(number=len(found), wave=wave, unit=unit, step=step))
    return found


def dependencies(origin: Origin, waves: Sequence[Sequence[Unit]]) -> list[tuple[int, ...]]:
    """Return for each entry the numbers of those it waits for, ascending, without implied ones."""
    entries = entries_of(waves)
    reader = _Reader(origin, entries)
    for _, wave in groupby(entries, key=lambda entry: entry.wave):
        units = [tuple(unit) for _, unit in groupby(wave, key=lambda entry: id(entry.unit))]
        reader.read(units)
    return reader.after


class _Reader:
    """Replays the waves and books who needs whom. Mutable, used by `dependencies` alone."""

    def __init__(self, origin: Origin, entries: Sequence[Entry]) -> None:
        self.after: list[tuple[int, ...]] = []
        self._ground = origin.ground
        self._placement = origin.start.copy()
        touched = {host for e in entries for host in (e.step.source, e.step.target)}
        self._ledgers = {host: HostLedgers(self._placement, host) for host in sorted(touched)}
        self._ancestors: list[int] = []
        self._start = origin.start
        self._last_of_vm: dict[VmId, int] = {}
        self._places: dict[tuple[int, frozenset[HostId]], Ledger] = {}
        self._moved: defaultdict[str, list[int]] = defaultdict(list)
        self._spread_one_by_one: set[str] = set()

    def read(self, batch: Sequence[Sequence[Entry]]) -> None:
        """Read one wave: every arrival before any departure."""
        entries = [entry for group in batch for entry in group]
        self._placement.start_all((e.step.vm, e.step.target) for e in entries)
        self._note_spreading(entries)
        for group in batch:
            self._read_unit(group)
        for entry in entries:
            self._depart(entry)

    def _read_unit(self, group: Sequence[Entry]) -> None:
        needed: set[int] = set()
        for entry in group:
            needed |= self._for_vm_and_rules(entry.step)
        for entry in group:
            ledgers = self._ledgers[entry.step.target]
            needed |= ledgers.arrive(entry.step.candidate, self._closure(needed))
        reduced = self._without_implied(needed)
        for _ in group:
            self.after.append(reduced)
            self._ancestors.append(self._closure(needed))

    def _for_vm_and_rules(self, step: Step) -> set[int]:
        """Return the VM's own hop, and the departures of mates whose places it takes at the target."""
        needed = {self._last_of_vm[step.vm]} if step.vm in self._last_of_vm else set()
        for rule in self._ground.musts(step.vm, RuleType.ANTI_AFFINITY):
            if not stays_inside(rule, step.source, step.target):
                places = self._places_of(rule, step.target)
                needed |= places.arrive(1.0, self._closure(needed))
            if rule.name in self._spread_one_by_one:
                needed |= set(self._moved[rule.name])
        return needed

    def _places_of(self, rule: Rule, host: HostId) -> Ledger:
        """Return the places that a rule's VMs have on a host or in its domain."""
        key = id(rule), rule.domain_of(host)
        if key not in self._places:
            free = rule.most - len(members_on(self._start, rule, host))
            self._places[key] = Ledger.opened_with(float(free))
        return self._places[key]

    def _note_spreading(self, entries: Iterable[Entry]) -> None:
        """Note rules of which too many may share a host for a while: their moves keep the order of the waves."""
        for entry in entries:
            for rule in self._ground.musts(entry.step.vm, RuleType.ANTI_AFFINITY):
                if is_one_too_many(self._placement, rule, entry.step):
                    self._spread_one_by_one.add(rule.name)

    def _depart(self, entry: Entry) -> None:
        step = entry.step
        self._placement.finish(step.vm)
        self._ledgers[step.source].depart(entry.number, step.vm)
        self._last_of_vm[step.vm] = entry.number
        for rule in self._ground.musts(step.vm, RuleType.ANTI_AFFINITY):
            if not stays_inside(rule, step.source, step.target):
                self._places_of(rule, step.source).depart(entry.number, 1.0)
            self._moved[rule.name].append(entry.number)

    def _closure(self, needed: Iterable[int]) -> int:
        """Return the bits of `needed` and of all that these wait for."""
        bits = 0
        for number in needed:
            bits |= 1 << number | self._ancestors[number]
        return bits

    def _without_implied(self, needed: set[int]) -> tuple[int, ...]:
        implied = 0
        for number in needed:
            implied |= self._ancestors[number]
        return tuple(sorted(number for number in needed if not implied >> number & 1))

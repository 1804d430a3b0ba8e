"""Hosts that moves are to empty are emptied wholly or not at all: what a dropped move leaves half done is undone.

Gives up the moves off a host that would run a VM after all, and has the rest put in order anew. The law is
`rules.consolidation`; what else is given up, and why, is the business of `sequence.schedule`.
"""

from collections.abc import Mapping, Sequence

from balancer.model.plan import MoveReason
from balancer.model.reasons import Reason, Refusal
from balancer.model.units import VmId
from balancer.rules.placement import Placement
from balancer.sequence.origin import Origin
from balancer.sequence.units import Unit
from balancer.sequence.waves import Stuck

HALF = Refusal.of(Reason.UNREACHABLE, "its host could not be emptied wholly")


def half_emptied(
    origin: Origin, units: Sequence[Unit], waves: Sequence[Sequence[Unit]]
) -> Mapping[VmId, Stuck]:
    """Return the units that leave hosts which run VMs after the waves all the same, by key.

    A VM that is on its way since before counts on both of its hosts.
    """
    start, end = origin.start, _after(origin, waves)
    made = {unit.key for wave in waves for unit in wave}
    leaving = [unit for unit in units if unit.key in made and _empties(unit)]
    return {
        unit.key: Stuck(unit=unit, refusal=HALF)
        for unit in leaving
        if any(end.present[start.host_of[step.vm]] for step in unit.steps)
    }


def _empties(unit: Unit) -> bool:
    return any(step.reason is MoveReason.CONSOLIDATE for step in unit.steps)


def _after(origin: Origin, waves: Sequence[Sequence[Unit]]) -> Placement:
    placement = origin.start.copy()
    for wave in waves:
        for unit in wave:
            for step in unit.steps:
                placement.move(step.vm, step.target)
    return placement

"""Rival: a ProxLB-like ordered greedy on one resource.

Written from a description of the published algorithm: as long as the gap between the fullest and the
emptiest host exceeds `balanciness`, walk through the groups of VMs by size and used memory, smallest
first, and send a VM of *the* fullest host to the emptiest one if its memory fits there. One pass, one
resource, no look-ahead. Hosts in maintenance are emptied first, each VM to the emptiest host. Rules of the
kind that the original knows (kept apart, kept on some hosts) are respected as masks, which is kinder than
the original.
"""

import numpy as np

from balancer.lab.rivals.climb import Field
from balancer.lab.rivals.facts import Facts
from balancer.plan.codes import Floats, Ints

BALANCINESS = 0.10
MEMORY = 1


def ordered_greedy(facts: Facts) -> Ints:
    """Return the placement of the units after one run."""
    field = Field(facts)
    for unit in _order(facts, np.flatnonzero(facts.leaving[field.at])):
        _send(field, unit, is_mandatory=True)
    for unit in _order(facts, np.flatnonzero(facts.serving[field.at])):
        used = _used(field)
        serving = np.flatnonzero(facts.serving)
        if used[serving].max() - used[serving].min() <= BALANCINESS:
            break
        if field.at[unit] == serving[int(np.argmax(used[serving]))]:
            _send(field, unit, is_mandatory=False)
    return field.at


def _send(field: Field, unit: int, *, is_mandatory: bool) -> None:
    """Send a unit to the emptiest host; when that may not take it, a mandatory mover tries the next ones."""
    facts, used = field.facts, _used(field)
    candidates = np.flatnonzero(facts.serving & (np.arange(len(used)) != field.at[unit]))
    order = candidates[np.argsort(used[candidates], kind="stable")].tolist()
    mask = facts.open_mandatory if is_mandatory else facts.open
    fits = field.fits(np.array([unit]), any_cpu=True)[0] & mask[unit]
    for host in order if is_mandatory else order[:1]:
        if fits[host]:
            field.move(unit, host)
            return


def _order(facts: Facts, units: Ints) -> list[int]:
    return sorted(
        units.tolist(),
        key=lambda unit: (len(facts.members[unit]), facts.demand[unit, MEMORY], unit),
    )


def _used(field: Field) -> Floats:
    result: Floats = field.load[:, MEMORY] / field.facts.capacity[:, MEMORY]
    return result

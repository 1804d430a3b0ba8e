"""The slots of a horizon: how many, how long, and how far away each is."""

from dataclasses import dataclass
from math import ceil

from balancer.model.units import Seconds

HORIZON_S: Seconds = 3600.0
"""How far a profile reaches where the policy does not say."""

SHORTEST_SLOT_S: Seconds = 900.0

MOST_SLOTS = 8
"""Each slot of a profile is one more column for the planner: a longer horizon has longer slots, not more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """`leads` are the steps from now to the middle of each slot, 1 for the step after the newest."""

    count: int
    slot_s: Seconds
    leads: tuple[int, ...]


def slots_of(horizon_s: Seconds | None, step_s: Seconds) -> Slots:
    """Return the slots of a horizon, in whole steps of the history; an hour where None is given."""
    reach_s = HORIZON_S if horizon_s is None else horizon_s
    shortest = max(ceil(SHORTEST_SLOT_S / step_s), 1)
    steps = max(ceil(reach_s / step_s), shortest)
    per_slot = shortest * ceil(steps / shortest / MOST_SLOTS)
    count = ceil(steps / per_slot)
    leads = tuple(per_slot * slot + (per_slot + 1) // 2 for slot in range(count))
    return Slots(count=count, slot_s=per_slot * step_s, leads=leads)

"""Where the sequencing starts from: need, policy and the cluster as it stands, read once per schedule.

Counting ten thousand VMs takes longer than ordering some hundred moves, so every attempt works on a copy
of what is counted here. Never changed; never leaves this package.
"""

from functools import cached_property

from balancer.model.need import Need
from balancer.policy.types import Policy
from balancer.rules.placement import Ground, Placement
from balancer.sequence.slots import Capacities


class Origin:
    """What all attempts have in common."""

    def __init__(self, need: Need, policy: Policy) -> None:
        self.need = need
        self.ground = Ground(need.snapshot, policy, need.demand, paces=need.paces)
        self.capacities = Capacities(need.snapshot, policy.limits)

    @cached_property
    def settled(self) -> Placement:
        """Return the snapshot's placement, running migrations still on their sources. To be copied."""
        return Placement(self.ground)

    @cached_property
    def start(self) -> Placement:
        """Return the same with the running migrations begun: they count on both hosts. To be copied."""
        placement = self.settled.copy()
        placement.begin_flights()
        return placement

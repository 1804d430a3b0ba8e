"""4 Plan -> ordered waves. Puts a draft's moves in an order that is legal at every instant.

Decides when, never whether a move is worth it; what cannot be reached is dropped with its reason.
Takes the planner's draft and hands a schedule to the cycle.
"""

from balancer.sequence.schedule import make_schedule

__all__ = ["make_schedule"]

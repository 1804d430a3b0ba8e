"""The one place where lower bounds are plugged in. Without a source of bounds the tables print "-".

A bound holds for every planner: no placement within the laws is more even than `imbalance`, and no set of
moves that reaches the target is cheaper than `moves` or `seconds`.
"""

from dataclasses import dataclass

from balancer.model.need import Need
from balancer.model.plan import Plan
from balancer.policy.types import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Lower bounds of one case; None where not known. `price` is in moves.

    One move costs 1 + `per_second` x its seconds, with the policy's `per_second`.
    """

    imbalance: float | None = None
    price: float | None = None


def bounds_of(need: Need, policy: Policy) -> Bounds:
    """Return the bounds of a case. Nothing in the engine gives any yet."""
    del need, policy
    return Bounds()


def proof_of(plan: Plan) -> str | None:
    """Return what the engine says of a schedule's optimality, None where it says nothing."""
    del plan
    return None

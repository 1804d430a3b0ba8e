"""The one place where lower bounds and proofs are plugged in. Without a source the tables print "-".

They come from the engine's own certificates (`balancer.plan.certify`, and the `certify` of
`balancer.sequence.make_schedule`) where this tree has them. A bound holds for every planner, so that the
rivals' rows are held against the same figure.
"""

import inspect
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from balancer.model.need import Need
from balancer.model.plan import Draft, Plan, Schedule
from balancer.policy.types import Policy
from balancer.sequence import make_schedule

CERTIFY = "balancer.plan.certify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What no plan can beat, beside one plan; None where not known.

    `imbalance` bounds every lawful placement. `gap` is the share of the possible fall in cost that the
    plan leaves, `price_ratio` its price over the least price of reaching what it reaches.
    """

    imbalance: float | None = None
    gap: float | None = None
    price_ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What is known of a schedule: a bound that knows of chains, and whether the schedule meets it."""

    bound_s: float | None = None
    is_optimal: bool | None = None


def bounds_of(need: Need, policy: Policy, plan: Plan) -> Bounds:
    """Return the bounds of one plan made from a need."""
    if find_spec(CERTIFY) is None:
        return Bounds()
    found: Any = import_module(CERTIFY).certify(need, policy, plan)
    return Bounds(imbalance=found.imbalance, gap=found.gap, price_ratio=found.price_ratio)


def schedule_of(need: Need, policy: Policy, draft: Draft) -> Schedule:
    """Put a draft in order, with proof where the sequencing offers one."""
    offers = "certify" in inspect.signature(make_schedule).parameters
    wanted: dict[str, Any] = {"certify": True} if offers else {}
    return make_schedule(need, policy, draft, **wanted)


def proof_of(schedule: Schedule) -> Proof:
    """Return what the sequencing says of its schedule."""
    return Proof(
        bound_s=getattr(schedule, "makespan_bound_seconds", None),
        is_optimal=getattr(schedule, "is_proven", None),
    )

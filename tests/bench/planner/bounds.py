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
from balancer.solver import InProcess

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


def bounds_of(need: Need, policy: Policy, plan: Plan) -> Bounds:
    """Return the bounds of one plan made from a need."""
    if find_spec(CERTIFY) is None:
        return Bounds()
    found: Any = import_module(CERTIFY).certify(need, policy, plan)
    return Bounds(imbalance=found.imbalance, gap=found.gap, price_ratio=found.price_ratio)


def offers_proofs() -> bool:
    """Whether the sequencing can be asked to prove its schedules."""
    return "certify" in inspect.signature(make_schedule).parameters


def proved_schedule(need: Need, policy: Policy, draft: Draft) -> Schedule:
    """Put a draft in order and prove that no order is sooner over, where that can be done."""
    wanted: dict[str, Any] = {"certify": InProcess}
    return make_schedule(need, policy, draft, **wanted)


def bound_with_chains(schedule: Schedule) -> float | None:
    """Return the sequencing's own bound, which knows of moves that must wait for room."""
    return getattr(schedule, "makespan_bound_seconds", None)


def is_proven(schedule: Schedule) -> bool:
    """Whether the sequencing says that no order of the moves is sooner over."""
    return bool(getattr(schedule, "is_proven", False))

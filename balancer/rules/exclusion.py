"""Law of the policy: a VM that a rule or a tag leaves alone for a goal is not moved for that goal.

Judges a reason to move, not a placement. Used by the planner's stages through their goals, by the sequencing
for hops, by the independent check and by explanations. Which VMs are left alone is told by `Holds.excluded`.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from balancer.model.goal import Goal
from balancer.model.need import Holds
from balancer.model.plan import MoveReason
from balancer.model.reasons import Refusal
from balancer.model.units import VmId

MANDATORY_GOALS = (Goal.EVACUATION, Goal.RULES)
"""What makes room is made for one of these; what one of them leaves alone makes room for neither."""

LOAD_GOALS = (Goal.CONTENTION, Goal.BALANCE, Goal.VM_COUNT, Goal.CONSOLIDATION)

GOALS_OF: Mapping[MoveReason, tuple[Goal, ...]] = MappingProxyType(
    {
        MoveReason.EVACUATE: (Goal.EVACUATION,),
        MoveReason.RULE: (Goal.RULES,),
        MoveReason.SHOULD_RULE: (Goal.RULES,),
        MoveReason.MAKE_ROOM: MANDATORY_GOALS,
        MoveReason.CONTENTION: (Goal.CONTENTION,),
        MoveReason.BALANCE: (Goal.BALANCE,),
        MoveReason.CONSOLIDATE: (Goal.CONSOLIDATION,),
        MoveReason.PARKING: (),
        MoveReason.REQUESTED: (Goal.EVACUATION,),
    }
)
"""The goals that a reason serves. A hop serves what the rest of its way serves."""


def left_alone(
    holds: Holds, vm: VmId, reason: MoveReason, *, evens_counts: bool = False
) -> Refusal | None:
    """Return why a VM must not be moved for a reason; None where it may.

    With `evens_counts` the policy evens out numbers of VMs: such moves are called balance too, so that a
    VM may be moved for balance unless both goals leave it alone.
    """
    if reason is MoveReason.BALANCE and evens_counts:
        return excluded_from_all(holds, vm, (Goal.BALANCE, Goal.VM_COUNT))
    found = (holds.excludes(vm, goal) for goal in GOALS_OF[reason])
    return next((refusal for refusal in found if refusal is not None), None)


def excluded_from_all(holds: Holds, vm: VmId, goals: Iterable[Goal]) -> Refusal | None:
    """Return why a VM is left alone where every one of the goals leaves it alone, else None."""
    found = [holds.excludes(vm, goal) for goal in goals]
    return found[0] if found and all(found) else None

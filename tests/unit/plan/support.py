"""Short ways from a snapshot to a draft, shared by the planner's tests."""

from typing import Any

from balancer.assess.need import assess
from balancer.assess.state import measure
from balancer.model.need import Holds, Need
from balancer.model.plan import Draft, State
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings, make_draft
from balancer.plan.desk import Desk
from balancer.plan.problem import compile_problem
from balancer.policy.types import Policy
from balancer.rules.placement import Ground, Placement
from tests.support.replay import replayed


def need_of(snap: Snapshot, policy: Policy | None = None, **holds: Any) -> Need:
    return assess(snap, policy or Policy(), Holds(**holds))


def draft_of(snap: Snapshot, policy: Policy | None = None, **holds: Any) -> Draft:
    chosen = policy or Policy()
    return make_draft(need_of(snap, chosen, **holds), chosen, PlanSettings())


def desk_of(snap: Snapshot, policy: Policy | None = None) -> Desk:
    chosen = policy or Policy()
    return Desk(compile_problem(need_of(snap, chosen), chosen))


def moves_of(draft: Draft) -> dict[str, str]:
    """Return the target of each VM that moves."""
    return {move.vm: move.target for move in draft.moves}


def state_of(snap: Snapshot, policy: Policy | None = None) -> State:
    chosen = policy or Policy()
    return measure(Placement(Ground(snap, chosen, need_of(snap, chosen).demand)))


def state_after(snap: Snapshot, draft: Draft) -> State:
    return state_of(replayed(snap, draft.moves))

"""No single move of a plan can be left out: each serves a rule, an evacuation, calm hosts, or pays for itself."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given

from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.assess.need import assess
from balancer.model.duration import vmotion_seconds
from balancer.model.need import Holds, Need
from balancer.model.plan import MoveReason, ProposedMove
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings, make_draft
from balancer.plan.desk import Desk, Note
from balancer.plan.field import movable
from balancer.plan.prune import prune
from balancer.policy.objective import balance_cost, contention_cost
from balancer.policy.types import Policy, Thresholds
from balancer.rules.judge import ALL_LAWS
from balancer.rules.placement import Candidate, Ground, Placement
from tests.support.clusters import clusters
from tests.support.every_placement import drawn
from tests.support.replay import replayed
from tests.support.searching import examples
from tests.unit.plan.support import desk_of

POLICY = Policy()
EAGER = Policy(thresholds=Thresholds(balance_trigger=0.02, balance_target=0.015))
OPTIONAL = (MoveReason.CONTENTION, MoveReason.BALANCE)
ROUNDING = 1e-9


def planned(snap: Snapshot, policy: Policy) -> tuple[Need, Sequence[ProposedMove]]:
    need = assess(snap, policy, Holds())
    return need, make_draft(need, policy, PlanSettings(refine_rounds=100)).moves


def idle_moves(need: Need, policy: Policy, moves: Sequence[ProposedMove]) -> Iterator[ProposedMove]:
    """Yield the optional moves without which the plan would be as good; VMs under rules apart."""
    snap = need.snapshot
    bound = {vm for rule in snap.active_rules() for vm in rule.vms}
    after = of(need, policy, replayed(snap, moves))
    for move in moves:
        if move.reason in OPTIONAL and move.vm not in bound and not is_barred(after, move):
            rest = replayed(snap, [other for other in moves if other is not move])
            if is_as_good(need, policy, of(need, policy, rest), after, move):
                yield move


def of(need: Need, policy: Policy, snap: Snapshot) -> Placement:
    return Placement(Ground(snap, policy, need.demand))


def is_barred(after: Placement, move: ProposedMove) -> bool:
    """Whether the laws that look at other VMs forbid the way back."""
    back = Candidate(vm=move.vm, target=move.source, is_mandatory=False)
    return any(law.judge(after, back) for law in ALL_LAWS if not law.is_static)


def is_as_good(
    need: Need, policy: Policy, rest: Placement, after: Placement, move: ProposedMove
) -> bool:
    without, hosts = rest.host_arrays(), after.host_arrays()
    limits, prices = policy.thresholds, policy.prices
    if contention_cost(without, limits) > contention_cost(hosts, limits) + ROUNDING:
        return False
    source, target = (need.snapshot.host_by_id[h] for h in (move.source, move.target))
    vm = need.snapshot.vm_by_id[move.vm]
    seconds = vmotion_seconds(
        source, target, vm.footprint_mib, dirty_rate_mbps=vm.dirty_rate_mbps or 0.0
    )
    each = prices.move_price * 3600.0 / prices.stable_s / len(need.snapshot.serving_hosts)
    is_dear = (
        balance_cost(without) - balance_cost(hosts)
        <= each * (1.0 + prices.per_second * seconds) - ROUNDING
    )
    return is_dear or balance_cost(without) <= limits.balance_target**2 - ROUNDING


SCENES = {"skewed": {}, "hot": {"hottest_cpu": 1.1}, "one leaves": {"entering_maintenance": 1}}


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
@pytest.mark.parametrize("seed", [1, 2])
def test_no_move_of_a_generated_cluster_can_be_left_out(
    scene: dict[str, object], seed: int
) -> None:
    snap = generate(InventorySpec(hosts=8, vms=100, **scene), seed)  # type: ignore[arg-type]
    need, moves = planned(snap, POLICY)
    assert list(idle_moves(need, POLICY, moves)) == []


@given(snap=clusters(most_hosts=5, most_vms=14, is_plain=True))
@examples(30)
def test_no_move_of_a_drawn_cluster_can_be_left_out(snap: Snapshot) -> None:
    need, moves = planned(snap, EAGER)
    assert list(idle_moves(need, EAGER, moves)) == []


def test_of_moves_made_at_random_pruning_leaves_none_that_can_be_left_out() -> None:
    idle_before = idle_after = 0
    for seed in range(40):
        dice = np.random.default_rng(seed)
        desk = desk_of(drawn(seed, 4, 16), POLICY)
        for row in dice.permutation(len(free := movable(desk)))[:8].tolist():
            targets = np.flatnonzero(desk.takes(free[row], is_mandatory=False))
            if len(targets):
                desk.move(free[row], int(dice.choice(targets)), Note(reason=MoveReason.BALANCE))
        need = desk.problem.need
        idle_before += len(list(idle_moves(need, POLICY, list(_moves(desk)))))
        prune(desk, POLICY.thresholds.balance_target)
        idle_after += len(list(idle_moves(need, POLICY, list(_moves(desk)))))
    assert idle_before > 40
    assert idle_after == 0


def _moves(desk: Desk) -> Iterator[ProposedMove]:
    problem = desk.problem
    for vm in desk.ledger.moved().tolist():
        yield ProposedMove(
            vm=problem.vms[vm].id,
            source=problem.hosts[int(problem.at[vm])].id,
            target=problem.hosts[int(desk.ledger.at[vm])].id,
            reason=desk.notes[vm].reason,
            why="by lot",
        )

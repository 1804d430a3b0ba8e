"""The lower bounds hold: against every lawful placement of small clusters, and against our own plans."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.adapters.simulated.spec import RuleShares
from balancer.assess.need import assess
from balancer.cli.planning import need_behind
from balancer.model.host import HostState
from balancer.model.need import Holds, Need
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings, make_draft
from balancer.plan.bound import aim_of, bounds
from balancer.plan.certify import certify
from balancer.plan.desk import Desk
from balancer.plan.fluid import Aim
from balancer.plan.ledger import Ledger
from balancer.plan.loadcost import load_cost
from balancer.plan.price import price
from balancer.plan.problem import FOOTPRINT, compile_problem
from balancer.planner import plan_snapshot
from balancer.policy.types import Policy, Thresholds
from tests.support.builders import host, rule, snapshot, vm
from tests.support.clusters import POLICY as CLUSTER_POLICY
from tests.support.clusters import clusters
from tests.support.searching import examples

POLICY = Policy(thresholds=Thresholds(balance_trigger=0.02, balance_target=0.05))
ROUNDING = 1e-9

SIZES = st.sampled_from([1000.0, 2000.0, 5000.0, 9000.0])


@st.composite
def small(draw: st.DrawFn, *, most_vms: int = 5) -> Snapshot:
    """Draw three hosts and a few VMs of very different sizes, some of which reach one host only."""
    hosts = [host(n, cpu_capacity_mhz=draw(st.sampled_from([8000.0, 16_000.0]))) for n in (1, 2, 3)]
    vms = []
    for number in range(1, draw(st.integers(2, most_vms)) + 1):
        memory = draw(st.sampled_from([4096.0, 16_384.0, 49_152.0]))
        networks = draw(st.sampled_from([frozenset(), frozenset({"n"})]))
        facts = {"cpu_demand_mhz": draw(SIZES), "memory_mib": memory, "networks": networks}
        vms.append(vm(number, on=draw(st.integers(1, 3)), **facts))
    some = frozenset({"n"})
    hosts = [replace(h, networks=some if n < 2 else frozenset()) for n, h in enumerate(hosts)]
    return snapshot(hosts, vms)


@st.composite
def busy(draw: st.DrawFn) -> Snapshot:
    """Draw a cluster that calls for moves: uneven, perhaps a host to be emptied, perhaps rules."""
    states = [HostState.CONNECTED] * 4 + [HostState.ENTERING_MAINTENANCE, HostState.QUARANTINE]
    snap = draw(small(most_vms=10))
    last = replace(snap.hosts[-1], state=draw(st.sampled_from(states)))
    numbers = st.lists(st.integers(1, len(snap.vms)), min_size=2, max_size=3, unique=True)
    rules = draw(st.lists(st.builds(_rule, st.sampled_from(RuleType), numbers), max_size=2))
    return replace(snap, hosts=(*snap.hosts[:-1], last), rules=tuple(rules))


def _rule(kind: RuleType, members: list[int]) -> Rule:
    return rule(f"{kind} {members}", kind, members, on=[1, 2])


def _need(snap: Snapshot, policy: Policy = POLICY) -> Need:
    return assess(snap, policy, Holds())


def _placements(need: Need) -> list[Ledger]:
    """Return every placement that the static laws and the ceilings allow: no VM arrives on an overfull host."""
    desk = Desk(compile_problem(need, POLICY))
    problem = desk.problem
    allowed = desk.allowed(range(len(problem.vms)), is_mandatory=False)
    allowed[np.arange(len(problem.vms)), problem.at] = True
    found = []
    for hosts in product(*(np.flatnonzero(row).tolist() for row in allowed)):
        ledger = Ledger(problem, np.array(hosts, dtype=np.int64))
        full = ledger.load[:, FOOTPRINT] > problem.limits[:, FOOTPRINT]
        busy = ledger.load[:, 0] > POLICY.thresholds.cpu_ceiling * problem.capacity[:, 0] + 1e-6
        if not (full | busy)[ledger.at[ledger.moved()]].any():
            found.append(ledger)
    return found


def _price(ledger: Ledger) -> float:
    moved = ledger.moved()
    each = price(ledger.problem, moved, ledger.problem.at[moved], ledger.at[moved])
    return float(each.sum())


@examples(30)
@given(snap=small())
def test_no_lawful_placement_of_a_small_cluster_beats_the_balance_bound(snap: Snapshot) -> None:
    need = _need(snap)
    found = bounds(need, POLICY)
    assert found.cost is not None
    assert found.imbalance is not None
    for ledger in _placements(need):
        cost = load_cost(ledger)
        assert cost.total(ledger) >= found.cost - ROUNDING
        assert cost.imbalance(ledger) >= found.imbalance - ROUNDING


THREE_ON_ONE = snapshot(
    [host(n, cpu_capacity_mhz=8000.0) for n in (1, 2, 3)],
    [vm(n, on=1, cpu_demand_mhz=5000.0) for n in (1, 2, 3)],
)
"""Can be spread perfectly: a level of zero is a level, too."""


@examples(30)
@given(snap=small(), rank=st.floats(0.0, 0.5))
@example(snap=THREE_ON_ONE, rank=0.0)
def test_no_way_to_a_level_of_a_small_cluster_is_cheaper_than_the_price_bound(
    snap: Snapshot, rank: float
) -> None:
    need = _need(snap)
    ways = [(load_cost(one).imbalance(one), _price(one)) for one in _placements(need)]
    levels = sorted(level for level, _ in ways)
    level = levels[int(rank * (len(levels) - 1))] + ROUNDING
    found = bounds(need, POLICY, Aim(level=level))
    assert found.price is not None
    assert found.price <= min(cost for reached, cost in ways if reached <= level) + ROUNDING


@examples(60)
@given(snap=st.one_of(busy(), clusters(most_hosts=4, most_vms=8)))
def test_the_plan_of_any_cluster_stays_above_its_certificate(snap: Snapshot) -> None:
    plan = plan_snapshot(snap, CLUSTER_POLICY, settings=PlanSettings())
    need, wanted = need_behind(plan, snap, CLUSTER_POLICY)
    found = certify(need, wanted, plan)
    if found.cost is not None:
        assert found.cost <= plan.after.cost + ROUNDING
    if found.imbalance is not None:
        assert found.imbalance <= plan.after.imbalance + 1e-6
    if found.bound_price is not None and found.bound_seconds is not None:
        assert found.bound_price <= found.price + ROUNDING
        assert found.bound_seconds <= found.seconds + 1e-3


SCENES = {
    "even hosts": {},
    "many rules": {"rules": RuleShares(triples_apart=0.1, pairs_together=0.1, pinned=0.1)},
    "evacuation": {"entering_maintenance": 1},
    "one host too hot": {"hottest_cpu": 1.1},
}


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_plan_of_a_generated_cluster_stays_above_its_bounds(
    scene: dict[str, object], seed: int
) -> None:
    snap = generate(InventorySpec(hosts=8, vms=160, **scene), seed)  # type: ignore[arg-type]
    need = _need(snap)
    draft = make_draft(need, POLICY, PlanSettings(polish_windows=0))
    problem = compile_problem(need, POLICY)
    ledger = Ledger(problem)
    for move in draft.moves:
        ledger.move([problem.vm_at[move.vm]], problem.host_at[move.target])
    cost = load_cost(ledger)
    found = bounds(need, POLICY, replace(aim_of(need, POLICY), is_calm=False))
    assert found.cost is not None
    assert found.price is not None
    assert found.cost <= cost.total(ledger) + ROUNDING
    assert cost.imbalance(ledger) <= POLICY.thresholds.balance_target
    assert 0.0 < found.price <= _price(ledger) + ROUNDING


def test_bounds_do_not_depend_on_the_units_of_load() -> None:
    snap = generate(InventorySpec(hosts=6, vms=90), 3)
    twice = snapshot(
        [
            replace(
                h,
                cpu_capacity_mhz=2 * h.cpu_capacity_mhz,
                cpu_overhead_mhz=2 * h.cpu_overhead_mhz,
            )
            for h in snap.hosts
        ],
        [
            replace(v, cpu_demand_mhz=2 * (v.cpu_demand_mhz or 0.0), cpu_usage_mhz=None)
            for v in snap.vms
        ],
    )
    plain = snapshot(snap.hosts, snap.vms)
    ours, theirs = (bounds(_need(s), POLICY) for s in (plain, twice))
    assert ours.cost == pytest.approx(theirs.cost, rel=1e-6, abs=1e-9)
    assert ours.price == pytest.approx(theirs.price, rel=1e-3)


@examples(30)
@given(snap=small())
def test_more_capacity_never_worsens_the_bound_where_every_vm_may_go_everywhere(
    snap: Snapshot,
) -> None:
    free = snapshot(
        [replace(h, networks=None) for h in snap.hosts],
        [
            replace(v, networks=frozenset(), cpu_demand_mhz=min(v.cpu_demand_mhz or 0.0, 7000.0))
            for v in snap.vms
        ],
    )
    bigger = replace(free.hosts[0], cpu_capacity_mhz=2 * free.hosts[0].cpu_capacity_mhz)
    before = bounds(_need(free), POLICY).cost
    assert before is not None
    for hosts in ([*free.hosts, host(4)], [bigger, *free.hosts[1:]]):
        after = bounds(_need(snapshot(hosts, free.vms)), POLICY).cost
        assert after is not None
        assert after <= before + 1e-7

"""When something is done for the load: never for what passes, and never for less than it costs."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.assess.bargain import FOR_LOAD
from balancer.model.decision import Answer
from balancer.model.plan import Plan
from balancer.model.reasons import Reason
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.types import Goals, Limits, Policy, Thresholds, TriggerRules
from tests.support.builders import host, snapshot, vm
from tests.support.clusters import clusters
from tests.support.replay import replayed

EAGER = Policy(
    thresholds=Thresholds(cpu_contention=0.7, balance_trigger=0.02, balance_target=0.01),
    limits=Limits(fresh_hosts_ratio=0.0, fresh_vms_ratio=0.0),
)
QUICK = PlanSettings(refine_rounds=50, polish_windows=0)
STEP_S, STEPS = 300.0, 3


def planned(snap: Snapshot, policy: Policy = EAGER, *, seed: int = 0) -> Plan:
    return plan_snapshot(snap, policy, settings=replace(QUICK, seed=seed))


def remembering(snap: Snapshot, *factors: float) -> Snapshot:
    """Return a snapshot in which the VMs wanted so many times of what they want now, oldest first."""
    wanted = {one.id: 0.0 for one in snap.hosts}
    for one in snap.running_vms:
        wanted[one.host] += one.cpu_demand_mhz or 0.0
    hosts = tuple(
        replace(one, recent_cpu_mhz=tuple(factor * wanted[one.id] for factor in factors))
        for one in snap.hosts
    )
    return replace(snap, hosts=hosts, recent_step_seconds=STEP_S)


@given(snap=clusters(most_hosts=4, most_vms=10, is_plain=True))
@settings(max_examples=40, deadline=None)
def test_every_plan_says_why_and_its_moves_gain_more_than_their_price(snap: Snapshot) -> None:
    plan = planned(snap)
    assert plan.decision is not None
    bargain, moves = plan.decision.bargain, [m for m in plan.moves if m.reason in FOR_LOAD]
    for reading in (plan.decision.contention, plan.decision.balance):
        assert reading.answer in Answer
        assert reading.now >= 0.0 < reading.trigger
        assert not (reading.answer.acts and reading.now <= reading.trigger)
    assert (bargain is None) == (not moves)
    assert bargain is None or (bargain.moves, bargain.is_worth_it) == (len(moves), True)


@given(share=st.floats(0.86, 0.99), calm=st.floats(0.0, 0.84), last=st.booleans())
@settings(max_examples=15, deadline=None)
def test_an_overload_that_does_not_last_moves_nothing_unless_it_is_grave(
    share: float, calm: float, last: bool
) -> None:
    vms = [vm(n, on=1, cpu_demand_mhz=share * 20_000.0 / 8) for n in range(1, 9)]
    snap = snapshot([host(1), host(2)], vms)
    passing = remembering(snap, *((1.0, calm / share) if last else (calm / share, 1.0)))
    relief = Policy(goals=Goals(balance=False))
    plan = planned(passing, relief)
    assert (plan.moves, answer_of(plan)) == ((), Answer.NOT_SUSTAINED)
    assert Reason.NOT_SUSTAINED in {refusal.reason for refusal in plan.refusals}
    grave = planned(passing, replace(relief, trigger=TriggerRules(grave=share - 0.005)))
    lasting = planned(remembering(snap, 1.0, 1.0), relief)
    assert (answer_of(grave), answer_of(lasting)) == (Answer.GRAVE, Answer.ACTS)
    assert grave.moves == lasting.moves == planned(snap, relief).moves != ()


def answer_of(plan: Plan) -> Answer:
    assert plan.decision is not None
    return plan.decision.contention.answer


@given(wanted=st.lists(st.floats(500.0, 4000.0), min_size=4, max_size=12), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_on_constant_load_nothing_is_proposed_after_the_first_plan(
    wanted: list[float], seed: int
) -> None:
    vms = [vm(n, on=1 + n % 2, cpu_demand_mhz=mhz) for n, mhz in enumerate(wanted, 1)]
    snap = snapshot([host(1), host(2), host(3)], vms)
    first = planned(remembering(snap, *(1.0,) * STEPS), seed=seed)
    there = replayed(snap, first.moves)
    for later in range(2):
        again = planned(remembering(there, *(1.0,) * STEPS), seed=seed + later + 1)
        assert again.moves == ()


@given(seed=st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_a_load_that_wiggles_within_the_band_moves_nothing(seed: int) -> None:
    """Hosts are up to 3 percentage points off their mean, so that the imbalance stays below the trigger of 5."""
    dice = np.random.default_rng(seed)
    for _ in range(3):
        wanted = 8000.0 + 20_000.0 * dice.uniform(-0.03, 0.03, size=(STEPS + 1, 4))
        hosts = [host(n, recent_cpu_mhz=tuple(wanted[:-1, n - 1].tolist())) for n in range(1, 5)]
        vms = [
            vm(4 * n + part, on=n, cpu_demand_mhz=wanted[-1, n - 1] / 4)
            for n in range(1, 5)
            for part in range(4)
        ]
        snap = replace(snapshot(hosts, vms), recent_step_seconds=STEP_S)
        plan = planned(snap, Policy())
        assert plan.moves == ()
        assert plan.decision is not None
        assert plan.decision.balance.answer in (Answer.BELOW_TRIGGER, Answer.IN_BAND)

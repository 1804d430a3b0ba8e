"""Forecasts and variation on random small clusters: figures are the policy's, and calm hosts stay calm."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.assess.need import assess
from balancer.model.need import Holds
from balancer.model.plan import MoveReason
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId
from balancer.model.vm import Profile, Vm
from balancer.plan import PlanSettings, make_draft
from balancer.plan.desk import Desk, Note
from balancer.plan.field import Field
from balancer.plan.loadcost import load_cost
from balancer.plan.problem import compile_problem
from balancer.policy import objective
from balancer.policy.types import Goals, Policy, Thresholds
from balancer.rules.placement import Ground, Placement
from tests.support.builders import host, snapshot, vm
from tests.support.replay import replayed
from tests.support.searching import examples

POLICY = Policy(
    goals=Goals(vm_count=True),
    thresholds=Thresholds(
        cpu_contention=0.7, balance_trigger=0.02, balance_target=0.01, peak_share=0.3, cpu_risk=1.5
    ),
)

MHZ = st.integers(0, 40).map(lambda number: number * 100.0)


@st.composite
def forecasts(draw: st.DrawFn) -> Snapshot:
    """Draw a cluster whose VMs have profiles, variation, both or neither."""
    hosts = [
        host(number, cpu_capacity_mhz=draw(st.sampled_from([8000.0, 12_000.0])))
        for number in range(1, draw(st.integers(2, 4)) + 1)
    ]
    slots = draw(st.integers(0, 6))
    vms = [draw(_vms(number, len(hosts), slots)) for number in range(1, draw(st.integers(1, 9)))]
    return snapshot(hosts, vms)


def _vms(number: int, hosts: int, slots: int) -> st.SearchStrategy[Vm]:
    facts: dict[str, st.SearchStrategy[Any]] = {
        "cpu_demand_mhz": MHZ,
        "cpu_demand_stddev_mhz": st.sampled_from([None, 0.0, 300.0, 900.0]),
        "memory_mib": st.sampled_from([1000.0, 8000.0]),
        "profile": st.none() | _profiles(slots) if slots else st.none(),
    }
    on = st.integers(1, hosts)
    return st.tuples(on, st.fixed_dictionaries(facts)).map(
        lambda drawn: vm(number, drawn[0], **drawn[1])
    )


def _profiles(slots: int) -> st.SearchStrategy[Profile]:
    cpu = st.lists(MHZ, max_size=slots).map(tuple)
    memory = st.lists(st.sampled_from([500.0, 6000.0]), max_size=slots).map(tuple)
    return st.builds(Profile, cpu_demand_mhz=cpu, memory_demand_mib=memory)


def desk_of(snap: Snapshot) -> Desk:
    return Desk(compile_problem(assess(snap, POLICY, Holds()), POLICY))


def placement_of(snap: Snapshot) -> Placement:
    return Placement(Ground(snap, POLICY, assess(snap, POLICY, Holds()).demand))


@given(snap=forecasts())
@examples(150)
def test_the_objective_by_host_is_that_of_the_policy(snap: Snapshot) -> None:
    desk, arrays, limits = desk_of(snap), placement_of(snap).host_arrays(), POLICY.thresholds
    cost = load_cost(desk.ledger)
    assert cost.total(desk.ledger) == pytest.approx(objective.load_cost(arrays, limits), abs=1e-12)
    assert cost.contention(desk.ledger) == pytest.approx(objective.contention_cost(arrays, limits))
    assert cost.imbalance(desk.ledger) == pytest.approx(objective.imbalance(arrays), abs=1e-9)
    stress = cost.stress_of(slice(None), desk.ledger.load)
    np.testing.assert_allclose(stress, arrays.stress(limits))


@given(snap=forecasts(), data=st.data())
@examples(100)
def test_a_field_after_many_moves_is_a_field_made_anew(snap: Snapshot, data: st.DataObject) -> None:
    desk = desk_of(snap)
    field = Field(desk)
    for _ in range(data.draw(st.integers(1, 5)) if len(field) else 0):
        unit = data.draw(st.integers(0, len(field) - 1))
        target = data.draw(st.integers(0, len(snap.hosts) - 1))
        if target != field.host[unit]:
            field.move(unit, target)
    for members, target in field.outcome():
        desk.move(members, target, Note(reason=MoveReason.BALANCE))
    fresh = Field(desk)
    for name in ("entry", "exit", "relief"):
        np.testing.assert_allclose(
            getattr(field, name), getattr(fresh, name), rtol=1e-7, atol=1e-12, err_msg=name
        )


@given(snap=forecasts())
@examples(60)
def test_a_calm_cluster_stays_calm_and_a_contended_one_gets_no_worse(snap: Snapshot) -> None:
    """Of a contention that cannot be cleared, another host may be the one that keeps what is left."""
    draft, limits = (
        make_draft(assess(snap, POLICY, Holds()), POLICY, PlanSettings()),
        POLICY.thresholds,
    )
    before = placement_of(snap).host_arrays()
    after = placement_of(replayed(snap, draft.moves)).host_arrays()
    left = objective.contention_cost(after, limits)
    assert left <= objective.contention_cost(before, limits) + 1e-9


@given(snap=forecasts())
@examples(60)
def test_planning_on_the_result_plans_nothing(snap: Snapshot) -> None:
    draft = make_draft(assess(snap, POLICY, Holds()), POLICY, PlanSettings())
    after = replayed(snap, draft.moves)
    assert make_draft(assess(after, POLICY, Holds()), POLICY, PlanSettings()).moves == ()


@given(
    slots=st.lists(st.lists(MHZ, min_size=3, max_size=3), min_size=1, max_size=8),
    share=st.floats(0.0, 1.0),
)
def test_what_lasts_is_reached_in_that_share_of_the_slots_and_no_more_is(
    slots: list[list[float]], share: float
) -> None:
    table = np.array(slots)
    found = objective.lasting(table, share)
    wanted = objective.lasting_slots(len(table), share)
    assert ((table >= found).sum(axis=0) >= wanted).all()
    assert ((table > found).sum(axis=0) < wanted).all()


def test_a_move_judged_by_the_placement_counts_slots_on_both_hosts_while_under_way() -> None:
    snap = snapshot([host(1), host(2)], [vm(1, 1, profile=Profile(cpu_demand_mhz=(100.0, 900.0)))])
    placement = placement_of(snap)
    placement.start(snap.vms[0].id, HostId("host-2"))
    slots = placement.host_arrays().slots
    assert slots is not None
    assert slots[:, :, 0].tolist() == [[100.0, 100.0], [900.0, 900.0]]


def test_a_vm_without_a_profile_has_its_mean_in_every_slot() -> None:
    profiled = vm(1, 1, profile=Profile(cpu_demand_mhz=(100.0, 900.0)))
    snap = snapshot([host(1)], [profiled, replace(vm(2, 1), cpu_demand_mhz=300.0)])
    slots = placement_of(snap).host_arrays().slots
    assert slots is not None
    assert slots[:, 0, 0].tolist() == [400.0, 1200.0]

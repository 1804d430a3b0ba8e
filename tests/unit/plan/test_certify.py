"""The certificate of a plan: bounds that hold for it, and words where there is no figure."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.cli.planning import need_behind
from balancer.model.certificate import Certificate
from balancer.model.host import HostState
from balancer.model.snapshot import Snapshot
from balancer.model.vm import Blocker
from balancer.plan.bound import aim_of
from balancer.plan.certify import certify
from balancer.plan.fluid import make_fluid
from balancer.plan.loadcost import load_cost
from balancer.policy.types import Goals, Policy, Thresholds
from tests.support.builders import host, snapshot, vm
from tests.unit.plan.explained import KEEN, planned, uneven
from tests.unit.plan.support import desk_of

LOOSE = Policy(thresholds=Thresholds(balance_trigger=0.05, balance_target=0.03))


def certified(snap: Snapshot, policy: Policy | None = None, **limit: float) -> Certificate:
    plan = planned(snap, policy)
    need, wanted = need_behind(plan, snap, policy or Policy())
    return certify(need, wanted, plan, **limit)


def test_a_plan_that_reaches_its_target_is_set_beside_the_cheapest_way_there() -> None:
    found = certified(generate(InventorySpec(hosts=8, vms=160), 2), LOOSE)
    assert (found.level, found.is_calm, found.notes) == (0.03, True, ())
    assert found.imbalance == 0.0
    assert found.gap is not None
    assert 0.0 < found.gap < 0.05
    assert found.price_ratio is not None
    assert found.seconds_ratio is not None
    assert found.price_ratio >= 1.0
    assert found.seconds_ratio >= 1.0


def test_an_unreachable_target_is_called_so_and_the_bound_asks_for_what_is_reached() -> None:
    stuck = [vm(n, on=1, cpu_demand_mhz=4000.0, blockers=(Blocker.VGPU,)) for n in (1, 2, 3)]
    found = certified(snapshot([host(1), host(2)], [*stuck, vm(4, on=1)]), LOOSE)
    assert found.imbalance is not None
    assert found.level is not None
    assert 0.03 < found.imbalance <= found.level
    assert any("no placement reaches it" in note for note in found.notes)


def test_a_plan_without_moves_costs_nothing_and_need_not() -> None:
    found = certified(snapshot([host(1), host(2)], [vm(1, on=1), vm(2, on=2)]))
    assert (found.price, found.bound_price, found.price_ratio) == (0.0, 0.0, None)
    assert (found.level, found.gap) == (None, None)


def test_an_evacuation_is_bounded_by_the_price_of_what_has_to_leave() -> None:
    hosts = [host(1, state=HostState.ENTERING_MAINTENANCE), host(2), host(3)]
    vms = [vm(n, on=1) for n in range(1, 5)]
    found = certified(snapshot(hosts, vms), Policy(goals=Goals(balance=False)))
    assert found.bound_price == pytest.approx(found.price)
    assert found.bound_seconds == pytest.approx(found.seconds)
    assert found.seconds > 0.0


def test_a_host_that_stays_contended_is_said_and_not_asked_away() -> None:
    busy = [vm(n, on=1, cpu_demand_mhz=9500.0, blockers=(Blocker.VGPU,)) for n in (1, 2)]
    found = certified(snapshot([host(1), host(2)], busy))
    assert not found.is_calm
    assert any("stays above a contention threshold" in note for note in found.notes)


def test_a_bound_that_takes_too_long_is_left_out_and_said() -> None:
    found = certified(generate(InventorySpec(hosts=16, vms=400), 1), LOOSE, limit_s=0.001)
    assert (found.bound_price, found.bound_seconds, found.price_ratio) == (None, None, None)
    assert any("could not be computed" in note for note in found.notes)


@pytest.mark.parametrize("hosts", [0, 2])
def test_a_cluster_without_vms_has_no_bounds_and_says_so(hosts: int) -> None:
    found = certified(snapshot([host(n) for n in range(1, hosts + 1)], []))
    assert (found.cost, found.imbalance, found.bound_price) == (None, None, None)
    assert found.notes == ("nothing is bounded: no VM runs on these hosts",)


def test_hosts_that_are_all_to_be_emptied_have_no_bounds() -> None:
    hosts = [host(n, state=HostState.ENTERING_MAINTENANCE) for n in (1, 2)]
    found = certified(snapshot(hosts, [vm(1, on=1), vm(2, on=2)]))
    assert (found.cost, found.bound_price) == (None, None)
    assert any("could not be computed" in note for note in found.notes)


def test_a_vm_larger_than_every_other_host_is_not_poured_out() -> None:
    huge = vm(1, on=1, cpu_demand_mhz=30_000.0)
    found = certified(snapshot([host(1), host(2)], [huge, vm(2, on=2)]), LOOSE)
    assert found.imbalance is not None
    assert found.imbalance > 0.3
    assert found.notes[-1] == "no placement costs less than the one at the start"


def test_an_evacuation_may_raise_the_cost_and_the_certificate_says_so() -> None:
    hosts = [host(1, state=HostState.ENTERING_MAINTENANCE), host(2)]
    stuck = vm(2, on=2, cpu_demand_mhz=19_000.0, blockers=(Blocker.VGPU,))
    found = certified(snapshot(hosts, [vm(1, on=1), stuck]))
    assert found.gap is None
    assert any("what is evacuated adds to the load" in note for note in found.notes)


def test_the_lowest_cost_of_a_tilted_host_is_the_lowest_there_is() -> None:
    desk = desk_of(replace(uneven(), hosts=(host(1), host(2, cpu_capacity_mhz=9000.0))), KEEN)
    fluid = make_fluid(desk, aim_of(desk.problem.need, KEEN))
    grid = np.linspace(0.0, 1.0, 20_001)[:, None, None]
    ratios = fluid.low + grid * (fluid.high - fluid.low)
    for slope in (-2.0, -0.1, 0.0, 0.05, 0.3, 3.0, 30.0):
        tilt = np.full_like(fluid.low, slope)
        lowest = fluid.curve.lowest(tilt, fluid.low, fluid.high)
        tried = (fluid.curve.value(ratios) - tilt * ratios).min(axis=0)
        assert (lowest <= tried + 1e-12).all()
        assert np.allclose(lowest, tried, atol=1e-4)


def test_the_cost_of_a_fluid_cluster_is_the_planners() -> None:
    desk = desk_of(uneven(), KEEN)
    fluid = make_fluid(desk, aim_of(desk.problem.need, KEEN))
    total = load_cost(desk.ledger).total(desk.ledger)
    assert float(fluid.curve.value(fluid.start).sum()) == pytest.approx(total)


class Broken:
    """A linear solver of which nothing works."""

    @staticmethod
    def CreateSolver(name: str) -> None:  # noqa: N802 - the name is not ours
        return None


@pytest.mark.parametrize("stand_in", [None, SimpleNamespace(Solver=Broken)])
def test_a_linear_solver_that_fails_leaves_a_note_and_no_exception(
    stand_in: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("ortools.linear_solver.pywraplp", raising=False)
    monkeypatch.setitem(sys.modules, "ortools.linear_solver.pywraplp", stand_in)
    bound = certified(uneven())
    assert (bound.cost, bound.bound_price) == (None, None)
    assert "could not be computed" in bound.notes[0]

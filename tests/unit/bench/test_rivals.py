"""The rivals of the benchmark are honest: they keep the laws, get nearer to their aims, and stop."""

import numpy as np
import pytest

from balancer.lab.rivals.climb import Field, best_step, climb, deviation, evacuate
from balancer.lab.rivals.facts import Facts
from balancer.lab.rivals.ordered import ordered_greedy
from tests.bench.planner.cases import Case
from tests.bench.planner.measuring import bill_of, standing_of
from tests.bench.planner.pairs import pair_objective, solve_pairs
from tests.bench.planner.population import Ints
from tests.bench.planner.scenarios import SCENARIOS, Size

CLIMBS = ((0.0, True), (0.0, False), (0.5, False), (1.0, False))


def case_of(name: str, size: str = "8x120") -> Case:
    return Case(scenario=name, size=Size.of(size), seed=1, target=0.01)


def faults(case: Case, at: Ints) -> list[str]:
    """Return which laws a placement of the rivals breaks."""
    facts, found = case.facts, []
    moved = np.flatnonzero(at != facts.at)
    leaving = facts.leaving[facts.at[moved]]
    open_to = np.where(leaving[:, None], facts.open_mandatory[moved], facts.open[moved])
    if not open_to[np.arange(len(moved)), at[moved]].all():
        found.append("mask")
    after = standing_of(case.need, case.policy, facts.targets(at))
    if after.overfull:
        found.append("memory")
    if after.broken or after.broken_should > case.before.broken_should:
        found.append("rules")
    return found


@pytest.mark.parametrize(("exponent", "is_summed"), CLIMBS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_climb_keeps_masks_memory_and_rules(name: str, exponent: float, is_summed: bool) -> None:
    case = case_of(name)
    found = climb(case.facts, target=case.target, exponent=exponent, is_summed=is_summed)

    assert faults(case, found.end) == []
    assert found.cleared is None or faults(case, found.cleared) == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_ordered_greedy_keeps_masks_memory_and_rules(name: str) -> None:
    case = case_of(name)

    assert faults(case, ordered_greedy(case.facts)) == []


@pytest.mark.parametrize("name", ["rules", "maint"])
def test_the_model_with_pairs_keeps_masks_memory_and_rules(name: str) -> None:
    case = case_of(name)

    assert faults(case, solve_pairs(case.facts, time_limit_s=1.5).at) == []


def test_the_model_with_pairs_is_never_worse_than_the_start_that_it_is_told() -> None:
    facts = case_of("homog").facts
    solved = solve_pairs(facts, time_limit_s=1.5)

    assert solved.objective <= pair_objective(facts, facts.at)
    assert solved.booleans > len(facts.members)


@pytest.mark.parametrize("is_summed", [True, False], ids=["summed", "joint"])
def test_a_climb_takes_the_best_single_move_there_is(is_summed: bool) -> None:
    facts = case_of("hetero").facts
    field = Field(facts, is_summed=is_summed)
    step = best_step(field, np.ones(len(facts.members)))
    best = min(
        after_move(facts, unit, host, is_summed)
        for unit in range(len(facts.members))
        for host in np.flatnonzero(facts.open[unit] & field.fits(np.array([unit]))[0]).tolist()
        if host != facts.at[unit]
    )

    assert step is not None
    assert after_move(facts, *step, is_summed) == pytest.approx(best)


def after_move(facts: Facts, unit: int, host: int, is_summed: bool) -> float:
    field = Field(facts, is_summed=is_summed)
    field.move(unit, host)
    return deviation(field)


def test_running_sums_of_a_climb_equal_sums_from_scratch() -> None:
    facts = case_of("rules").facts
    field = Field(facts)
    rng = np.random.default_rng(1)
    for _ in range(50):
        field.move(int(rng.integers(len(facts.members))), int(rng.integers(len(facts.capacity))))
    fresh = Field(facts)
    for unit, host in enumerate(field.at.tolist()):
        fresh.move(unit, host)

    assert np.allclose(field.load, fresh.load)
    assert np.allclose(field.held, fresh.held)
    assert (field.crowd == fresh.crowd).all()
    assert (field.taken == fresh.taken).all()


def test_evacuation_empties_what_it_can() -> None:
    facts = case_of("maint", "16x400").facts
    field = Field(facts)
    before = int(facts.leaving[field.at].sum())
    evacuate(field)

    assert before > 0
    assert int(facts.leaving[field.at].sum()) <= before // 10


def test_units_are_affinity_groups_and_single_vms_and_every_vm_once() -> None:
    case = case_of("rules", "16x400")
    members = [vm for unit in case.facts.members for vm in unit]

    assert sorted(members) == list(range(400))
    assert max(len(unit) for unit in case.facts.members) > 1


def test_the_imbalance_by_which_rivals_stop_is_the_one_that_is_reported() -> None:
    case = case_of("maint", "16x400")
    field = Field(case.facts)

    assert case.facts.imbalance(field.load) == pytest.approx(case.before.imbalance)
    assert case.before.imbalance == pytest.approx(case.need.imbalance)


def test_a_bill_counts_vms_that_end_elsewhere_only() -> None:
    case = case_of("homog")
    vm = case.need.snapshot.vms[0]
    stays = bill_of(case.need, {vm.id: vm.host})
    other = next(host.id for host in case.need.snapshot.hosts if host.id != vm.host)
    goes = bill_of(case.need, {vm.id: other})

    assert (stays.moves, stays.gib, stays.seconds) == (0, 0, 0)
    assert goes.moves == 1
    assert goes.gib == pytest.approx(vm.footprint_mib / 1024)
    assert goes.seconds > 4

"""The benchmark's clusters are what the tables say they are."""

import numpy as np
import pytest

from balancer.assess.need import assess
from balancer.model.host import HostState
from balancer.model.need import Holds
from balancer.policy.types import Policy
from tests.bench.planner.contradictions import KINDS, contradict
from tests.bench.planner.measuring import Standing, standing_of
from tests.bench.planner.rulebook import members_under_rules
from tests.bench.planner.scenarios import SCENARIOS, Size, make
from tests.bench.planner.tight import CEILING, TIGHT_CASES, TightCase, solution_of, tight_evacuation

SMALL, MEDIUM = Size.of("8x120"), Size.of("16x400")


def start(name: str, size: Size, seed: int = 1) -> Standing:
    need = assess(make(name, size, seed), Policy(), Holds())
    return standing_of(need, Policy(), {})


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_same_seed_gives_the_same_cluster(name: str) -> None:
    assert make(name, SMALL, 3) == make(name, SMALL, 3)
    assert make(name, SMALL, 3) != make(name, SMALL, 4)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_cluster_has_the_size_asked_for(name: str) -> None:
    snapshot = make(name, MEDIUM, 1)

    assert (len(snapshot.hosts), len(snapshot.vms)) == (16, 400)


@pytest.mark.parametrize("size", [SMALL, MEDIUM], ids=str)
@pytest.mark.parametrize("name", SCENARIOS)
def test_rules_hold_and_memory_is_lawful_at_the_start(name: str, size: Size) -> None:
    found = start(name, size)
    need = assess(make(name, size, 1), Policy(), Holds())
    ceiling = Policy().thresholds.memory_ceiling
    held = {host.id: 0.0 for host in need.snapshot.hosts}
    for vm in need.snapshot.running_vms:
        held[vm.host] += vm.footprint_mib

    assert (found.broken, found.broken_should) == (0, 0)
    assert all(held[host.id] <= ceiling * host.usable_memory_mib for host in need.snapshot.hosts)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("name", "spread"), [("homog", 0.065), ("rules", 0.065), ("hot", 0.10)])
def test_the_spread_at_the_start_is_as_stated(name: str, spread: float, seed: int) -> None:
    assert start(name, MEDIUM, seed).imbalance == pytest.approx(spread, abs=0.001)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_utilisation_is_60_percent_of_cpu_and_70_percent_of_memory(seed: int) -> None:
    snapshot = make("homog", MEDIUM, seed)
    cpu = sum(vm.cpu_demand_mhz or 0.0 for vm in snapshot.vms)
    memory = sum(vm.footprint_mib for vm in snapshot.vms)

    assert cpu / sum(h.usable_cpu_mhz for h in snapshot.hosts) == pytest.approx(0.60, abs=0.01)
    assert memory / sum(h.usable_memory_mib for h in snapshot.hosts) == pytest.approx(
        0.70, abs=0.01
    )


def test_about_two_percent_of_the_vms_cannot_move() -> None:
    blocked = [vm for vm in make("homog", Size.of("32x1000"), 1).vms if vm.blockers]

    assert 10 <= len(blocked) <= 32


def test_40_percent_of_the_vms_are_under_rules_some_of_them_should_rules() -> None:
    rules = make("rules", Size.of("32x1000"), 1).rules

    assert len(set(members_under_rules(rules))) / 1000 == pytest.approx(0.40, abs=0.03)
    assert len({rule.type for rule in rules if rule.mandatory}) == 4
    assert any(not rule.mandatory for rule in rules)


def test_hot_hosts_are_above_the_contention_threshold() -> None:
    assert start("hot", MEDIUM).over >= 1


def test_a_new_host_is_empty() -> None:
    snapshot = make("newhost", MEDIUM, 1)

    assert snapshot.hosts[-1].id not in {vm.host for vm in snapshot.vms}


def test_three_hosts_enter_maintenance_and_everything_on_them_can_move() -> None:
    snapshot = make("maint", MEDIUM, 1)
    leaving = {h.id for h in snapshot.hosts if h.state is HostState.ENTERING_MAINTENANCE}

    assert len(leaving) == 3
    assert not [vm for vm in snapshot.vms if vm.host in leaving and vm.blockers]


def test_monsters_are_larger_than_half_a_host() -> None:
    snapshot = make("monster", MEDIUM, 1)
    host = snapshot.hosts[0].usable_memory_mib

    assert sum(vm.footprint_mib > host / 2 for vm in snapshot.vms) >= 4


@pytest.mark.parametrize("case", TIGHT_CASES[:5], ids=str)
def test_a_tight_evacuation_is_solvable_and_lawful_at_the_start(case: TightCase) -> None:
    memory, at, capacity = solution_of(case, 1)
    snapshot = tight_evacuation(case, 1)
    hosts = case.size.hosts
    solved = np.bincount(at, weights=memory, minlength=hosts) / capacity
    held = np.zeros(hosts)
    for vm in snapshot.vms:
        held[int(vm.host.removeprefix("host-"))] += vm.footprint_mib
    gone = [host.state is HostState.ENTERING_MAINTENANCE for host in snapshot.hosts]

    assert gone == [True] + [False] * (hosts - 1)
    assert solved[0] == 0
    assert solved.max() <= CEILING
    assert solved[1:].mean() == pytest.approx(case.used, abs=1e-3)
    assert sorted(vm.footprint_mib for vm in snapshot.vms) == sorted(memory.tolist())
    assert (held[1:] <= CEILING * capacity).all()
    assert held[0] > 0


@pytest.mark.parametrize("name", KINDS)
def test_a_contradiction_adds_only_the_rules_that_it_names(name: str) -> None:
    sound = make("rules", Size.of("16x400"), 1)
    broken, written = contradict(name, sound)

    assert {rule.name for rule in broken.rules} - {rule.name for rule in sound.rules} == written
    assert broken.vms == sound.vms

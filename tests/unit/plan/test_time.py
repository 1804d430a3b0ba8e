"""Demand over time: what lasts counts, a passing peak does not, and demand that varies is a risk."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from balancer.model.host import Host
from balancer.model.plan import MoveReason
from balancer.model.snapshot import Snapshot
from balancer.model.vm import Profile, Vm
from balancer.policy.types import Goals, Policy, Prices, Thresholds
from tests.support.builders import host, snapshot, vm
from tests.support.replay import replayed
from tests.unit.plan.support import draft_of, moves_of, need_of, state_of

RELIEF = Policy(goals=Goals(balance=False))
"""Host-1 has 20,000 MHz; above 17,000 it is contended. Of ten slots the load counts that is reached in two."""

HOSTS = (host(1), host(2), host(3))


def forecast(number: int, on: int, *mhz: float, **facts: Any) -> Vm:
    return vm(number, on=on, profile=Profile(cpu_demand_mhz=mhz), memory_mib=1000.0, **facts)


def peaked(number: int, on: int, peak_slots: Sequence[int], *, mhz: float = 4500.0) -> Vm:
    """Return a VM that wants 500 MHz but in the given ones of ten slots."""
    return forecast(number, on, *(mhz if n in peak_slots else 500.0 for n in range(10)))


def cluster(*vms: Vm, hosts: Sequence[Host] = HOSTS) -> Snapshot:
    return snapshot(hosts, vms)


def test_a_host_whose_peaks_overlap_is_relieved_although_its_mean_is_calm() -> None:
    snap = cluster(*(peaked(n, 1, (3, 4)) for n in range(1, 5)))
    assert state_of(snap).hosts[0].cpu_ratio < 0.3
    draft = draft_of(snap, RELIEF)
    assert [move.reason for move in draft.moves] == [MoveReason.CONTENTION]
    assert draft.moves[0].source == "host-1"
    assert draft.moves[0].why.startswith("esx1 at 90 % CPU in lasting peaks, above 85 %; ")
    assert draft_of(replayed(snap, draft.moves), RELIEF).moves == ()


@pytest.mark.parametrize(
    "slots",
    [
        pytest.param([(3,)] * 4, id="one slot is a passing peak"),
        pytest.param([(0, 1), (2, 3), (4, 5), (6, 7)], id="peaks at different times"),
    ],
)
def test_peaks_that_pass_or_do_not_meet_move_nothing(slots: list[tuple[int, ...]]) -> None:
    vms = [peaked(n, 1, when) for n, when in enumerate(slots, start=1)]
    assert draft_of(cluster(*vms), RELIEF).moves == ()
    assert not need_of(cluster(*vms)).wants_relief


def test_how_long_a_peak_must_last_is_the_policys_to_say() -> None:
    snap = cluster(*(peaked(n, 1, (3,)) for n in range(1, 5)))
    strict = replace(RELIEF, thresholds=Thresholds(peak_share=0.1))
    assert draft_of(snap, RELIEF).moves == ()
    assert len(draft_of(snap, strict).moves) == 1


def test_vms_with_opposite_peaks_are_put_together() -> None:
    early, late = (10_000.0, 10_000.0, 0.0, 0.0), (0.0, 0.0, 10_000.0, 10_000.0)
    vms = [forecast(1, 1, *early), forecast(2, 1, *early)]
    vms += [forecast(3, 2, *early), forecast(4, 3, *late)]
    draft = draft_of(cluster(*vms), RELIEF)
    assert list(moves_of(draft).values()) == ["host-3"]


def test_no_host_is_pushed_above_its_threshold_in_its_lasting_slots() -> None:
    """By its mean host-2 has room; by its peak, which is that of the hot host's VMs, it has not."""
    early = (9000.0, 9000.0, 0.0, 0.0)
    vms = [forecast(1, 1, *early), forecast(2, 1, *early), forecast(3, 2, *early)]
    snap = cluster(*vms, hosts=HOSTS[:2])
    assert need_of(snap).wants_relief
    assert draft_of(snap, RELIEF).moves == ()


def test_memory_forecasts_count_as_cpu_forecasts_do() -> None:
    slots = tuple(45_000.0 if n in (3, 4) else 1000.0 for n in range(10))
    size = {"memory_mib": 50_000.0, "memory_consumed_mib": 2000.0}
    vms = [vm(n, on=1, profile=Profile(memory_demand_mib=slots), **size) for n in (1, 2, 3)]
    assert len(draft_of(cluster(*vms), RELIEF).moves) == 1


def varying(count: int, mean: float, stddev: float) -> Snapshot:
    """Return a cluster of which the first host runs so many VMs of varying demand."""
    return cluster(
        *(
            vm(n, on=1, memory_mib=1000.0, cpu_demand_mhz=mean, cpu_demand_stddev_mhz=stddev)
            for n in range(1, count + 1)
        )
    )


@pytest.mark.parametrize(
    ("count", "mean", "stddev", "is_moved"),
    [
        pytest.param(4, 3000.0, 0.0, False, id="60 % without variation"),
        pytest.param(4, 3000.0, 2000.0, True, id="60 % in four VMs that vary by two thirds"),
        pytest.param(16, 750.0, 500.0, False, id="the same in sixteen, whose peaks even out"),
    ],
)
def test_variation_is_a_risk_that_evens_out_over_many_vms(
    count: int, mean: float, stddev: float, is_moved: bool
) -> None:
    draft = draft_of(varying(count, mean, stddev), RELIEF)
    assert bool(draft.moves) is is_moved


def test_without_risk_in_the_policy_variation_moves_nothing() -> None:
    calm = replace(RELIEF, thresholds=Thresholds(cpu_risk=0.0))
    assert draft_of(varying(4, 3000.0, 2000.0), calm).moves == ()


def test_varying_vms_are_spread_until_the_risk_is_below_the_threshold() -> None:
    snap = varying(8, 2000.0, 2000.0)
    after = replayed(snap, draft_of(snap, RELIEF).moves)
    assert need_of(snap).wants_relief
    assert not need_of(after).wants_relief


def test_the_longer_load_is_expected_to_stay_the_more_moves_pay() -> None:
    vms = [vm(n, on=1, cpu_demand_mhz=200.0) for n in range(1, 8)]
    snap = snapshot([host(1), host(2)], vms)
    eager = Thresholds(balance_trigger=0.0, balance_target=0.0)
    brief, long = (
        Policy(thresholds=eager, prices=Prices(move_price=3e-4, stable_s=seconds))
        for seconds in (600.0, 86_400.0)
    )
    assert len(draft_of(snap, brief).moves) < len(draft_of(snap, long).moves)

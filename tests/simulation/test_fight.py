"""Beside somebody else who balances the same cluster: a few moves, then we stop and say why (S8)."""

import logging
import os
from dataclasses import replace

import pytest

from balancer.model.past import Past
from balancer.model.reasons import Reason
from balancer.model.snapshot import Drs
from balancer.model.units import VmId
from balancer.model.vm import Automation
from tests.simulation.fight import (
    DAY_S,
    Adversary,
    Fight,
    cluster,
    levels_memory,
    levels_numbers,
    settled,
    takes_back,
    takes_one_back,
)
from tests.support.builders import NOON

ADVERSARIES = (takes_back, takes_one_back, levels_numbers, levels_memory)
SIZES = ((6, 60), (8, 200), (16, 200))
SEEDS = int(os.environ.get("BALANCER_FIGHT_SEEDS", "0"))
"""Fights of a day for each size and adversary beside the short ones: `make sim-exec` has 3."""


def past(fight: Fight) -> Past:
    return fight.store.past("vc1", fight.start.cluster.id, NOON)


def fought(
    adversary: Adversary, size: tuple[int, int], seed: int, caplog: pytest.LogCaptureFixture
) -> Fight:
    """Fight for a day, and check what holds after each fight."""
    caplog.set_level(logging.INFO)
    start = settled(cluster(*size, seed), adversary)
    fight = Fight(start=start, adversary=adversary, delay_s=60.0 + 70.0 * seed)
    fight.run()
    assert max(fight.per_vm.values()) <= 2
    assert 1 <= fight.in_all <= 5
    why = [r.__dict__["detail"] for r in caplog.records if r.message == "cluster left alone"]
    assert len(why) == 1
    assert "somebody else undid moves of ours within a day" in why[0]
    held = {report.held.reason for report in fight.reports if report.held}
    assert held == {Reason.CLUSTER_CONTENDED}
    notes = [entry.note.action for entry in fight.store.audit_entries(last=10_000)]
    assert "cluster.contended" in notes
    return fight


@pytest.mark.parametrize(
    ("adversary", "size"),
    [
        *((adversary, (6, 60)) for adversary in ADVERSARIES),
        (takes_back, (8, 200)),
        (levels_numbers, (8, 200)),
    ],
    ids=lambda one: str(getattr(one, "__name__", one)),
)
def test_a_fight_of_a_day_ends_after_five_moves_at_most(
    adversary: Adversary, size: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    fought(adversary, size, 0, caplog)


if SEEDS:

    @pytest.mark.slow
    @pytest.mark.parametrize("seed", range(1, SEEDS + 1))
    @pytest.mark.parametrize("size", SIZES, ids=str)
    @pytest.mark.parametrize("adversary", ADVERSARIES, ids=lambda one: one.__name__)
    def test_many_fights_end_after_five_moves_at_most(
        adversary: Adversary, size: tuple[int, int], seed: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        fought(adversary, size, seed, caplog)


def test_beside_a_drs_whose_setting_is_visible_nothing_is_sent_at_all() -> None:
    """Its setting says that it acts: S1 refuses before any fight."""
    snap = cluster(6, 60, 0)
    drs = Drs(enabled=True, automation=Automation.FULLY_AUTOMATED)
    snap = replace(snap, cluster=replace(snap.cluster, drs=drs))
    fight = Fight(start=snap, adversary=takes_back)
    fight.run(lasts_s=3600.0)
    assert fight.in_all == 0
    assert {r.held.reason for r in fight.reports if r.held} == {Reason.DRS_AUTOMATED}


def test_after_an_acknowledgement_the_cluster_is_balanced_again() -> None:
    start = settled(cluster(6, 60, 0), takes_back)
    fight = Fight(start=start, adversary=takes_back)
    fight.run(lasts_s=3600.0)
    before = fight.in_all
    fight.adversary = None
    by, at = "kim", fight.clock.now()
    seen = len(past(fight).foreign_moves)
    count = fight.store.acknowledge_foreign_moves("vc1", start.cluster.id, by=by, at=at)
    assert count == seen
    fight.run(lasts_s=fight.clock.monotonic() + 2 * 3600.0)
    assert fight.in_all > before


def test_on_constant_load_a_fixed_point_is_reached_and_no_vm_moves_twice() -> None:
    fight = Fight(start=cluster(6, 60, 1), adversary=None)
    fight.run(lasts_s=6 * 3600.0)
    assert fight.in_all > 0
    assert max(fight.per_vm.values()) == 1
    assert all(report.plan.moves == () for report in fight.reports[-12:])
    assert past(fight).foreign_moves == ()


def test_a_person_who_moves_back_one_vm_twice_is_left_that_vm_only() -> None:
    """What the person wants of one VM stops nothing else."""
    fight = Fight(start=cluster(6, 60, 1), adversary=None)
    stubborn: list[VmId] = []

    def person(vcenter: object, start: object) -> list[tuple[VmId, object]]:
        del vcenter, start
        moved = [vm.id for vm in fight.vcenter.truth.vms if vm.host != fight.places[vm.id]]
        stubborn[:] = stubborn or sorted(moved)[:1]
        return [(vm, fight.places[vm]) for vm in stubborn if vm in moved]

    fight.adversary = person  # type: ignore[assignment]
    fight.vcenter.at(400.0, fight.let_act)
    fight.run(lasts_s=DAY_S / 2)
    assert stubborn
    assert fight.per_vm[stubborn[0]] <= 2
    assert fight.in_all > 5
    assert not any(report.held for report in fight.reports)
    contended = {q.subject for q in past(fight).quarantines if q.reason is Reason.CONTENDED}
    assert contended <= set(stubborn)

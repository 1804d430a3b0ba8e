"""Orders that a certificate finds: other places in the list, other waves; lawful, repeatable and never slower."""

from random import Random
from typing import Any

import pytest

from balancer.model.plan import Draft, MoveReason, ProposedMove, Schedule
from balancer.model.snapshot import Snapshot
from balancer.model.units import VmId
from balancer.policy.types import Limits, Policy
from balancer.rules import Candidate, judge_move
from balancer.sequence import make_schedule
from balancer.solver import InProcess
from tests.support.builders import host, placement, snapshot, vm
from tests.unit.sequence.clock import clock_faults
from tests.unit.sequence.replay import faults
from tests.unit.sequence.support import go, need_of

IDLE: dict[str, Any] = {"cpu_demand_mhz": 0.0, "memory_active_mib": 0.0}
ROOM_MIB = 96_000.0
SIZES_MIB = (4_000.0, 8_000.0, 16_000.0, 32_000.0)
MANY = Limits(migrations_per_cluster=400, migrations_per_vcenter=400)


def nearly_full(hosts: int, moves: int, seed: int) -> tuple[Snapshot, list[ProposedMove]]:
    """Return hosts whose memory is 97 % full, and up to so many moves that are lawful one after the other."""
    dice, vms = Random(seed), []
    for at in range(hosts):
        free = ROOM_MIB
        while True:
            size = dice.choice(SIZES_MIB)
            if free - size >= ROOM_MIB * 0.03 * dice.random():
                free -= size
                vms.append(vm(len(vms), at, **IDLE, memory_mib=size))
            elif size == SIZES_MIB[0]:
                break
    snap = snapshot([host(n) for n in range(hosts)], vms)
    place, staying, found = placement(snap), list(range(len(vms))), []
    for _ in range(5_000):
        if len(found) == moves:
            break
        number, to = dice.choice(staying), dice.randrange(hosts)
        one = VmId(f"vm-{number}")
        refusal = judge_move(place, Candidate(vm=one, target=host(to).id))
        if refusal is None and vms[number].host != host(to).id:
            staying.remove(number)
            place.move(one, host(to).id)
            found.append((number, to))
    return snap, [go(snap, number, to, MoveReason.RULE) for number, to in found]


def both(snap: Snapshot, moves: list[ProposedMove], limits: Limits) -> tuple[Schedule, Schedule]:
    """Return the schedule without and with a certificate, after the independent check of the latter."""
    need, policy, draft = need_of(snap), Policy(limits=limits), Draft(moves=tuple(moves))
    certified = make_schedule(need, policy, draft, certify=InProcess)
    assert faults(need, policy, certified) == []
    assert clock_faults(need, policy, certified) == []
    assert certified == make_schedule(need, policy, draft, certify=InProcess)
    return make_schedule(need, policy, draft), certified


def test_the_order_of_the_solver_makes_other_waves_and_these_are_proven_the_fastest() -> None:
    plain, certified = both(*nearly_full(4, 10, 4), MANY)
    assert certified.makespan_seconds < 0.95 * plain.makespan_seconds
    assert certified.is_proven
    assert {move.vm: move.target for move in certified.moves} == {
        move.vm: move.target for move in plain.moves
    }


@pytest.mark.parametrize(("hosts", "moves", "seed"), [(4, 10, 8), (8, 30, 4), (16, 60, 1)])
def test_long_chains_through_full_hosts_become_shorter(hosts: int, moves: int, seed: int) -> None:
    plain, certified = both(*nearly_full(hosts, moves, seed), MANY)
    assert certified.makespan_seconds < 0.9 * plain.makespan_seconds


def test_a_link_that_all_copies_share_is_given_a_better_order() -> None:
    dice = Random(5)
    vms = [
        vm(n, n, **IDLE, memory_mib=dice.uniform(4e3, 4e4), dirty_rate_mbps=dice.uniform(0, 400))
        for n in range(1, 13)
    ]
    snap = snapshot([host(n) for n in range(13)], vms)
    limits = Limits(migrations_per_host=4, migrations_per_cluster=8)
    plain, certified = both(snap, [go(snap, n, 0, MoveReason.RULE) for n in range(1, 13)], limits)
    assert certified.makespan_seconds < plain.makespan_seconds - 1.0

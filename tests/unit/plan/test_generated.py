"""Generated clusters of three sizes: rules mended, hosts emptied, both resources levelled, nothing left to plan."""

from functools import cache

import pytest

from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.model.host import HostState
from balancer.model.plan import Draft
from balancer.model.snapshot import Snapshot
from tests.support.replay import replayed
from tests.unit.plan.support import draft_of, state_after, state_of

SIZES = ((8, 100), (16, 400), (32, 1000))

pytestmark = pytest.mark.parametrize(("hosts", "vms"), SIZES, ids=str)


@cache
def planned(hosts: int, vms: int) -> tuple[Snapshot, Draft]:
    snap = generate(InventorySpec(hosts=hosts, vms=vms, entering_maintenance=1), 7)
    return snap, draft_of(snap)


def test_no_must_rule_stays_broken(hosts: int, vms: int) -> None:
    snap, draft = planned(hosts, vms)
    assert state_of(snap).broken_must_rules == 2
    assert state_after(snap, draft).broken_must_rules == 0
    assert draft.conflicts == ()


def test_the_host_that_enters_maintenance_is_emptied(hosts: int, vms: int) -> None:
    snap, draft = planned(hosts, vms)
    leaving = {h.id for h in snap.hosts if h.state is HostState.ENTERING_MAINTENANCE}
    assert len(leaving) == 1
    assert not [vm for vm in replayed(snap, draft.moves).running_vms if vm.host in leaving]


def test_cpu_and_memory_are_both_more_even(hosts: int, vms: int) -> None:
    snap, draft = planned(hosts, vms)
    before, after = state_of(snap), state_after(snap, draft)
    assert after.cpu.stddev < before.cpu.stddev
    assert after.memory.stddev < before.memory.stddev


def test_planning_on_the_result_plans_nothing(hosts: int, vms: int) -> None:
    snap, draft = planned(hosts, vms)
    assert draft_of(replayed(snap, draft.moves)).moves == ()

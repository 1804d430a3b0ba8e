"""The planner's parts against what they stand for: prices, objective, masks, order, windows."""

from dataclasses import replace

import numpy as np
import pytest

from balancer.model.duration import vmotion_seconds
from balancer.model.host import HostState, VmotionLink
from balancer.model.plan import MoveReason
from balancer.model.reasons import Reason
from balancer.model.rule import RuleType
from balancer.model.snapshot import InFlight
from balancer.model.units import HostId, VmId
from balancer.plan.desk import Note
from balancer.plan.field import Field
from balancer.plan.loadcost import load_cost
from balancer.plan.order import in_order
from balancer.plan.price import seconds
from balancer.plan.problem import FOOTPRINT
from balancer.plan.should import ShouldRules
from balancer.plan.units import families
from balancer.policy import objective
from balancer.policy.types import Policy
from tests.support.builders import host, placement, rule, snapshot, vm
from tests.unit.plan.support import desk_of

UNEVEN = snapshot(
    [host(1), host(2, cpu_capacity_mhz=40_000.0), host(3, state=HostState.MAINTENANCE)],
    [vm(n, on=1, cpu_demand_mhz=2500.0) for n in range(1, 9)] + [vm(9, on=2)],
)


def test_predicted_seconds_are_those_of_the_model() -> None:
    slow = host(1, vmotion=VmotionLink(link_mbps=1000.0))
    fast = host(2, vmotion=VmotionLink(link_mbps=25_000.0, streams=1))
    vms = [vm(1, on=1, dirty_rate_mbps=200.0), vm(2, on=2, memory_mib=64_000.0)]
    desk = desk_of(snapshot([slow, fast], vms))
    for row, source, target in ((0, slow, fast), (1, fast, slow), (1, fast, fast)):
        facts = vms[row]
        expected = vmotion_seconds(
            source, target, facts.footprint_mib, dirty_rate_mbps=facts.dirty_rate_mbps or 0.0
        )
        places = [np.array([desk.problem.host_at[h.id]]) for h in (source, target)]
        assert seconds(desk.problem, [row], *places)[0] == pytest.approx(expected)


def test_the_objective_by_host_sums_up_to_that_of_the_policy() -> None:
    desk = desk_of(UNEVEN)
    arrays = placement(UNEVEN).host_arrays()
    arrays = objective.HostArrays(
        capacity=arrays.capacity, load=desk.ledger.load[desk.problem.serving, :2]
    )
    cost, limits = load_cost(desk.ledger), Policy().thresholds
    assert cost.total(desk.ledger) == pytest.approx(objective.load_cost(arrays, limits))
    assert cost.contention(desk.ledger) == pytest.approx(objective.contention_cost(arrays, limits))
    assert cost.imbalance(desk.ledger) == pytest.approx(objective.imbalance(arrays))


def test_a_field_after_many_moves_equals_a_field_made_anew() -> None:
    apart = rule("apart", RuleType.ANTI_AFFINITY, [1, 9])
    wish = rule("wish", RuleType.VM_HOST_AFFINE, [2, 3], on=[1], mandatory=False)
    kept = rule("kept", RuleType.AFFINITY, [4, 5])
    hosts = [host(1), host(2, cpu_capacity_mhz=40_000.0), host(3)]
    desk = desk_of(snapshot(hosts, UNEVEN.vms, [apart, wish, kept]))
    field = Field(desk)
    for unit, target in ((0, 2), (1, 1), (3, 2), (7, 0), (0, 0), (2, 1)):
        field.move(unit, target)
    for members, target in field.outcome():
        desk.move(members, target, Note(reason=MoveReason.BALANCE))
    fresh = Field(desk)
    assert fresh.units.members == field.units.members
    np.testing.assert_allclose(field.entry, fresh.entry, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(field.exit, fresh.exit, rtol=1e-9, atol=1e-15)


def test_rules_that_share_a_vm_make_one_family() -> None:
    rules = [rule("a", RuleType.AFFINITY, [1, 2]), rule("b", RuleType.AFFINITY, [3, 2])]
    snap = snapshot([host(1)], [vm(n, on=1) for n in (1, 2, 3, 4)], rules)
    assert families(desk_of(snap).problem) == ((0, 1, 2),)


@pytest.mark.parametrize(
    ("kind", "on", "change"),
    [
        (RuleType.ANTI_AFFINITY, [], [1, 0]),
        (RuleType.AFFINITY, [], [-1, 0]),
        (RuleType.VM_HOST_AFFINE, [1], [-1, 0]),
        (RuleType.VM_HOST_ANTI_AFFINE, [1], [1, 0]),
    ],
)
def test_a_move_changes_the_number_of_broken_should_rules(
    kind: RuleType, on: list[int], change: list[int]
) -> None:
    wish = rule("wish", kind, [1, 2], on=on, mandatory=False)
    if kind in (RuleType.VM_HOST_AFFINE, RuleType.VM_HOST_ANTI_AFFINE):
        wish = rule("wish", kind, [2], on=on, mandatory=False)
    desk = desk_of(snapshot([host(1), host(2)], [vm(1, on=1), vm(2, on=2)], [wish]))
    should = ShouldRules(desk.problem)
    assert should.change(desk.ledger, (1,)).tolist() == change


def test_masks_tell_static_refusals_and_close_held_targets() -> None:
    hosts = [host(1), host(2, datastores=frozenset({"b"})), host(3, state=HostState.QUARANTINE)]
    desk = desk_of(snapshot(hosts, [vm(1, on=1, datastores=frozenset({"a"}))]))
    codes = [code and Reason(list(Reason)[code - 1]) for code in desk.masks.codes(0).tolist()]
    assert codes == [Reason.ON_SOURCE_ALREADY, Reason.DATASTORE, Reason.TARGET_HOST_STATE]
    assert desk.allowed([0], is_mandatory=True).tolist() == [[False, False, True]]


def test_a_move_that_needs_room_comes_after_the_one_that_makes_it() -> None:
    hosts = [host(n, memory_capacity_mib=10_000.0) for n in (1, 2, 3)]
    vms = [vm(1, on=1, memory_mib=7000.0), vm(2, on=2, memory_mib=4000.0)]
    desk = desk_of(snapshot(hosts, vms))
    desk.move([0], 1, Note(reason=MoveReason.EVACUATE, cause="host-1"))
    desk.move([1], 2, Note(reason=MoveReason.MAKE_ROOM, cause="for vm1"))
    assert [vm for vm, _, _ in in_order(desk)] == [1, 0]


def test_a_running_migration_is_charged_on_its_target() -> None:
    flight = InFlight(vm=VmId("vm-9"), source=HostId("host-2"), target=HostId("host-1"))
    desk = desk_of(replace(UNEVEN, in_flight=(flight,)))
    assert desk.problem.transit[0, FOOTPRINT] == 4096.0
    assert desk.ledger.load[1, FOOTPRINT] == 4096.0
    assert not desk.allowed([8], is_mandatory=True).any()

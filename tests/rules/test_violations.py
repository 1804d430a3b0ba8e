"""Which rules a placement breaks, and how a placement's standing compares."""

from balancer.model.host import HostState
from balancer.model.rule import RuleType
from balancer.model.units import HostId, VmId
from balancer.model.vm import PowerState
from balancer.rules.standing import standing, stranded
from balancer.rules.violations import violations
from tests.support.builders import host, placement, rule, snapshot, vm


def test_each_kind_of_broken_rule_names_its_vms() -> None:
    rules = [
        rule("apart", RuleType.ANTI_AFFINITY, [1, 2]),
        rule("together", RuleType.AFFINITY, [1, 3]),
        rule("on two", RuleType.VM_HOST_AFFINE, [1, 3], on=[2]),
        rule("off two", RuleType.VM_HOST_ANTI_AFFINE, [3], on=[2], mandatory=False),
    ]
    where = placement(snapshot([host(1), host(2)], [vm(1, 1), vm(2, 1), vm(3, 2)], rules))

    found = {v.rule: (v.vms, v.mandatory) for v in violations(where)}

    assert found == {
        "apart": (("vm-1", "vm-2"), True),
        "together": (("vm-1", "vm-3"), True),
        "on two": (("vm-1",), True),
        "off two": (("vm-3",), False),
    }


def test_rules_that_hold_or_are_switched_off_are_not_named() -> None:
    rules = [
        rule("apart", RuleType.ANTI_AFFINITY, [1, 3]),
        rule("off", RuleType.ANTI_AFFINITY, [1, 2], enabled=False),
    ]
    where = placement(snapshot([host(1), host(2)], [vm(1, 1), vm(2, 1), vm(3, 2)], rules))

    assert violations(where) == ()


def test_a_vm_that_does_not_run_breaks_nothing() -> None:
    apart = rule("apart", RuleType.ANTI_AFFINITY, [1, 2])
    snap = snapshot([host(1)], [vm(1, 1), vm(2, 1, power=PowerState.OFF)], [apart])

    assert violations(placement(snap)) == ()


def test_vms_on_their_way_crowd_both_hosts() -> None:
    apart = rule("apart", RuleType.ANTI_AFFINITY, [1, 2])
    where = placement(snapshot([host(1), host(2), host(3)], [vm(1, 1), vm(2, 2)], [apart]))
    where.start(VmId("vm-1"), HostId("host-2"))

    assert [v.rule for v in violations(where)] == ["apart"]


def test_evacuating_counts_above_balance() -> None:
    hosts = [host(1, state=HostState.ENTERING_MAINTENANCE), host(2), host(3)]
    where = placement(snapshot(hosts, [vm(1, 1), vm(2, 2, cpu_demand_mhz=15_000.0)]))
    before = standing(where)
    assert stranded(where) == ("vm-1",)

    where.move(VmId("vm-1"), HostId("host-2"))
    after = standing(where)

    assert after.cost > before.cost
    assert before.is_worse_than(after)
    assert not after.is_worse_than(before)

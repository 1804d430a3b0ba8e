"""The cluster's configuration becomes rules, groups, overrides, DRS and HA."""

from typing import Any

import pytest
from pyVmomi import vim

from balancer.adapters.vsphere.cluster import (
    ClusterFacts,
    cluster_from,
    evc_modes_from,
    within,
)
from balancer.model.evc import EvcMode
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Drs, Ha
from balancer.model.units import HostId, VmId
from balancer.model.vm import Automation
from tests.unit.adapters.vsphere.build import facts, ref

spec = vim.cluster
VM = {number: ref(vim.VirtualMachine, f"vm-{number}") for number in range(1, 5)}
HOST = {number: ref(vim.HostSystem, f"host-{number}") for number in range(1, 4)}


def config(**values: Any) -> Any:
    defaults: dict[str, Any] = {
        "dasConfig": spec.DasConfigInfo(enabled=False),
        "drsConfig": spec.DrsConfigInfo(enabled=False),
    }
    return spec.ConfigInfoEx(**(defaults | values))


def read(mode: str | None = None, **values: Any) -> ClusterFacts:
    summary = vim.ClusterComputeResource.Summary(currentEVCModeKey=mode)
    found = cluster_from(
        facts("domain-c8", name="prod", configurationEx=config(**values), summary=summary), ()
    )
    assert found is not None
    return found


def rules(*wire: Any, group: tuple[Any, ...] = ()) -> tuple[Rule, ...]:
    return read(rule=list(wire), group=list(group)).rules


def test_rules_between_vms_are_must_rules_whatever_their_flag_says() -> None:
    together = spec.AffinityRuleSpec(name="a", enabled=True, mandatory=True, vm=[VM[1], VM[2]])
    apart = spec.AntiAffinityRuleSpec(name="b", enabled=True, mandatory=False, vm=[VM[3], VM[1]])
    assert rules(together, apart) == (
        Rule(name="a", type=RuleType.AFFINITY, vms=(VmId("vm-1"), VmId("vm-2"))),
        Rule(
            name="b",
            type=RuleType.ANTI_AFFINITY,
            vms=(VmId("vm-3"), VmId("vm-1")),
        ),
    )


def test_flags_that_are_unset_are_false() -> None:
    names = vim.cluster.VmHostRuleInfo(name="a", vmGroupName="vms", affineHostGroupName="hosts")
    groups = (vim.cluster.VmGroup(name="vms", vm=[VM[1]]), vim.cluster.HostGroup(name="hosts"))
    (rule,) = rules(names, group=groups)
    assert (rule.enabled, rule.mandatory) == (False, False)


def test_vm_host_rules_resolve_their_groups_by_name() -> None:
    groups = (
        spec.VmGroup(name="web", vm=[VM[1], VM[2]]),
        spec.HostGroup(name="left", host=[HOST[1]]),
        spec.HostGroup(name="right", host=[HOST[2], HOST[3]]),
    )
    on = spec.VmHostRuleInfo(name="on", vmGroupName="web", affineHostGroupName="left")
    off = spec.VmHostRuleInfo(name="off", vmGroupName="web", antiAffineHostGroupName="right")
    affine, anti = rules(on, off, group=groups)
    assert (affine.type, affine.hosts) == (RuleType.VM_HOST_AFFINE, {"host-1"})
    assert (anti.type, anti.hosts) == (RuleType.VM_HOST_ANTI_AFFINE, {"host-2", "host-3"})
    assert affine.vms == anti.vms == ("vm-1", "vm-2")


def test_a_rule_over_a_group_that_is_gone_concerns_nobody() -> None:
    (rule,) = rules(spec.VmHostRuleInfo(name="x", vmGroupName="no", affineHostGroupName="no"))
    assert (rule.vms, rule.hosts) == ((), frozenset())


def test_restart_order_is_no_rule_for_placement() -> None:
    assert rules(spec.DependencyRuleInfo(name="d", vmGroup="a", dependsOnVmGroup="b")) == ()


def test_groups_are_known_to_their_members() -> None:
    found = read(
        group=[
            spec.VmGroup(name="web", vm=[VM[1]]),
            spec.VmGroup(name="gold", vm=[VM[1], VM[2]]),
            spec.HostGroup(name="left", host=[HOST[1]]),
        ]
    )
    assert found.vm_groups == {"vm-1": {"web", "gold"}, "vm-2": {"gold"}}
    assert found.host_groups == {"host-1": {"left"}}


OVERRIDES = [
    spec.DrsVmConfigInfo(key=VM[1], enabled=False),
    spec.DrsVmConfigInfo(key=VM[2], enabled=True, behavior="manual"),
    spec.DrsVmConfigInfo(key=VM[3], behavior="partiallyAutomated"),
    spec.DrsVmConfigInfo(key=VM[4], enabled=True),
]


def test_overrides_are_read_per_vm() -> None:
    assert read(drsVmConfig=OVERRIDES).automation == {
        "vm-1": Automation.DISABLED,
        "vm-2": Automation.MANUAL,
        "vm-3": Automation.PARTIALLY_AUTOMATED,
    }


def test_overrides_do_not_count_where_the_cluster_switched_them_off() -> None:
    drs = spec.DrsConfigInfo(enabled=True, enableVmBehaviorOverrides=False)
    assert read(drsVmConfig=OVERRIDES, drsConfig=drs).automation == {}


def test_drs_is_read_with_its_default() -> None:
    drs = spec.DrsConfigInfo(enabled=True, defaultVmBehavior="fullyAutomated")
    assert read(drsConfig=drs).cluster.drs == Drs(
        enabled=True, automation=Automation.FULLY_AUTOMATED
    )
    assert read().cluster.drs == Drs()


@pytest.mark.parametrize(("rate", "expected"), [(1, 1), (5, 5), (0, None), (6, None), (-1, None)])
def test_how_eager_drs_is_is_read(rate: int, expected: int | None) -> None:
    drs = spec.DrsConfigInfo(enabled=True, defaultVmBehavior="fullyAutomated", vmotionRate=rate)
    assert read(drsConfig=drs).cluster.drs.vmotion_rate == expected


def ha(policy: Any, *, admits: bool = True) -> Ha:
    das = spec.DasConfigInfo(
        enabled=True, admissionControlEnabled=admits, admissionControlPolicy=policy
    )
    return read(dasConfig=das).cluster.ha


HOSTS_KEPT = spec.FailoverHostAdmissionControlPolicy(failoverHosts=[HOST[2]])
SHARE_KEPT = spec.FailoverResourcesAdmissionControlPolicy(
    cpuFailoverResourcesPercent=20, memoryFailoverResourcesPercent=25, failoverLevel=1
)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (HOSTS_KEPT, Ha(enabled=True, failover_hosts=frozenset({HostId("host-2")}))),
        (
            SHARE_KEPT,
            Ha(
                enabled=True,
                host_failures_to_tolerate=1,
                cpu_reserve_percent=20,
                memory_reserve_percent=25,
            ),
        ),
        (
            spec.FailoverLevelAdmissionControlPolicy(failoverLevel=2),
            Ha(enabled=True, host_failures_to_tolerate=2),
        ),
        (None, Ha(enabled=True)),
    ],
    ids=["failover hosts", "share of resources", "host failures", "none"],
)
def test_what_ha_keeps_free_is_read(policy: Any, expected: Ha) -> None:
    assert ha(policy) == expected


def test_a_policy_that_is_switched_off_keeps_nothing_free() -> None:
    assert ha(HOSTS_KEPT, admits=False) == Ha(enabled=True)


def test_evc_is_off_where_no_mode_is_given() -> None:
    assert read().cluster.evc_mode is None
    assert read("intel-skylake").cluster.evc_mode == "intel-skylake"


@pytest.mark.parametrize("lost", ["configurationEx", "summary"])
def test_a_cluster_without_configuration_is_not_made_up(lost: str) -> None:
    values: dict[str, Any] = {
        "configurationEx": config(),
        "summary": vim.ClusterComputeResource.Summary(),
    }
    del values[lost]
    assert cluster_from(facts("domain-c8", **values), ()) is None


def test_evc_modes_keep_the_servers_order() -> None:
    wire = [
        vim.EVCMode(key=key, vendor=vendor, vendorTier=tier, track=[key])
        for key, vendor, tier in (("intel-b", "intel", 2), ("amd-a", "amd", 1))
    ]
    assert evc_modes_from(facts("ServiceInstance", capability__supportedEVCMode=wire)) == (
        EvcMode(key="intel-b", vendor="intel", tier=2, track=frozenset({"intel-b"})),
        EvcMode(key="amd-a", vendor="amd", tier=1, track=frozenset({"amd-a"})),
    )


def test_members_that_are_not_in_the_snapshot_leave_the_rule() -> None:
    rule = Rule(
        name="r",
        type=RuleType.VM_HOST_AFFINE,
        vms=(VmId("vm-1"), VmId("vm-2")),
        hosts=frozenset({HostId("host-1"), HostId("host-2")}),
    )
    kept = within(rule, frozenset({VmId("vm-2")}), frozenset({HostId("host-1")}))
    assert (kept.vms, kept.hosts) == (("vm-2",), {"host-1"})

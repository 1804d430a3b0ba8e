"""Each law as a table: a situation in plain words, and the reason with which it is refused, or none."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from balancer.model.host import HostState, VmotionLink
from balancer.model.reasons import Reason
from balancer.model.rule import RuleType
from balancer.model.snapshot import Ha
from balancer.model.units import HostId, VmId
from balancer.model.vm import Automation, Blocker, Encryption, PowerState
from balancer.policy.types import Policy, Thresholds
from balancer.rules import Candidate, judge_move
from tests.support.builders import host, placement, rule, snapshot, vm


@dataclass(frozen=True, kw_only=True)
class Case:
    """vm-1 on host-1 is to go to host-2; the fields say what differs from a plain pair of hosts."""

    says: str
    reason: Reason | None
    vm: dict[str, Any] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)
    target: dict[str, Any] = field(default_factory=dict)
    others: tuple[Any, ...] = ()
    rules: tuple[Any, ...] = ()
    cluster: dict[str, Any] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    mandatory: bool = False


APART = rule("apart", RuleType.ANTI_AFFINITY, [1, 2, 3, 4])
TOGETHER = rule("together", RuleType.AFFINITY, [1, 2])
ON_1 = rule("stay", RuleType.VM_HOST_AFFINE, [1], on=[1])
OFF_2 = rule("keep off", RuleType.VM_HOST_ANTI_AFFINE, [1], on=[2])
LOW_CPU = Policy(thresholds=Thresholds(cpu_ceiling=0.5))

CASES = [
    Case(says="a plain VM may go to a plain host", reason=None),
    # devices and overrides
    Case(says="a powered-off VM stays", reason=Reason.NOT_RUNNING, vm={"power": PowerState.OFF}),
    Case(
        says="a DRS override manual pins",
        reason=Reason.AUTOMATION_MANUAL,
        vm={"automation": Automation.MANUAL},
    ),
    Case(
        says="a DRS override disabled pins",
        reason=Reason.AUTOMATION_DISABLED,
        vm={"automation": Automation.DISABLED},
    ),
    Case(
        says="a DRS override partially automated does not pin",
        reason=None,
        vm={"automation": Automation.PARTIALLY_AUTOMATED},
    ),
    *(
        Case(says=f"{word} pins", reason=Reason(word.value), vm={"blockers": (word,)})
        for word in Blocker
    ),
    # host states
    Case(
        says="a host in maintenance takes nothing",
        reason=Reason.TARGET_HOST_STATE,
        target={"state": HostState.MAINTENANCE},
    ),
    Case(
        says="a host entering maintenance takes nothing",
        reason=Reason.TARGET_HOST_STATE,
        target={"state": HostState.ENTERING_MAINTENANCE},
    ),
    Case(
        says="a host entering maintenance gives",
        reason=None,
        source={"state": HostState.ENTERING_MAINTENANCE},
    ),
    Case(
        says="a disconnected host gives nothing",
        reason=Reason.SOURCE_HOST_STATE,
        source={"state": HostState.DISCONNECTED},
    ),
    Case(
        says="a host in quarantine takes nothing for balance",
        reason=Reason.TARGET_HOST_STATE,
        target={"state": HostState.QUARANTINE},
    ),
    Case(
        says="a host in quarantine takes an evacuated VM",
        reason=None,
        target={"state": HostState.QUARANTINE},
        mandatory=True,
    ),
    Case(
        says="a failover host is kept free",
        reason=Reason.FAILOVER_HOST,
        cluster={"ha": Ha(enabled=True, failover_hosts=frozenset({HostId("host-2")}))},
        mandatory=True,
    ),
    Case(
        says="vMotion off on the target",
        reason=Reason.VMOTION_DISABLED,
        target={"vmotion": VmotionLink(enabled=False)},
    ),
    Case(
        says="vMotion off on the source",
        reason=Reason.VMOTION_DISABLED,
        source={"vmotion": VmotionLink(enabled=False)},
    ),
    Case(
        says="required encryption that the target lacks",
        reason=Reason.ENCRYPTION_UNSUPPORTED,
        vm={"encryption": Encryption.REQUIRED},
        target={"vmotion": VmotionLink(encrypted_supported=False)},
    ),
    Case(
        says="opportunistic encryption goes without",
        reason=None,
        vm={"encryption": Encryption.OPPORTUNISTIC},
        target={"vmotion": VmotionLink(encrypted_supported=False)},
    ),
    # VM-host rules
    Case(says="a must-run rule forbids other hosts", reason=Reason.VM_HOST_AFFINE, rules=(ON_1,)),
    Case(
        says="a keep-off rule forbids its hosts", reason=Reason.VM_HOST_ANTI_AFFINE, rules=(OFF_2,)
    ),
    Case(
        says="a should-rule forbids nothing",
        reason=None,
        rules=(rule("stay", RuleType.VM_HOST_AFFINE, [1], on=[1], mandatory=False),),
    ),
    Case(
        says="a disabled rule forbids nothing",
        reason=None,
        rules=(rule("stay", RuleType.VM_HOST_AFFINE, [1], on=[1], enabled=False),),
    ),
    # EVC
    Case(
        says="a VM of a newer mode cannot go to an older host",
        reason=Reason.EVC,
        vm={"min_evc_mode": "intel-icelake"},
        target={"max_evc_mode": "intel-skylake"},
    ),
    Case(
        says="a VM of an older mode may go to a newer host",
        reason=None,
        vm={"min_evc_mode": "intel-skylake"},
        target={"max_evc_mode": "intel-icelake"},
    ),
    Case(
        says="the VM's own EVC mode wins over the minimum",
        reason=None,
        vm={"min_evc_mode": "intel-icelake", "evc_mode": "intel-haswell"},
        target={"max_evc_mode": "intel-skylake"},
    ),
    Case(
        says="cluster EVC makes hosts alike",
        reason=None,
        vm={"min_evc_mode": "intel-skylake"},
        target={"max_evc_mode": None},
        cluster={"evc_mode": "intel-skylake"},
    ),
    Case(
        says="a mode that the server does not list is unknown",
        reason=Reason.EVC_UNKNOWN,
        vm={"min_evc_mode": "intel-future"},
        target={"max_evc_mode": "intel-icelake"},
    ),
    Case(
        says="a host without a known mode is unknown",
        reason=Reason.EVC_UNKNOWN,
        vm={"min_evc_mode": "intel-skylake"},
    ),
    Case(
        says="vendors never mix",
        reason=Reason.CPU_VENDOR,
        source={"cpu_vendor": "intel"},
        target={"cpu_vendor": "amd"},
    ),
    Case(
        says="a missing processor feature",
        reason=Reason.CPU_FEATURES,
        vm={"cpu_features": {"cpuid.avx512f": "Bool:Min:1"}},
        target={"cpu_features": {"cpuid.avx2": "1"}},
    ),
    Case(
        says="without EVC the features decide, not the best-fit mode",
        reason=None,
        vm={"min_evc_mode": "intel-icelake", "cpu_features": {"cpuid.avx2": "Bool:Min:1"}},
        target={"max_evc_mode": "intel-skylake", "cpu_features": {"cpuid.avx2": "1"}},
    ),
    Case(
        says="the VM's own EVC mode binds although the features fit",
        reason=Reason.EVC,
        vm={"evc_mode": "intel-icelake", "cpu_features": {"cpuid.avx2": "Bool:Min:1"}},
        target={"max_evc_mode": "intel-skylake", "cpu_features": {"cpuid.avx2": "1"}},
    ),
    Case(
        says="a minimum above its own host asks for no more than that host offers",
        reason=None,
        vm={"min_evc_mode": "intel-icelake"},
        source={"max_evc_mode": "intel-cascadelake"},
        target={"max_evc_mode": "intel-cascadelake"},
    ),
    Case(
        says="a minimum above its own host still keeps it from older hosts",
        reason=Reason.EVC,
        vm={"min_evc_mode": "intel-icelake"},
        source={"max_evc_mode": "intel-cascadelake"},
        target={"max_evc_mode": "intel-skylake"},
    ),
    Case(
        says="a feature that is there",
        reason=None,
        vm={"cpu_features": {"cpuid.avx2": "Bool:Min:1"}},
        target={"cpu_features": {"cpuid.avx2": "1"}},
    ),
    # storage and network
    Case(
        says="a datastore that the target does not reach",
        reason=Reason.DATASTORE,
        vm={"datastores": frozenset({"ds-1", "ds-2"})},
        target={"datastores": frozenset({"ds-1"})},
    ),
    Case(
        says="a host that lists no datastores reaches all",
        reason=None,
        vm={"datastores": frozenset({"ds-1"})},
    ),
    Case(
        says="a network that the target lacks",
        reason=Reason.NETWORK,
        vm={"networks": frozenset({"net-1"})},
        target={"networks": frozenset()},
    ),
    # rules between VMs
    Case(says="apart: the target is free", reason=None, rules=(APART,), others=(vm(2, 3),)),
    Case(
        says="apart: a mate is on the target",
        reason=Reason.ANTI_AFFINITY,
        rules=(APART,),
        others=(vm(2, 2),),
    ),
    Case(
        says="apart: from three together to one is allowed",
        reason=None,
        rules=(APART,),
        others=(vm(2, 1), vm(3, 1), vm(4, 2)),
    ),
    Case(
        says="apart: as crowded there as here is refused",
        reason=Reason.ANTI_AFFINITY,
        rules=(APART,),
        others=(vm(2, 1), vm(3, 2)),
    ),
    Case(
        says="together: the mate stays behind",
        reason=Reason.AFFINITY,
        rules=(TOGETHER,),
        others=(vm(2, 1),),
    ),
    Case(
        says="together: the mate is there already",
        reason=None,
        rules=(TOGETHER,),
        others=(vm(2, 2),),
    ),
    # room
    Case(
        says="memory ceiling",
        reason=Reason.MEMORY_CEILING,
        others=(vm(2, 2, memory_mib=94_000.0),),
        mandatory=True,
    ),
    Case(
        says="consumed memory counts, not the configured size",
        reason=None,
        others=(vm(2, 2, memory_mib=94_000.0, memory_consumed_mib=20_000.0),),
    ),
    Case(
        says="CPU ceiling for a balancing move",
        reason=Reason.CPU_CEILING,
        others=(vm(2, 2, cpu_demand_mhz=9_500.0),),
        policy=LOW_CPU,
    ),
    Case(
        says="no CPU ceiling for an evacuation",
        reason=None,
        others=(vm(2, 2, cpu_demand_mhz=9_500.0),),
        policy=LOW_CPU,
        mandatory=True,
    ),
    Case(
        says="number of VMs",
        reason=Reason.HOST_VM_LIMIT,
        others=(vm(2, 2),),
        target={"max_running_vms": 1},
    ),
    Case(
        says="CPU reservations do not fit",
        reason=Reason.CPU_RESERVATION,
        vm={"cpu_reservation_mhz": 6_000.0},
        others=(vm(2, 2, cpu_reservation_mhz=15_000.0),),
        mandatory=True,
    ),
    Case(
        says="memory reservations do not fit",
        reason=Reason.MEMORY_RESERVATION,
        vm={"memory_reservation_mib": 4_096.0},
        others=(vm(2, 2, memory_reservation_mib=97_000.0),),
        mandatory=True,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_a_move_is_judged(case: Case) -> None:
    hosts = [host(1, **case.source), host(2, **case.target), host(3)]
    snap = snapshot(hosts, [vm(1, 1, **case.vm), *case.others], case.rules, cluster=case.cluster)
    where = placement(snap, case.policy)
    move = Candidate(vm=VmId("vm-1"), target=HostId("host-2"), is_mandatory=case.mandatory)

    refusal = judge_move(where, move)

    assert (refusal.reason if refusal else None) is case.reason


def test_a_vm_on_its_way_holds_memory_on_both_hosts() -> None:
    snap = snapshot(
        [host(1), host(2), host(3)], [vm(1, 1, memory_mib=60_000.0), vm(2, 3, memory_mib=60_000.0)]
    )
    where = placement(snap)
    where.start(VmId("vm-1"), HostId("host-2"))

    refusal = judge_move(where, Candidate(vm=VmId("vm-2"), target=HostId("host-2")))
    back = judge_move(where, Candidate(vm=VmId("vm-2"), target=HostId("host-1")))

    assert refusal is not None
    assert refusal.reason is Reason.MEMORY_CEILING
    assert back is not None
    assert back.reason is Reason.MEMORY_CEILING


def test_a_vm_on_its_way_is_kept_apart_on_both_hosts() -> None:
    apart = rule("apart", RuleType.ANTI_AFFINITY, [1, 2])
    where = placement(snapshot([host(1), host(2), host(3)], [vm(1, 1), vm(2, 3)], [apart]))
    where.start(VmId("vm-1"), HostId("host-2"))

    for target in ("host-1", "host-2"):
        refusal = judge_move(where, Candidate(vm=VmId("vm-2"), target=HostId(target)))
        assert refusal is not None
        assert refusal.reason is Reason.ANTI_AFFINITY


def test_a_group_that_moves_as_one_is_allowed() -> None:
    together = rule("together", RuleType.AFFINITY, [1, 2])
    where = placement(snapshot([host(1), host(2)], [vm(1, 1), vm(2, 1)], [together]))
    where.start(VmId("vm-2"), HostId("host-2"))

    assert judge_move(where, Candidate(vm=VmId("vm-1"), target=HostId("host-2"))) is None


def test_a_vm_cannot_move_to_where_it_is() -> None:
    where = placement(snapshot([host(1), host(2)], [vm(1, 1)]))

    with pytest.raises(ValueError, match="is on host-1 already"):
        where.start(VmId("vm-1"), HostId("host-1"))


def test_a_move_to_where_the_vm_stands_is_refused() -> None:
    where = placement(snapshot([host(1), host(2)], [vm(1, 1)]))

    refusal = judge_move(where, Candidate(vm=VmId("vm-1"), target=HostId("host-1")))

    assert refusal is not None
    assert refusal.reason is Reason.ON_SOURCE_ALREADY

"""What cannot be met, as a table: a situation in plain words, the members of the conflict, and what mends it."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from balancer.model.host import HostState, VmotionLink
from balancer.model.plan import Conflict
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import RuleType
from balancer.model.snapshot import Ha, Snapshot
from balancer.model.units import HostId, VmId
from balancer.model.vm import Automation, Blocker, Encryption
from tests.support.builders import host, rule, snapshot, vm
from tests.unit.plan.support import draft_of

ENTERING = HostState.ENTERING_MAINTENANCE
APART, TOGETHER = RuleType.ANTI_AFFINITY, RuleType.AFFINITY
ON, OFF = RuleType.VM_HOST_AFFINE, RuleType.VM_HOST_ANTI_AFFINE
SMALL = 10_000.0
"""Memory of a small host in MiB; VMs may hold 96 % of it."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One situation with one conflict."""

    says: str
    snap: Snapshot
    message: str
    relax: str
    kind: str = "evacuation"
    rules: tuple[str, ...] = ()
    vms: tuple[str, ...] = ("vm-1",)
    hosts: tuple[str, ...] = ("host-1",)
    holds: dict[str, Any] = field(default_factory=dict)


def leaving(**facts: Any) -> Any:
    return host(1, state=ENTERING, **facts)


CASES = [
    Case(
        says="a group of four on three hosts",
        snap=snapshot(
            [host(1), host(2), host(3)],
            [vm(n, on=1) for n in (1, 2, 3, 4)],
            [rule("web apart", APART, [1, 2, 3, 4])],
        ),
        kind="rule",
        message="vm1, vm2, vm3 and vm4 cannot all be kept apart (rule 'web apart'): "
        "4 VMs for 3 hosts; vm3 and vm4 share esx1",
        rules=("web apart",),
        vms=("vm-1", "vm-2", "vm-3", "vm-4"),
        relax="disable rule 'web apart', or bring in one more host that may take its VMs",
    ),
    Case(
        says="a group whose hosts another rule makes too few",
        snap=snapshot(
            [host(1), host(2), host(3)],
            [vm(n, on=1) for n in (1, 2, 3)],
            [rule("web apart", APART, [1, 2, 3]), rule("licence", ON, [1, 2, 3], on=[1, 2])],
        ),
        kind="rule",
        message="vm1, vm2 and vm3 cannot all be kept apart (rule 'web apart'): 3 VMs for 2 hosts; "
        "only esx1 and esx2 may take vm1, vm2 and vm3 (rule 'licence'); vm2 and vm3 share esx1",
        rules=("web apart", "licence"),
        vms=("vm-1", "vm-2", "vm-3"),
        relax="add esx3 to the hosts of rule 'licence', or make it a should-rule",
    ),
    Case(
        says="one VM that cannot move among others that can leave",
        snap=snapshot(
            [leaving(), host(2)],
            [vm(1, on=1, blockers=(Blocker.VGPU,)), vm(2, on=1), vm(3, on=1)],
        ),
        message="vm1 cannot leave esx1, which is to be empty: vm1: holds a virtual GPU",
        relax="remove what ties vm1 to its host (holds a virtual GPU), or power it off",
    ),
    Case(
        says="three VMs with the same blocker are told as one",
        snap=snapshot(
            [leaving(), host(2)], [vm(n, on=1, automation=Automation.MANUAL) for n in (1, 2, 3)]
        ),
        message="vm1, vm2 and vm3 cannot leave esx1, which is to be empty: "
        "all of them: DRS override manual",
        vms=("vm-1", "vm-2", "vm-3"),
        relax="remove what ties vm1, vm2 and vm3 to their host (DRS override manual), "
        "or power them off",
    ),
    Case(
        says="all hosts in maintenance",
        snap=snapshot([leaving(), host(2, state=ENTERING)], [vm(1, on=1), vm(2, on=2)]),
        message="vm1 and vm2 cannot leave esx1 and esx2, which are to be empty: "
        "no host is left that takes VMs",
        vms=("vm-1", "vm-2"),
        hosts=("host-1", "host-2"),
        relax="bring a host into service that can take vm1 and vm2",
    ),
    Case(
        says="a VM larger than any other host",
        snap=snapshot(
            [leaving(memory_capacity_mib=900_000.0), host(2), host(3)],
            [vm(1, on=1, memory_mib=204_800.0)],
        ),
        message="vm1 cannot leave esx1, which is to be empty: esx2 and esx3 are too small",
        hosts=("host-1", "host-2", "host-3"),
        relax="bring in a host with 200.0 GiB for vm1, or shrink what it holds",
    ),
    Case(
        says="memory that is full wherever the others go",
        snap=snapshot(
            [leaving(), host(2, memory_capacity_mib=SMALL)],
            [vm(1, on=1, memory_mib=6000.0), vm(2, on=2, memory_mib=5000.0)],
        ),
        message="vm1 cannot leave esx1, which is to be empty: memory is full on esx2",
        hosts=("host-1", "host-2"),
        relax="free 1.4 GiB on esx2",
    ),
    Case(
        says="a host at its number of VMs",
        snap=snapshot([leaving(), host(2, max_running_vms=1)], [vm(1, on=1), vm(2, on=2)]),
        message="vm1 cannot leave esx1, which is to be empty: "
        "the number of VMs is at its limit on esx2",
        hosts=("host-1", "host-2"),
        relax="raise the limit of 1 VM on esx2",
    ),
    Case(
        says="reservations of processors that do not fit",
        snap=snapshot(
            [leaving(), host(2)],
            [
                vm(1, on=1, cpu_reservation_mhz=15_000.0),
                vm(2, on=2, cpu_reservation_mhz=8000.0),
            ],
        ),
        message="vm1 cannot leave esx1, which is to be empty: CPU reservations are full on esx2",
        hosts=("host-1", "host-2"),
        relax="lower CPU reservations on esx2 by 3000 MHz",
    ),
    Case(
        says="a pair that is to be together and apart",
        snap=snapshot(
            [host(1), host(2)],
            [vm(1, on=1), vm(2, on=2)],
            [rule("together", TOGETHER, [1, 2]), rule("apart", APART, [1, 2])],
        ),
        kind="rule",
        message="vm1 and vm2 cannot be brought together (rule 'together'): "
        "rule 'apart' keeps them apart",
        rules=("together", "apart"),
        vms=("vm-1", "vm-2"),
        hosts=("host-1", "host-2"),
        relax="disable rule 'together'",
    ),
    Case(
        says="a VM that must be on a host and off it",
        snap=snapshot(
            [host(1), host(2)],
            [vm(1, on=2)],
            [rule("on esx1", ON, [1], on=[1]), rule("off esx1", OFF, [1], on=[1])],
        ),
        kind="rule",
        message="vm1 cannot be where rule 'on esx1' wants it: it must stay off esx1 (rule 'off esx1')",
        rules=("on esx1", "off esx1"),
        hosts=("host-2",),
        relax="add esx2 to the hosts of rule 'on esx1', or make it a should-rule",
    ),
    Case(
        says="a rule whose only host is in maintenance",
        snap=snapshot([leaving(), host(2)], [vm(1, on=2)], [rule("licence", ON, [1], on=[1])]),
        kind="rule",
        message="vm1 cannot be where rule 'licence' wants it: esx1 is entering maintenance",
        rules=("licence",),
        hosts=("host-1", "host-2"),
        relax="add esx2 to the hosts of rule 'licence', or make it a should-rule",
    ),
    Case(
        says="a rule that keeps every VM apart",
        snap=snapshot(
            [host(1), host(2)],
            [vm(n, on=1 + n % 2) for n in (1, 2, 3)],
            [rule("all apart", APART, [1, 2, 3])],
        ),
        kind="rule",
        message="vm1, vm2 and vm3 cannot all be kept apart (rule 'all apart'): 3 VMs for 2 hosts; "
        "vm1 and vm3 share esx2",
        rules=("all apart",),
        vms=("vm-1", "vm-2", "vm-3"),
        hosts=("host-2",),
        relax="disable rule 'all apart', or bring in one more host that may take its VMs",
    ),
    Case(
        says="a rule that keeps every VM together on hosts that are too small",
        snap=snapshot(
            [host(n, memory_capacity_mib=SMALL) for n in (1, 2)],
            [vm(n, on=1 + n % 2, memory_mib=4000.0) for n in (1, 2, 3)],
            [rule("all together", TOGETHER, [1, 2, 3])],
        ),
        kind="rule",
        message="vm1, vm2 and vm3 cannot be brought together (rule 'all together'): "
        "esx1 and esx2 are too small",
        rules=("all together",),
        vms=("vm-1", "vm-2", "vm-3"),
        hosts=("host-1", "host-2"),
        relax="disable rule 'all together'",
    ),
    Case(
        says="a datastore that is nowhere else",
        snap=snapshot(
            [leaving(), host(2, datastores=frozenset({"ds-1"}))],
            [vm(1, on=1, datastores=frozenset({"ds-2"}))],
        ),
        message="vm1 cannot leave esx1, which is to be empty: "
        "vm1: a datastore is not reachable on esx2",
        relax="connect datastore ds-2 of vm1 to esx2",
    ),
    Case(
        says="a network that is nowhere else",
        snap=snapshot(
            [leaving(), host(2, networks=frozenset({"net-1"}))],
            [vm(1, on=1, networks=frozenset({"net-2"}))],
        ),
        message="vm1 cannot leave esx1, which is to be empty: vm1: a network is missing on esx2",
        relax="connect network net-2 of vm1 to esx2",
    ),
    Case(
        says="older processors",
        snap=snapshot(
            [leaving(max_evc_mode="intel-icelake"), host(2, max_evc_mode="intel-haswell")],
            [vm(1, on=1, evc_mode="intel-icelake")],
        ),
        message="vm1 cannot leave esx1, which is to be empty: "
        "vm1: the processors do not suit on esx2",
        relax="power vm1 off and on with an EVC mode that esx2 offers",
    ),
    Case(
        says="encrypted vMotion that the other host lacks",
        snap=snapshot(
            [leaving(), host(2, vmotion=VmotionLink(encrypted_supported=False))],
            [vm(1, on=1, encryption=Encryption.REQUIRED)],
        ),
        message="vm1 cannot leave esx1, which is to be empty: "
        "vm1: there is no encrypted vMotion on esx2",
        relax="let esx2 do encrypted vMotion, or do not require it for vm1",
    ),
    Case(
        says="hosts that take nothing, each for its own reason",
        snap=snapshot(
            [
                leaving(),
                host(2),
                host(3, state=HostState.DISCONNECTED),
                host(4, vmotion=VmotionLink(enabled=False)),
                host(5),
            ],
            [vm(1, on=1)],
            cluster={"ha": Ha(failover_hosts=frozenset({HostId("host-2")}))},
        ),
        holds={"targets": {HostId("host-5"): Refusal.of(Reason.TARGET_FAILED_RECENTLY, "2 of 2")}},
        message="vm1 cannot leave esx1, which is to be empty: esx2 is kept free for HA; "
        "esx3 is disconnected; vMotion is off on esx4; esx5 is held back (2 of 2)",
        hosts=("host-1", "host-2", "host-3", "host-4", "host-5"),
        relax="bring esx2 or another host into service that can take vm1",
    ),
    Case(
        says="a pair of VM and host that the server refused",
        snap=snapshot([leaving(), host(2)], [vm(1, on=1)]),
        holds={"pairs": {(VmId("vm-1"), HostId("host-2")): Refusal.of(Reason.SERVER_CHECK)}},
        message="vm1 cannot leave esx1, which is to be empty: "
        "vm1: the server or an earlier try refused it on esx2",
        relax="let vm1 be tried again on esx2 later",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_a_conflict_names_its_members_and_the_cheapest_change(case: Case) -> None:
    assert draft_of(case.snap, **case.holds).conflicts == (
        Conflict(
            kind=case.kind,
            message=case.message,
            rules=case.rules,
            vms=tuple(VmId(vm) for vm in case.vms),
            hosts=tuple(HostId(host) for host in case.hosts),
            relax=case.relax,
        ),
    )

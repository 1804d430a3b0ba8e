"""The ceilings that a policy sets, and guarantees of resource pools, as a table of judgements."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from balancer.assess.demand import demand_of
from balancer.model.reasons import Reason
from balancer.model.snapshot import ResourcePool
from balancer.model.units import HostId, VmId
from balancer.policy.types import Policy, Thresholds
from balancer.rules import Candidate, judge_move
from balancer.rules.placement import Ground, Placement
from tests.support.builders import host, placement, snapshot, vm

GOLD = ResourcePool(id="gold", name="gold", memory_reservation_mib=80_000.0)


@dataclass(frozen=True, kw_only=True)
class Case:
    """vm-1 (4 vCPUs) on host-1 is to go to host-2 (4 cores), where a VM with 6 vCPUs runs."""

    says: str
    reason: Reason | None
    limits: Thresholds
    target: dict[str, Any] = field(default_factory=lambda: {"cpu_cores": 4})
    mandatory: bool = False


CASES = [
    Case(says="no limit on vCPUs unless set", reason=None, limits=Thresholds()),
    Case(says="10 vCPUs on 4 cores at 2.5", reason=None, limits=Thresholds(vcpus_per_core=2.5)),
    Case(
        says="10 vCPUs on 4 cores at 2.4",
        reason=Reason.VCPU_CEILING,
        limits=Thresholds(vcpus_per_core=2.4),
    ),
    Case(
        says="an evacuation may pass it",
        reason=None,
        limits=Thresholds(vcpus_per_core=1.0),
        mandatory=True,
    ),
    Case(
        says="cores that are not known are no ceiling",
        reason=None,
        limits=Thresholds(vcpus_per_core=1.0),
        target={},
    ),
    Case(says="two VMs where two may be", reason=None, limits=Thresholds(vms_per_host=2)),
    Case(
        says="two VMs where one may be",
        reason=Reason.HOST_VM_LIMIT,
        limits=Thresholds(vms_per_host=1),
    ),
    Case(
        says="an evacuation may not pass the number of VMs",
        reason=Reason.HOST_VM_LIMIT,
        limits=Thresholds(vms_per_host=1),
        mandatory=True,
    ),
    Case(
        says="the host's own limit is lower than the policy's",
        reason=Reason.HOST_VM_LIMIT,
        limits=Thresholds(vms_per_host=9),
        target={"max_running_vms": 1},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_a_move_is_judged_by_the_ceilings_of_the_policy(case: Case) -> None:
    snap = snapshot([host(1), host(2, **case.target)], [vm(1, 1, vcpus=4), vm(2, 2, vcpus=6)])
    where = placement(snap, Policy(thresholds=case.limits))
    move = Candidate(vm=VmId("vm-1"), target=HostId("host-2"), is_mandatory=case.mandatory)

    refusal = judge_move(where, move)

    assert (refusal.reason if refusal else None) is case.reason


def test_the_refusal_tells_vcpus_cores_and_the_limit() -> None:
    snap = snapshot([host(1), host(2, cpu_cores=4)], [vm(1, 1, vcpus=4), vm(2, 2, vcpus=6)])
    where = placement(snap, Policy(thresholds=Thresholds(vcpus_per_core=2.0)))

    refusal = judge_move(where, Candidate(vm=VmId("vm-1"), target=HostId("host-2")))

    assert refusal is not None
    assert refusal.detail == "esx2: 10 vCPUs on 4 cores, limit is 8"


@pytest.mark.parametrize(("pools", "reason"), [((), None), ((GOLD,), Reason.MEMORY_RESERVATION)])
def test_what_a_pool_guarantees_must_fit_the_target(
    pools: tuple[ResourcePool, ...], reason: Reason | None
) -> None:
    """Each of two VMs of 60,000 MiB that hold little has half of the pool's 80,000 for itself."""
    size = {"memory_mib": 60_000.0, "memory_consumed_mib": 1000.0, "resource_pool": "gold"}
    pinned = vm(3, 2, memory_reservation_mib=70_000.0, memory_consumed_mib=1000.0)
    snap = snapshot(
        [host(1), host(2)], [vm(1, 1, **size), vm(2, 1, **size), pinned], resource_pools=pools
    )
    where = Placement(Ground(snap, Policy(), demand_of(snap, Policy())))

    refusal = judge_move(
        where, Candidate(vm=VmId("vm-1"), target=HostId("host-2"), is_mandatory=True)
    )

    assert (refusal.reason if refusal else None) is reason

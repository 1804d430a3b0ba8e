"""The law of VMs kept apart where several may share a host, or hosts count as one: a table, and its breaches."""

from dataclasses import dataclass
from typing import Any

import pytest

from balancer.model.reasons import Reason
from balancer.model.rule import Rule, RuleType
from balancer.model.units import HostId, VmId
from balancer.rules import Candidate, Placement, judge_move
from balancer.rules.violations import breaches, offenders
from tests.support.builders import host, placement, rule, snapshot, vm

RACKS = [[1, 2], [3, 4]]
"""Racks of two hosts; host 5 is in none and counts by itself."""


def apart(*vms: int, **facts: Any) -> Rule:
    return rule("web", RuleType.ANTI_AFFINITY, vms, **facts)


def on(one: Rule, *hosts: int) -> Placement:
    """Return vm-1 on the first of the hosts, vm-2 on the second and so on."""
    vms = [vm(number, at) for number, at in enumerate(hosts, start=1)]
    return placement(snapshot([host(number) for number in range(1, 6)], vms, [one]))


@dataclass(frozen=True, kw_only=True)
class Case:
    """vm-1 is to go to a host; `stand` says where vm-1, vm-2 and so on stand."""

    says: str
    stand: tuple[int, ...]
    to: int
    refused: str | None
    most: int = 1
    racks: bool = False


CASES = [
    Case(says="2 a host: one is there", stand=(1, 2), to=2, most=2, refused=None),
    Case(
        says="2 a host: two are there",
        stand=(1, 2, 2),
        to=2,
        most=2,
        refused="rule 'web' lets 2 of its VMs share one host, 2 others are there",
    ),
    Case(
        says="2 a host: two are there, and four here",
        stand=(1, 2, 2, 1, 1, 1),
        to=2,
        most=2,
        refused=None,
    ),
    Case(
        says="2 a host: as many there as others here",
        stand=(1, 2, 2, 1, 1),
        to=2,
        most=2,
        refused="rule 'web' lets 2 of its VMs share one host, 2 others are there",
    ),
    Case(
        says="1 a rack: one is on the other host of the rack",
        stand=(1, 3),
        to=4,
        racks=True,
        refused="rule 'web' keeps it apart from a VM in the domain of the target",
    ),
    Case(says="1 a rack: the rack is free", stand=(1, 5), to=4, racks=True, refused=None),
    Case(
        says="1 a rack: a host in no rack counts by itself",
        stand=(1, 5),
        to=5,
        racks=True,
        refused="rule 'web' keeps it apart from a VM on the target",
    ),
    Case(says="1 a rack: within it", stand=(1, 3), to=2, racks=True, refused=None),
    Case(
        says="1 a rack: within one that has three", stand=(1, 2, 2), to=2, racks=True, refused=None
    ),
    Case(
        says="2 a rack: two are there on different hosts",
        stand=(1, 3, 4),
        to=3,
        most=2,
        racks=True,
        refused="rule 'web' lets 2 of its VMs share one domain, 2 others are there",
    ),
    Case(
        says="2 a rack: two are there, and four here",
        stand=(1, 3, 4, 2, 2, 2),
        to=3,
        most=2,
        racks=True,
        refused=None,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_a_move_is_judged(case: Case) -> None:
    domains = RACKS if case.racks else ()
    where = on(apart(*range(1, 7), most=case.most, domains=domains), *case.stand)

    refusal = judge_move(where, Candidate(vm=VmId("vm-1"), target=HostId(f"host-{case.to}")))

    assert (refusal.detail if refusal else None) == case.refused
    assert refusal is None or refusal.reason is Reason.ANTI_AFFINITY


def test_a_vm_on_its_way_counts_in_both_domains_and_once_within_one() -> None:
    one = apart(1, 2, 3, most=2, domains=RACKS)
    across = on(one, 1, 1, 5)
    across.start(VmId("vm-1"), HostId("host-3"))
    within = on(one, 1, 5, 5)
    within.start(VmId("vm-1"), HostId("host-2"))
    third = Candidate(vm=VmId("vm-3"), target=HostId("host-2"))

    assert judge_move(across, third) is not None
    assert judge_move(across, Candidate(vm=VmId("vm-3"), target=HostId("host-4"))) is None
    assert judge_move(within, third) is None
    assert offenders(within, one) == ()


BROKEN = [
    # says, most, racks, where the VMs stand, how badly it is broken, which VMs break it
    ("as many as may be", 2, False, (1, 1, 2, 2), 0, ()),
    ("one too many", 2, False, (1, 1, 1, 2), 1, (1, 2, 3)),
    ("two too many on one host", 2, False, (1, 1, 1, 1, 2), 3, (1, 2, 3, 4)),
    ("one too many on two hosts", 2, False, (1, 1, 1, 2, 2, 2), 2, (1, 2, 3, 4, 5, 6)),
    ("a pair in one rack", 1, True, (1, 2, 3), 1, (1, 2)),
    ("all in order by racks", 2, True, (1, 2, 3, 3, 5), 0, ()),
    ("three in a rack of two hosts", 2, True, (1, 2, 2, 5), 1, (1, 2, 3)),
]


@pytest.mark.parametrize(
    ("most", "racks", "stand", "count", "vms"),
    [case[1:] for case in BROKEN],
    ids=[c[0] for c in BROKEN],
)
def test_how_badly_a_rule_is_broken(
    most: int, racks: bool, stand: tuple[int, ...], count: int, vms: tuple[int, ...]
) -> None:
    one = apart(*range(1, 7), most=most, domains=RACKS if racks else ())
    where = on(one, *stand)

    assert breaches(where, one) == count
    assert offenders(where, one) == tuple(f"vm-{number}" for number in vms)


def test_a_host_in_two_domains_is_left_in_the_first() -> None:
    one = apart(1, 2, domains=[[1, 2], [2, 3]])

    assert [sorted(domain) for domain in one.domains] == [["host-1", "host-2"], ["host-3"]]
    assert one.domain_of(HostId("host-2")) == {"host-1", "host-2"}
    assert one.domain_of(HostId("host-4")) == {"host-4"}


def test_no_vm_at_all_on_a_host_is_no_rule_of_numbers() -> None:
    with pytest.raises(ValueError, match="lets 0 VMs share a host; 1 is the least"):
        apart(1, 2, most=0)

"""Which host failures a placement survives: each VM by its size, not spare memory as a sum."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.model.host import HostState
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Ha, Snapshot
from balancer.model.units import HostId, VmId
from balancer.model.vm import Blocker, Vm
from balancer.rules.failover import failures_to_tolerate, losses
from tests.support.builders import host, placement, rule, snapshot, vm
from tests.support.searching import examples

ONE = Ha(enabled=True, host_failures_to_tolerate=1)
TWO = Ha(enabled=True, host_failures_to_tolerate=2)
SPARE = Ha(enabled=True, failover_hosts=frozenset({HostId("host-3")}))


def big(number: int, on: int, gib: int, **facts: Any) -> Vm:
    """Return a VM that holds so many thousand MiB; hosts have 100."""
    return vm(number, on=on, memory_mib=gib * 1000.0, **facts)


def lost(
    vms: Sequence[Vm], *, ha: Ha = ONE, hosts: int = 3, rules: Sequence[Rule] = (), **facts: Any
) -> list[str]:
    """Return the hosts whose failure is not survived; `facts` are those of host-3."""
    machines = [host(n, **(facts if n == 3 else {})) for n in range(1, hosts + 1)]
    snap = snapshot(machines, vms, rules, cluster={"ha": ha})
    return [loss.host for loss in losses(placement(snap))]


@pytest.mark.parametrize(
    ("ha", "count"),
    [
        (Ha(), 0),
        (Ha(host_failures_to_tolerate=2), 0),
        (Ha(enabled=True), 0),
        (ONE, 1),
        (TWO, 2),
        (Ha(enabled=True, cpu_reserve_percent=25.0, memory_reserve_percent=25.0), 1),
        (Ha(enabled=True, cpu_reserve_percent=24.0, memory_reserve_percent=24.0), 0),
        (Ha(enabled=True, cpu_reserve_percent=50.0, memory_reserve_percent=25.0), 1),
        (Ha(enabled=True, memory_reserve_percent=50.0), 2),
        (Ha(enabled=True, host_failures_to_tolerate=1, memory_reserve_percent=75.0), 1),
    ],
    ids=str,
)
def test_how_many_hosts_may_fail_follows_the_configuration(ha: Ha, count: int) -> None:
    snap = snapshot([host(n) for n in (1, 2, 3, 4)], [], cluster={"ha": ha})
    assert failures_to_tolerate(snap) == count


def test_failover_hosts_stand_for_as_many_failures() -> None:
    snap = snapshot([host(n) for n in (1, 2, 3)], [], cluster={"ha": SPARE})
    assert failures_to_tolerate(snap) == 1


CASES = [
    pytest.param([big(1, 1, 60), big(2, 2, 30), big(3, 3, 30)], {}, [], id="room for all"),
    pytest.param(
        [big(1, 1, 60), big(2, 2, 50), big(3, 3, 50)],
        {},
        ["host-1"],
        id="100 spare in two halves are none for a VM of 60",
    ),
    pytest.param(
        [big(1, 1, 60), big(2, 2, 50), big(3, 3, 50)], {"ha": Ha()}, [], id="HA is switched off"
    ),
    pytest.param(
        [big(1, 1, 30), big(2, 1, 30), big(3, 2, 65), big(4, 3, 65)],
        {},
        ["host-2", "host-3"],
        id="small VMs fit where a large one does not",
    ),
    pytest.param(
        [big(1, 1, 90), big(2, 2, 90)], {"ha": SPARE}, [], id="a failover host is empty spare room"
    ),
    pytest.param(
        [big(1, 1, 90), big(2, 2, 90)],
        {"ha": SPARE, "state": HostState.MAINTENANCE},
        ["host-1", "host-2"],
        id="a failover host in maintenance is none",
    ),
    pytest.param(
        [big(1, 1, 60), big(2, 2, 60)],
        {"state": HostState.ENTERING_MAINTENANCE},
        ["host-1", "host-2"],
        id="a host that is to be empty takes nobody",
    ),
    pytest.param(
        [big(1, 1, 1, cpu_reservation_mhz=15_000.0), big(2, 2, 1, cpu_reservation_mhz=15_000.0)],
        {"hosts": 2},
        ["host-1", "host-2"],
        id="guaranteed CPU must fit as well",
    ),
    pytest.param(
        [big(1, 1, 60), big(2, 2, 50)],
        {"rules": [rule("r", RuleType.VM_HOST_AFFINE, [1], on=[1, 2])]},
        ["host-1"],
        id="a must-rule leaves only a host that is too full",
    ),
    pytest.param(
        [big(1, 1, 60), big(2, 2, 50)],
        {"rules": [rule("r", RuleType.VM_HOST_AFFINE, [1], on=[1, 2], mandatory=False)]},
        [],
        id="a should-rule is let go",
    ),
    pytest.param(
        [big(1, 1, 60, blockers=(Blocker.AGENT_VM,)), big(2, 2, 50), big(3, 3, 50)],
        {},
        [],
        id="an agent dies with its host",
    ),
    pytest.param([big(1, 1, 60)], {"hosts": 1}, ["host-1"], id="a host alone"),
    pytest.param([], {"hosts": 1}, [], id="a host alone without VMs"),
]


@pytest.mark.parametrize(("vms", "facts", "expected"), CASES)
def test_failures_that_are_not_survived(
    vms: list[Vm], facts: dict[str, Any], expected: list[str]
) -> None:
    assert lost(vms, **facts) == expected


def test_two_failures_are_looked_at_with_the_fullest_other_host() -> None:
    vms = [big(n, n, 40) for n in (1, 2, 3)] + [big(4, 4, 70)]
    snap = snapshot([host(n) for n in (1, 2, 3, 4)], vms, cluster={"ha": TWO})
    found = losses(placement(snap))
    assert [loss.fails for loss in found] == [
        ("host-1", "host-4"),
        ("host-2", "host-4"),
        ("host-3", "host-4"),
        ("host-4", "host-1"),
    ]
    assert {loss.vm for loss in found} == {"vm-4"}


def test_one_failure_of_the_same_hosts_is_survived_where_two_are_not() -> None:
    vms = [big(n, n, 40) for n in (1, 2, 3, 4)]
    assert lost(vms, ha=ONE, hosts=4) == []
    assert lost(vms, ha=TWO, hosts=4) == []
    assert lost([*vms, big(5, 1, 50)], ha=TWO, hosts=4) == ["host-1", "host-2", "host-3", "host-4"]


SMALL = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from([10, 20, 25, 35, 45])), min_size=1, max_size=7
)


@given(vms=SMALL)
@examples(200)
def test_what_is_said_to_be_survived_has_a_way_out(vms: list[tuple[int, int]]) -> None:
    snap = snapshot(
        [host(n) for n in (1, 2, 3)],
        [big(number, on, gib) for number, (on, gib) in enumerate(vms, start=1)],
        cluster={"ha": ONE},
    )
    called_lost = {loss.host for loss in losses(placement(snap))}
    for failed in {machine.id for machine in snap.hosts} - called_lost:
        assert _has_way_out(snap, failed)


def _has_way_out(snap: Snapshot, failed: HostId) -> bool:
    """Try every way to spread the VMs of the failed host over the two others."""
    others = [machine.id for machine in snap.hosts if machine.id != failed]
    left = dict.fromkeys(others, 100_000.0)
    for facts in snap.vms:
        if facts.host != failed:
            left[facts.host] -= facts.footprint_mib
    sizes = [facts.footprint_mib for facts in snap.vms if facts.host == failed]
    return any(
        all(
            sum(size for size, to in zip(sizes, way, strict=True) if to == other) <= max(room, 0.0)
            for other, room in left.items()
        )
        for way in product(others, repeat=len(sizes))
    )


def test_a_vm_on_its_way_counts_where_it_is() -> None:
    where = placement(
        snapshot([host(1), host(2)], [big(1, 1, 60), big(2, 2, 30)], cluster={"ha": ONE})
    )
    where.start(VmId("vm-2"), HostId("host-1"))
    assert losses(where) == ()

"""Rules that let so many VMs share a host or a domain, on random clusters: they hold at every moment.

Counts by itself, host by host, and shares no code with judges, planner, sequencing or their check.
"""

from collections.abc import Iterator
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from balancer.model.host import Host, HostState
from balancer.model.plan import Plan, PlanStatus
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import InFlight, Snapshot
from balancer.model.units import HostId, VmId
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.types import Limits, Policy, Thresholds
from tests.support.builders import host, rule, snapshot, vm
from tests.support.clusters import domains, usually
from tests.support.replay import replayed
from tests.support.searching import examples

EAGER = Policy(
    thresholds=Thresholds(cpu_contention=0.7, balance_trigger=0.02, balance_target=0.01),
    limits=Limits(moves_per_run_ratio=1.0, moves_per_hour_ratio=1.0),
)

Where = dict[VmId, set[HostId]]
"""Where each running VM is: on two hosts while it is on its way."""


@st.composite
def clusters(draw: st.DrawFn) -> Snapshot:
    """Draw 2 to 6 hosts, VMs anywhere on them, and one to three rules that keep VMs apart by numbers."""
    count = draw(st.integers(2, 6))
    hosts = [draw(_hosts(number)) for number in range(1, count + 1)]
    vms = [
        vm(
            number,
            on=draw(st.integers(1, count)),
            memory_mib=draw(st.sampled_from([1024.0, 4096.0, 9000.0])),
            cpu_demand_mhz=draw(st.sampled_from([100.0, 800.0, 2500.0])),
        )
        for number in range(1, draw(st.integers(2, 14)) + 1)
    ]
    rules = [draw(_rules(index, len(vms), count)) for index in range(draw(st.integers(1, 3)))]
    flights = []
    if draw(usually(False, True)):
        target = HostId(f"host-{draw(st.integers(1, count))}")
        if target != vms[0].host:
            flights.append(InFlight(vm=vms[0].id, source=vms[0].host, target=target))
    return snapshot(hosts, vms, rules, in_flight=tuple(flights))


def _hosts(number: int) -> st.SearchStrategy[Host]:
    states = usually(HostState.CONNECTED, HostState.ENTERING_MAINTENANCE, HostState.QUARANTINE)
    memory = st.sampled_from([24_000.0, 40_000.0])
    return st.builds(
        lambda state, mib: host(number, state=state, memory_capacity_mib=mib), states, memory
    )


@st.composite
def _rules(draw: st.DrawFn, index: int, vms: int, hosts: int) -> Rule:
    return rule(
        f"apart {index}",
        RuleType.ANTI_AFFINITY,
        draw(st.lists(st.integers(1, vms), min_size=2, max_size=10, unique=True)),
        mandatory=draw(usually(True, False)),
        most=draw(st.integers(1, 3)),
        domains=draw(domains(hosts)),
    )


def plan_of(snap: Snapshot) -> Plan:
    return plan_snapshot(snap, EAGER, settings=PlanSettings(refine_rounds=200))


def present(snap: Snapshot) -> Where:
    where: Where = {one.id: {one.host} for one in snap.running_vms}
    for flight in snap.in_flight:
        where[flight.vm].add(flight.target)
    return where


def moments(snap: Snapshot, plan: Plan) -> Iterator[Where]:
    """Yield where the VMs are at the start, with each wave begun, and with each ended."""
    where = present(snap)
    yield where
    for _, group in groupby(plan.moves, key=lambda move: move.wave):
        wave = list(group)
        for move in wave:
            where[move.vm].add(move.target)
        yield where
        for move in wave:
            where[move.vm].discard(move.source)
        yield where


def crowds(one: Rule, snap: Snapshot, where: Where) -> list[int]:
    """Return how many of a rule's VMs are in each domain, a host in none counting as one."""
    inside = set[HostId]().union(*one.domains)
    alone = [{each.id} for each in snap.hosts if each.id not in inside]
    return [
        sum(1 for member in one.vms if where[member] & hosts) for hosts in (*one.domains, *alone)
    ]


def musts(snap: Snapshot) -> list[Rule]:
    return [one for one in snap.rules if one.mandatory]


def excess(one: Rule, counts: list[int]) -> int:
    over = [max(count - one.most, 0) for count in counts]
    return sum(each * (each + 1) // 2 for each in over)


@given(snap=clusters())
@examples(60)
def test_a_rule_that_held_is_kept_at_every_moment_and_a_broken_one_gets_no_worse(
    snap: Snapshot,
) -> None:
    plan = plan_of(snap)
    assert plan.incidents == ()
    for one in musts(snap):
        seen = [excess(one, crowds(one, snap, where)) for where in moments(snap, plan)]
        assert seen[-1] <= seen[0]
        assert seen[0] > 0 or max(seen) == 0


@given(snap=clusters())
@examples(50)
def test_planning_the_result_plans_nothing(snap: Snapshot) -> None:
    plan = plan_of(snap)
    assert plan_of(replayed(snap, plan.moves)).moves == ()


@st.composite
def groups(draw: st.DrawFn) -> Snapshot:
    """Draw roomy hosts in racks, and one rule over VMs that stand anywhere."""
    count = draw(st.integers(2, 6))
    members = draw(st.integers(2, 9))
    apart = rule(
        "apart",
        RuleType.ANTI_AFFINITY,
        range(1, members + 1),
        most=draw(st.integers(1, 3)),
        domains=draw(domains(count)),
    )
    vms = [vm(number, on=draw(st.integers(1, count))) for number in range(1, members + 1)]
    return snapshot([host(number) for number in range(1, count + 1)], vms, [apart])


@given(snap=groups())
@examples(60)
def test_a_group_is_spread_as_evenly_as_domains_allow_and_told_of_if_it_is_too_large(
    snap: Snapshot,
) -> None:
    (apart,) = snap.rules
    plan = plan_of(snap)
    counts = crowds(apart, snap, present(replayed(snap, plan.moves)))
    places = apart.most * sum(1 for hosts in _domains(apart, snap) if hosts)
    too_many = len(apart.vms) > places
    assert (plan.status is PlanStatus.DEGRADED) == too_many
    assert [conflict.rules for conflict in plan.conflicts] == ([("apart",)] if too_many else [])
    most = max(apart.most, -(-len(apart.vms) // (places // apart.most)))
    assert max(counts) <= most


def _domains(one: Rule, snap: Snapshot) -> list[frozenset[HostId]]:
    return list({one.domain_of(each.id) for each in snap.hosts})

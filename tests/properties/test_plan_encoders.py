"""Each encoder of the planner gives the same answer as the judge of the same law, on any placement."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.assess.demand import demand_of
from balancer.model.host import HostState, VmotionLink
from balancer.model.need import Holds, Need
from balancer.model.reasons import Reason
from balancer.model.snapshot import Ha, InFlight, Snapshot
from balancer.model.vm import Encryption
from balancer.plan.codes import CODE, reason_of
from balancer.plan.encode import DYNAMIC, STATIC
from balancer.plan.ledger import Ledger
from balancer.plan.problem import compile_problem
from balancer.plan.units import make_units
from balancer.policy.types import Policy
from balancer.rules import ALL_LAWS, Candidate, Placement
from balancer.rules.placement import Ground
from tests.support import builders
from tests.support.clusters import POLICY, clusters
from tests.support.searching import examples

JUDGES = {law.name: law for law in ALL_LAWS}
LINKS = (VmotionLink(), VmotionLink(enabled=False), VmotionLink(encrypted_supported=False))


def need_of(snap: Snapshot) -> Need:
    return Need(
        snapshot=snap,
        demand=demand_of(snap, POLICY),
        holds=Holds(),
        imbalance=0.0,
        wants_balance=True,
        wants_relief=True,
    )


def begun(snap: Snapshot, policy: Policy) -> Placement:
    placement = Placement(Ground(snap, policy, demand_of(snap, policy)))
    for flight in snap.in_flight:
        placement.start(flight.vm, flight.target)
    return placement


@st.composite
def placements(draw: st.DrawFn) -> tuple[Snapshot, list[tuple[int, int]]]:
    """Return a cluster with running migrations, and moves (VM row, host row) made since."""
    snap = draw(clusters())
    running = snap.running_vms
    rows = st.integers(0, max(len(running) - 1, 0))
    flying = draw(st.sets(rows, max_size=2)) if running else set()
    flights = []
    for row in sorted(flying):
        others = [host.id for host in snap.hosts if host.id != running[row].host]
        if others:
            target = draw(st.sampled_from(others))
            vm = running[row]
            flights.append(InFlight(vm=vm.id, source=vm.host, target=target))
    hosts = st.integers(0, len(snap.hosts) - 1)
    moves = draw(st.lists(st.tuples(rows, hosts), max_size=6)) if running else []
    flown = {flight.vm for flight in flights}
    kept = [(vm, host) for vm, host in moves if running[vm].id not in flown]
    return replace(snap, in_flight=tuple(flights)), kept


def codes_of(law: str, ledger: Ledger, is_mandatory: bool) -> np.ndarray:
    if law in STATIC:
        return STATIC[law](ledger.problem, ledger.at, is_mandatory).expand()
    return DYNAMIC[law](
        ledger, make_units(ledger, [(vm,) for vm in range(len(ledger.problem.vms))]), is_mandatory
    )


def test_every_law_has_one_encoder_in_the_same_order() -> None:
    assert [*STATIC, *DYNAMIC] == [law.name for law in ALL_LAWS]
    assert [law.name for law in ALL_LAWS if law.is_static] == list(STATIC)


@given(case=placements(), is_mandatory=st.booleans())
@examples(100)
def test_encoder_and_judge_agree_on_every_pair(
    case: tuple[Snapshot, list[tuple[int, int]]], is_mandatory: bool
) -> None:
    snap, moves = case
    problem = compile_problem(need_of(snap), POLICY)
    ledger, placement = Ledger(problem), begun(snap, POLICY)
    for vm, host in moves:
        if ledger.at[vm] != host:
            placement.move(problem.vms[vm].id, problem.hosts[host].id)
            ledger.move([vm], host)
    ledger.check_invariants()
    for law in JUDGES:
        codes = codes_of(law, ledger, is_mandatory)
        assert_same(law, placement, codes, is_mandatory)


def assert_same(law: str, placement: Placement, codes: np.ndarray, is_mandatory: bool) -> None:
    snap = placement.ground.snapshot
    for row, vm in enumerate(snap.running_vms):
        if vm.id in placement.heading:
            continue
        for column, host in enumerate(snap.hosts):
            candidate = Candidate(vm=vm.id, target=host.id, is_mandatory=is_mandatory)
            refusal = JUDGES[law].judge(placement, candidate)
            expected = CODE[refusal.reason] if refusal else 0
            assert codes[row, column] == expected, f"{law}, {vm.id} to {host.id}: {refusal}"


@pytest.mark.parametrize("is_mandatory", [False, True], ids=["optional", "mandatory"])
def test_encoder_and_judge_agree_on_every_pair_of_host_states_and_links(is_mandatory: bool) -> None:
    sides = [*product(HostState, LINKS), (HostState.CONNECTED, LINKS[0])]
    hosts = [
        builders.host(n, state=state, vmotion=link)
        for n, (state, link) in enumerate(sides, start=1)
    ]
    vms = [builders.vm(n, on=n) for n in range(1, len(hosts) + 1)]
    vms += [
        builders.vm(100 + n, on=n, encryption=Encryption.REQUIRED) for n in range(1, len(hosts) + 1)
    ]
    snap = builders.snapshot(
        hosts, vms, cluster={"ha": Ha(failover_hosts=frozenset({hosts[-1].id}))}
    )
    codes = codes_of(
        "host_state", Ledger(compile_problem(need_of(snap), POLICY)), is_mandatory=is_mandatory
    )
    assert_same("host_state", begun(snap, POLICY), codes, is_mandatory)
    assert {reason_of(code) for code in np.unique(codes[codes > 0]).tolist()} == {
        Reason.ON_SOURCE_ALREADY,
        Reason.SOURCE_HOST_STATE,
        Reason.TARGET_HOST_STATE,
        Reason.FAILOVER_HOST,
        Reason.VMOTION_DISABLED,
        Reason.ENCRYPTION_UNSUPPORTED,
    }

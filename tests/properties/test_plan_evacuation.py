"""On clusters small enough to try every placement, an evacuation that is possible is found."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from balancer.assess.need import assess
from balancer.model.host import HostState
from balancer.model.need import Holds
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings, make_draft
from balancer.policy.types import Policy
from balancer.rules.placement import Ground, Placement
from balancer.rules.standing import stranded
from tests.support.builders import host, rule, snapshot, vm
from tests.support.replay import replayed
from tests.support.searching import examples

POLICY = Policy()
CEILING_MIB = 10_000.0 * POLICY.thresholds.memory_ceiling
KEPT_APART = (1, 2, 3)


@st.composite
def tight_clusters(draw: st.DrawFn) -> Snapshot:
    """Return 3 or 4 hosts, the first to be emptied, the others nearly full; three VMs are kept apart."""
    hosts = [host(1, state=HostState.ENTERING_MAINTENANCE)]
    hosts += [host(n, memory_capacity_mib=10_000.0) for n in range(2, draw(st.integers(3, 4)) + 1)]
    sizes = draw(
        st.lists(st.sampled_from([1500.0, 2300.0, 3100.0, 4700.0]), min_size=3, max_size=7)
    )
    full = dict.fromkeys(range(2, len(hosts) + 1), 0.0)
    vms = []
    for number, size in enumerate(sizes, start=1):
        fitting = [n for n in full if full[n] + size <= CEILING_MIB]
        on = draw(st.sampled_from([1, *fitting]))
        if on in full:
            full[on] += size
        vms.append(vm(number, on=on, memory_mib=size, cpu_demand_mhz=10.0))
    apart = [rule("apart", RuleType.ANTI_AFFINITY, KEPT_APART)] if draw(st.booleans()) else []
    return snapshot(hosts, vms, apart)


def can_be_emptied(snap: Snapshot) -> bool:
    """Try every placement of every VM on the hosts that remain."""
    sizes = [vm.footprint_mib for vm in snap.vms]
    remaining = range(1, len(snap.hosts))
    is_apart = bool(snap.rules)
    for placing in product(remaining, repeat=len(sizes)):
        load = dict.fromkeys(remaining, 0.0)
        for size, place in zip(sizes, placing, strict=True):
            load[place] += size
        together = len(set(placing[: len(KEPT_APART)])) < len(KEPT_APART)
        if max(load.values()) <= CEILING_MIB and not (is_apart and together):
            return True
    return False


def held_at_start(snap: Snapshot) -> bool:
    return len({vm.host for vm in snap.vms[: len(KEPT_APART)]}) == len(KEPT_APART)


@given(snap=tight_clusters())
@examples(80)
def test_a_host_is_emptied_whenever_some_placement_allows_it(snap: Snapshot) -> None:
    need = assess(snap, POLICY, Holds())
    draft = make_draft(need, POLICY, PlanSettings())
    after = replayed(snap, draft.moves)
    left = stranded(Placement(Ground(after, POLICY, need.demand)))
    if can_be_emptied(snap):
        assert left == ()
        assert draft.conflicts == ()
    elif not snap.rules or held_at_start(snap):
        assert left
        assert {vm for conflict in draft.conflicts for vm in conflict.vms} >= set(left)

"""Kept-apart groups larger than their hosts are spread as evenly as can be."""

from collections import Counter
from itertools import combinations_with_replacement
from math import comb

from hypothesis import given
from hypothesis import strategies as st

from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from tests.support.builders import host, rule, snapshot, vm
from tests.support.replay import replayed
from tests.support.searching import examples
from tests.unit.plan.support import draft_of


@st.composite
def groups(draw: st.DrawFn) -> Snapshot:
    """Return 2 to 5 hosts and one kept-apart group that starts anywhere, with other VMs around it."""
    hosts = draw(st.integers(2, 5))
    place = st.integers(1, hosts)
    members = draw(st.integers(2, 11))
    vms = [vm(n, on=draw(place)) for n in range(1, members + 1)]
    vms += [
        vm(n, on=draw(place), memory_mib=draw(st.sampled_from([1024.0, 9000.0])))
        for n in range(100, 100 + draw(st.integers(0, 5)))
    ]
    apart = rule("apart", RuleType.ANTI_AFFINITY, range(1, members + 1))
    return snapshot([host(n) for n in range(1, hosts + 1)], vms, [apart])


def pairs(counts: Counter[str]) -> int:
    return sum(comb(count, 2) for count in counts.values())


def fewest_pairs(members: int, hosts: int) -> int:
    """Try every way to share out the members."""
    ways = combinations_with_replacement(range(hosts), members)
    return min(pairs(Counter(map(str, way))) for way in ways)


@given(snap=groups())
@examples(80)
def test_a_group_is_spread_as_evenly_as_hosts_allow(snap: Snapshot) -> None:
    (apart,) = snap.rules
    draft = draft_of(snap)
    after = replayed(snap, draft.moves)
    counts = Counter(str(after.vm_by_id[member].host) for member in apart.vms)
    members, hosts = len(apart.vms), len(snap.hosts)
    assert pairs(counts) == fewest_pairs(members, hosts)
    assert max(counts.values()) == -(-members // hosts)
    assert bool(draft.conflicts) == (members > hosts)

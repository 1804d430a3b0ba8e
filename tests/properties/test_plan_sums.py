"""Running sums are sums: after any moves, ledger and field are what they would be if made anew.

Clusters with rules of every kind, families, variation, forecast slots and even counts.
"""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from balancer.model.plan import MoveReason
from balancer.model.snapshot import Snapshot
from balancer.model.vm import Profile
from balancer.plan.desk import Desk, Note
from balancer.plan.field import Field
from balancer.policy.types import Goals, Policy, Thresholds
from tests.support.clusters import clusters
from tests.support.searching import examples
from tests.unit.plan.support import desk_of

POLICY = Policy(
    goals=Goals(vm_count=True),
    thresholds=Thresholds(
        cpu_contention=0.7, memory_contention=0.8, peak_share=0.4, vcpus_per_core=4
    ),
)
SLOTS = 3


@st.composite
def varying(draw: st.DrawFn) -> Snapshot:
    """Draw a cluster, some of whose VMs vary and some of which have a forecast."""
    snap = draw(clusters(most_hosts=4, most_vms=10, is_plain=True))
    vms = []
    for vm in snap.vms:
        slots = draw(st.lists(st.sampled_from([0.0, 700.0, 3000.0]), max_size=SLOTS))
        profile = Profile(cpu_demand_mhz=tuple(slots)) if draw(st.booleans()) else None
        stddev = draw(st.sampled_from([None, 0.0, 250.0]))
        vms.append(replace(vm, profile=profile, cpu_demand_stddev_mhz=stddev))
    return replace(snap, vms=tuple(vms))


def shuffled(desk: Desk, data: st.DataObject) -> Field:
    """Return a field after some moves to wherever, lawful or not."""
    field = Field(desk)
    for _ in range(data.draw(st.integers(1, 12)) if len(field) else 0):
        unit = data.draw(st.integers(0, len(field) - 1))
        target = data.draw(st.integers(0, len(desk.problem.hosts) - 1))
        if target != field.host[unit] and desk.problem.serving[target]:
            field.move(unit, target)
    return field


@given(snap=varying(), data=st.data())
@examples(80)
def test_after_many_moves_the_ledger_is_the_sum_of_its_vms(
    snap: Snapshot, data: st.DataObject
) -> None:
    field = shuffled(desk_of(snap, POLICY), data)
    field.ledger.check_invariants()


@given(snap=varying(), data=st.data())
@examples(80)
def test_after_many_moves_the_field_is_one_made_anew(snap: Snapshot, data: st.DataObject) -> None:
    desk = desk_of(snap, POLICY)
    field = shuffled(desk, data)
    for members, target in field.outcome():
        desk.move(members, target, Note(reason=MoveReason.BALANCE))
    fresh = Field(desk)
    rows = {members: row for row, members in enumerate(fresh.units.members)}
    same = [row for row, members in enumerate(field.units.members) if members in rows]
    other = [rows[field.units.members[row]] for row in same]
    for name in ("exit", "relief", "paid_by"):
        ours, theirs = getattr(field, name)[same], getattr(fresh, name)[other]
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(
        field.entry[:, same], fresh.entry[:, other], rtol=1e-7, atol=1e-12, err_msg="entry"
    )
    assert (field.is_over == fresh.is_over).all()

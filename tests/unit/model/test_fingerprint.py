"""Fingerprints: equal facts give one digest, however they were come by; no two different facts share one."""

import pickle
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from itertools import combinations
from types import MappingProxyType

from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.adapters.planning.letters import Question, packed
from balancer.model.fingerprint import fingerprint
from balancer.model.snapshot import Snapshot
from balancer.model.vm import Blocker, Profile
from balancer.plan import PlanSettings
from balancer.policy.types import Policy
from tests.support.builders import host, snapshot, vm


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class One:
    value: object


@dataclass(frozen=True, slots=True)
class Two:
    first: object
    second: object
    derived: object = field(init=False, compare=False, default=1)


def _rich() -> Snapshot:
    """Return a snapshot with values of every kind, some in many places and some in one."""
    when = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
    return snapshot(
        [host(1, tags=frozenset({"rack:1"}), sampled_at=when), host(2)],
        [
            vm(1, 1, tags=frozenset({"a", "b", "c"}), profile=Profile(cpu_demand_mhz=(1.0, 2.5))),
            vm(2, 1, tags=frozenset({"a", "b", "c"}), sampled_at=when, cpu_demand_mhz=None),
            vm(3, 2, blockers=(Blocker.VGPU,), attributes=MappingProxyType({"k": "v", "a": "b"})),
        ],
    )


def test_a_fingerprint_depends_on_facts_and_not_on_order() -> None:
    snap = snapshot([host(1), host(2)], [vm(1, 1, tags=frozenset({"a", "b", "c"}))])
    same = snapshot([host(2), host(1)], [vm(1, 1, tags=frozenset({"c", "b", "a"}))])

    assert fingerprint(snap) == fingerprint(same)
    assert fingerprint(snap) != fingerprint(replace(snap, vms=(vm(1, 2),)))
    assert fingerprint({"x": 1, "y": 2}) == fingerprint({"y": 2, "x": 1})


def test_a_fingerprint_does_not_depend_on_which_objects_hold_the_facts() -> None:
    snap = _rich()
    question = Question(
        snapshot=snap,
        policy=Policy(),
        settings=PlanSettings(),
        past=None,
        in_force=None,
        unfit=None,
        patience_s=1.0,
    )
    travelled = pickle.loads(packed(question)).snapshot  # our own bytes

    assert travelled.vms[0].tags is not snap.vms[0].tags
    assert fingerprint(travelled) == fingerprint(snap)


def test_every_field_of_a_vm_counts() -> None:
    snap = _rich()
    found = {
        fingerprint(replace(snap, vms=(*snap.vms[:2], replace(snap.vms[2], **change))))
        for change in (
            {},
            {"name": "other"},
            {"vcpus": 5},
            {"cpu_demand_mhz": 17.25},
            {"tags": frozenset({"a"})},
            {"blockers": ()},
            {"blockers": (Blocker.VGPU, Blocker.SRIOV)},
            {"attributes": MappingProxyType({"k": "v", "a": "c"})},
            {"profile": Profile(memory_demand_mib=(1.0, 2.5))},
            {"last_moved_at": datetime(2026, 3, 4, tzinfo=UTC)},
        )
    }

    assert len(found) == 10


def test_derived_fields_are_left_out() -> None:
    one, other = Two(1, 2), Two(1, 2)
    object.__setattr__(other, "derived", 7)

    assert fingerprint(one) == fingerprint(other)
    assert fingerprint([one, other]) == fingerprint([other, one])


UNLIKE: tuple[tuple[object, ...], ...] = (
    (),
    ((),),
    (frozenset(),),
    ({},),
    (1,),
    (1.0,),
    (True,),
    ("1",),
    (b"1",),
    (None,),
    (None, None),
    ((None, None),),
    ("None",),
    (-1,),
    ("-1",),
    ("a", "b"),
    ("a, b",),
    ("a', 'b",),
    (("a", "b"),),
    ("['a', 'b']",),
    (("a",), ("b",)),
    ({"a": "b"},),
    ({"b": "a"},),
    (frozenset({"a", "b"}),),
    ("\\n",),
    ("\n",),
    ("\udc80",),
    (1.5,),
    ("<000000000000f83f>",),
    ("000000000000f83f",),
    (One(1),),
    (One(1.0),),
    (One("1"),),
    (One((1,)),),
    ("One([1])",),
    ([One(1), One(2)],),
    ([One(1)], [One(2)]),
    ([One((1, 2))],),
    (Two(1, 2),),
    (Two(2, 1),),
    ([Two(1, 2), Two(3, 4)],),
    ([Two(1, 3), Two(2, 4)],),
    ([Two(None, None)],),
    ([Two(None, None), Two(None, None)],),
    ([One(1), Two(1, 2)],),
    (frozenset({1, 2}),),
    (frozenset({1.0, 2}),),
    (datetime(2026, 3, 4, tzinfo=UTC),),
    ("2026-03-04T00:00:00+00:00",),
)


def test_different_facts_have_different_fingerprints() -> None:
    digests = [fingerprint(*values) for values in UNLIKE]
    alike = [
        (UNLIKE[one], UNLIKE[other])
        for one, other in combinations(range(len(UNLIKE)), 2)
        if digests[one] == digests[other]
    ]

    assert alike == []


def test_a_digest_is_the_same_on_every_machine() -> None:
    facts = (
        Two({"k": frozenset({"b", "a", "c"})}, (1.5, 0.1)),
        [One(Colour.RED), One(None)],
        datetime(2026, 3, 4, tzinfo=UTC),
        "é",
    )

    assert fingerprint(*facts) == "31e7a6f946c95d8c"


SCALARS = (
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a", "'", ", ", "[]"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple)
        | st.frozensets(st.sampled_from("abc"), max_size=3)
        | inner.map(One)
        | st.lists(inner.map(One), max_size=3).map(tuple)
    ),
    max_leaves=6,
)


def _told(value: object) -> str:
    """Return a value in full, by a slower way than that which is tested."""
    if isinstance(value, frozenset):
        return f"set of {sorted(value)}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_told, value))})"
    return f"One {_told(value.value)}" if isinstance(value, One) else repr(value)


@settings(max_examples=150)
@given(VALUES, VALUES)
def test_two_values_share_a_digest_where_they_are_written_alike(one: object, other: object) -> None:
    assert (fingerprint(one) == fingerprint(other)) == (_told(one) == _told(other))

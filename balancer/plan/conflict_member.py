"""One thing that may be part of a conflict: a rule, the state of a host, its room, or what holds one VM.

Owns the names and the order of these things; knows neither how they are judged nor how they are told.
"""

from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from balancer.plan.problem import COUNT, CPU_RESERVED, FOOTPRINT, MEMORY_RESERVED

ROOMS = (FOOTPRINT, CPU_RESERVED, MEMORY_RESERVED, COUNT)
"""The ceilings that mandatory moves must keep, as columns of sizes and limits."""

REACH_LAWS = ("evc", "storage", "network", "encryption", "earlier tries")
"""What keeps one VM from some hosts. `encryption` is that of vMotion, `earlier tries` are the held pairs."""


class Kind(IntEnum):
    """What a member is. The numbers order the members of a set for reading."""

    RULE = 0  # a must-rule
    HOST = 1  # a host that must be left, or that takes or gives no VM
    ROOM = 2  # one ceiling of a host
    TIE = 3  # a VM that may not move at all
    REACH = 4  # one law by which a VM may not go to some hosts


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Member:
    """`at` is a rule's number in the snapshot, a host or a VM; `what` the place in `ROOMS` or in `REACH_LAWS`."""

    kind: Kind
    at: int
    what: int = 0


DROPPED_FIRST = MappingProxyType(
    {Kind.REACH: 0, Kind.ROOM: 1, Kind.HOST: 2, Kind.RULE: 3, Kind.TIE: 4}
)
"""Where one of two things would do for a conflict, the first in this order is left out of it.

A tie explains most with least, and a rule is what a person can change; rooms come many at a time.
"""


def drop_key(member: Member) -> tuple[int, Member]:
    """Return the place of a member in the order in which members are tried to be left out."""
    return DROPPED_FIRST[member.kind], member

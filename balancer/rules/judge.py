"""The one list of laws, and the judgement of a move by all of them in a fixed order."""

from balancer.model.reasons import Refusal
from balancer.rules import (
    affinity,
    anti_affinity,
    capacity,
    devices,
    evc,
    host_state,
    network,
    reservations,
    storage,
    vm_host,
)
from balancer.rules.law import Law
from balancer.rules.placement import Candidate, Placement

ALL_LAWS: tuple[Law, ...] = (
    Law(name="devices", judge=devices.judge, is_static=True),
    Law(name="host_state", judge=host_state.judge, is_static=True),
    Law(name="vm_host", judge=vm_host.judge, is_static=True),
    Law(name="evc", judge=evc.judge, is_static=True),
    Law(name="storage", judge=storage.judge, is_static=True),
    Law(name="network", judge=network.judge, is_static=True),
    Law(name="anti_affinity", judge=anti_affinity.judge),
    Law(name="affinity", judge=affinity.judge),
    Law(name="reservations", judge=reservations.judge),
    Law(name="capacity", judge=capacity.judge),
)


def judge_move(placement: Placement, move: Candidate) -> Refusal | None:
    """Return the first refusal in the order of `ALL_LAWS`, or None where every law allows the move.

    The move must not have begun in `placement`; moves that are under way count on both hosts.
    """
    for law in ALL_LAWS:
        refusal = law.judge(placement, move)
        if refusal is not None:
            return refusal
    return None

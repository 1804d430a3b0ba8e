"""Law of the end of a plan: a host that is left so that it runs no VM does run none after it.

Judges the moves of a plan together: half an emptied host is moves for nothing. Used by the independent
check; planner and sequencing keep to it by emptying hosts wholly or not at all.
"""

from collections.abc import Sequence

from balancer.model.need import Need
from balancer.model.plan import Move, MoveReason
from balancer.model.units import HostId
from balancer.policy.types import Policy
from balancer.rules.placement import Ground, Placement


def half_emptied(need: Need, policy: Policy, moves: Sequence[Move]) -> tuple[HostId, ...]:
    """Return the hosts that moves are to empty and that run VMs after all moves, by id.

    A VM that is on its way since before counts on both of its hosts.
    """
    moved = {move.vm for move in moves if move.reason is MoveReason.CONSOLIDATE}
    if not moved:
        return ()
    left = {need.snapshot.vm_by_id[vm].host for vm in moved}
    after = _after(need, policy, moves)
    after.begin_flights()
    return tuple(sorted(host for host in left if after.present[host]))


def strained(need: Need, policy: Policy, moves: Sequence[Move]) -> tuple[HostId, ...]:
    """Return the hosts that take VMs of emptied ones and end above a contention threshold, by id."""
    taken = {move.target for move in moves if move.reason is MoveReason.CONSOLIDATE}
    if not taken:
        return ()
    limits = policy.thresholds
    stress = _after(need, policy, moves).host_arrays().stress(limits).tolist()
    return tuple(
        host.id
        for host, (cpu, memory) in zip(need.snapshot.serving_hosts, stress, strict=True)
        if host.id in taken and (cpu > limits.cpu_contention or memory > limits.memory_contention)
    )


def _after(need: Need, policy: Policy, moves: Sequence[Move]) -> Placement:
    placement = Placement(Ground(need.snapshot, policy, need.demand))
    for move in moves:
        placement.move(move.vm, move.target)
    return placement

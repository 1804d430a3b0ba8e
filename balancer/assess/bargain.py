"""What the moves for load's sake bring over the horizon, against what they cost.

Owns how demand that hosts cannot serve, copying and prices are added up into one statement. Each single move
was weighed by the planner; here they are one whole, told with its figures. Decides nothing.
"""

from collections.abc import Sequence
from math import erfc, exp, pi, sqrt

import numpy as np

from balancer.model.decision import Bargain
from balancer.model.host import Host
from balancer.model.need import Need
from balancer.model.plan import Move, MoveReason
from balancer.model.units import HOUR_S, Mhz, Seconds
from balancer.policy.objective import Array, HostArrays, imbalance, load_cost, price_of_moving
from balancer.policy.types import Policy
from balancer.rules.placement import Ground, Placement

FOR_LOAD = frozenset({MoveReason.CONTENTION, MoveReason.BALANCE})

CORES_IF_UNKNOWN = 16
"""Cores of a host of which the source does not tell the number."""


def bargain_of(need: Need, policy: Policy, moves: Sequence[Move]) -> Bargain | None:
    """Return what the moves for load's sake bring and cost; None where there are none.

    Measured from the placement after all other moves, whose price is owed in any case.
    """
    ours = [move for move in moves if move.reason in FOR_LOAD]
    if not ours:
        return None
    placement = Placement(Ground(need.snapshot, policy, need.demand))
    for move in moves:
        if move.reason not in FOR_LOAD:
            placement.move(move.vm, move.target)
    before, spread_before = placement.host_arrays(), imbalance(placement.levelled_arrays())
    for move in ours:
        placement.move(move.vm, move.target)
    after = placement.host_arrays()
    slot_s, hosts = need.snapshot.profile_slot_seconds, need.snapshot.host_by_id
    levels = not policy.goals.consolidation
    costs = [load_cost(arrays, policy.thresholds, levels=levels) for arrays in (before, after)]
    return Bargain(
        horizon_s=_horizon_s(need, policy),
        moves=len(ours),
        unmet_before_mhz_h=unmet_mhz_h(before, slot_s, policy.prices.stable_s),
        unmet_after_mhz_h=unmet_mhz_h(after, slot_s, policy.prices.stable_s),
        imbalance_before=spread_before,
        imbalance_after=imbalance(placement.levelled_arrays()),
        copied_mib=sum(move.memory_mib for move in ours),
        copy_s=sum(move.expected_seconds for move in ours),
        copy_mhz_h=sum(
            move.expected_seconds * (core_mhz(hosts[move.source]) + core_mhz(hosts[move.target]))
            for move in ours
        )
        / HOUR_S,
        gain=costs[0] - costs[1],
        price=sum(
            price_of_moving(move.expected_seconds, policy.prices, hosts=len(before.capacity))
            for move in ours
        ),
    )


def unmet_mhz_h(hosts: HostArrays, slot_s: Seconds | None, stable_s: Seconds) -> float:
    """Return the CPU demand that is expected not to be met, in MHz hours.

    Of a forecast over its slots, else of the load as it is over `stable_s`. A host's demand is taken to vary
    around its mean as a normal distribution does, so that a host which is nearly full is short now and then.
    """
    if hosts.slots is not None and slot_s is not None:
        return sum(_short_mhz(hosts, slot) for slot in hosts.slots[:, :, 0]) * slot_s / HOUR_S
    return _short_mhz(hosts, hosts.load[:, 0]) * stable_s / HOUR_S


def _short_mhz(hosts: HostArrays, load: Array) -> Mhz:
    """Return by how much demand exceeds capacity on average, all hosts together."""
    variance = np.zeros(len(load)) if hosts.cpu_variance is None else hosts.cpu_variance
    spread = np.sqrt(np.maximum(variance, 0.0))
    rows = zip(load - hosts.capacity[:, 0], spread, strict=True)
    return sum(_excess(float(over), float(deviation)) for over, deviation in rows)


def _excess(over: float, deviation: float) -> float:
    """Return the mean of the positive part of a normal variable with mean `over`."""
    if deviation <= 0.0:
        return max(over, 0.0)
    far = over / deviation
    return deviation * exp(-far * far / 2) / sqrt(2 * pi) + over * erfc(-far / sqrt(2)) / 2


def core_mhz(host: Host) -> Mhz:
    """Return what one core of a host gives: what a copy keeps busy on each of its two hosts.

    Source: VMware, "Performance Best Practices for vSphere", vMotion: ESXi sets aside 100 % of a core with a
    network of 10 Gb/s, 30 % with 1 Gb/s.
    """
    return host.cpu_capacity_mhz / (host.cpu_cores or CORES_IF_UNKNOWN)


def _horizon_s(need: Need, policy: Policy) -> Seconds:
    """Return how far the figures reach: over the slots of a forecast, else while the load is held to be stable."""
    slots = len(next(iter(need.demand.values())).cpu_slots_mhz) if need.demand else 0
    slot_s = need.snapshot.profile_slot_seconds
    return slots * slot_s if slots and slot_s else policy.prices.stable_s

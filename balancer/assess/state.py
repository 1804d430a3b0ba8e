"""One placement, measured: cost, imbalance, spread per resource, load per host, broken rules.

Owns how a placement is put into figures for people and machines; decides nothing. The plan's `before`
and `after`, the report and the metrics are all made here, so that they mean the same.
"""

import numpy as np

from balancer.model.plan import HostLoad, Spread, State
from balancer.model.units import Mhz
from balancer.policy.objective import Array, HostArrays, imbalance
from balancer.rules.placement import Placement
from balancer.rules.standing import standing
from balancer.rules.violations import violations


def measure(placement: Placement) -> State:
    """Measure a placement.

    `cost` is that of its standing: load cost plus the price of broken should-rules. The spread is over
    the serving hosts, each weighing the same (where the policy empties hosts: those that run VMs);
    `hosts` lists all hosts by id.
    """
    levelled = placement.levelled_arrays()
    return State(
        cost=standing(placement).cost,
        imbalance=imbalance(levelled),
        cpu=_spread(levelled.ratio[:, 0]),
        memory=_spread(levelled.ratio[:, 1]),
        unmet_cpu_mhz=_unmet_cpu_mhz(levelled),
        violations=violations(placement),
        hosts=_host_loads(placement),
    )


def _spread(ratio: Array) -> Spread:
    if ratio.size == 0:
        return Spread(mean=0.0, max=0.0, min=0.0, stddev=0.0)
    return Spread(
        mean=float(ratio.mean()),
        max=float(ratio.max()),
        min=float(ratio.min()),
        stddev=float(ratio.std()),
    )


def _unmet_cpu_mhz(serving: HostArrays) -> Mhz:
    return float(np.maximum(serving.load[:, 0] - serving.capacity[:, 0], 0.0).sum())


def _host_loads(placement: Placement) -> tuple[HostLoad, ...]:
    demand = placement.ground.demand
    loads = []
    for host in placement.ground.snapshot.hosts:
        vms = sorted(placement.present[host.id])
        cpu_mhz = sum(demand[vm].cpu_mhz for vm in vms)
        memory_mib = sum(demand[vm].memory_mib for vm in vms)
        load = HostLoad(
            id=host.id,
            cpu_ratio=cpu_mhz / host.usable_cpu_mhz,
            memory_ratio=memory_mib / host.usable_memory_mib,
            vms=len(vms),
        )
        loads.append(load)
    return tuple(loads)

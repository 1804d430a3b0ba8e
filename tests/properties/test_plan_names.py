"""Plans do not depend on names, nor on units: other ids or other scales of load give the same moves.

The clusters are generic: no two VMs and no two hosts have the same figures, so that no tie is broken by name.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.assess.need import assess
from balancer.model.host import HostState as State
from balancer.model.need import Holds
from balancer.model.plan import MoveReason
from balancer.model.rule import Rule
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.plan import PlanSettings, make_draft
from balancer.planner import plan_snapshot
from balancer.policy.types import Policy
from tests.support.builders import host, snapshot, vm
from tests.support.every_placement import drawn

SETTINGS = PlanSettings(refine_rounds=100)


def generic(hosts: int, vms: int, seed: int, **facts: object) -> Snapshot:
    """Return a generated cluster in which every host and every VM differs a little from all others."""
    snap = generate(InventorySpec(hosts=hosts, vms=vms, **facts), seed)  # type: ignore[arg-type]
    dice = np.random.default_rng(seed)
    return replace(
        snap,
        hosts=tuple(
            replace(
                h,
                cpu_capacity_mhz=h.cpu_capacity_mhz * dice.uniform(0.97, 1.03),
                memory_capacity_mib=h.memory_capacity_mib * dice.uniform(0.97, 1.03),
            )
            for h in snap.hosts
        ),
        vms=tuple(
            replace(
                v,
                cpu_demand_mhz=(v.cpu_demand_mhz or 100.0) * dice.uniform(0.9, 1.1),
                memory_active_mib=(v.memory_active_mib or 100.0) * dice.uniform(0.9, 1.1),
                memory_consumed_mib=(v.memory_consumed_mib or 100.0) * dice.uniform(0.9, 1.1),
            )
            for v in snap.vms
        ),
    )


def nearly_full(seed: int) -> Snapshot:
    """Return eight hosts, one to be emptied, the rest so full that room must be made."""
    dice = np.random.default_rng(seed)
    sizes = dice.choice([4096.0, 8192.0, 16384.0], 80) * dice.uniform(0.8, 1.0, 80)
    load, on = np.zeros(7), np.zeros(80, dtype=np.int64)
    for number in np.argsort(-sizes[10:]).tolist():
        on[10 + number] = int(np.argmin(load))
        load[on[10 + number]] += sizes[10 + number]
    capacity = [500_000.0, *(sizes.sum() / 7 / 0.945 * dice.uniform(0.999, 1.001, 7))]
    hosts = [
        host(
            n,
            memory_capacity_mib=mib,
            state=State.ENTERING_MAINTENANCE if n == 1 else State.CONNECTED,
        )
        for n, mib in enumerate(capacity, start=1)
    ]
    vms = [
        vm(
            n,
            on=1 if n <= 10 else int(on[n - 1]) + 2,
            memory_mib=size,
            cpu_demand_mhz=dice.uniform(5, 9),
        )
        for n, size in enumerate(sizes.tolist(), start=1)
    ]
    return snapshot(hosts, vms)


CLUSTERS: dict[str, Callable[[], Snapshot]] = {
    "three large": lambda: drawn(4, 3, 8),
    "eight": lambda: generic(8, 100, 1),
    "one leaves": lambda: generic(8, 100, 2, entering_maintenance=1),
    "nearly full": lambda: nearly_full(3),
    "sixteen": lambda: generic(16, 400, 3),
}


on_each = pytest.mark.parametrize("name", CLUSTERS)
on_small = pytest.mark.parametrize("name", ["three large", "one leaves"])


class Names:
    """Other ids in quite another order, for all hosts and VMs of a snapshot."""

    def __init__(self, snap: Snapshot, seed: int) -> None:
        dice = np.random.default_rng(seed)
        hosts, vms = dice.permutation(len(snap.hosts)), dice.permutation(len(snap.vms))
        self.host = {h.id: HostId(f"h{n:03d}") for h, n in zip(snap.hosts, hosts, strict=True)}
        self.vm = {v.id: VmId(f"x{n:05d}") for v, n in zip(snap.vms, vms, strict=True)}

    def of(self, snap: Snapshot) -> Snapshot:
        ha = snap.cluster.ha
        spare = frozenset(self.host[h] for h in ha.failover_hosts)
        return replace(
            snap,
            cluster=replace(snap.cluster, ha=replace(ha, failover_hosts=spare)),
            hosts=tuple(replace(h, id=self.host[h.id]) for h in snap.hosts),
            vms=tuple(replace(v, id=self.vm[v.id], host=self.host[v.host]) for v in snap.vms),
            rules=tuple(self._rule(one) for one in snap.rules),
        )

    def _rule(self, one: Rule) -> Rule:
        vms = tuple(self.vm.get(v, v) for v in one.vms)
        return replace(one, vms=vms, hosts=frozenset(self.host.get(h, h) for h in one.hosts))


def drafted(snap: Snapshot) -> dict[VmId, HostId]:
    need = assess(snap, Policy(), Holds())
    return {move.vm: move.target for move in make_draft(need, Policy(), SETTINGS).moves}


@on_each
def test_other_names_give_the_same_moves_under_other_names(name: str) -> None:
    snap = CLUSTERS[name]()
    names, plain = Names(snap, 1), drafted(snap)
    assert plain
    renamed = {names.vm[vm]: names.host[host] for vm, host in plain.items()}
    assert drafted(names.of(snap)) == renamed


def test_room_must_be_made_in_the_cluster_that_is_nearly_full() -> None:
    need = assess(nearly_full(3), Policy(), Holds())
    reasons = {move.reason for move in make_draft(need, Policy(), SETTINGS).moves}
    assert MoveReason.MAKE_ROOM in reasons


@on_each
def test_other_names_give_the_same_waves_under_other_names(name: str) -> None:
    snap = CLUSTERS[name]()
    names = Names(snap, 3)
    plain = plan_snapshot(snap, Policy(), settings=SETTINGS)
    other = plan_snapshot(names.of(snap), Policy(), settings=SETTINGS)
    ours = {(names.vm[m.vm], names.host[m.target], m.wave, m.reason) for m in plain.moves}
    assert ours == {(m.vm, m.target, m.wave, m.reason) for m in other.moves}
    assert plain.makespan_seconds == pytest.approx(other.makespan_seconds)


def with_other_mhz(snap: Snapshot, factor: float) -> Snapshot:
    """Return the cluster with every figure of CPU multiplied."""
    hosts = tuple(
        replace(
            h,
            cpu_capacity_mhz=h.cpu_capacity_mhz * factor,
            cpu_overhead_mhz=h.cpu_overhead_mhz * factor,
            cpu_usage_mhz=None,
        )
        for h in snap.hosts
    )
    vms = tuple(
        replace(
            v,
            cpu_demand_mhz=None if v.cpu_demand_mhz is None else v.cpu_demand_mhz * factor,
            cpu_demand_stddev_mhz=(v.cpu_demand_stddev_mhz or 0.0) * factor,
            cpu_usage_mhz=None if v.cpu_usage_mhz is None else v.cpu_usage_mhz * factor,
            cpu_reservation_mhz=v.cpu_reservation_mhz * factor,
            cpu_limit_mhz=None if v.cpu_limit_mhz is None else v.cpu_limit_mhz * factor,
        )
        for v in snap.vms
    )
    return replace(snap, hosts=hosts, vms=vms)


def with_other_mib(snap: Snapshot, factor: float) -> Snapshot:
    """Return the cluster with every figure of memory and the speed of every link multiplied."""
    hosts = tuple(
        replace(
            h,
            memory_capacity_mib=h.memory_capacity_mib * factor,
            memory_overhead_mib=h.memory_overhead_mib * factor,
            memory_usage_mib=None,
            vmotion=replace(h.vmotion, link_mbps=h.vmotion.link_mbps * factor, streams=1_000_000),
        )
        for h in snap.hosts
    )
    vms = tuple(
        replace(
            v,
            memory_mib=v.memory_mib * factor,
            memory_active_mib=(v.memory_active_mib or 0.0) * factor,
            memory_consumed_mib=(v.memory_consumed_mib or 0.0) * factor,
            memory_granted_mib=None,
            memory_reservation_mib=v.memory_reservation_mib * factor,
            dirty_rate_mbps=(v.dirty_rate_mbps or 0.0) * factor,
        )
        for v in snap.vms
    )
    return replace(snap, hosts=hosts, vms=vms)


@on_small
@pytest.mark.parametrize("factor", [0.125, 8.0])
@pytest.mark.parametrize("scaled", [with_other_mhz, with_other_mib], ids=["mhz", "mib"])
def test_other_units_give_the_same_moves(
    name: str, scaled: Callable[[Snapshot, float], Snapshot], factor: float
) -> None:
    """Models of the solver count memory in sixteenths of a MiB: the factors leave that much to tell."""
    snap = CLUSTERS[name]()
    assert drafted(scaled(snap, factor)) == drafted(scaled(snap, 1.0))

"""The scene of the demo: two generated clusters, what goes wrong in them, and the policy they get.

Builds values and the simulated vCenter; runs nothing.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from balancer.adapters.simulated.clock import VirtualClock
from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.adapters.simulated.script import FaultPlan, HostChange
from balancer.adapters.simulated.spec import RuleShares
from balancer.adapters.simulated.vcenter import SimulatedVCenter
from balancer.model.host import HostState
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId
from balancer.model.vm import Automation, Vm
from balancer.policy.types import Limits, Policy

SPEED = 60.0
"""Simulated seconds in a second of the live page."""

INTERVAL_S = 300.0
"""Simulated seconds between cycles, the daemon's default."""

MAINTENANCE_AT_S = 900.0
FAILING_MIGRATION = 5
FAILURE_RATIO = 0.02

_LIMITS = Limits(
    moves_per_hour_ratio=0.5,
    migrations_per_host=4,
    migrations_per_cluster=8,
    moves_per_vm_per_day=4,
    residence_s=1800.0,
    moves_on_trial=20,
)

DEMO_POLICY = Policy(
    name="demo",
    description="The shipped policy with limits that suit three hours instead of weeks.",
    limits=_LIMITS,
)

SPECS = (
    InventorySpec(
        number=1,
        name="production",
        hosts=16,
        vms=400,
        hottest_cpu=0.97,
        rules=RuleShares(broken_pairs=1),
    ),
    InventorySpec(
        number=2, name="edge", hosts=8, vms=200, evc=True, rules=RuleShares(broken_pairs=1)
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The simulated vCenter with its clock, how its clusters start, and the host that is to be emptied."""

    vcenter: SimulatedVCenter
    clock: VirtualClock
    start: tuple[Snapshot, ...]
    leaving: HostId
    policy: Policy = DEMO_POLICY


def build_scene(
    seed: int, *, speed: float | None = None, pause: Callable[[float], None] = time.sleep
) -> Scene:
    """Return the scene of one seed. `speed` of None is as fast as possible."""
    start = tuple(generate(spec, seed) for spec in SPECS)
    clock = VirtualClock(start[0].taken_at, speed=speed, pause=pause)
    leaving = _emptiable_host(start[0])
    vcenter = SimulatedVCenter(
        start,
        seed,
        clock=clock,
        faults=FaultPlan(
            failure_ratio=FAILURE_RATIO, failing_migrations={FAILING_MIGRATION: "Timedout"}
        ),
        script=[
            HostChange(at_s=MAINTENANCE_AT_S, host=leaving, state=HostState.ENTERING_MAINTENANCE)
        ],
    )
    return Scene(vcenter=vcenter, clock=clock, start=start, leaving=leaving)


def _emptiable_host(snapshot: Snapshot) -> HostId:
    """Return the host with the fewest VMs among those with the fewest that are tied to it."""
    tied = dict.fromkeys(snapshot.host_by_id, 0)
    count = dict(tied)
    for vm in snapshot.running_vms:
        count[vm.host] += 1
        tied[vm.host] += _is_tied(vm)
    return min(tied, key=lambda host: (tied[host], count[host], host))


def _is_tied(vm: Vm) -> bool:
    return bool(vm.blockers) or vm.automation is not Automation.FULLY_AUTOMATED

"""How the demo's clusters stand at a moment, measured as the plans do it. Reads only."""

from dataclasses import dataclass

from balancer.assess.demand import demand_of
from balancer.assess.state import measure
from balancer.cli.demo_scene import Scene
from balancer.model.plan import State
from balancer.model.snapshot import Snapshot
from balancer.policy.types import Policy
from balancer.rules.placement import Ground, Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One cluster at one moment, measured."""

    snapshot: Snapshot
    state: State


def measure_all(scene: Scene) -> tuple[Measured, ...]:
    """Return how every cluster stands now, in the order of the scene."""
    refs = {ref.id: ref for ref in scene.vcenter.clusters()}
    now = (scene.vcenter.snapshot(refs[start.cluster.id]) for start in scene.start)
    return tuple(Measured(snapshot=snap, state=measured(snap, scene.policy)) for snap in now)


def measured(snapshot: Snapshot, policy: Policy) -> State:
    """Measure a snapshot as the plans do."""
    return measure(Placement(Ground(snapshot, policy, demand_of(snapshot, policy))))

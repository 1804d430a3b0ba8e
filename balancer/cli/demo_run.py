"""The demo's loop: the same cycle as the daemon's, cluster after cluster, on virtual time.

It composes the simulated vCenter, a journal in memory and the listeners, and stops when told. No
decision about any VM is made here.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from balancer.adapters.store.memory import MemoryStore
from balancer.assess.demand import demand_of
from balancer.cli.demo_scene import INTERVAL_S, Scene
from balancer.cli.planning import settings_of
from balancer.cycle import run_cycle
from balancer.execute import Tools
from balancer.expose.health import Health
from balancer.expose.metrics import ClusterMetrics, Metrics
from balancer.model.events import Event
from balancer.model.reasons import Reason, Refusal
from balancer.policy.in_force import InForce, mode_in_force
from balancer.policy.mode import Mode
from balancer.ports import ClusterRef, Events, Store
from balancer.site import Site
from balancer.standing import Standing, Subject

VCENTER = "simulated"
_HOLDER = "demo"
_NAP_S = 15.0
_QUIET_S = 3600.0
_TIME_LIMIT_S = 5.0


class EventFan:
    """Implements `ports.Events`: tells every listener in turn."""

    def __init__(self, listeners: Sequence[Events]) -> None:
        self._listeners = tuple(listeners)

    def tell(self, event: Event) -> None:
        """Pass one event on."""
        for listener in self._listeners:
            listener.tell(event)


def demo_health(scene: Scene) -> Health:
    """Return what the probes of the demo ask, on its virtual clock."""
    loops = {start.cluster.name: _QUIET_S for start in scene.start}
    return Health(scene.clock, vcenters={VCENTER: _QUIET_S}, loops=loops)


class DemoLoop:
    """The cycles of all clusters of a scene. `record` and `metrics` hear what happens, `health` that it goes on."""

    def __init__(
        self, scene: Scene, record: Events, metrics: Metrics, health: Health, *, seed: int
    ) -> None:
        self._scene = scene
        self._record = record
        self._metrics = metrics
        self._health = health
        self._settings = settings_of(seed, _TIME_LIMIT_S)

    def run(self, is_over: Callable[[], bool]) -> None:
        """Run cycles until `is_over`; what runs then is watched to its end.

        Raises:
            BalancerError: a cycle failed; in the demo that is a fault of the program.
        """
        store, clock = MemoryStore(), self._scene.clock
        refs = {ref.id: ref for ref in self._scene.vcenter.clusters()}
        clusters = [refs[start.cluster.id] for start in self._scene.start]
        sites = [self._site(cluster, store, is_over) for cluster in clusters]
        standing = Standing(store, clock, _HOLDER)
        round_number = 0
        while not is_over():
            round_number += 1
            next_s = clock.monotonic() + INTERVAL_S
            for site in sites:
                if not is_over():
                    self._gauges(site.cluster).cycle_scheduled(self._next_cycle_at())
                    self._cycle(site, round_number)
                    standing.look({site.tools.shard: self._subject(site)})
            while not is_over() and clock.monotonic() < next_s:
                clock.sleep(min(_NAP_S, next_s - clock.monotonic()))

    def _next_cycle_at(self) -> datetime:
        return self._scene.clock.now() + timedelta(seconds=INTERVAL_S)

    def _subject(self, site: Site) -> Subject:
        approval_s = site.policy.limits.approval_s
        return Subject(metrics=self._gauges(site.cluster), approval_s=lambda: approval_s)

    def _cycle(self, site: Site, round_number: int) -> None:
        run_cycle(site, cycle_id=f"{site.cluster.name}-{round_number}")
        self._health.vcenter_up(VCENTER)
        self._health.cycle_ended(site.cluster.name)

    def _site(self, cluster: ClusterRef, store: Store, is_over: Callable[[], bool]) -> Site:
        def may_submit() -> Refusal | None:
            over = Refusal.of(Reason.STOPPING, "the demo comes to its end")
            return over if is_over() else None

        tools = Tools(
            vcenter=VCENTER,
            cluster_name=cluster.name,
            holder=_HOLDER,
            inventory=self._scene.vcenter,
            migrator=self._scene.vcenter,
            store=store,
            clock=self._scene.clock,
            events=EventFan([self._record, self._gauges(cluster)]),
            may_submit=may_submit,
            demand_of=demand_of,
        )
        return Site(
            cluster=cluster,
            policy=self._scene.policy,
            in_force=lambda _: self._in_force(),
            settings=self._settings,
            tools=tools,
        )

    def _in_force(self) -> InForce:
        return mode_in_force(self._scene.policy, Mode.AUTOMATIC, self._scene.clock.now())

    def _gauges(self, cluster: ClusterRef) -> ClusterMetrics:
        return self._metrics.for_cluster(
            VCENTER,
            cluster.name,
            policy=self._scene.policy,
            mode=Mode.AUTOMATIC,
            interval_s=INTERVAL_S,
        )

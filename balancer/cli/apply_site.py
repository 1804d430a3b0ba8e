"""What `balancer apply` works with: the cluster's site with both sides of its vCenter, and a way to stop it.

Put together from the same parts as the daemon's, for one cluster and one plan. Runs nothing.
"""

import os
import secrets
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from balancer.adapters.clock import SystemClock
from balancer.adapters.stop_file import StopFile
from balancer.assess.demand import demand_of
from balancer.cli.source import require_files
from balancer.collect.cluster_choice import find_cluster
from balancer.config import Cluster, Config
from balancer.execute import Tools
from balancer.expose.metrics import Metrics
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.policy.in_force import InForce, mode_in_force
from balancer.policy.resolve import resolve
from balancer.ports import Clock, Events, Store
from balancer.site import Site
from balancer.watch import Watch
from balancer.wiring import links_of, watches_of
from balancer.wishes import Wishes


class Interruption:
    """SIGINT and SIGTERM as a reason to send nothing more. What runs is left to run."""

    def __init__(self) -> None:
        self.is_asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.ask())

    def ask(self) -> None:
        """Take it that somebody asked to stop."""
        self.is_asked = True

    def refusal(self) -> Refusal | None:
        """Return that it was interrupted, or None."""
        return Refusal.of(Reason.STOPPING, "interrupted") if self.is_asked else None


@contextmanager
def site_of(
    config: Config, cluster: Cluster, store: Store, *, events: Events, stop: Interruption
) -> Iterator[Site]:
    """Give the site of one cluster; leaving the block logs out.

    Raises:
        InputError: a file with a secret or certificate is wrong.
        SourceError: the vCenter cannot be asked, or does not show the cluster.
    """
    require_files(config, cluster)
    clock = SystemClock()
    vcenter = config.vcenter_of(cluster)
    alone = config.model_copy(update={"vcenters": (vcenter,), "clusters": (cluster,)})
    links = links_of(alone, Metrics(clock))
    (watch,) = watches_of(alone, links)
    try:
        yield _site(watch, config, store, clock, events, stop)
    finally:
        links[vcenter.name].close()


def _site(
    watch: Watch, config: Config, store: Store, clock: Clock, events: Events, stop: Interruption
) -> Site:
    link = watch.link
    wishes = Wishes(store, clock, watch.key, StopFile(config.stop_path))
    cluster = find_cluster(link.inventory, watch.name)
    tools = Tools(
        vcenter=link.name,
        cluster_name=watch.name,
        holder=f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(4)}",
        inventory=link.inventory,
        migrator=link.migrator,
        store=store,
        clock=clock,
        events=events,
        may_submit=lambda: stop.refusal() or wishes.why_stopped(),
        demand_of=demand_of,
    )
    return Site(
        cluster=cluster,
        policy=wishes.applied_to(watch.policies.at(clock.now())),
        in_force=lambda snapshot: _in_force(watch, clock, snapshot),
        settings=watch.settings,
        tools=tools,
        barred=link.barred(cluster),
        may_move=wishes.may_move,
    )


def _in_force(watch: Watch, clock: Clock, snapshot: Snapshot) -> InForce:
    now = clock.now()
    policy = watch.policies.at(now)
    modes = resolve(snapshot, policy).vm_modes
    return mode_in_force(policy, watch.mode, now, vm_modes=modes)

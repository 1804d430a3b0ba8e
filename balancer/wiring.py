"""From the configuration to what the daemon works on: vCenters, clusters, health and metrics.

The composition root's parts list. Puts together and runs nothing; connects when first asked.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from balancer.adapters.notify import Notifier
from balancer.adapters.planning import Caps, PlanningProcesses
from balancer.adapters.recording import Recorder
from balancer.adapters.solver import SolverProcesses
from balancer.adapters.vsphere import Logins, connect
from balancer.adapters.vsphere.configured import settings_of
from balancer.config import Cluster, Config, VCenter
from balancer.expose.health import Health
from balancer.expose.metrics import ClusterMetrics, Metrics
from balancer.model.units import Seconds
from balancer.plan import PlanSettings
from balancer.policy.compose import PolicySet
from balancer.ports import Clock, Events
from balancer.standing import Subject
from balancer.watch import Link, Watch, may_act

log = logging.getLogger(__name__)

SILENT_CYCLES = 3
"""A loop that misses this many turns is not alive, a vCenter that misses them is not ready."""

LONGEST_READ_S = 120.0
"""The longest a working cycle may go without telling anything, but for its planning: a slow read."""


def links_of(config: Config, metrics: Metrics) -> dict[str, Link]:
    """Return the vCenters of a configuration by name.

    They share what is known of refused logins, so that one account is not locked by several.

    Raises:
        InputError: a file with a user name is wrong.
    """
    logins = Logins()
    return {vcenter.name: _link(vcenter, metrics, logins) for vcenter in config.vcenters}


def watches_of(config: Config, links: Mapping[str, Link]) -> tuple[Watch, ...]:
    """Return the clusters of a configuration, those of one vCenter on one link.

    Raises:
        InputError: a policy file is wrong.
    """
    return tuple(_watch(config, cluster, links[cluster.vcenter]) for cluster in config.clusters)


def planning_of(config: Config, clock: Clock) -> PlanningProcesses:
    """Return what makes the plans, in processes with the caps of a configuration. Starts none."""
    return PlanningProcesses(caps_of(config), clock)


def caps_of(config: Config) -> Caps:
    """Return what planning may take."""
    given = config.planning
    return Caps(memory_mib=given.memory_mib, patience_s=given.patience_s, processes=given.processes)


def health_of(config: Config, watches: Sequence[Watch], clock: Clock) -> Health:
    """Return the health of these clusters' loops and of their vCenters."""
    health = Health(clock, vcenters={}, loops={})
    watch_health(health, config, watches)
    return health


def watch_health(health: Health, config: Config, watches: Sequence[Watch]) -> None:
    """Let the health be that of these clusters' loops and of their vCenters.

    A cycle may wait for its turn to plan, and then for the plan, as long as the configuration says each.
    """
    silence_s = LONGEST_READ_S + 2 * config.planning.patience_s
    patience_s = {w.key: SILENT_CYCLES * w.interval_s + silence_s for w in watches}
    by_vcenter: dict[str, Seconds] = {}
    for watch in watches:
        longest = max(by_vcenter.get(watch.link.name, 0.0), patience_s[watch.key])
        by_vcenter[watch.link.name] = longest
    health.expect(vcenters=by_vcenter, loops=patience_s)


def cluster_metrics(metrics: Metrics, watch: Watch) -> ClusterMetrics:
    """Return the listener of one cluster."""
    return metrics.for_cluster(
        watch.link.name,
        watch.name,
        policy=watch.policies.at(datetime.now(tz=UTC)),
        mode=watch.mode,
        interval_s=watch.interval_s,
    )


def notifier_of(config: Config, metrics: Metrics, clock: Clock) -> Notifier:
    """Return who tells people of what they should know, through the channels of a configuration."""
    return Notifier.of(config.notify, clock=clock, results=metrics.notified)


def all_of(
    *listeners_of: Callable[[Watch], Sequence[Events]],
) -> Callable[[Watch], Sequence[Events]]:
    """Return whom several name as listeners of a cluster, in this order."""
    return lambda watch: [listener for of in listeners_of for listener in of(watch)]


def heralds_of(notifier: Notifier) -> Callable[[Watch], Sequence[Events]]:
    """Return how the notifier listens to a cluster."""
    return lambda watch: notifier.heralds(watch.link.name, watch.name)


def recorder_of(config: Config, metrics: Metrics) -> Recorder:
    """Return who writes snapshots down for the lab, where a configuration wants that."""
    return Recorder(config.record, config.record_key_path, metrics.recorded)


def ears_of(recorder: Recorder) -> Callable[[Watch], Sequence[Events]]:
    """Return how the recorder listens to a cluster."""
    return lambda watch: recorder.listeners_of(watch.link.name, watch.name)


def subjects_of(metrics: Metrics, watches: Iterable[Watch], clock: Clock) -> dict[str, Subject]:
    """Return the clusters that have metrics, as `Standing` looks at them."""
    subjects = {}
    for watch in watches:
        known = metrics.known(watch.link.name, watch.name)
        if known is not None:
            subjects[watch.key] = Subject(
                metrics=known, approval_s=partial(_approval_s, watch, clock)
            )
    return subjects


def _approval_s(watch: Watch, clock: Clock) -> Seconds:
    return watch.policies.at(clock.now()).limits.approval_s


def _link(vcenter: VCenter, metrics: Metrics, logins: Logins) -> Link:
    observer = metrics.for_vcenter(vcenter.name)
    connection = connect(settings_of(vcenter), observer=observer, logins=logins)
    return Link(
        name=vcenter.name,
        inventory=connection.inventory,
        migrator=connection.migrator(),
        close=connection.close,
        keep_alive=connection.keep_alive,
        give_up=connection.give_up,
        barred=may_act if vcenter.allow_excess_privileges else connection.barred,
        changes=connection.watcher(observer) if vcenter.change_hints else None,
        past=connection.past_demand,
    )


def _watch(config: Config, cluster: Cluster, link: Link) -> Watch:
    return Watch(
        name=cluster.name,
        link=link,
        mode=cluster.mode,
        policies=_policies(config, cluster),
        interval_s=cluster.interval_s,
        shortest_interval_s=cluster.shortest_interval_s,
        settings=PlanSettings(open_solver=SolverProcesses),
    )


def _policies(config: Config, cluster: Cluster) -> PolicySet:
    """Return a cluster's policies, and tell what of them does not count."""
    policies, name = config.policies_of(cluster), {"cluster": cluster.name}
    for left_out in policies.left_out:
        log.info("policy left out", extra={**name, "path": left_out.file, "detail": left_out.why})
    for conflict in policies.conflicts:
        log.info("policies differ", extra={**name, "detail": str(conflict)})
    return policies

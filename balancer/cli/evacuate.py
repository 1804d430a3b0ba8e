"""`balancer evacuate`: have a host emptied by the daemon and kept empty, until that is cancelled.

Writes the request to the journal; the next cycle plans with it. vSphere is asked for the host's name only.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from balancer.cli.options import DEFAULT_CONFIG, ClusterOption, ReasonOption, RunningConfigOption
from balancer.cli.output import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from balancer.config import Cluster, Config
    from balancer.model.control import Evacuation
    from balancer.policy.mode import Mode
    from balancer.ports import Store


def evacuate(
    host: Annotated[
        str | None, typer.Argument(metavar="HOST", help="Name or id of the host.")
    ] = None,
    config: RunningConfigOption = DEFAULT_CONFIG,
    cluster: ClusterOption = None,
    reason: ReasonOption = "",
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Take the request back: the host takes VMs again.")
    ] = False,
    show: Annotated[
        bool, typer.Option("--list", help="Show which hosts are to be emptied, and for whom.")
    ] = False,
) -> None:
    """Have a host emptied and kept empty, until it is cancelled. The host stays as it is in vSphere.

    The next cycle moves its VMs away, as for a host that enters maintenance: in mode partial or automatic by
    itself, in mode manual once the plan is approved. VMs that cannot leave are named in the plan.
    """
    from balancer.cli.journal_access import chosen_shards, journal_of
    from balancer.config import load_config

    if (host is None) != show or (show and cancel):
        raise typer.BadParameter("give a HOST, with or without --cancel, or --list alone")
    settings = load_config(config)
    with journal_of(settings) as store:
        if host is None:
            _list(store.evacuations(chosen_shards(settings, cluster)[0]))
        elif cancel:
            _cancel(store, chosen_shards(settings, cluster)[0], host, reason)
        else:
            _ask(store, settings, cluster, host, reason)


def _list(asked: "Sequence[Evacuation]") -> None:
    for one in asked:
        say(f"{one.host_name} ({one.host}) of {one.shard}: asked {_by(one)}")
    if not asked:
        say("No host is to be emptied.")


def _ask(store: "Store", settings: "Config", cluster: str | None, host: str, reason: str) -> None:
    from balancer import control
    from balancer.api.lookup import find_host
    from balancer.cli.actor import by_me
    from balancer.cli.journal_access import shard_of
    from balancer.cli.source import chosen_cluster, read_cluster, require_files
    from balancer.model.control import Evacuation

    chosen = chosen_cluster(settings, cluster)
    require_files(settings, chosen)
    snapshot = read_cluster(settings, chosen)
    found = snapshot.host_by_id[find_host(snapshot, host)]
    by = by_me(reason)
    wanted = Evacuation(
        shard=shard_of(chosen), host=found.id, host_name=found.name, by=by.actor, at=by.at
    )
    done = control.ask_to_empty(store, wanted, by)
    if done.already:
        say(f"{found.name} is to be emptied already, asked {_by(done.evacuation)}.")
        return
    count = sum(1 for vm in snapshot.running_vms if vm.host == found.id)
    say(f"{found.name} ({found.id}) is to be emptied: {count} running VMs leave it, none comes.")
    say(_what_happens(settings, chosen))
    say(f"To take it back: balancer evacuate {found.name} --cancel")


def _what_happens(settings: "Config", cluster: "Cluster") -> str:
    match mode_of(settings, cluster).value:
        case "observe":
            return "Nothing moves yet: the cluster is in mode observe. Set mode manual, partial or automatic."
        case "manual":
            return "The cluster is in mode manual: approve the plan that the next cycle makes (balancer plans)."
        case _:
            return "The daemon's next cycle begins with it."


def mode_of(settings: "Config", cluster: "Cluster") -> "Mode":
    """Return the mode that holds for a cluster now, by its configuration, its policies and their windows."""
    from datetime import UTC, datetime

    from balancer.policy.in_force import mode_in_force

    now = datetime.now(UTC)
    return mode_in_force(settings.policies_of(cluster).at(now), cluster.mode, now).mode


def _cancel(store: "Store", shard: str, host: str, reason: str) -> None:
    from balancer import control
    from balancer.cli.actor import by_me

    asked = _meant(store.evacuations(shard), host)
    control.cancel_emptying(store, asked, by_me(reason))
    say(f"{asked.host_name} ({asked.host}) takes VMs again. It was asked {_by(asked)}.")


def _meant(asked: "Sequence[Evacuation]", host: str) -> "Evacuation":
    from balancer.model.errors import BalancerError
    from balancer.policy.problems import nearest, plain

    word = host.strip().casefold()
    fitting = [one for one in asked if word in _names_of(one)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        where = ", ".join(f"{one.host} of {one.shard}" for one in fitting)
        raise BalancerError(
            f"'{plain(host)}' names several hosts: {where}. Name the cluster with --cluster."
        )
    if not asked:
        raise BalancerError("No host is to be emptied, so that there is nothing to cancel.")
    names = ", ".join(one.host_name for one in asked)
    hint = nearest(host, {one.host_name for one in asked})
    raise BalancerError(
        f"Nobody asked for '{plain(host)}' to be emptied; asked for are: {plain(names)}. {hint}".rstrip()
    )


def _names_of(asked: "Evacuation") -> tuple[str, ...]:
    name = asked.host_name.casefold()
    return asked.host.casefold(), name, name.partition(".")[0]


def _by(asked: "Evacuation") -> str:
    because = f": {asked.reason}" if asked.reason else ""
    return f"by {asked.by} at {asked.at:%Y-%m-%d %H:%M} UTC{because}"

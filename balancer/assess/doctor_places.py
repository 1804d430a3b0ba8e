"""The judgement of where a cluster's VMs can go: port groups and datastores that not every host has. Pure.

A network or datastore that a host lacks binds the VMs on it to the other hosts. Datastores of one host
alone are that host's own disks and are only told where running VMs stand on them.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from balancer.model.finding import Check, Finding, Outcome
from balancer.model.host import Host
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId

MOST_NAMES = 4


def judge_places(snapshot: Snapshot, hosts: Sequence[Host]) -> Iterator[Finding]:
    """Yield what hosts lack that their neighbours have, in networks and in datastores."""
    if len(hosts) < 2:
        return
    networks = {network.id: network.name for network in snapshot.networks}
    datastores = {store.id: store.name for store in snapshot.datastores}
    on_networks = {host.id: host.networks for host in hosts if host.networks is not None}
    on_datastores = {host.id: host.datastores for host in hosts if host.datastores is not None}
    names = {host.id: host.name for host in hosts}
    yield from _judge(_Kind(Check.HOST_NETWORKS, "port group"), on_networks, networks, names)
    shared = _without_own(on_datastores)
    yield from _judge(_Kind(Check.HOST_DATASTORES, "datastore"), shared, datastores, names)
    yield from _on_own_disks(snapshot, on_datastores, datastores)


@dataclass(frozen=True, slots=True)
class _Kind:
    check: Check
    noun: str


def _judge(
    kind: _Kind,
    on_hosts: Mapping[HostId, frozenset[str]],
    called: Mapping[str, str],
    names: Mapping[HostId, str],
) -> Iterator[Finding]:
    """Yield one finding for each set of hosts that lacks something, however much it is."""
    every = frozenset[str]().union(*on_hosts.values())
    if not every:
        return
    lacking: dict[tuple[HostId, ...], list[str]] = defaultdict(list)
    for place in every:
        without = tuple(sorted(host for host, has in on_hosts.items() if place not in has))
        if without:
            lacking[without].append(called.get(place, place))
    for without, places in sorted(lacking.items(), key=lambda item: (len(item[0]), item[0])):
        yield _lack(kind, sorted(places), without, {host: names[host] for host in on_hosts})
    if not lacking:
        found = f"{len(every)} {kind.noun}{'s' if len(every) != 1 else ''}, on every host"
        yield Finding(check=kind.check, outcome=Outcome.OK, found=found)


def _lack(
    kind: _Kind, places: Sequence[str], without: Sequence[HostId], names: Mapping[HostId, str]
) -> Finding:
    """Return what some hosts lack, told by the smaller side: who lacks it, or who alone has it."""
    having = [host for host in names if host not in without]
    what = _named(places, kind.noun)
    is_common = len(having) >= len(without)
    told = "not on these" if is_common else "on these alone"
    those = "these hosts" if is_common else "the others"
    return Finding(
        check=kind.check,
        outcome=Outcome.ADVICE,
        found=f"{what} on {len(having)} of {len(names)} hosts, {told}",
        mend=f"VMs with such a {kind.noun} cannot go to {those}. Make the hosts of a cluster alike, or"
        " leave it so on purpose.",
        objects=tuple(names[host] for host in (without if is_common else having)),
    )


def _without_own(on_hosts: Mapping[HostId, frozenset[str]]) -> dict[HostId, frozenset[str]]:
    shared = {
        place
        for host, has in on_hosts.items()
        for place in has
        if any(place in other for key, other in on_hosts.items() if key != host)
    }
    return {host: has & shared for host, has in on_hosts.items()}


def _on_own_disks(
    snapshot: Snapshot, on_hosts: Mapping[HostId, frozenset[str]], called: Mapping[str, str]
) -> Iterator[Finding]:
    shared = frozenset[str]().union(*_without_own(on_hosts).values())
    own = frozenset[str]().union(*on_hosts.values()) - shared
    bound = [vm for vm in snapshot.running_vms if vm.datastores & own]
    if not bound:
        return
    stores = sorted({called.get(store, store) for vm in bound for store in vm.datastores & own})
    yield Finding(
        check=Check.HOST_DATASTORES,
        outcome=Outcome.ADVICE,
        found=f"running VMs on datastores of one host alone ({_named(stores, 'datastore')}): they stay"
        " where they are",
        mend="Move their disks to a shared datastore, if they are to be balanced.",
        objects=tuple(vm.name for vm in bound),
    )


def _named(places: Sequence[str], noun: str) -> str:
    rest = len(places) - MOST_NAMES
    more = f" and {rest} more" if rest > 0 else ""
    plural = "s" if len(places) != 1 else ""
    return f"{noun}{plural} {', '.join(places[:MOST_NAMES])}{more}"

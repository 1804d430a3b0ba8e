"""Takes the names out of a snapshot, so that it can be shown to others. Ids and figures stay.

What has an id is called by it; what has only a name (tags, groups, folders, rules) is numbered in the
order of the names, so that equal things stay equal and the same cluster gives the same result; whoever needs the
same names over many snapshots gives a naming of their own. Tasks, managed-object ids and vSphere's own words
(guest systems) say nothing about their owner and are kept.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from balancer.model.host import Host
from balancer.model.snapshot import Snapshot
from balancer.model.vm import Vm

Naming = Callable[[str, Iterable[str]], Mapping[str, str]]
"""Given a kind of names and names of it, returns what stands for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pseudonyms:
    """For each kind of name, what stands for it."""

    tags: Mapping[str, str]
    groups: Mapping[str, str]
    folders: Mapping[str, str]
    rules: Mapping[str, str]
    keys: Mapping[str, str]
    words: Mapping[str, str]
    links: Mapping[str, str]


def numbered(kind: str, names: Iterable[str]) -> Mapping[str, str]:
    """Number names in their order: `tag-1`, `tag-2`."""
    return {name: f"{kind}-{number}" for number, name in enumerate(sorted(set(names)), start=1)}


def anonymized(snapshot: Snapshot, naming: Naming = numbered) -> Snapshot:
    """Return the snapshot without names: planning on it gives the same moves."""
    names = _pseudonyms(snapshot, naming)
    return replace(
        snapshot,
        source=replace(snapshot.source, name="anonymous", instance_uuid=None),
        cluster=replace(snapshot.cluster, name=str(snapshot.cluster.id)),
        hosts=tuple(_host(host, names) for host in snapshot.hosts),
        vms=tuple(_vm(vm, names) for vm in snapshot.vms),
        rules=tuple(replace(rule, name=names.rules[rule.name]) for rule in snapshot.rules),
        datastores=tuple(replace(store, name=store.id) for store in snapshot.datastores),
        networks=tuple(replace(network, name=network.id) for network in snapshot.networks),
        resource_pools=tuple(replace(pool, name=pool.id) for pool in snapshot.resource_pools),
    )


def _pseudonyms(snapshot: Snapshot, naming: Naming) -> _Pseudonyms:
    things: list[Host | Vm] = [*snapshot.hosts, *snapshot.vms]
    attributes = [item for vm in snapshot.vms for item in vm.attributes.items()]
    return _Pseudonyms(
        tags=naming("tag", (tag for thing in things for tag in thing.tags)),
        groups=naming("group", (group for thing in things for group in thing.groups)),
        folders=naming("folder", (vm.folder for vm in snapshot.vms if vm.folder is not None)),
        rules=naming("rule", (rule.name for rule in snapshot.rules)),
        keys=naming("attribute", (key for key, _ in attributes)),
        words=naming("value", (value for _, value in attributes)),
        links=naming("link", (link for host in snapshot.hosts for link in host.vmotion.networks)),
    )


def _host(host: Host, names: _Pseudonyms) -> Host:
    return replace(
        host,
        name=str(host.id),
        vmotion=replace(
            host.vmotion, networks=frozenset(names.links[link] for link in host.vmotion.networks)
        ),
        tags=frozenset(names.tags[tag] for tag in host.tags),
        groups=frozenset(names.groups[group] for group in host.groups),
    )


def _vm(vm: Vm, names: _Pseudonyms) -> Vm:
    return replace(
        vm,
        name=str(vm.id),
        uuid=None if vm.uuid is None else str(uuid.uuid5(uuid.NAMESPACE_OID, vm.id)),
        folder=None if vm.folder is None else names.folders[vm.folder],
        tags=frozenset(names.tags[tag] for tag in vm.tags),
        groups=frozenset(names.groups[group] for group in vm.groups),
        attributes={names.keys[key]: names.words[value] for key, value in vm.attributes.items()},
    )

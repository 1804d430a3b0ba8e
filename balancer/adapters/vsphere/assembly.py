"""Hosts and VMs of one cluster, put together from what several reads say of them.

Owns the joining of facts and the count of what could not be read. Must never drop
an object in silence, and never let a VM move of which the devices are not known.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol, TypeVar

from balancer.adapters.vsphere.cluster import ClusterFacts
from balancer.adapters.vsphere.devices import DEVICES, DeviceFacts
from balancer.adapters.vsphere.evc import OwnModes
from balancer.adapters.vsphere.facts import Facts
from balancer.adapters.vsphere.hosts import HostContext, Overhead, host_from
from balancer.adapters.vsphere.observer import RequestObserver
from balancer.adapters.vsphere.places import (
    attribute_names,
    folder_paths,
    local_datastores,
    managed_pools,
    reach,
)
from balancer.adapters.vsphere.retrieve import Retrieved
from balancer.adapters.vsphere.vms import VmContext, bare_vm_from, is_template, vm_from
from balancer.adapters.vsphere.words import (
    unknown_of_datastore,
    unknown_of_host,
    unknown_of_vm,
)
from balancer.model.host import Host
from balancer.model.units import HostId, VmId
from balancer.model.vm import Blocker, Vm

log = logging.getLogger(__name__)

Item = TypeVar("Item", Host, Vm)
UNREADABLE = "unreadable"
INCOMPLETE = "incomplete"
UNKNOWN_HOST = "unknown_host"
VANISHED = "vanished"
UNKNOWN_WORD = "unknown_word"
_NO_FAULT = frozenset({VANISHED, UNKNOWN_WORD})
_CAUSES = (UNREADABLE, INCOMPLETE, UNKNOWN_HOST, VANISHED)
_KNOWN = (
    *((kind, cause) for kind in ("host", "vm") for cause in _CAUSES),
    *((kind, UNKNOWN_WORD) for kind in ("host", "vm", "datastore", "cluster")),
)
MOST_WORDS = 20
"""So many different unknown words are named in a snapshot; all are counted."""


class Overheads(Protocol):
    """Knows what the hypervisors of hosts reserve for themselves."""

    def of(self, hosts: Iterable[HostId], /) -> Mapping[HostId, Overhead]:
        """Return what is known of the named hosts."""


class Minimum(Protocol):
    """Reads what keeps a VM its place and its size, of those that cannot be read whole."""

    def minimum_of(self, keys: Iterable[VmId], /) -> Retrieved:
        """Return what could be read of the named VMs."""


@dataclass(slots=True)
class Tally:
    """What of one read is not, or not whole, in the snapshot: counts by kind and cause.

    Objects that vanished while they were read are rightly not in it. Objects with a word that is not known
    are in it, with that word taken for the stricter side.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    words: set[str] = field(default_factory=set)

    def add(self, kind: str, cause: str, count: int = 1) -> None:
        """Count objects."""
        self.counts[kind, cause] += count

    def note_words(self, kind: str, words: Iterable[str]) -> None:
        """Count an object where it has words that are not known."""
        found = {f"{kind} {word}" for word in words}
        if found:
            self.add(kind, UNKNOWN_WORD)
            self.words |= found

    @property
    def rejected(self) -> int:
        """Return how many objects that are there are not, or not whole, in the snapshot."""
        return sum(n for (_, cause), n in self.counts.items() if cause not in _NO_FAULT)

    @property
    def unknown_words(self) -> tuple[str, ...]:
        """Return the words that are not known, each once with kind and path; at most `MOST_WORDS`."""
        return tuple(sorted(self.words)[:MOST_WORDS])

    def tell(self, observer: RequestObserver) -> None:
        """Tell every known kind and cause, the zeros too."""
        for kind, cause in _KNOWN:
            observer.rejected(kind, cause, self.counts[kind, cause])


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What surrounds the hosts and VMs of one cluster."""

    cluster: ClusterFacts
    entering: frozenset[HostId]
    consolidating: frozenset[VmId] = frozenset()
    datastores: tuple[Facts, ...] = ()
    pools: tuple[Facts, ...] = ()
    folders: tuple[Facts, ...] = ()
    attributes: Facts

    @cached_property
    def of_hosts(self) -> HostContext:
        """Return what hosts need."""
        return HostContext(
            groups=self.cluster.host_groups,
            datastores=reach(self.datastores),
            entering=self.entering,
            evc_modes=self.cluster.cluster.evc_modes,
        )

    @cached_property
    def of_vms(self) -> VmContext:
        """Return what VMs need."""
        return VmContext(
            automation=self.cluster.automation,
            groups=self.cluster.vm_groups,
            folders=folder_paths(self.folders),
            attribute_names=attribute_names(self.attributes),
            local_datastores=local_datastores(self.datastores),
            managed_pools=managed_pools(self.pools),
            consolidating=self.consolidating,
            swap_placement=self.cluster.swap_placement,
            own_modes=OwnModes(self.cluster.evc_masks, self.cluster.cluster.evc_modes),
        )


def hosts_of(
    found: Retrieved, ground: Ground, overheads: Overheads, *, tally: Tally
) -> tuple[Host, ...]:
    """Translate the hosts that were read. One without hardware facts (never connected) is counted."""
    tally.add("host", UNREADABLE, len(found.unreadable))
    tally.add("host", VANISHED, len(found.gone))
    known = overheads.of(HostId(facts.id) for facts in found.objects)
    context = replace(ground.of_hosts, overheads=known)
    hosts = [facts.translated(lambda f: host_from(f, context)) for facts in found.objects]
    for facts in found.objects:
        tally.note_words("host", facts.translated(unknown_of_host) or ())
    tally.add("host", INCOMPLETE, hosts.count(None))
    return tuple(host for host in hosts if host is not None)


def vms_of(found: Retrieved, ground: Ground, *, reader: Minimum, tally: Tally) -> tuple[Vm, ...]:
    """Translate the VMs that were read, templates left out.

    A VM that cannot be read whole is read for its place and size, and then stays where it is.
    """
    readable = [facts for facts in found.objects if not is_template(facts)]
    vms = [_placed(facts, ground.of_vms, tally) for facts in readable]
    for facts in readable:
        tally.note_words("vm", unknown_of_vm(facts))
    tally.add("vm", INCOMPLETE, vms.count(None))
    tally.add("vm", UNREADABLE, len(found.unreadable))
    tally.add("vm", VANISHED, len(found.gone))
    rest = reader.minimum_of(map(VmId, found.unreadable)).objects
    bare = [bare_vm_from(facts) for facts in rest if not is_template(facts)]
    return tuple(vm for vm in (*vms, *bare) if vm is not None)


def _placed(facts: Facts, context: VmContext, tally: Tally) -> Vm | None:
    """Translate a VM; one with a value that nobody expects keeps its place and its size, and stays."""
    vm = facts.translated(lambda entry: _vm(entry, context, tally))
    if vm is not None:
        return vm
    bare = bare_vm_from(facts)
    tally.add("vm", UNREADABLE, int(bare is not None))
    return bare


def _vm(facts: Facts, context: VmContext, tally: Tally) -> Vm | None:
    known = facts.one(DEVICES, DeviceFacts)
    vm = vm_from(facts, known or DeviceFacts(), context)
    if vm is None or known is not None or Blocker.INACCESSIBLE in vm.blockers:
        return vm
    tally.add("vm", UNREADABLE)
    return replace(vm, blockers=tuple(sorted({*vm.blockers, Blocker.INACCESSIBLE})))


def note_surroundings(ground: Ground, tally: Tally) -> None:
    """Count what datastores and the cluster say in words that are not known."""
    for facts in ground.datastores:
        tally.note_words("datastore", unknown_of_datastore(facts))
    tally.note_words("cluster", ground.cluster.unknown_words)


def on_known_hosts(vms: Iterable[Vm], hosts: Iterable[HostId], tally: Tally) -> tuple[Vm, ...]:
    """Return the VMs whose host is in the snapshot, and count the others."""
    known, all_vms = frozenset(hosts), tuple(vms)
    kept = tuple(vm for vm in all_vms if vm.host in known)
    tally.add("vm", UNKNOWN_HOST, len(all_vms) - len(kept))
    return kept

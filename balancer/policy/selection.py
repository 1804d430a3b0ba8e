"""What a selector matches in a snapshot: VMs by name, place, tag, attribute, system, group, size; hosts by fewer.

Pure. `Selection` indexes one snapshot by part and answers many selectors; the two functions are for one
question. A tag or guest system that the snapshot does not know matches nothing: whoever needs to tell
"has none" from "not known" asks `parts_of` what a selector speaks of, as `policy.resolve` does.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TypeVar, cast

from balancer.model.host import Host
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, Mib, VmId
from balancer.model.vm import Vm
from balancer.policy.selector import Selector, Size
from balancer.policy.text_index import TextIndex

Ids = frozenset[str]
Part = TypeVar("Part")

_TEXT_PARTS = (
    "names", "globs", "regexes", "folders", "pools", "tags", "attributes", "guest_os", "groups",
)  # fmt: skip


def select_vms(selector: Selector, snapshot: Snapshot) -> frozenset[VmId]:
    """Return the VMs, running or not, for which every part of the selector holds."""
    return Selection(snapshot).vms(selector)


def select_hosts(selector: Selector, snapshot: Snapshot) -> frozenset[HostId]:
    """Return the hosts, in any state, for which every part of the selector holds."""
    return Selection(snapshot).hosts(selector)


def parts_of(selector: Selector) -> frozenset[str]:
    """Return which parts a selector speaks of anywhere in it, by the names of its fields."""
    own = {part for part in _TEXT_PARTS if getattr(selector, part)}
    return frozenset(own).union(*(parts_of(inner) for inner in _inner(selector)))


def _inner(selector: Selector) -> tuple[Selector, ...]:
    last = () if selector.none_of is None else (selector.none_of,)
    return (*selector.every, *selector.some, *last)


class Selection:
    """The objects of one snapshot, indexed by what selectors speak of. Built lazily, never changed."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._vms = _Objects(snapshot.vms, _VmParts(snapshot).matching)
        self._hosts = _Objects(snapshot.hosts, _vm_parts_of_hosts)

    def vms(self, selector: Selector) -> frozenset[VmId]:
        """Return the VMs, running or not, for which every part of the selector holds."""
        return cast("frozenset[VmId]", self._vms.matching(selector))

    def hosts(self, selector: Selector) -> frozenset[HostId]:
        """Return the hosts, in any state, for which every part of the selector holds."""
        return cast("frozenset[HostId]", self._hosts.matching(selector))

    @property
    def vms_by_tag(self) -> Iterable[tuple[str, frozenset[VmId]]]:
        """Return the tags that VMs have, each with the VMs that have it."""
        return cast("Iterable[tuple[str, frozenset[VmId]]]", self._vms.tags.ids.items())

    @property
    def host_groups(self) -> frozenset[str]:
        """Return the names of the host groups that have hosts."""
        return frozenset(self._hosts.groups.ids)


class _Objects:
    """VMs or hosts: what both have, and the parts that only VMs have."""

    def __init__(
        self, objects: Iterable[Vm | Host], other_parts: Callable[[Selector], Iterator[Ids]]
    ) -> None:
        self._objects = tuple(objects)
        self._other_parts = other_parts
        self._found: dict[Selector, Ids] = {}

    @cached_property
    def _every(self) -> Ids:
        return frozenset(one.id for one in self._objects)

    @cached_property
    def _names(self) -> TextIndex:
        return TextIndex((one.name, one.id) for one in self._objects)

    @cached_property
    def tags(self) -> TextIndex:
        """Return the objects by tag, as `category:name`."""
        return TextIndex((tag, one.id) for one in self._objects for tag in one.tags)

    @cached_property
    def groups(self) -> TextIndex:
        """Return the objects by group."""
        return TextIndex((group, one.id) for one in self._objects for group in one.groups)

    def matching(self, selector: Selector) -> Ids:
        """Return the ids for which every part holds; of a selector that was asked before, at once."""
        if selector not in self._found:
            found = self._every
            for part in self._parts(selector):
                found &= part
                if not found:
                    break
            self._found[selector] = found
        return self._found[selector]

    def _parts(self, selector: Selector) -> Iterator[Ids]:
        """Yield what each part that is given matches, those that cost least first."""
        if selector.groups:
            yield _any_of(selector.groups, self.groups.exact)
        if selector.names:
            yield _any_of(selector.names, self._names.exact)
        if selector.tags:
            yield _any_of(selector.tags, self.tags.glob)
        yield from self._other_parts(selector)
        if selector.globs:
            yield _any_of(selector.globs, self._names.glob)
        if selector.regexes:
            yield _any_of(selector.regexes, self._names.regex)
        yield from (self.matching(inner) for inner in selector.every)
        if selector.some:
            yield _any_of(selector.some, self.matching)
        if selector.none_of is not None:
            yield self._every - self.matching(selector.none_of)


class _VmParts:
    """The parts that only VMs have."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def matching(self, selector: Selector) -> Iterator[Ids]:
        """Yield what each of these parts that is given matches."""
        if selector.folders:
            yield _any_of(selector.folders, self._folders.below)
        if selector.pools:
            yield _any_of(selector.pools, self._in_pool)
        if selector.guest_os:
            yield _any_of(selector.guest_os, self._guests.glob)
        for name, value in selector.attributes:
            yield self._attributes[name].glob(value) if name in self._attributes else frozenset()
        if selector.size is not None:
            yield self._of_size(selector.size)

    @cached_property
    def _folders(self) -> TextIndex:
        vms = self._snapshot.vms
        return TextIndex((vm.folder.strip("/"), vm.id) for vm in vms if vm.folder)

    @cached_property
    def _guests(self) -> TextIndex:
        return TextIndex((vm.guest_os, vm.id) for vm in self._snapshot.vms if vm.guest_os)

    @cached_property
    def _attributes(self) -> dict[str, TextIndex]:
        found: dict[str, list[tuple[str, str]]] = {}
        for vm in self._snapshot.vms:
            for name, value in vm.attributes.items():
                found.setdefault(name, []).append((value, vm.id))
        return {name: TextIndex(pairs) for name, pairs in found.items()}

    @cached_property
    def _by_pool(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for vm in self._snapshot.vms:
            found.setdefault(vm.resource_pool or "", []).append(vm.id)
        return found

    @cached_property
    def _children(self) -> dict[str | None, list[str]]:
        found: dict[str | None, list[str]] = {}
        for pool in self._snapshot.resource_pools:
            found.setdefault(pool.parent, []).append(pool.id)
        return found

    def _in_pool(self, name: str) -> Ids:
        """Return the VMs of the pools of a name and of those below them; several pools may have one name."""
        waiting = [pool.id for pool in self._snapshot.resource_pools if pool.name == name]
        seen: set[str] = set()
        while waiting:
            pool = waiting.pop()
            if pool not in seen:
                seen.add(pool)
                waiting += self._children.get(pool, ())
        return frozenset(vm for pool in seen for vm in self._by_pool.get(pool, ()))

    @cached_property
    def _by_size(self) -> dict[tuple[int, Mib], list[str]]:
        found: dict[tuple[int, Mib], list[str]] = {}
        for vm in self._snapshot.vms:
            found.setdefault((vm.vcpus, vm.memory_mib), []).append(vm.id)
        return found

    def _of_size(self, size: Size) -> Ids:
        fitting = (vms for key, vms in self._by_size.items() if _fits(size, *key))
        return frozenset(vm for vms in fitting for vm in vms)


def _fits(size: Size, vcpus: int, memory_mib: Mib) -> bool:
    bounds = (
        (size.vcpus_at_least, vcpus, size.vcpus_at_most),
        (size.memory_mib_at_least, memory_mib, size.memory_mib_at_most),
    )
    return all(
        (low is None or low <= value) and (high is None or value <= high)
        for low, value, high in bounds
    )


def _any_of(wanted: Iterable[Part], find: Callable[[Part], Ids]) -> Ids:
    """Return what any of the alternatives matches."""
    return frozenset().union(*map(find, wanted))


def _vm_parts_of_hosts(selector: Selector) -> Iterator[Ids]:
    """Yield nothing at all for parts that hosts do not have: the document refuses them."""
    parts = (selector.folders, selector.pools, selector.attributes, selector.guest_os)
    if any(parts) or selector.size is not None:
        yield frozenset()

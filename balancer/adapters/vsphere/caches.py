"""Facts that seldom change: read once for each version of an object, and added to what every cycle reads.

Owns the caches of fixed facts, each entry with a version and an end. Must never answer for another version
of an object, nor with what was read before somebody said that it changed. Asked while a snapshot is put
together; the watcher of changes calls `forget` and `forget_all` from its own thread.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock
from typing import Any, Protocol

from balancer.adapters.vsphere.facts import Facts
from balancer.adapters.vsphere.hosts import Overhead, overhead_from
from balancer.adapters.vsphere.reader import Reader
from balancer.adapters.vsphere.retrieve import Retrieved
from balancer.model.units import HostId, Seconds, VmId

OVERHEADS_KEPT_S = 3600.0
Version = tuple[object, ...]

# A VM's configuration has a version of its own. What hangs on its last start or on where it runs changes
# with those. Source: vSphere API, `VirtualMachineConfigInfo.changeVersion`, `runtime.bootTime`.
_VM_VERSION = (
    "config.changeVersion",
    "runtime.bootTime",
    "runtime.powerState",
    "runtime.connectionState",
    "runtime.host",
)
# A host has none: it counts as another one after a start, an upgrade, or a time away.
_HOST_VERSION = (
    "runtime.bootTime",
    "runtime.powerState",
    "runtime.connectionState",
    "runtime.inMaintenanceMode",
    "summary.config.product.version",
)
_DATASTORE_VERSION = ("summary.accessible", "summary.maintenanceMode")


class ReadFixed(Protocol):
    """Reads fixed facts of the named objects; `cluster` is where they all are, if that is known."""

    def __call__(
        self, keys: Iterable[str], *, cluster: str | None, with_features: bool
    ) -> Retrieved:
        """Return what could be read."""


@dataclass(frozen=True, slots=True)
class _Entry:
    version: Version
    read_at: Seconds
    values: Mapping[str, Any]
    denied: frozenset[str]


class FixedFacts:
    """Fixed facts of one class of objects. Safe for several threads."""

    def __init__(
        self,
        read: ReadFixed,
        *,
        version: tuple[str, ...],
        kept_s: Seconds,
        monotonic: Callable[[], Seconds],
        needed: bool = True,
    ) -> None:
        self._read = read
        self._needed = needed
        self._version = version
        self._kept_s = kept_s
        self._monotonic = monotonic
        self._lock = Lock()
        self._kept: dict[str, _Entry] = {}
        self._forgotten_at: dict[str, tuple[int, Seconds]] = {}
        self._all_forgotten_at = 0
        self._count = 0

    def completed(
        self,
        found: Retrieved,
        *,
        cluster: str | None = None,
        with_features: bool = False,
        anew: bool = False,
    ) -> Retrieved:
        """Return the objects with their fixed facts; what was read every cycle stands above them.

        Facts of the objects' present versions that are kept are not read again, unless `anew`. An object
        whose fixed facts cannot be read is unreadable, one that went away in between is gone; where they
        are not needed, both stay without them.
        """
        versions = self._versions_of(found, with_features)
        known = {} if anew else self._known(versions)
        lacking = [key for key in versions if key not in known]
        begun = self._count
        # Few are asked for by name, nearly all of a cluster through its view: the request is shorter.
        below = cluster if 2 * len(lacking) > len(versions) else None
        fixed = self._read(lacking, cluster=below, with_features=with_features)
        read_at = self._monotonic()
        for facts in fixed.objects:
            if facts.id in versions:
                known[facts.id] = _Entry(versions[facts.id], read_at, facts.values, facts.denied)
        whole = known.keys() - fixed.incomplete
        self._keep({key: known[key] if key in whole else None for key in lacking}, begun)
        if not self._needed:
            return replace(found, objects=tuple(_both(f, known.get(f.id)) for f in found.objects))
        unreadable = fixed.unreadable & versions.keys()
        return Retrieved(
            objects=tuple(_both(f, known[f.id]) for f in found.objects if f.id in known),
            unreadable=found.unreadable | unreadable,
            gone=found.gone | (versions.keys() - known.keys() - unreadable),
        )

    def lacking(self, found: Retrieved, *, with_features: bool = False) -> frozenset[str]:
        """Return the objects of which nothing is kept in their present version."""
        versions = self._versions_of(found, with_features)
        return frozenset(versions.keys() - self._known(versions).keys())

    def forget(self, keys: Iterable[str]) -> None:
        """Read the named objects anew next time, also those that are being read just now."""
        with self._lock:
            self._count += 1
            for key in keys:
                self._kept.pop(key, None)
                self._forgotten_at[key] = (self._count, self._monotonic())

    def forget_all(self) -> None:
        """Read everything anew next time."""
        with self._lock:
            self._count += 1
            self._kept = {}
            self._forgotten_at = {}
            self._all_forgotten_at = self._count

    def _versions_of(self, found: Retrieved, with_features: bool) -> dict[str, Version]:
        paths = self._version
        return {
            facts.id: (with_features, *(facts.values.get(path) for path in paths))
            for facts in found.objects
        }

    def _known(self, versions: Mapping[str, Version]) -> dict[str, _Entry]:
        """Return what is kept of these versions. One whose first part is unset has no version."""
        oldest = self._monotonic() - self._kept_s
        with self._lock:
            self._kept = {k: entry for k, entry in self._kept.items() if entry.read_at > oldest}
            forgotten = self._forgotten_at.items()
            self._forgotten_at = {key: at for key, at in forgotten if at[1] > oldest}
            kept = self._kept
            return {
                key: kept[key]
                for key, version in versions.items()
                if key in kept and kept[key].version == version and version[1] is not None
            }

    def _keep(self, entries: Mapping[str, _Entry | None], begun: int) -> None:
        """Keep what was read, and nothing of what could not be read or was forgotten since `begun`."""
        with self._lock:
            for key, entry in entries.items():
                self._kept.pop(key, None)
                forgotten_at = self._forgotten_at.get(key, (0, 0.0))[0]
                if entry is not None and max(forgotten_at, self._all_forgotten_at) <= begun:
                    self._kept[key] = entry


def _both(facts: Facts, fixed: _Entry | None) -> Facts:
    if fixed is None:
        return facts
    return Facts(
        id=facts.id,
        kind=facts.kind,
        values={**fixed.values, **facts.values},
        denied=facts.denied | fixed.denied if fixed.denied else facts.denied,
    )


class OverheadCache:
    """The hypervisors' own share by host. About 180 KB on the wire for each host, hence kept."""

    def __init__(self, reader: Reader, monotonic: Callable[[], Seconds] = time.monotonic) -> None:
        self._reader = reader
        self._monotonic = monotonic
        self._kept: dict[HostId, tuple[Seconds, Overhead]] = {}

    def of(self, hosts: Iterable[HostId]) -> Mapping[HostId, Overhead]:
        """Return the shares of the named hosts, read where they are not known or too old."""
        now, asked = self._monotonic(), list(hosts)
        kept = self._kept.items()
        self._kept = {key: entry for key, entry in kept if now - entry[0] < OVERHEADS_KEPT_S}
        missing = [key for key in asked if key not in self._kept]
        for facts in self._reader.resources_of(missing).objects:
            self._kept[HostId(facts.id)] = (now, overhead_from(facts))
        return {key: self._kept[key][1] for key in asked if key in self._kept}


class Caches:
    """What one vCenter's inventory keeps between cycles. `kept_s` is the longest age of a fixed fact."""

    def __init__(
        self,
        reader: Reader,
        *,
        kept_s: Seconds,
        monotonic: Callable[[], Seconds] = time.monotonic,
    ) -> None:
        fixed = partial(FixedFacts, kept_s=kept_s, monotonic=monotonic)
        self.hosts = fixed(reader.fixed_of_hosts, version=_HOST_VERSION)
        self.vms = fixed(reader.fixed_of_vms, version=_VM_VERSION)
        self.extras = fixed(reader.extra_config_of, version=_VM_VERSION)
        self.mounts = fixed(reader.mounts_of, version=_DATASTORE_VERSION, needed=False)
        self.overheads = OverheadCache(reader, monotonic)

    def forget(self, *, hosts: Iterable[HostId] = (), vms: Iterable[VmId] = ()) -> None:
        """Read the named objects anew in the next cycle; a change of a host may be one of its mounts."""
        hosts, vms = tuple(hosts), tuple(vms)
        self.hosts.forget(hosts)
        self.vms.forget(vms)
        self.extras.forget(vms)
        if hosts:
            self.mounts.forget_all()

    def forget_all(self) -> None:
        """Read everything anew in the next cycle."""
        for facts in (self.hosts, self.vms, self.extras, self.mounts):
            facts.forget_all()

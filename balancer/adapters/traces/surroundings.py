"""What a recording tells beside load and sizes: the cluster and its rules, settings of VMs, and where these stand.

Gathers it line by line, and puts it together for the VMs that are replayed. The form: `adapters.recording.form`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from balancer.adapters.files.snapshot_file import parse_snapshot
from balancer.adapters.recording.form import FLEETING_OF_VM
from balancer.model.host import HostState
from balancer.model.recorded import Frame, Recorded, Seen, Stood, within
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId

Entry = dict[str, object]

_AROUND = ("cluster", "rules", "resource_pools")
_NO_SETTING = frozenset({*FLEETING_OF_VM, "name", "uuid", "power", "vcpus", "memory_mib"})
"""What of a VM is figures, is the trace's own, or is never taken up anew."""


@dataclass(slots=True)
class Surroundings:
    """What was told so far. Looks are counted from 0; a change belongs to the look with which it was told."""

    document: Entry = field(default_factory=dict)
    hosts: dict[str, Entry] = field(default_factory=dict)
    later: list[tuple[int, Snapshot]] = field(default_factory=list)
    moved: list[tuple[int, str, str]] = field(default_factory=list)
    changed: list[tuple[int, list[Entry]]] = field(default_factory=list)
    _around: Entry = field(default_factory=dict)
    _host_of: dict[str, str] = field(default_factory=dict)
    _settings: dict[str, Entry] = field(default_factory=dict)

    def begin(self, look: int, document: Entry, name: str) -> Snapshot | None:
        """Take a whole snapshot; return it where it is the first, or its cluster is not as before.

        Raises:
            InputError: it is no snapshot.
        """
        around, is_first = _around(document), not self.document
        if not is_first and around == self._around:
            return None
        snapshot = parse_snapshot(json.dumps(document).encode(), name=name)
        self._around = around
        for host in as_entries(document["hosts"]):
            self.hosts.setdefault(str(host["id"]), host)
        if is_first:
            self.document = document
        else:
            self.later.append((look, snapshot))
        return snapshot

    def told(self, look: int, entries: Sequence[Entry], moved: Mapping[str, object]) -> None:
        """Take VMs whose entries were told, and hosts of VMs that moved."""
        places = {str(entry["id"]): str(entry["host"]) for entry in entries}
        for vm, host in (places | {vm: str(host) for vm, host in moved.items()}).items():
            if self._host_of.setdefault(vm, host) != host:
                self._host_of[vm] = host
                self.moved.append((look, vm, host))
        others = [entry for entry in entries if self._is_other(entry)]
        if others:
            self.changed.append((look, others))

    def _is_other(self, entry: Entry) -> bool:
        settings = {key: value for key, value in entry.items() if key not in _NO_SETTING}
        before = self._settings.setdefault(str(entry["id"]), settings)
        self._settings[str(entry["id"])] = settings
        return before != settings

    def recorded(
        self,
        entries: Mapping[str, Entry],
        names: Mapping[str, str],
        placement: Mapping[str, HostId],
        slots: Sequence[int],
    ) -> Recorded:
        """Return it for the VMs of a trace: their first entries and names by id, hosts by name, slots of looks.

        Raises:
            InputError: an entry of a VM is wrong.
        """
        shown = [
            entry | {"name": names[vm], "host": placement[names[vm]]}
            for vm, entry in entries.items()
        ]
        hosts = list(self._all_hosts())
        flights: Entry = {"migrations_in_flight": []}
        base = _parsed({**self.document, "hosts": hosts, "vms": shown, **flights})
        seen = [
            Seen(slot=slots[look], vm=replace(vm, name=first.name, host=first.host))
            for look, changed in self.changed
            for vm in _parsed(self._alone(changed)).vms
            if (first := base.vm_by_id.get(vm.id))
        ]
        return Recorded(
            base=base,
            away=frozenset(base.host_by_id) - _ids(self.document),
            frames=tuple(_frame(slots[look], later, base) for look, later in self.later),
            seen=tuple(seen),
            stood=tuple(
                Stood(slot=slots[look], vm=names[vm], host=HostId(host))
                for look, vm, host in self.moved
                if vm in names and HostId(host) in base.host_by_id
            ),
        )

    def _all_hosts(self) -> Iterator[Entry]:
        """Yield every host as it was first told; those that were not there at first are in maintenance."""
        first = _ids(self.document)
        for host, entry in self.hosts.items():
            yield entry if host in first else entry | {"state": HostState.MAINTENANCE.value}

    def _alone(self, entries: Sequence[Entry]) -> Entry:
        """Return a document of some VMs alone, on a host that stands for all."""
        (host, *_) = as_entries(self.document["hosts"])
        vms = [entry | {"host": host["id"]} for entry in entries]
        kept = {key: self.document[key] for key in ("schema", "taken_at")}
        cluster = {"id": "any", "name": "any"}
        return {**kept, "cluster": cluster, "hosts": [host], "vms": vms}


def _around(document: Entry) -> Entry:
    """Return what a frame is made of, as it was told."""
    states = {str(host["id"]): host.get("state") for host in as_entries(document["hosts"])}
    return {"states": states, **{key: document.get(key) for key in _AROUND}}


def _frame(slot: int, snapshot: Snapshot, base: Snapshot) -> Frame:
    """Return what holds from a slot on."""
    hosts = frozenset(base.host_by_id)
    away = hosts - snapshot.host_by_id.keys()
    states = {host.id: host.state for host in snapshot.hosts}
    return Frame(
        slot=slot,
        cluster=snapshot.cluster,
        rules=within(snapshot.rules, frozenset(base.vm_by_id), hosts),
        resource_pools=snapshot.resource_pools,
        states=dict.fromkeys(away, HostState.MAINTENANCE) | states,
        away=away,
    )


def _ids(document: Entry) -> frozenset[HostId]:
    return frozenset(HostId(str(host["id"])) for host in as_entries(document["hosts"]))


def _parsed(document: Entry) -> Snapshot:
    return parse_snapshot(json.dumps(document).encode(), name="the VMs of the recording")


def as_mapping(value: object) -> Entry:
    """Return an object of a line.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(value, dict):
        raise TypeError(f"{str(value)[:40]!r} is no object")
    return value


def as_list(value: object) -> list[object]:
    """Return a list of a line.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(value, list):
        raise TypeError(f"{str(value)[:40]!r} is no list")
    return value


def as_entries(value: object) -> list[Entry]:
    """Return a list of objects of a line.

    Raises:
        TypeError: it is none.
    """
    return [as_mapping(item) for item in as_list(value)]

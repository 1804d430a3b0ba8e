"""What the smaller sheets of an RVTools export say of VMs: datastores, networks, and devices that hold them.

A sheet that is not there says nothing: no VM is held for it, and every host counts as reaching everything. That
is told with the result.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from balancer.adapters.imports.cells import Columns, Line
from balancer.model.snapshot import Datastore, DatastoreState, Network
from balancer.model.vm import Blocker

Sheets = Mapping[str, Columns]

_SHARED = frozenset({"physicalsharing", "virtualsharing"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """How rows name a VM: by id where there are ids, or else by name and host."""

    id: str
    name: str
    host: str

    @property
    def keys(self) -> tuple[str, ...]:
        """Return what rows of other sheets are found by."""
        place = f"{self.name}\n{self.host}"
        return (self.id, place) if self.id else (place,)


def named(line: Line) -> Named:
    """Return what a row calls its VM."""
    return Named(id=line.text("id"), name=line.text("vm"), host=line.text("host"))


class Parts:
    """The smaller sheets, read once."""

    def __init__(self, sheets: Sheets) -> None:
        self._sheets = sheets
        self._datastores: dict[str, set[str]] = defaultdict(set)
        self._networks: dict[str, set[str]] = defaultdict(set)
        self._blockers: dict[str, set[Blocker]] = defaultdict(set)
        self.datastores = self._read_datastores()
        self._known = {store.name for store in self.datastores}
        for name, line in self._lines("vdisk"):
            self._datastores[name].update(_datastore_in(line.text("path")))
            if line.text("shared_bus").lower() in _SHARED:
                self._blockers[name].add(Blocker.SHARED_SCSI_BUS)
        for name, line in self._lines("vnetwork"):
            self._take_network(name, line)
        for name, line in self._lines("vusb"):
            if line.flag("connected"):
                self._blockers[name].add(Blocker.USB_DEVICE)
        for name, line in self._lines("vcd"):
            self._take_drive(name, line)

    def datastores_of(self, vm: Named, path: str) -> frozenset[str]:
        """Return the datastores of a VM's disks and of its own file, as far as they are listed."""
        found = {store for key in vm.keys for store in self._datastores.get(key, ())}
        return frozenset((found | set(_datastore_in(path))) & self._known)

    def networks_of(self, vm: Named) -> frozenset[str]:
        """Return the networks of a VM's adapters."""
        return frozenset(name for key in vm.keys for name in self._networks.get(key, ()))

    def blockers_of(self, vm: Named) -> set[Blocker]:
        """Return what a VM's devices say against moving it."""
        return {word for key in vm.keys for word in self._blockers.get(key, ())}

    def host_datastores(self) -> Mapping[str, frozenset[str]] | None:
        """Return the datastores of each host by its name; None where the export does not say."""
        columns = self._sheets.get("vdatastore")
        if columns is None or not columns.has("hosts"):
            return None
        found: dict[str, set[str]] = defaultdict(set)
        for line in columns.lines():
            for host in line.text("hosts").replace(";", ",").split(","):
                found[host.strip()].add(line.text("name"))
        return {host: frozenset(stores) for host, stores in found.items()}

    def host_networks(self) -> Mapping[str, frozenset[str]] | None:
        """Return the networks of each host by its name; None where the export does not say.

        A standard port group is there where it is listed; any other network is a distributed one, and everywhere.
        """
        columns = self._sheets.get("vport")
        if columns is None:
            return None
        found: dict[str, set[str]] = defaultdict(set)
        for line in columns.lines():
            found[line.text("host")].add(line.text("network"))
        standard = {name for names in found.values() for name in names}
        everywhere = {network.id for network in self.networks()} - standard
        return {host: frozenset(names | everywhere) for host, names in found.items()}

    def networks(self) -> tuple[Network, ...]:
        """Return all networks that a VM has."""
        names = {name for found in self._networks.values() for name in found}
        return tuple(Network(id=name, name=name) for name in sorted(names))

    def _read_datastores(self) -> tuple[Datastore, ...]:
        columns = self._sheets.get("vdatastore")
        stores: dict[str, Datastore] = {}
        for line in columns.lines() if columns else ():
            name = line.text("name")
            is_lost = line.text("accessible").lower() == "false"
            stores[name] = Datastore(
                id=name,
                name=name,
                kind=line.text("kind") or None,
                capacity_mib=line.measured("capacity"),
                free_mib=line.measured("free"),
                state=DatastoreState.INACCESSIBLE if is_lost else DatastoreState.NORMAL,
            )
        return tuple(stores[name] for name in sorted(stores) if name)

    def _lines(self, sheet: str) -> Iterator[tuple[str, Line]]:
        """Yield the rows of a sheet with the key of the VM that they are about."""
        columns = self._sheets.get(sheet)
        for line in columns.lines() if columns else ():
            yield named(line).keys[0], line

    def _take_network(self, name: str, line: Line) -> None:
        if line.text("network"):
            self._networks[name].add(line.text("network"))
        if "sriov" in line.text("adapter").lower():
            self._blockers[name].add(Blocker.SRIOV)

    def _take_drive(self, name: str, line: Line) -> None:
        """Hold a VM for a connected drive, unless it is an image on a datastore that is listed."""
        if not line.flag("connected"):
            return
        stores = set(_datastore_in(line.text("device")))
        if not stores:
            self._blockers[name].add(Blocker.HOST_LOCAL_CDROM)
        elif not stores <= self._known:
            self._blockers[name].add(Blocker.LOCAL_CDROM_BACKING)
        else:
            self._datastores[name] |= stores


def _datastore_in(text: str) -> Iterator[str]:
    """Yield the datastore of a path such as `[store] folder/file.vmdk`."""
    start, end = text.find("["), text.find("]")
    if 0 <= start < end - 1:
        yield text[start + 1 : end]

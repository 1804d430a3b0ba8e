"""Structures among the values of an answer, such as a VM's devices, read as pyVmomi would and quicker.

Owns the way from the elements of one value to data objects: of pyVmomi's own classes, with the fields and
empty values that pyVmomi gives them, references as links. Which fields a class has and what they hold comes
from pyVmomi's tables. Whatever is not found there makes the one value unreadable, never the answer. Of the
classes in `READ_FIELDS`, of which a vCenter has hundreds of thousands, an object has only the fields named
there: to ask it for another one is an AttributeError. Used by `leaf_answer`.

Why not pyVmomi itself: it looks up type, field and version of each element anew, and checks each value that it
sets. Measured in tests/bench/collect.
"""

# mypy: disable-error-code="no-untyped-call"
# pyVmomi marks itself as typed, its run-time part is not.

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder

from pyVmomi.VmomiSupport import DataObject, ManagedObject

from balancer.adapters.vsphere.leaves import Convert, NotALeaf, convert_of, kind_of

_TYPE = "http://www.w3.org/2001/XMLSchema-instance type"
_PREFIX = "urn:vim25 "

PATHS: Mapping[str, frozenset[str]] = {
    "VirtualMachine": frozenset(
        {
            "customValue",
            "config.hardware.device",
            "runtime.featureMask",
            "runtime.featureRequirement",
        }
    ),
    "HostSystem": frozenset(
        {
            "runtime.partialMaintenanceMode",
            "config.virtualNicManagerInfo.netConfig",
            "config.network.pnic",
            "config.network.vswitch",
            "config.network.proxySwitch",
            "config.network.portgroup",
            "config.maskedFeatureCapability",
            "config.featureCapability",
            "systemResources.child",
        }
    ),
    "Datastore": frozenset({"host"}),
}
"""The structures that can be read here, by class: those of which there are many."""

READ_FIELDS: Mapping[str, frozenset[str]] = {
    "VirtualDevice": frozenset({"backing", "connectable"}),
    "VirtualDeviceBackingInfo": frozenset(),
    "VirtualDeviceFileBackingInfo": frozenset({"datastore"}),
    "VirtualDiskFlatVer2BackingInfo": frozenset({"sharing"}),
    "VirtualDiskRawDiskMappingVer1BackingInfo": frozenset({"sharing"}),
    "VirtualDeviceConnectInfo": frozenset({"connected"}),
    "VirtualDisk": frozenset({"capacityInKB"}),
    "VirtualSCSIController": frozenset({"sharedBus"}),
    "VirtualUSB": frozenset({"connected"}),
    "HostSystemResourceInfo": frozenset({"key", "config"}),
    "ResourceConfigSpec": frozenset({"cpuAllocation", "memoryAllocation"}),
    "ResourceAllocationInfo": frozenset({"reservation"}),
}
"""The fields that are read of a class and of those below it, by its name on the wire."""


@dataclass(slots=True, eq=False)
class _Field:
    """What an element holds: a data object (`kind`), a text (`convert`), or else a reference."""

    name: str
    is_list: bool
    kind: type | None = None
    convert: Convert | None = None


class _Model:
    """One class as pyVmomi's tables have it: its fields by element, None for one that is not read."""

    def __init__(self, kind: Any) -> None:
        infos = kind._GetPropertyList()
        read = _read_fields(kind, (info.name for info in infos))
        self.kind = kind
        self.fields = {
            _PREFIX + info.name: _field_of(info) if info.name in read else None for info in infos
        }
        empty = {name: value for name, value in kind().__dict__.items() if name in read}
        self._plain = {name: value for name, value in empty.items() if not isinstance(value, list)}
        self._lists = [(name, type(v)) for name, v in empty.items() if isinstance(v, list)]

    def begun(self) -> dict[str, Any]:
        """Return the values of an object without any."""
        values = self._plain.copy()
        for name, array in self._lists:
            values[name] = array()
        return values


def _read_fields(kind: type, names: Iterable[str]) -> frozenset[str]:
    """Return what is read of a class: all its fields, unless it or a class above it stands in the table."""
    above = [READ_FIELDS.get(getattr(each, "_wsdlName", "")) for each in kind.__mro__]
    known = [fields for fields in above if fields is not None]
    return frozenset().union(*known) if known else frozenset(names)


def _field_of(info: Any) -> _Field:
    is_list = issubclass(info.type, list)
    kind = info.type.Item if is_list else info.type
    if issubclass(kind, ManagedObject):
        return _Field(info.name, is_list)
    if issubclass(kind, DataObject) and not issubclass(kind, Exception):
        return _Field(info.name, is_list, kind=kind)
    try:
        return _Field(info.name, is_list, convert=convert_of(kind, kind.__name__))
    except NotALeaf:
        return _Field(info.name, is_list, convert=_not_read)


def _not_read(text: str) -> Any:
    raise NotALeaf("values of this class are not read here")


@lru_cache(maxsize=4096)
def _model(kind: Any) -> _Model:
    return _Model(kind)


@lru_cache(maxsize=4096)
def _narrowed(kind: type, word: str) -> type:
    """Return the class that the wire names for a value, which must be `kind` or below it."""
    found = kind_of(word.rpartition(":")[2])
    if not issubclass(found, kind):
        raise NotALeaf(f"the type {word[:80]!r} is no {kind.__name__}")
    return found


class Structure:
    """One value, collected element by element until its end, and then built.

    `start`, `data` and `end` are handlers for the parser of the answer, which must give attributes as a
    mapping: two of them are C, so that an element costs one call into Python. `done` is called at the end of
    the value. `linking` is the way from a class of managed objects to the conversion of an id.
    """

    def __init__(
        self, word: str, *, linking: Callable[[str], Convert], done: Callable[[], None]
    ) -> None:
        self._word = word
        self._linking = linking
        builder = TreeBuilder()
        self._root = root = builder.start("", {})
        self.start, self.data, close = builder.start, builder.data, builder.end

        def end(tag: str) -> None:
            if close(tag) is root:
                done()

        self.end = end

    def value(self) -> Any:
        """Return the data object or the list of those.

        Raises:
            ValueError, LookupError: something in it is not as pyVmomi's tables have it.
        """
        kind = kind_of(self._word.rpartition(":")[2])
        if not issubclass(kind, list):
            return self._object(self._root, kind)
        item, found = kind.Item, kind()  # type: ignore[attr-defined]
        found.extend(self._object(child, _told(child, item)) for child in self._root)
        return found

    def _object(self, element: Element, kind: Any) -> Any:
        if not issubclass(kind, DataObject):
            raise NotALeaf(f"the type {kind.__name__[:80]!r} is no structure")
        model = _model(kind)
        values, fields = model.begun(), model.fields
        for child in element:
            field = fields[child.tag]
            if field is None:
                continue
            if field.kind is not None:
                value = self._object(child, _told(child, field.kind))
            else:
                value = self._plain(child, field.convert)
            if field.is_list:
                values[field.name].append(value)
            else:
                values[field.name] = value
        made: Any = object.__new__(model.kind)
        object.__setattr__(made, "__dict__", values)  # past pyVmomi's checks: its tables were asked
        return made

    def _plain(self, element: Element, convert: Convert | None) -> Any:
        if len(element):
            raise NotALeaf("there are elements where a text was expected")
        if convert is None:
            convert = self._linking(element.get("type", "").rpartition(":")[2])
        return convert(element.text or "")


def _told(element: Element, kind: type) -> type:
    """Return the class of an element's value, as the wire tells it or else the one that it must be of."""
    word = element.get(_TYPE)
    return kind if word is None else _narrowed(kind, word)

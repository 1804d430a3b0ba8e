"""Managed objects as `govc object.save` writes them, one XML file each, read as facts.

Owns the way from the elements of a file to the same facts that the property collector's answers give, by the same
tables of types: a path such as `summary.config.numCpu` is looked up inside the whole property that the file has.
A value that cannot be read is told with its line and left out. A document type, the only place where entities
can be defined, is refused.

Source: vmware/govmomi, `govc object.save`: `ObjectContent(obj, propSet*(name, val))`, written by encoding/xml,
which leaves out numbers that are 0 inside of structures: these are unknown here.
"""

# mypy: disable-error-code="no-untyped-call"
# pyVmomi marks itself as typed, its run-time part is not.

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from pyVmomi import vim
from pyVmomi.VmomiSupport import GetWsdlName, ManagedObject

from balancer.adapters.vsphere import condense, properties
from balancer.adapters.vsphere.facts import Facts, Link
from balancer.adapters.vsphere.leaves import Convert, convert_of
from balancer.adapters.vsphere.structures import Structure

Complain = Callable[[int, str], None]
"""Is told what of a file cannot be read: the line, and what stands there."""

_TYPE = "http://www.w3.org/2001/XMLSchema-instance type"
_LINE = "line"
_DEEPEST = 100
_CUT = frozenset({3, 5, 6})  # no element found, unclosed token, partial character: all at the end

PATHS: Mapping[str, tuple[type[ManagedObject], tuple[str, ...]]] = {
    "ClusterComputeResource": (
        vim.ClusterComputeResource,
        (*properties.CLUSTER, "host", "datastore", "network"),
    ),
    "HostSystem": (
        vim.HostSystem,
        (*properties.HOST, *properties.HOST_FEATURES, "systemResources.child", "parent", "vm"),
    ),
    "VirtualMachine": (
        vim.VirtualMachine,
        (
            *properties.VM,
            *properties.VM_FEATURES,
            *properties.VM_DEVICES,
            *properties.VM_EXTRA,
        ),
    ),
    "Datastore": (vim.Datastore, (*properties.DATASTORE, *properties.DATASTORE_MOUNTS)),
    "Network": (vim.Network, properties.NETWORK),
    "DistributedVirtualPortgroup": (vim.Network, properties.NETWORK),
    "OpaqueNetwork": (vim.Network, properties.NETWORK),
    "ResourcePool": (vim.ResourcePool, (*properties.POOL, "owner")),
    "VirtualApp": (vim.ResourcePool, (*properties.POOL, "owner")),
    "Folder": (vim.Folder, properties.FOLDER),
    "CustomFieldsManager": (vim.CustomFieldsManager, ("field",)),
    "Task": (vim.Task, properties.RECENT_TASK),
}
"""What is read of each class of objects; files of other classes are passed over."""

SERVICE = "ServiceInstance"


class BrokenFile(ValueError):
    """A file is no well-formed XML, or no managed object. `is_cut`: it seems to end too early."""

    def __init__(self, line: int, found: str, *, is_cut: bool = False) -> None:
        super().__init__(found)
        self.line, self.found, self.is_cut = line, found, is_cut


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the server said of itself."""

    instance_uuid: str = ""
    api_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """An object and the lines of its values by path."""

    facts: Facts
    lines: Mapping[str, int]


def read_object(content: bytes, complain: Complain) -> Read | About | None:
    """Return the object in a file, what a server says of itself, or None for other classes.

    Raises:
        BrokenFile: see there.
    """
    root = _tree(content)
    owner = root.find("obj")
    if root.tag != "ObjectContent" or owner is None or not (owner.text or "").strip():
        raise BrokenFile(1, f"'{root.tag[:40]}' is no ObjectContent of a managed object")
    kind = owner.get("type", "")
    values = dict(_properties(root))
    if kind == SERVICE:
        return _about(values.get("content"))
    if kind not in PATHS:
        return None
    known, paths = PATHS[kind]
    found = {path: (line, value) for path, line, value in _found(known, paths, values, complain)}
    facts = Facts(
        id=(owner.text or "").strip(),
        kind=kind,
        values={path: value for path, (_, value) in found.items()},
    )
    if kind == "VirtualMachine":
        facts = condense.agent(condense.devices(facts))
    return Read(facts=facts, lines={path: line for path, (line, _) in found.items()})


def _tree(content: bytes) -> Element:
    parser, builder = expat.ParserCreate(None, " "), TreeBuilder()
    parser.buffer_text = True
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise BrokenFile(parser.CurrentLineNumber, "elements are nested too deeply")
        attributes[_LINE] = str(parser.CurrentLineNumber)
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise BrokenFile(parser.CurrentLineNumber, "it has a document type")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = builder.data, refuse
    try:
        parser.Parse(content, True)
    except expat.ExpatError as err:
        found = str(expat.ErrorString(err.code))
        raise BrokenFile(err.lineno, found, is_cut=err.code in _CUT) from err
    return builder.close()


def _properties(root: Element) -> Iterator[tuple[str, Element]]:
    for entry in root.findall("propSet"):
        name, value = entry.find("name"), entry.find("val")
        if name is not None and value is not None:
            yield (name.text or "").strip(), value


def _about(content: Element | None) -> About:
    about = content.find("about") if content is not None else None
    if about is None:
        return About()
    return About(
        instance_uuid=about.findtext("instanceUuid", ""),
        api_version=about.findtext("apiVersion", ""),
    )


def _found(
    kind: Any, paths: Iterable[str], values: Mapping[str, Element], complain: Complain
) -> Iterator[tuple[str, int, Any]]:
    for path in paths:
        try:
            place = _Place.of(kind, path, values)
        except AttributeError:  # a path of a newer release than the tables of types
            continue
        if place is None:
            continue
        try:
            yield path, place.line, place.value()
        except (ValueError, LookupError) as err:
            told = " ".join(str(err).split())[:120]
            complain(place.line, f"{path} cannot be read: {told}")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a path ends: its elements, of which a list may have any number, and the type of its values."""

    elements: tuple[Element, ...]
    kind: Any
    line: int

    @classmethod
    def of(cls, kind: Any, path: str, values: Mapping[str, Element]) -> "_Place | None":
        """Find the place, None where the file has nothing there. Raises AttributeError on an unknown path."""
        first, *rest = path.split(".")
        here, info = values.get(first), kind._GetPropertyInfo(first)
        if here is None:
            return None
        if not rest and issubclass(info.type, list):
            return cls(tuple(here), info.type, _line(here))
        for name in rest[:-1]:
            info = info.type._GetPropertyInfo(name)
            here = here.find(name)
            if here is None:
                return None
        if not rest:
            return cls((here,), info.type, _line(here))
        info = info.type._GetPropertyInfo(rest[-1])
        found = tuple(child for child in here if child.tag == rest[-1])
        if not found and not issubclass(info.type, list):
            return None
        return cls(found, info.type, _line(found[0] if found else here))

    def value(self) -> Any:
        """Return the value as a reading over the wire would have it."""
        if issubclass(self.kind, list):
            item = self.kind.Item
            return [_value(element, item) for element in self.elements]
        return _value(self.elements[0], self.kind)


def _line(element: Element) -> int:
    return int(element.get(_LINE, "0"))


def _value(element: Element, kind: Any) -> Any:
    if issubclass(kind, ManagedObject):
        return _link(element.get("type", ""))(element.text or "")
    try:
        convert: Convert = convert_of(kind, kind.__name__)
    except ValueError:
        return _structure(element, kind)
    return convert(element.text or "")


def _structure(element: Element, kind: Any) -> Any:
    word = element.get(_TYPE) or GetWsdlName(kind)
    structure = Structure(word, linking=_link, done=_nothing)
    for child in element:
        _feed(structure, child)
    structure.end("")
    return structure.value()


def _feed(structure: Structure, element: Element) -> None:
    tag = f"urn:vim25 {element.tag}"
    structure.start(tag, element.attrib)
    if element.text and not len(element):
        structure.data(element.text)
    for child in element:
        _feed(structure, child)
    structure.end(tag)


def _nothing() -> None:
    """Be told that a value has ended."""


def _link(kind: str) -> Convert:
    def link(key: str) -> Link:
        if not key or not kind:
            raise ValueError("a reference has no id or no class")
        return Link(kind=kind, id=key)

    return link

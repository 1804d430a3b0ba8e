"""Structures are read as pyVmomi reads them, or the one value is named as unreadable."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim, vmodl
from pyVmomi.SoapAdapter import SoapResponseDeserializer, SoapStubAdapterBase
from pyVmomi.VmomiSupport import F_OPTIONAL, DataObject, Enum, GetWsdlTypes, ManagedObject

from balancer.adapters.vsphere import properties
from balancer.adapters.vsphere.devices import devices_from
from balancer.adapters.vsphere.leaf_answer import LeafPage, read_page
from balancer.adapters.vsphere.leaves import kind_of
from balancer.adapters.vsphere.retrieve import Wanted
from balancer.adapters.vsphere.structures import PATHS, READ_FIELDS
from tests.support.both_ways import normal, typed
from tests.support.cassettes import cassettes, exchanges
from tests.unit.adapters.vsphere.fake_stub import QUERY, answer_of
from tests.unit.adapters.vsphere.test_leaf_answer import envelope, one, prop

PATH = "x"
NEWEST = "vim.version.v9_0_0_0"
# They hold faults, values of any class or references of any, which the paths in `PATHS` do not.
ELSEWHERE = {
    "ArrayOfCustomFieldDef",
    "ArrayOfLicenseManagerLicenseInfo",
    "HostConfigManager",
    "HostLicensableResourceInfo",
    "VirtualMachineConfigInfo",
}
_VALUE = re.compile(r'<(val|returnval) xsi:type="(\w+)">(.*?)</\1>', re.DOTALL)
_dev = vim.vm.device


def ours(answer: bytes) -> LeafPage:
    return read_page(io.BytesIO(answer), (PATH,), {PATH})


def pyvmomis(answer: bytes) -> list[Any]:
    deserializer = SoapResponseDeserializer(SoapStubAdapterBase(NEWEST))
    page = deserializer.Deserialize(answer, QUERY.RetrieveResult)
    return [content.propSet[0].val for content in page.objects]


def plain(value: Any) -> Any:
    """Return a value with its classes and the fields that are read of them."""
    value = normal(value)
    if isinstance(value, DataObject):
        fields = {name: plain(held) for name, held in vars(value).items() if is_read(value, name)}
        return (type(value), fields)
    if isinstance(value, list):
        return [plain(item) for item in value]
    return typed(value)


def is_read(value: Any, name: str) -> bool:
    words = {getattr(kind, "_wsdlName", "") for kind in type(value).__mro__}
    known = [fields for word, fields in READ_FIELDS.items() if word in words]
    return not known or any(name in fields for fields in known)


def recorded(path: Path) -> Iterator[tuple[str, str]]:
    """Yield class and content of every structure of a cassette."""
    for exchange in exchanges(path):
        for _, word, inner in _VALUE.findall(exchange.answer):
            if exchange.namespace == "vim25" and word not in ELSEWHERE and is_structure(word):
                yield word, inner


def is_structure(word: str) -> bool:
    if word == "ArrayOfManagedObjectReference":
        return False
    kind = kind_of(word)
    return issubclass(getattr(kind, "Item", kind), DataObject)


@pytest.mark.parametrize("path", cassettes(), ids=lambda path: path.name.removesuffix(".yaml.gz"))
def test_a_recorded_structure_is_what_pyvmomi_makes_of_it(path: Path) -> None:
    for word, inner in recorded(path):
        answer = envelope(f"<returnval>{one(prop(PATH, word, inner))}</returnval>")
        (facts,), (theirs,) = ours(answer).objects, pyvmomis(answer)
        assert plain(facts.values[PATH]) == plain(theirs), word


def test_the_recordings_hold_the_structures_that_are_read() -> None:
    found = {word for path in cassettes() for word, _ in recorded(path)}
    wanted = {"ArrayOfVirtualDevice", "ArrayOfCustomFieldValue", "ArrayOfDatastoreHostMount"}
    assert wanted <= found


def below(kind: Any) -> list[Any]:
    """Return a class of pyVmomi's and all that are derived from it."""
    found = [each for each in GetWsdlTypes() if isinstance(each, type) and issubclass(each, kind)]
    return sorted(found, key=lambda each: str(each.__name__))


def filled(kind: Any, **known: Any) -> Any:
    """Return an object with a value in each field, objects only where there must be one."""
    made = kind()
    for info in kind._GetPropertyList():
        item = getattr(info.type, "Item", info.type)
        if issubclass(info.type, list) or issubclass(item, DataObject):
            if not info.flags & F_OPTIONAL:
                value = filled(item) if issubclass(item, DataObject) else item(7)
                setattr(made, info.name, info.type([value]) if item is not info.type else value)
            continue
        if issubclass(info.type, Enum):
            setattr(made, info.name, info.type.values[-1])
        elif issubclass(info.type, ManagedObject):
            setattr(made, info.name, info.type("ref-1", None))
        elif issubclass(info.type, int | float | str):
            setattr(made, info.name, info.type(7) if info.type is not bool else True)
    for name, value in known.items():
        setattr(made, name, value)
    return made


def every_device() -> list[Any]:
    """Return a device of each class with a backing of each class, and one without any."""
    on = filled(_dev.VirtualDevice.ConnectInfo)
    backings = [None, *map(filled, below(_dev.VirtualDevice.BackingInfo))]
    return [
        filled(kind, backing=backing, connectable=on)
        for kind in below(_dev.VirtualDevice)
        for backing in backings
    ]


def answered(*lists: Any) -> bytes:
    """Return the answer that has each list as the property of an object of its own."""
    objects = [
        QUERY.ObjectContent(
            obj=vim.VirtualMachine(f"vm-{number}", None),
            propSet=[vmodl.DynamicProperty(name=PATH, val=value)],
        )
        for number, value in enumerate(lists)
    ]
    return answer_of("RetrievePropertiesEx", QUERY.RetrieveResult(objects=objects))


def test_every_device_says_the_same_as_when_pyvmomi_reads_it() -> None:
    devices = every_device()
    answer = answered(*(_dev.VirtualDevice.Array([device]) for device in devices))
    mine, theirs = ours(answer).objects, pyvmomis(answer)
    assert len(mine) == len(theirs) == len(devices)
    assert len(devices) > 1_000
    for facts, other in zip(mine, theirs, strict=True):
        value = facts.values[PATH]
        assert plain(value) == plain(other)
        assert devices_from(value) == devices_from(other)


def test_a_field_that_is_not_read_cannot_be_asked_for() -> None:
    answer = answered(_dev.VirtualDevice.Array([filled(_dev.VirtualDisk)]))
    (facts,) = ours(answer).objects
    (disk,) = facts.values[PATH]
    assert disk.capacityInKB == 7
    with pytest.raises(AttributeError):
        _ = disk.diskObjectId


def test_a_field_that_is_not_read_may_hold_what_nobody_knows() -> None:
    text = "<VirtualDevice xsi:type='VirtualDisk'><novel/></VirtualDevice>"
    odd = "<VirtualDevice xsi:type='VirtualDisk'><iofilter><a>b</a></iofilter></VirtualDevice>"
    page = ours(
        envelope(
            "<returnval>"
            + one(prop(PATH, "ArrayOfVirtualDevice", text))
            + one(prop(PATH, "ArrayOfVirtualDevice", odd), key="vm-2")
            + "</returnval>"
        )
    )
    assert (page.unreadable, [facts.id for facts in page.objects]) == ({"vm-1"}, ["vm-2"])


CARD = "<VirtualDevice xsi:type='{}'>{}</VirtualDevice>"
BAD = {
    "a class of tomorrow": ("ArrayOfVirtualDevice", CARD.format("VirtualTomorrow", "")),
    "no device": ("ArrayOfVirtualDevice", CARD.format("HostNumaInfo", "")),
    "a text": ("ArrayOfVirtualDevice", CARD.format("xsd:string", "abc")),
    "a word of tomorrow": (
        "ArrayOfVirtualDevice",
        CARD.format("VirtualLsiLogicController", "<sharedBus>perhaps</sharedBus>"),
    ),
    "no number": (
        "ArrayOfVirtualDevice",
        CARD.format("VirtualDisk", "<capacityInKB>x</capacityInKB>"),
    ),
    "an element in a text": (
        "ArrayOfVirtualDevice",
        CARD.format("VirtualDisk", "<capacityInKB><a>1</a></capacityInKB>"),
    ),
    "a reference without a class": (
        "ArrayOfDatastoreHostMount",
        "<DatastoreHostMount><key>host-1</key></DatastoreHostMount>",
    ),
    "an unknown field": ("ArrayOfHostFeatureCapability", "<a><novel>1</novel></a>"),
    "a list of texts": ("ArrayOfString", "<string>a</string>"),
    "no structure": ("xsd:string", "abc"),
    "no class": ("", "<a/>"),
    "a list of a class of tomorrow": ("ArrayOfTomorrow", "<a/>"),
}


@pytest.mark.parametrize(("word", "text"), BAD.values(), ids=BAD)
def test_an_object_with_a_bad_structure_is_named_and_its_page_goes_on(word: str, text: str) -> None:
    good = prop(
        PATH, "ArrayOfVirtualDevice", CARD.format("VirtualUSB", "<connected>true</connected>")
    )
    objects = one(good) + one(prop(PATH, word, text), key="vm-2") + one(good, key="vm-3")
    page = ours(envelope(f"<returnval>{objects}</returnval>"))
    assert [facts.id for facts in page.objects] == ["vm-1", "vm-3"]
    assert [facts.values[PATH][0].connected for facts in page.objects] == [True, True]
    assert page.unreadable == {"vm-2"}


def test_elements_of_one_name_within_each_other_end_where_they_should() -> None:
    inner = "<val><val>1</val></val>"
    text = CARD.format("VirtualDisk", f"<dynamicProperty><name>a</name>{inner}</dynamicProperty>")
    objects = one(prop(PATH, "ArrayOfVirtualDevice", text), prop("name", "xsd:string", "after"))
    answer = envelope(f"<returnval>{objects}</returnval>")
    (facts,) = read_page(io.BytesIO(answer), (PATH, "name"), {PATH}).objects
    assert facts.values["name"] == "after"


def test_a_structure_that_arrives_in_pieces_is_whole() -> None:
    class Dripping(io.BytesIO):
        def read(self, amount: int | None = None) -> bytes:
            return super().read(1)

    value = vim.CustomFieldsManager.StringValue(key=7, value="ä & b")
    answer = answered(vim.CustomFieldsManager.Value.Array([value]))
    (facts,) = read_page(Dripping(answer), (PATH,), {PATH}).objects
    assert plain(facts.values[PATH]) == plain(pyvmomis(answer)[0])


@pytest.mark.parametrize("kind", [vim.VirtualMachine, vim.HostSystem, vim.Datastore], ids=str)
def test_every_path_ends_in_a_structure_of_pyvmomis_tables(kind: Any) -> None:
    for path in PATHS[kind.__name__.rsplit(".", 1)[-1]]:
        owner = kind
        for name in path.split("."):
            info = owner._GetPropertyInfo(name)
            owner = getattr(info.type, "Item", info.type)
        assert issubclass(owner, DataObject), path


@pytest.mark.parametrize("word", READ_FIELDS)
def test_every_field_that_is_read_is_one_of_its_class(word: str) -> None:
    known = {info.name for info in kind_of(word)._GetPropertyList()}  # type: ignore[attr-defined]
    assert READ_FIELDS[word] <= known


@pytest.mark.parametrize(
    ("kind", "paths"),
    [
        (vim.VirtualMachine, properties.VM + properties.VM_FEATURES + properties.VM_DEVICES),
        (vim.HostSystem, properties.HOST + properties.HOST_FEATURES),
        (vim.HostSystem, properties.HOST_RESOURCES),
        (vim.Datastore, properties.DATASTORE_MOUNTS),
    ],
    ids=["VMs", "hosts", "own resources", "mounts"],
)
def test_nothing_that_is_read_in_bulk_is_left_to_pyvmomi(
    kind: type[ManagedObject], paths: tuple[str, ...]
) -> None:
    assert Wanted(kind=kind, paths=paths, is_bulk=True).structures() is not None

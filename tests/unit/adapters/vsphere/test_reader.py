"""Fixed facts are read in one go; what cannot be read so is read part by part, and costs no more than itself."""

import io
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyVmomi import vim, vmodl

from balancer.adapters.vsphere.devices import DEVICES, DeviceFacts
from balancer.adapters.vsphere.reader import Reader
from balancer.adapters.vsphere.retrieve import Retrieved
from balancer.adapters.vsphere.session import Session
from balancer.adapters.vsphere.stub import Unreadable
from balancer.model.vm import Blocker
from tests.unit.adapters.vsphere.fake_stub import QUERY, FakeStub, answer_of
from tests.unit.adapters.vsphere.test_settings_and_guard import settings

NAMES = [f"vm-{number}" for number in range(1, 8)]
MASKS = "runtime.featureMask"
DEVICE_PATH, FEATURES = "config.hardware.device", "runtime.featureRequirement"
_ATTRIBUTE = vim.CustomFieldsManager.Value.Array(
    [vim.CustomFieldsManager.StringValue(key=7, value="x")]
)
_FEATURE = vim.vm.FeatureRequirement.Array(
    [vim.vm.FeatureRequirement(key="a", featureName="a", value="Bool:Min:1")]
)
_USB = vim.vm.device.VirtualDevice.Array([vim.vm.device.VirtualUSB(key=1, connected=True)])
_TOMORROW = "VirtualTomorrow"


class Vms(FakeStub):
    """VMs with a name, custom attributes, required features and a USB device.

    The device of those in `tomorrow` is of a class that nobody knows, of those in `disliked` of one that our
    parser alone does not know.
    """

    def __init__(self, *, tomorrow: tuple[str, ...] = (), disliked: tuple[str, ...] = ()) -> None:
        super().__init__(NAMES)
        self.tomorrow, self.disliked = set(tomorrow), set(disliked)
        self.by_pyvmomi: list[tuple[str, ...]] = []
        self._paths: tuple[str, ...] = ()
        self._is_ours = False

    def parsed(self, target: Any, info: Any, args: Any, parse: Any) -> Any:
        self._is_ours = True
        try:
            page = self.InvokeMethod(target, info, args)
        finally:
            self._is_ours = False
        answer = answer_of(info.wsdlName, page).decode()
        for key in self.tomorrow | self.disliked:
            before, found, after = answer.partition(f">{key}</obj>")
            answer = before + found + after.replace("VirtualUSB", _TOMORROW, 1)
        return parse(io.BytesIO(answer.encode()))

    def RetrievePropertiesEx(self, filters: Any, options: Any) -> Any:  # noqa: N802
        self._paths = tuple(filters[0].propSet[0].pathSet)
        if not self._is_ours and self._paths != ("view",):
            self.by_pyvmomi.append(self._paths)
        return super().RetrievePropertiesEx(filters, options)

    def _page(self, keys: list[str], size: int) -> Any:
        page, rest = keys[:size], keys[size:]
        token = str(size) if rest else ""
        self._rest[token] = rest
        if not self._is_ours and DEVICE_PATH in self._paths and self.tomorrow & set(page):
            raise Unreadable("RetrievePropertiesEx", KeyError(_TOMORROW))
        values = {
            "name": "a",
            "customValue": _ATTRIBUTE,
            FEATURES: _FEATURE,
            DEVICE_PATH: _USB,
        }
        found = [vmodl.DynamicProperty(name=p, val=values[p]) for p in self._paths if p in values]
        return QUERY.RetrieveResult(
            token=token or None,
            objects=[
                QUERY.ObjectContent(obj=vim.VirtualMachine(key, self), propSet=found)
                for key in page
            ],
        )


def read(stub: Vms, *, cluster: str | None = "domain-c8") -> Retrieved:
    session = SimpleNamespace(settings=settings(page_size=3), opened=stub.opened)
    reader = Reader(cast("Session", session), sleep=lambda _: None)
    return reader.fixed_of_vms(NAMES, cluster=cluster, with_features=True)


@pytest.mark.parametrize("cluster", ["domain-c8", None], ids=["cluster", "by name"])
def test_values_and_devices_come_in_one_read_without_pyvmomi(cluster: str | None) -> None:
    stub = Vms()
    found = read(stub, cluster=cluster)
    assert [facts.id for facts in found.objects] == NAMES
    assert all(facts.text("name") == "a" for facts in found.objects)
    assert all(facts.holds_any("customValue") for facts in found.objects)
    known = {facts.one(DEVICES, DeviceFacts) for facts in found.objects}
    assert known == {DeviceFacts(blockers=frozenset({Blocker.USB_DEVICE}))}
    assert not any(facts.has(DEVICE_PATH) for facts in found.objects)
    assert stub.by_pyvmomi == []
    assert stub.calls["RetrievePropertiesEx"] + stub.calls["ContinueRetrievePropertiesEx"] == 3


def test_a_device_that_nobody_knows_costs_the_devices_of_its_vm_alone() -> None:
    found = read(Vms(tomorrow=("vm-2",)))
    assert [facts.id for facts in found.objects] == NAMES
    assert [facts.id for facts in found.objects if not facts.has(DEVICES)] == ["vm-2"]
    assert found.incomplete == {"vm-2"}
    assert (found.unreadable, found.gone) == (frozenset(), frozenset())


def test_what_our_parser_does_not_know_is_left_to_pyvmomi() -> None:
    stub = Vms(disliked=("vm-3", "vm-7"))
    found = read(stub)
    assert all(facts.has(DEVICES) and facts.has("name") for facts in found.objects)
    assert (len(found.objects), found.incomplete, found.unreadable) == (7, set(), set())
    assert stub.by_pyvmomi == [("customValue", MASKS, FEATURES), (DEVICE_PATH,)]


def test_equal_lists_of_features_are_kept_once() -> None:
    first, second, *_ = (facts.values[FEATURES] for facts in read(Vms()).objects)
    assert first is second

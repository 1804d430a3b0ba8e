"""Devices and what they say against moving a VM."""

from typing import Any

import pytest
from pyVmomi import vim

from balancer.adapters.vsphere.devices import DeviceFacts, devices_from
from balancer.model.vm import Blocker
from tests.unit.adapters.vsphere.build import ref

dev = vim.vm.device
CONNECTED = dev.VirtualDevice.ConnectInfo(
    startConnected=True, allowGuestControl=True, connected=True
)
DISCONNECTED = dev.VirtualDevice.ConnectInfo(
    startConnected=False, allowGuestControl=True, connected=False
)
ISO = dev.VirtualCdrom.IsoBackingInfo(
    fileName="[iso] a.iso", datastore=ref(vim.Datastore, "datastore-5")
)


def cd(backing: Any, connectable: Any = CONNECTED) -> Any:
    return dev.VirtualCdrom(key=1, backing=backing, connectable=connectable)


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (
            dev.VirtualPCIPassthrough(
                key=1, backing=dev.VirtualPCIPassthrough.DynamicBackingInfo(deviceName="")
            ),
            Blocker.PASSTHROUGH_DEVICE,
        ),
        (
            dev.VirtualPCIPassthrough(
                key=1, backing=dev.VirtualPCIPassthrough.VmiopBackingInfo(vgpu="grid")
            ),
            Blocker.VGPU,
        ),
        (dev.VirtualSriovEthernetCard(key=1), Blocker.SRIOV),
        (dev.VirtualUSB(key=1, connected=True), Blocker.USB_DEVICE),
        (
            dev.ParaVirtualSCSIController(key=1, busNumber=0, sharedBus="virtualSharing"),
            Blocker.SHARED_SCSI_BUS,
        ),
        (
            dev.VirtualLsiLogicController(key=1, busNumber=0, sharedBus="physicalSharing"),
            Blocker.SHARED_SCSI_BUS,
        ),
        (
            dev.VirtualSerialPort(
                key=1,
                yieldOnPoll=False,
                backing=dev.VirtualSerialPort.DeviceBackingInfo(deviceName="/dev/ttyS0"),
            ),
            Blocker.PASSTHROUGH_DEVICE,
        ),
        (cd(dev.VirtualCdrom.AtapiBackingInfo(deviceName="cd0")), Blocker.HOST_LOCAL_CDROM),
        (
            cd(dev.VirtualCdrom.RemotePassthroughBackingInfo(deviceName="x", exclusive=False)),
            Blocker.HOST_LOCAL_CDROM,
        ),
    ],
    ids=[
        "passthrough",
        "vgpu",
        "sriov",
        "usb",
        "virtual bus sharing",
        "physical bus sharing",
        "serial port of the host",
        "drive of the host",
        "drive of a client",
    ],
)
def test_a_device_that_holds_the_vm_is_named(device: Any, expected: Blocker) -> None:
    assert devices_from([device]) == DeviceFacts(blockers=frozenset({expected}))


@pytest.mark.parametrize(
    "device",
    [
        dev.VirtualUSB(key=1, connected=False),
        dev.ParaVirtualSCSIController(key=1, busNumber=0, sharedBus="noSharing"),
        dev.VirtualVmxnet3(key=1),
        dev.VirtualDisk(key=1, capacityInKB=1),
        cd(dev.VirtualCdrom.AtapiBackingInfo(deviceName="cd0"), DISCONNECTED),
        cd(ISO, DISCONNECTED),
        cd(ISO, None),
    ],
    ids=[
        "usb without device",
        "own bus",
        "network card",
        "disk",
        "disconnected drive",
        "disconnected image",
        "no connection state",
    ],
)
def test_a_device_that_holds_nothing_is_silent(device: Any) -> None:
    assert devices_from([device]) == DeviceFacts()


def test_a_connected_image_names_its_datastore() -> None:
    assert devices_from([cd(ISO)]) == DeviceFacts(image_datastores=frozenset({"datastore-5"}))

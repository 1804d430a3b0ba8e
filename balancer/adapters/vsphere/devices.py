"""What a VM's devices and settings say against moving it.

Owns the translation of `config.hardware.device` to the stable words of blockers. In doubt a device ties
the VM to its host (an image without a datastore lies on the host itself): a move that is left out costs
balance, one that fails costs trust.
Source: vSphere API, classes under `VirtualDevice`; fault `CannotAccessVmDevice` (a connected host-local or
client backing is an error, a disconnected one a warning).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pyVmomi import vim

from balancer.adapters.vsphere.facts import object_id
from balancer.model.vm import Blocker, Disk, DiskKind

_Device = vim.vm.device.VirtualDevice
_dev = vim.vm.device
_KIB_PER_MIB = 1024
_HOST_PORTS = (
    _dev.VirtualSerialPort.DeviceBackingInfo,
    _dev.VirtualParallelPort.DeviceBackingInfo,
)


DEVICES = "config.hardware.device (condensed)"
"""Where facts hold what the devices say, once it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFacts:
    """What devices say: blockers, the datastores of connected images, the disks in the server's order."""

    blockers: frozenset[Blocker] = frozenset()
    image_datastores: frozenset[str] = frozenset()
    disks: tuple[Disk, ...] = ()


def devices_from(devices: Iterable[_Device]) -> DeviceFacts:
    """Translate all devices of a VM."""
    blockers: set[Blocker] = set()
    images: set[str] = set()
    disks: list[Disk] = []
    for device in devices:
        disk = _disk(device)
        if disk is not None:
            disks.append(disk)
        image = _image_datastore(device)
        if image is not None:
            images.add(image)
        word = _blocker(device)
        if word is not None:
            blockers.add(word)
    return DeviceFacts(
        blockers=frozenset(blockers), image_datastores=frozenset(images), disks=tuple(disks)
    )


def _disk(device: _Device) -> Disk | None:
    """Translate a disk; one that lies on no datastore that is told is none of ours to move.

    Source: vSphere API, `VirtualDisk.capacityInKB`, `VirtualDiskSharing`, raw disk mappings.
    """
    if not isinstance(device, _dev.VirtualDisk):
        return None
    backing = device.backing
    if not isinstance(backing, _Device.FileBackingInfo):
        return None
    datastore = object_id(backing.datastore)
    if datastore is None:
        return None
    is_raw = isinstance(backing, _dev.VirtualDisk.RawDiskMappingVer1BackingInfo)
    return Disk(
        datastore=datastore,
        capacity_mib=_in_mib(device.capacityInKB),
        kind=DiskKind.RAW if is_raw else DiskKind.FILE,
        is_shared=getattr(backing, "sharing", None) == "sharingMultiWriter",
    )


def _in_mib(size_kib: int | None) -> float:
    return max(size_kib or 0, 0) / _KIB_PER_MIB


def _blocker(device: _Device) -> Blocker | None:
    if isinstance(device, _dev.VirtualPCIPassthrough):
        is_vgpu = isinstance(device.backing, _dev.VirtualPCIPassthrough.VmiopBackingInfo)
        return Blocker.VGPU if is_vgpu else Blocker.PASSTHROUGH_DEVICE
    if isinstance(device, _dev.VirtualSriovEthernetCard):
        return Blocker.SRIOV
    if isinstance(device, _dev.VirtualUSB):
        return Blocker.USB_DEVICE if device.connected is not False else None
    if isinstance(device, _dev.VirtualSCSIController):
        return Blocker.SHARED_SCSI_BUS if device.sharedBus != "noSharing" else None
    if isinstance(device, _dev.VirtualSCSIPassthrough) or isinstance(device.backing, _HOST_PORTS):
        return Blocker.PASSTHROUGH_DEVICE
    return _removable_blocker(device)


def _removable_blocker(device: _Device) -> Blocker | None:
    if not _is_connected_removable(device):
        return None
    if not isinstance(device.backing, _Device.FileBackingInfo):
        return Blocker.HOST_LOCAL_CDROM
    return None if _image_datastore(device) else Blocker.LOCAL_CDROM_BACKING


def _image_datastore(device: _Device) -> str | None:
    if not _is_connected_removable(device):
        return None
    backing = device.backing
    return object_id(backing.datastore) if isinstance(backing, _Device.FileBackingInfo) else None


def _is_connected_removable(device: _Device) -> bool:
    if not isinstance(device, _dev.VirtualCdrom | _dev.VirtualFloppy):
        return False
    link = device.connectable
    return isinstance(link, _Device.ConnectInfo) and bool(link.connected)

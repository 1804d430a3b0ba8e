"""What is long to read and seldom changes: the devices of VMs, and the hypervisors' own share.

Owns two caches with an end. Must never answer for another version of a VM's configuration. Filled and
asked while a snapshot is put together.
"""

import time
from collections.abc import Callable, Iterable, Mapping

from pyVmomi import vim

from balancer.adapters.vsphere.devices import DeviceFacts, devices_from
from balancer.adapters.vsphere.facts import Facts
from balancer.adapters.vsphere.hosts import Overhead, overhead_from
from balancer.adapters.vsphere.reader import Reader
from balancer.model.units import HostId, Seconds, VmId

# A guest may eject its CD without a change of `changeVersion`; then the cache is wrong for so long.
DEVICES_KEPT_S = 600.0
OVERHEADS_KEPT_S = 3600.0


class DeviceCache:
    """The devices of VMs by `config.changeVersion`: long to read, and they seldom change."""

    def __init__(self, reader: Reader, monotonic: Callable[[], Seconds] = time.monotonic) -> None:
        self._reader = reader
        self._monotonic = monotonic
        self._kept: dict[VmId, tuple[str, Seconds, DeviceFacts]] = {}

    def fill(self, vms: Iterable[Facts], *, anew: bool = False) -> None:
        """Read the devices that are not known for the VMs' present versions, or all of them."""
        now = self._monotonic()
        kept = self._kept.items()
        self._kept = {key: entry for key, entry in kept if now - entry[1] < DEVICES_KEPT_S}
        versions = {VmId(f.id): v for f in vms if (v := f.text("config.changeVersion"))}
        wanted = [key for key in versions if anew or not self._has(key, versions[key])]
        for key in wanted:
            self._kept.pop(key, None)
        for facts in self._reader.devices_of(wanted).objects:
            devices = facts.many("config.hardware.device", vim.vm.device.VirtualDevice)
            key = VmId(facts.id)
            self._kept[key] = (versions[key], now, devices_from(devices))

    def of(self, vm: Facts) -> DeviceFacts | None:
        """Return a VM's devices, None where they could not be read."""
        entry = self._kept.get(VmId(vm.id))
        return entry[2] if entry and vm.text("config.changeVersion") == entry[0] else None

    def _has(self, key: VmId, version: str) -> bool:
        return key in self._kept and self._kept[key][0] == version


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

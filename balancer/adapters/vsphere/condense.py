"""What is kept of nested facts: their meaning instead of pyVmomi's objects.

Owns the shortening of facts before they are cached. A host's network as pyVmomi objects takes megabytes, a
VM's devices some hundred kilobytes; what is asked of them is a handful of values. Lists of processor
features, equal on most hosts and VMs, are kept once. Used by the caches.
"""

from collections.abc import Container, Mapping
from typing import Any

from pyVmomi import vim

from balancer.adapters.vsphere.agents import AGENT, EXTRA_CONFIG, told
from balancer.adapters.vsphere.devices import DEVICES, devices_from
from balancer.adapters.vsphere.facts import Facts
from balancer.adapters.vsphere.places import MOUNTS, mounts_from
from balancer.adapters.vsphere.vmotion import NESTED, VMOTION, vmotion_from

_DEVICE_LIST = "config.hardware.device"
_MOST_LISTS = 4096
_FEATURES = (
    "config.maskedFeatureCapability",
    "config.featureCapability",
    "runtime.featureRequirement",
    "runtime.featureMask",
)


class Shared:
    """Equal lists of processor features as one list. Not more than `_MOST_LISTS` are remembered."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[str, str], ...], list[Any]] = {}

    def features(self, facts: Facts) -> Facts:
        """Return the facts with lists that were seen before in place of equal ones."""
        found = {path: facts.values[path] for path in _FEATURES if path in facts.values}
        if not found:
            return facts
        return _instead(facts, (), {path: self._one(items) for path, items in found.items()})

    def host(self, facts: Facts) -> Facts:
        """Return a host's facts with its vMotion link instead of its whole network."""
        return self.features(_instead(facts, NESTED, {VMOTION: vmotion_from(facts)}))

    def _one(self, entries: list[Any]) -> list[Any]:
        key = tuple((entry.key, entry.value) for entry in entries)
        if len(self._known) >= _MOST_LISTS:
            self._known = {}
        return self._known.setdefault(key, entries)


def devices(facts: Facts) -> Facts:
    """Return a VM's facts with what its devices say instead of the devices."""
    if not facts.has(_DEVICE_LIST):
        return facts
    found = facts.many(_DEVICE_LIST, vim.vm.device.VirtualDevice)
    return _instead(facts, (_DEVICE_LIST,), {DEVICES: devices_from(found)})


def agent(facts: Facts) -> Facts:
    """Return a VM's facts with whether it is an agent instead of its extra configuration."""
    return _instead(facts, (EXTRA_CONFIG,), {AGENT: told(facts)})


def mounts(facts: Facts) -> Facts:
    """Return a datastore's facts with who may write there instead of each host's mount."""
    return _instead(facts, ("host",), {MOUNTS: mounts_from(facts)})


def _instead(facts: Facts, paths: Container[str], values: Mapping[str, Any]) -> Facts:
    kept = {path: value for path, value in facts.values.items() if path not in paths}
    return Facts(id=facts.id, kind=facts.kind, values={**kept, **values}, denied=facts.denied)

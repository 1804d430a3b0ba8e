"""Words of vSphere's enumerations that arrive as plain strings, and what is told of one that is not known.

Owns the table of such words. A newer server may send a word that nobody here knows: the translations take
it for the stricter side, and it is counted here, so that nobody has to wonder why a VM stays. Real
enumerations are checked when they are parsed (`leaves`); an unknown word there costs its object.

Source: vSphere API 9.1, `VirtualMachineConfigSpecEncryptedVMotionModes`,
`VirtualMachineConfigInfoSwapPlacementType`, `HostStandbyMode`, `HostPartialMaintenanceModeStatus`,
`DatastoreSummaryMaintenanceModeState`, `DrsBehavior`.
"""

from collections.abc import Iterable, Iterator, Mapping

from pyVmomi import vim

from balancer.adapters.vsphere.facts import Facts
from balancer.model.vm import Automation, Encryption, SwapPlacement

INHERITED_SWAP = "inherit"
STANDBY_MODES = frozenset({"entering", "exiting", "in", "none"})
DATASTORE_MODES = frozenset({"normal", "enteringMaintenance", "inMaintenance"})
_PARTIAL_STATUSES = frozenset(
    {"notInPartialMM", "enteringPartialMM", "exitingPartialMM", "inPartialMM"}
)
_LONGEST = 60

_VM: Mapping[str, frozenset[str]] = {
    "config.migrateEncryption": frozenset(Encryption),
    "config.swapPlacement": frozenset({INHERITED_SWAP, *SwapPlacement}),
}
_HOST: Mapping[str, frozenset[str]] = {"runtime.standbyMode": STANDBY_MODES}
_DATASTORE: Mapping[str, frozenset[str]] = {"summary.maintenanceMode": DATASTORE_MODES}


def unknown_of_vm(facts: Facts) -> tuple[str, ...]:
    """Return the words of a VM that are not known, each with its path."""
    return tuple(_unknown(facts, _VM))


def unknown_of_host(facts: Facts) -> tuple[str, ...]:
    """Return the words of a host that are not known, each with its path."""
    path = "runtime.partialMaintenanceMode"
    modes = facts.many(path, vim.host.PartialMaintenanceModeRuntimeInfo)
    partial = _told(path, (mode.hostStatus for mode in modes), _PARTIAL_STATUSES)
    return (*_unknown(facts, _HOST), *partial)


def unknown_of_datastore(facts: Facts) -> tuple[str, ...]:
    """Return the words of a datastore that are not known, each with its path."""
    return tuple(_unknown(facts, _DATASTORE))


def unknown_of_cluster(info: vim.cluster.ConfigInfoEx) -> tuple[str, ...]:
    """Return the words of a cluster's configuration that are not known, each with its path."""
    default = [info.drsConfig.defaultVmBehavior] if info.drsConfig is not None else []
    overrides = [override.behavior for override in info.drsVmConfig]
    return (
        *_told("drsConfig.defaultVmBehavior", default, frozenset(Automation)),
        *_told("drsVmConfig.behavior", overrides, frozenset(Automation)),
        *_told("vmSwapPlacement", [info.vmSwapPlacement], frozenset(SwapPlacement)),
    )


def _unknown(facts: Facts, known: Mapping[str, frozenset[str]]) -> Iterator[str]:
    for path, words in known.items():
        word = facts.text(path)
        if word is not None and word not in words:
            yield f"{path}: {word[:_LONGEST]}"


def _told(path: str, found: Iterable[object], known: frozenset[str]) -> Iterator[str]:
    for word in found:
        if word and str(word) not in known:
            yield f"{path}: {str(word)[:_LONGEST]}"

"""EVC of single VMs: the version of their virtual hardware, and the mode that is set on the VM itself.

Owns the way from feature masks to a mode. vSphere keeps no key of a per-VM EVC mode: it applies the
mode's feature masks to the VM, where they show as `runtime.featureMask`. Never guesses: masks that are no
mode's give no mode.

Source: vSphere API, `ApplyEvcModeVM_Task`, `VirtualMachineRuntimeInfo.featureMask` ("applied to an
individual virtual machine as a result of its configuration"), `EVCMode.featureMask`.
"""

import re
from collections.abc import Iterable, Mapping

from pyVmomi import vim

from balancer.adapters.vsphere.facts import Facts
from balancer.model.evc import EvcMode, EvcOrder

_HARDWARE = re.compile(r"vmx-0*([1-9]\d{0,5})")

Masks = Mapping[str, str]


def hardware_version_from(word: str | None) -> int | None:
    """Return 20 for `vmx-20`, None for anything else. Source: vSphere API, `ConfigInfo.version`."""
    found = _HARDWARE.fullmatch(word or "")
    return int(found[1]) if found else None


def masks_by_mode(facts: Facts) -> dict[str, Masks]:
    """Return the feature masks of every mode in `capability.supportedEVCMode`, by the mode's key."""
    modes = facts.many("capability.supportedEVCMode", vim.EVCMode)
    return {mode.key: _masks(mode.featureMask) for mode in modes if mode.featureMask}


def masks_of_vm(facts: Facts) -> Masks:
    """Return the masks of a VM's own configuration; empty where it has none."""
    return _masks(facts.many("runtime.featureMask", vim.host.FeatureMask))


class OwnModes:
    """Finds the EVC modes that are set on VMs themselves. Equal lists of masks are compared once.

    `known` are the masks of the server's modes. For one snapshot: it remembers every list it was given.
    """

    def __init__(self, known: Mapping[str, Masks], modes: Iterable[EvcMode] = ()) -> None:
        self._known = known
        self._order = EvcOrder(tuple(modes))
        self._found: dict[tuple[tuple[str, str], ...], str | None] = {}

    def of(self, facts: Facts) -> str | None:
        """Return the mode of a VM's own, None where it has none or one that is no mode's."""
        masks = masks_of_vm(facts)
        if not masks:
            return None
        key = tuple(sorted(masks.items()))
        if key not in self._found:
            self._found[key] = own_mode(masks, self._known, self._order)
        return self._found[key]


def own_mode(masks: Masks, known: Mapping[str, Masks], order: EvcOrder) -> str | None:
    """Return the mode whose masks the VM carries, None where it carries no mode's.

    A VM may carry masks besides the mode's, of its guest system or set by hand. Where the masks of
    several modes are among them, the mode that all the others can run is meant.
    """
    fitting = [key for key, wanted in known.items() if wanted.items() <= masks.items()]
    lowest = [key for key in fitting if all(order.can_run(other, key) for other in fitting)]
    return min(lowest, default=None)


def _masks(masks: Iterable[vim.host.FeatureMask]) -> Masks:
    """Return the masks by feature in lower case, as releases differ in case."""
    return {m.key.lower(): m.value for m in masks if m.key and m.value is not None}

"""What is remembered of demand: figures of many VMs at equal steps. Nothing known is NaN, never 0."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from balancer.model.units import Seconds
from balancer.model.vm import Vm

Figures = npt.NDArray[np.float32]
"""Shape (steps, VMs), oldest first; NaN where nothing is known."""


def identity_of(vm: Vm) -> str:
    """Return what a VM is remembered by: its instanceUuid, or its id where the source gives none."""
    return vm.uuid or str(vm.id)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HistoryView:
    """Demand of VMs in steps of equal length, the last of which ended at `ends_at`.

    The columns of `cpu_mhz` (wanted, corrected for contention) and `memory_mib` (active) are those of `vms`,
    which are identities in the sense of `identity_of`. A VM that was resized or started anew is unknown before.

    Raises:
        ValueError: the shapes do not agree, or the step is not above 0.
    """

    ends_at: datetime
    step_s: Seconds
    vms: tuple[str, ...]
    cpu_mhz: Figures
    memory_mib: Figures

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        if self.step_s <= 0.0:
            raise ValueError(f"a step of history must last longer than 0 s, got {self.step_s}")
        shapes = {self.cpu_mhz.shape, self.memory_mib.shape}
        if len(shapes) != 1 or self.cpu_mhz.shape[1:] != (len(self.vms),):
            raise ValueError(f"history of {len(self.vms)} VMs has figures of shapes {shapes}")

"""Recorded demand of VMs over time, whatever file it came from: what the lab replays."""

from dataclasses import dataclass
from datetime import datetime

from balancer.model.history import Figures
from balancer.model.units import Mib, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceVm:
    """A VM of a trace as it is configured at the beginning. `uuid` is made up where the trace gives none."""

    name: str
    vcpus: int
    memory_mib: Mib
    uuid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """From this slot on a VM (by its number in `Trace.vms`) has another size."""

    slot: int
    vm: int
    vcpus: int
    memory_mib: Mib


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """Demand in slots of equal length from `start`: arrays of shape (slots, VMs), NaN while a VM is off.

    `cpu_mhz` is what is wanted, `memory_mib` active memory. `consumed_mib` is the host memory that VMs held, as
    it was measured: NaN where that is not known, None where it nowhere is. `resizes` are in the order of time.

    Raises:
        ValueError: the shapes do not agree, or a slot is not longer than 0 s.
    """

    name: str
    start: datetime
    step_s: Seconds
    vms: tuple[TraceVm, ...]
    cpu_mhz: Figures
    memory_mib: Figures
    consumed_mib: Figures | None = None
    resizes: tuple[Resize, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        if self.step_s <= 0.0:
            raise ValueError(f"a slot of a trace must last longer than 0 s, got {self.step_s}")
        shapes = {self.cpu_mhz.shape, self.memory_mib.shape}
        if self.consumed_mib is not None:
            shapes.add(self.consumed_mib.shape)
        if len(shapes) != 1 or self.cpu_mhz.shape[1:] != (len(self.vms),):
            raise ValueError(f"a trace of {len(self.vms)} VMs has figures of shapes {shapes}")

    @property
    def slots(self) -> int:
        """Return how many slots there are."""
        return len(self.cpu_mhz)

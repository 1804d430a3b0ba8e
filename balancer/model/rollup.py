"""What is kept of demand over weeks: mean, 95th percentile and maximum of each figure at equal steps.

A `Block` is the form in which such figures go between the memory of the loop, the store, and whoever knows
more of the past. Nothing known is NaN, never 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from balancer.model.history import Figures
from balancer.model.units import Mib, Seconds


class Kind(StrEnum):
    """Whose figures they are."""

    VM = "vm"
    HOST = "host"


class Measure(StrEnum):
    """What is remembered. Of a host: CPU is what is used, CONSUMED the memory that is used."""

    CPU = "cpu_mhz"  # of a VM: wanted
    ACTIVE = "memory_active_mib"
    CONSUMED = "memory_consumed_mib"
    READY = "cpu_ready_percent"  # mean of the vCPUs


class Statistic(StrEnum):
    """What is made of the readings within one step."""

    MEAN = "mean"
    P95 = "p95"
    MAX = "max"


class Series(NamedTuple):
    """One kind of figure."""

    measure: Measure
    statistic: Statistic


SERIES_OF: Mapping[Kind, tuple[Series, ...]] = {
    Kind.VM: tuple(Series(measure, one) for measure in Measure for one in Statistic),
    Kind.HOST: tuple(
        Series(measure, one) for measure in (Measure.CPU, Measure.CONSUMED) for one in Statistic
    ),
}
"""All that is kept, in the order of the layers in memory: measure by measure, statistic by statistic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A VM or host of a block. What was before `begun_at` was of another size, or before its last start.

    `identity` as of `model.history.identity_of`; of a host its id. A size of None is not known.
    """

    identity: str
    vcpus: int | None = None
    memory_mib: Mib | None = None
    begun_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """Figures of VMs or hosts at equal steps; the first step begins at `starts_at`.

    Each array has the shape (steps, members), oldest first, its columns in the order of `members`.

    Raises:
        ValueError: the shapes do not agree, or the step is not above 0.
    """

    kind: Kind
    starts_at: datetime
    step_s: Seconds
    members: tuple[Member, ...]
    figures: Mapping[Series, Figures]

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        if self.step_s <= 0.0:
            raise ValueError(f"a step of a block must last longer than 0 s, got {self.step_s}")
        shapes = {each.shape for each in self.figures.values()}
        if len(shapes) > 1 or any(shape[1:] != (len(self.members),) for shape in shapes):
            raise ValueError(f"a block of {len(self.members)} has figures of shapes {shapes}")

    @property
    def steps(self) -> int:
        """Return how many steps it has; 0 without figures."""
        return next((len(each) for each in self.figures.values()), 0)

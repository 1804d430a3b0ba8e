"""From samples of the past to blocks of demand: which step each is of, and which of them count.

Owns what stands for what: usage for CPU demand where that is not kept, nothing for active memory. Pure; sits
between `past_demand` and the memory of demand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil

import numpy as np
import numpy.typing as npt

from balancer.adapters.vsphere.counters import Counter
from balancer.adapters.vsphere.samples import Samples
from balancer.model.rollup import Block, Kind, Measure, Member, Series, Statistic

CPU, ACTIVE = Series(Measure.CPU, Statistic.MEAN), Series(Measure.ACTIVE, Statistic.MEAN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Who a VM is to the memory, and when it was started last."""

    identity: str
    started_at: datetime


def block_of(
    samples: Sequence[Samples],
    known: Mapping[str, Known],
    *,
    step_s: int,
    span: tuple[datetime, datetime],
) -> Block | None:
    """Return the samples of these VMs as a block; None where none of them counts.

    A sample counts for the step that it ends. Those of another length, those outside of the span, and those that
    began before the VM's last start are left out: a VM may have been of another size before.
    """
    first = int(span[0].timestamp() // step_s)
    steps = max(ceil(span[1].timestamp() / step_s) - first, 0)
    found = [each for each in samples if each.id in known]
    shape = (steps, len(found))
    cpu, active = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    for column, each in enumerate(found):
        begins = np.array([at.timestamp() for at in each.times]) - step_s
        row = np.rint(begins / step_s).astype(np.int64) - first
        counts = np.array(each.intervals_s) == step_s
        counts &= (row >= 0) & (row < steps)
        counts &= begins >= known[each.id].started_at.timestamp()
        demand, usage = _row(each, Counter.CPU_DEMAND), _row(each, Counter.CPU_USAGE)
        wanted = np.where(np.isfinite(demand), demand, usage)
        cpu[row[counts], column] = wanted[counts]
        active[row[counts], column] = _row(each, Counter.MEM_ACTIVE)[counts]
    if not (np.isfinite(cpu).any() or np.isfinite(active).any()):
        return None
    return Block(
        kind=Kind.VM,
        starts_at=datetime.fromtimestamp(first * step_s, UTC),
        step_s=float(step_s),
        members=tuple(Member(identity=known[each.id].identity) for each in found),
        figures={CPU: cpu, ACTIVE: active},
    )


def _row(samples: Samples, counter: Counter) -> npt.NDArray[np.float64]:
    values = samples.series.get(counter) or (None,) * len(samples.times)
    return np.array(values, dtype=np.float64)  # None becomes NaN

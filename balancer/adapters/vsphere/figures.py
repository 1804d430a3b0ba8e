"""From samples to a VM's and a host's figures: which counter stands for what, over how long.

Owns the arithmetic between the counters and the model. A figure that no counter gives stays what
quickStats said. Samples that are too old, or ahead of the server's clock, change no figure. Pure; used by
`statistics`.
"""

from datetime import datetime
from enum import StrEnum
from math import sqrt
from statistics import fmean

from balancer.adapters.vsphere.counters import Counter
from balancer.adapters.vsphere.samples import Samples
from balancer.model.drafts import changed
from balancer.model.host import Host
from balancer.model.units import Seconds
from balancer.model.vm import Vm

FRESH_WITHIN_S: Seconds = 120.0
"""Older samples are no figure of now. They come every 20 s and reach vCenter within one or two intervals."""

AHEAD_AT_MOST_S: Seconds = 60.0
"""Samples carry the host's clock; one that is further ahead of vCenter's has no known age."""

FEWEST_FOR_DEVIATION = 3
_P95 = 0.95
_BITS_PER_MIB = 8 * 2**20


class Freshness(StrEnum):
    """What one entity's samples are worth."""

    FRESH = "fresh"
    STALE = "stale"
    AHEAD = "ahead"
    NONE = "no_samples"


def freshness(samples: Samples, now: datetime) -> Freshness:
    """Judge the newest sample against the server's clock `now`."""
    newest = samples.newest_at
    if newest is None:
        return Freshness.NONE
    age_s = (now - newest).total_seconds()
    if age_s < -AHEAD_AT_MOST_S:
        return Freshness.AHEAD
    return Freshness.FRESH if age_s <= FRESH_WITHIN_S else Freshness.STALE


def vm_with(vm: Vm, samples: Samples, now: datetime) -> Vm:
    """Return the VM with what its samples say.

    Demand, active memory, traffic and ready time are means over the samples (five minutes at most), demand
    with its deviation, 95th percentile and maximum; held and ballooned memory are those of the newest
    sample. `sampled_at` is set whatever the age, except where the samples are ahead of the server's clock.
    """
    found = freshness(samples, now)
    if found in (Freshness.NONE, Freshness.AHEAD):
        return vm
    if found is Freshness.STALE:
        return changed(vm, sampled_at=samples.newest_at)
    demand = samples.known(Counter.CPU_DEMAND)
    deviation_mhz = _deviation(demand)
    p95_mhz, max_mhz = p95_and_max(demand)
    return changed(
        vm,
        sampled_at=samples.newest_at,
        cpu_demand_mhz=fmean(demand) if demand else vm.cpu_demand_mhz,
        cpu_demand_stddev_mhz=deviation_mhz,
        cpu_demand_p95_mhz=p95_mhz,
        cpu_demand_max_mhz=max_mhz,
        cpu_ready_percent=_ready_percent(samples, vm),
        memory_active_mib=_mean(samples, Counter.MEM_ACTIVE, vm.memory_active_mib),
        memory_consumed_mib=_held_mib(samples, vm),
        memory_ballooned_mib=_newest(samples, Counter.MEM_BALLOON, vm.memory_ballooned_mib),
        dirty_rate_mbps=dirty_rate_mbps(samples),
        swap_in_mbps=_mean(samples, Counter.MEM_SWAP_IN, None),
        network_mbps=_mean(samples, Counter.NET_USAGE, None),
    )


def host_with(host: Host, samples: Samples, now: datetime) -> Host:
    """Return the host with what its samples say: mean, 95th percentile and maximum of what it used."""
    found = freshness(samples, now)
    if found in (Freshness.NONE, Freshness.AHEAD):
        return host
    if found is Freshness.STALE:
        return changed(host, sampled_at=samples.newest_at)
    cpu_p95_mhz, cpu_max_mhz = p95_and_max(samples.known(Counter.CPU_USAGE))
    memory_p95_mib, memory_max_mib = p95_and_max(samples.known(Counter.MEM_CONSUMED))
    return changed(
        host,
        sampled_at=samples.newest_at,
        cpu_usage_mhz=_mean(samples, Counter.CPU_USAGE, host.cpu_usage_mhz),
        cpu_usage_p95_mhz=cpu_p95_mhz,
        cpu_usage_max_mhz=cpu_max_mhz,
        memory_usage_mib=_mean(samples, Counter.MEM_CONSUMED, host.memory_usage_mib),
        memory_usage_p95_mib=memory_p95_mib,
        memory_usage_max_mib=memory_max_mib,
    )


def p95_and_max(values: list[float]) -> tuple[float, float] | tuple[None, None]:
    """Return the 95th percentile and the greatest of some values; None of none.

    The percentile lies between the ordered values, at place 0.95 n + 0.5 of the n: of the fifteen of five minutes
    three quarters of the way from the last but one to the last, of fewer than ten the last itself. The nearest rank
    would be the last of any fewer than twenty, and so no figure beside the greatest. Of fifteen values that are
    normally distributed 1.61 deviations above the mean are expected of it, where 1.645 are true.
    Source: Hyndman and Fan, "Sample quantiles in statistical packages", The American Statistician 50 (1996),
    definition 5.
    """
    if not values:
        return None, None
    ordered = sorted(values)
    place = _P95 * len(ordered) - 0.5  # counted from 0
    below = int(place)
    if below + 1 >= len(ordered):
        return ordered[-1], ordered[-1]
    low, high = ordered[below], ordered[below + 1]
    return low + (place - below) * (high - low), ordered[-1]


def dirty_rate_mbps(samples: Samples) -> float | None:
    """Return how fast the guest dirties memory, in Mb/s, None without samples.

    `mem.activewrite` is an amount, not a rate: the host's estimate of how much memory was written at
    least once of late. It is taken as written anew in every sample interval (20 s), the most that the
    estimate can say, so that a move is rather thought too long than too short. What it is not: it does
    not tell how often a page is written again within an interval, so that a guest which rewrites a
    small set at a high speed dirties more than this in a short round of copying; and the host guesses it
    from a few pages. Source: vSphere API, counter `mem.activewrite`.
    """
    mib_per_s = _mean_per_second(samples, Counter.MEM_ACTIVE_WRITE)
    return None if mib_per_s is None else mib_per_s * _BITS_PER_MIB / 1e6


def _ready_percent(samples: Samples, vm: Vm) -> float | None:
    """Return the share of time that a vCPU was ready and not run, in percent, mean of the vCPUs.

    The counter is the sum of milliseconds of all vCPUs in one interval.
    Source: VMware KB 2002181, "Converting between CPU summation and CPU % ready values".
    """
    ms_per_s = _mean_per_second(samples, Counter.CPU_READY)
    return vm.cpu_ready_percent if ms_per_s is None else ms_per_s / 10.0 / max(vm.vcpus, 1)


def _held_mib(samples: Samples, vm: Vm) -> float | None:
    """Return the host memory that the VM holds, with its overhead, as of the newest sample of both.

    A VM's `mem.consumed` is without the overhead, quickStats' `hostMemoryUsage` with it.
    Source: vSphere API, `VirtualMachineQuickStats.hostMemoryUsage`; vSphere Monitoring and Performance,
    "Memory counters".
    """
    consumed = samples.series.get(Counter.MEM_CONSUMED, ())
    overhead = samples.series.get(Counter.MEM_OVERHEAD, ())
    for held, added in zip(reversed(consumed), reversed(overhead), strict=False):
        if held is not None and added is not None:
            return held + added
    return vm.memory_consumed_mib


def _mean_per_second(samples: Samples, counter: Counter) -> float | None:
    """Return the mean of the measured values, each by the length of its own interval in seconds."""
    values = samples.series.get(counter, ())
    pairs = zip(values, samples.intervals_s, strict=bool(values))
    known = [value / interval_s for value, interval_s in pairs if value is not None]
    return fmean(known) if known else None


def _mean(samples: Samples, counter: Counter, otherwise: float | None) -> float | None:
    known = samples.known(counter)
    return fmean(known) if known else otherwise


def _newest(samples: Samples, counter: Counter, otherwise: float | None) -> float | None:
    known = samples.known(counter)
    return known[-1] if known else otherwise


def _deviation(known: list[float]) -> float | None:
    if len(known) < FEWEST_FOR_DEVIATION:
        return None
    mean = fmean(known)  # the library's own deviation is exact, and ten times as long
    return sqrt(sum([(value - mean) ** 2 for value in known]) / (len(known) - 1))

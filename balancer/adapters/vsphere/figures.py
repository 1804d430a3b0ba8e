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
from balancer.model.changed import changed
from balancer.model.host import Host
from balancer.model.units import Seconds
from balancer.model.vm import Vm

FRESH_WITHIN_S: Seconds = 120.0
"""Older samples are no figure of now. They come every 20 s and reach vCenter within one or two intervals."""

AHEAD_AT_MOST_S: Seconds = 60.0
"""Samples carry the host's clock; one that is further ahead of vCenter's has no known age."""

FEWEST_FOR_DEVIATION = 3
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

    Demand, active memory, traffic and ready time are means over the samples (five minutes at most);
    held and ballooned memory are those of the newest sample. `sampled_at` is set whatever the age,
    except where the samples are ahead of the server's clock.
    """
    found = freshness(samples, now)
    if found in (Freshness.NONE, Freshness.AHEAD):
        return vm
    if found is Freshness.STALE:
        return changed(vm, sampled_at=samples.newest_at)
    return changed(
        vm,
        sampled_at=samples.newest_at,
        cpu_demand_mhz=_mean(samples, Counter.CPU_DEMAND, vm.cpu_demand_mhz),
        cpu_demand_stddev_mhz=_deviation(samples, Counter.CPU_DEMAND),
        cpu_ready_percent=_ready_percent(samples, vm),
        memory_active_mib=_mean(samples, Counter.MEM_ACTIVE, vm.memory_active_mib),
        memory_consumed_mib=_held_mib(samples, vm),
        memory_ballooned_mib=_newest(samples, Counter.MEM_BALLOON, vm.memory_ballooned_mib),
        dirty_rate_mbps=dirty_rate_mbps(samples),
        swap_in_mbps=_mean(samples, Counter.MEM_SWAP_IN, None),
        network_mbps=_mean(samples, Counter.NET_USAGE, None),
    )


def host_with(host: Host, samples: Samples, now: datetime) -> Host:
    """Return the host with what its samples say; both figures are means over the samples."""
    found = freshness(samples, now)
    if found in (Freshness.NONE, Freshness.AHEAD):
        return host
    if found is Freshness.STALE:
        return changed(host, sampled_at=samples.newest_at)
    return changed(
        host,
        sampled_at=samples.newest_at,
        cpu_usage_mhz=_mean(samples, Counter.CPU_USAGE, host.cpu_usage_mhz),
        memory_usage_mib=_mean(samples, Counter.MEM_CONSUMED, host.memory_usage_mib),
    )


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


def _deviation(samples: Samples, counter: Counter) -> float | None:
    known = samples.known(counter)
    if len(known) < FEWEST_FOR_DEVIATION:
        return None
    mean = fmean(known)  # the library's own deviation is exact, and ten times as long
    return sqrt(sum([(value - mean) ** 2 for value in known]) / (len(known) - 1))

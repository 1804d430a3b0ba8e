"""How long a vMotion takes: memory to copy, what is dirtied meanwhile, and the links on both ends."""

from dataclasses import dataclass
from math import ceil, inf, log

from balancer.model.host import Host
from balancer.model.units import Mib, Seconds

SETUP_SECONDS = 4.0
"""Compatibility check, set-up on the target, switch-over and clean-up. Believed; corrected by experience."""

LINK_EFFICIENCY = 0.75
"""Payload over nominal link speed. Source: a vmkernel log shows 931 MB/s on 10 GbE."""

MOST_DIRTY_RATIO = 0.8
"""Above this share of the bandwidth the guest is slowed down until the copy converges (vSphere 5+)."""

STREAM_MBPS = 15_000.0
"""Most that one stream of a copy carries: a thread on one core.

Source: Broadcom KB 323379 and nielshagoort.com, "Auto-tuning vMotion streams" (2021): about 15 Gb/s per
stream; one vmkernel adapter on 40 GbE reached 18 Gb/s, two 28, three 36. From 7.0 U2 on the number of
streams follows the link, so that a single copy can fill it: `VmotionLink.streams` of None.
"""

SWITCH_SECONDS = 0.5
"""A copy is switched over once what is still dirty can be sent within this time. Believed."""

_BITS_PER_MIB = 8 * 2**20


def link_mbps(host: Host) -> float:
    """Return the payload that all copies of a host together can send or receive, in Mb/s."""
    return host.vmotion.link_mbps * LINK_EFFICIENCY


def streams_mbps(host: Host) -> float:
    """Return the payload that the streams of one copy carry; no bound where they follow the link."""
    return inf if host.vmotion.streams is None else host.vmotion.streams * STREAM_MBPS


def copy_mbps(host: Host, sharing: int = 1) -> float:
    """Return the payload that each of `sharing` simultaneous copies gets on this host's side, in Mb/s."""
    return min(link_mbps(host) / max(sharing, 1), streams_mbps(host))


def progress_mbps(bandwidth_mbps: float, dirty_rate_mbps: float) -> float:
    """Return by how much a copy with this bandwidth gets ahead of what the guest dirties meanwhile.

    Pre-copy repeats what was dirtied during the copy: a geometric series with the ratio of dirty rate to
    bandwidth, which comes to the same as the difference of the two.
    """
    return bandwidth_mbps * (1.0 - min(dirty_rate_mbps / bandwidth_mbps, MOST_DIRTY_RATIO))


def payload_mbit(memory_mib: Mib) -> float:
    """Return memory in the unit of links."""
    return memory_mib * _BITS_PER_MIB / 1e6


def vmotion_seconds(
    source: Host,
    target: Host,
    memory_mib: Mib,
    *,
    dirty_rate_mbps: float = 0.0,
    sharing: int = 1,
    sharing_target: int | None = None,
) -> Seconds:
    """Return the predicted seconds of one vMotion that shares the links with other copies.

    `sharing` copies, this one included, share the links of the source, `sharing_target` those of the
    target (as many as on the source where not given). At least `SETUP_SECONDS`.
    """
    there = sharing if sharing_target is None else sharing_target
    bandwidth_mbps = max(min(copy_mbps(source, sharing), copy_mbps(target, there)), 1.0)
    return SETUP_SECONDS + payload_mbit(memory_mib) / progress_mbps(bandwidth_mbps, dirty_rate_mbps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What one pre-copy comes to. `dirty_ratio` is the rate at which memory is dirtied over the bandwidth.

    `stun_seconds` is how long the last part takes, for which the VM stands still: None where the guest has to be
    slowed down first, as the model does not say by how much.
    """

    sent_mib: Mib
    dirty_ratio: float
    stun_seconds: Seconds | None


def copy_of(memory_mib: Mib, seconds: Seconds, dirty_rate_mbps: float) -> Copy:
    """Return what a vMotion sends that is predicted to take `seconds`, from the bandwidth behind these.

    Each pass sends what was dirtied during the one before, so that they shrink by the dirty ratio; the last is
    the first one that is over within `SWITCH_SECONDS`.
    """
    copying_s = max(seconds - SETUP_SECONDS, 1e-9)
    progress = payload_mbit(memory_mib) / copying_s
    bandwidth = max(progress + dirty_rate_mbps, 1e-9)
    ratio = dirty_rate_mbps / bandwidth
    if ratio >= MOST_DIRTY_RATIO:
        ratio = min(dirty_rate_mbps * (1.0 - MOST_DIRTY_RATIO) / max(progress, 1e-9), 1.0)
        return Copy(
            sent_mib=memory_mib / (1.0 - MOST_DIRTY_RATIO),
            dirty_ratio=max(ratio, MOST_DIRTY_RATIO),
            stun_seconds=None,
        )
    first_s = copying_s * (1.0 - ratio)
    passes = ceil(log(SWITCH_SECONDS / first_s) / log(ratio)) if first_s > 0.0 < ratio else 1
    last_s = first_s * ratio ** max(passes, 1)
    return Copy(sent_mib=memory_mib / (1.0 - ratio), dirty_ratio=ratio, stun_seconds=last_s)

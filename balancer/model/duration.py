"""How long a vMotion takes: memory to copy, what is dirtied meanwhile, and the links on both ends."""

from balancer.model.host import Host
from balancer.model.units import Mib, Seconds

SETUP_SECONDS = 4.0
"""Compatibility check, set-up on the target, switch-over and clean-up. Believed; corrected by experience."""

LINK_EFFICIENCY = 0.75
"""Payload over nominal link speed. Source: a vmkernel log shows 931 MB/s on 10 GbE."""

MOST_DIRTY_RATIO = 0.8
"""Above this share of the bandwidth the guest is slowed down until the copy converges (vSphere 5+)."""

_BITS_PER_MIB = 8 * 2**20


def vmotion_seconds(
    source: Host, target: Host, memory_mib: Mib, *, dirty_rate_mbps: float = 0.0, sharing: int = 1
) -> Seconds:
    """Return the predicted seconds of one vMotion when `sharing` copies share the slower host's links.

    Pre-copy repeats what was dirtied during the copy: a geometric series with the ratio of dirty rate
    to bandwidth. At least `SETUP_SECONDS`.
    """
    link_mbps = min(source.vmotion.link_mbps, target.vmotion.link_mbps)
    bandwidth_mbps = max(link_mbps * LINK_EFFICIENCY / max(sharing, 1), 1.0)
    dirty_ratio = min(dirty_rate_mbps / bandwidth_mbps, MOST_DIRTY_RATIO)
    first_pass_s = memory_mib * _BITS_PER_MIB / (bandwidth_mbps * 1e6)
    return SETUP_SECONDS + first_pass_s / (1.0 - dirty_ratio)

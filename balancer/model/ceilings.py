"""How many migrations vCenter itself runs at once. What is above is queued there, so plans stay below.

Facts about vSphere, not wishes: a policy may ask for less, never for more. Knows nothing of plans.

Source: Broadcom KB 326281 and "Limits on Simultaneous Migrations" (vCenter Server and Host Management,
6.7): a host has 16 units of cost and a vMotion takes 2 on both of its hosts; a vMotion network carries 4
migrations on 1 GbE and 8 from 10 GbE; a datastore has 128 units and a vMotion takes 1 on each datastore
of the VM. A storage vMotion takes 8 on its hosts and 16 on its datastores. "Other provisioning operations",
such as a clone, take as much on a host as a vMotion (1 of 8 in the manual); what they take on a datastore
is not told. No page with other figures was found for 8 and 9: believed to be the same.
"""

from collections.abc import Mapping
from types import MappingProxyType

from balancer.model.host import Host
from balancer.model.snapshot import FlightKind

HOST_COST = 16
VMOTION_HOST_COST = 2
SLOW_NETWORK_MIGRATIONS = 4
FAST_NETWORK_MIGRATIONS = 8
FAST_NETWORK_MBPS = 10_000.0
DATASTORE_COST = 128
VMOTION_DATASTORE_COST = 1

HOST_COST_OF: Mapping[FlightKind, int] = MappingProxyType(
    {
        FlightKind.VMOTION: VMOTION_HOST_COST,
        FlightKind.STORAGE: 8,
        FlightKind.PROVISIONING: VMOTION_HOST_COST,
    }
)
"""Units that a task takes on each of its hosts."""

DATASTORE_COST_OF: Mapping[FlightKind, int] = MappingProxyType(
    {
        FlightKind.VMOTION: VMOTION_DATASTORE_COST,
        FlightKind.STORAGE: 16,
        FlightKind.PROVISIONING: 0,
    }
)
"""Units that a task takes on each datastore of its VM; the other one of a storage vMotion is not told."""

DATASTORE_MIGRATIONS = DATASTORE_COST // VMOTION_DATASTORE_COST
"""Migrations of VMs on one datastore that vCenter runs at once."""


def host_migrations(host: Host) -> int:
    """Return how many migrations vCenter runs at once on `host`, in and out together.

    The speed is that of all links behind the host's vMotion network: several slow ones that add up to a
    fast one are taken for it.
    """
    return min(HOST_COST // VMOTION_HOST_COST, network_migrations(host))


def network_migrations(host: Host) -> int:
    """Return how many migrations the vMotion network of `host` carries at once."""
    is_fast = host.vmotion.link_mbps >= FAST_NETWORK_MBPS
    return FAST_NETWORK_MIGRATIONS if is_fast else SLOW_NETWORK_MIGRATIONS

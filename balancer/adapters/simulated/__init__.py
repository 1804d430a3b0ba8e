"""A vCenter that exists only in memory: generated clusters, virtual time, migrations that can fail.

It implements the same ports as the vSphere adapter, so that the demo, tests and the laboratory run
the real cycle. It must never open a connection or touch a file.
"""

from balancer.adapters.simulated.clock import VirtualClock
from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.adapters.simulated.vcenter import SimulatedVCenter

__all__ = ["InventorySpec", "SimulatedVCenter", "VirtualClock", "generate"]

"""What a vCenter tells of itself between two cycles: hints that something changed, and what.

Owns the kinds of change and which of them are worth an early cycle. A hint is never a fact: nothing is
planned from it, it only says that it may pay to look. Told by the adapter, heard by the daemon.
"""

from dataclasses import dataclass
from enum import StrEnum

from balancer.model.units import ClusterId, HostId, VmId


class ChangeKind(StrEnum):
    """What changed."""

    VM_ADDED = "vm_added"
    VM_REMOVED = "vm_removed"
    VM_MOVED = "vm_moved"
    VM_POWER = "vm_power"
    VM_RECONFIGURED = "vm_reconfigured"
    HOST_ADDED = "host_added"
    HOST_REMOVED = "host_removed"
    HOST_STATE = "host_state"
    HOST_PLACES = "host_places"
    MIGRATION = "migration"
    MAINTENANCE = "maintenance"
    CLUSTER_RECONFIGURED = "cluster_reconfigured"


_QUIET = frozenset({ChangeKind.VM_RECONFIGURED, ChangeKind.HOST_PLACES})
"""Changes that empty caches and are early enough seen by the next regular cycle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change in a cluster. `vm` or `host` is None where it is not about one."""

    kind: ChangeKind
    cluster: ClusterId
    vm: VmId | None = None
    host: HostId | None = None

    @property
    def is_urgent(self) -> bool:
        """Whether a cycle should look before its turn."""
        return self.kind not in _QUIET

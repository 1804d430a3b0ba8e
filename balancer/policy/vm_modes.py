"""The modes that a policy gives single VMs, kept while snapshot and policy are the same. For one cluster."""

from collections.abc import Mapping

from balancer.model.snapshot import Snapshot
from balancer.model.units import VmId
from balancer.policy.mode import Mode
from balancer.policy.resolve import resolve
from balancer.policy.types import Policy


class VmModes:
    """The modes of single VMs, found once for each snapshot and policy: they are asked for before each move."""

    def __init__(self) -> None:
        self._known: tuple[Snapshot, Policy, Mapping[VmId, Mode]] | None = None

    def of(self, snapshot: Snapshot, policy: Policy) -> Mapping[VmId, Mode]:
        """Return the modes that a policy gives the VMs of a snapshot."""
        known = self._known
        if known is None or known[0] is not snapshot or known[1] is not policy:
            known = snapshot, policy, resolve(snapshot, policy).vm_modes
            self._known = known
        return known[2]

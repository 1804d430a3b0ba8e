"""A snapshot as it will be when the moves of a plan have been carried out."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId


class HasTarget(Protocol):
    """A proposed move or a finished one."""

    @property
    def vm(self) -> VmId:
        """The VM that moves."""

    @property
    def target(self) -> HostId:
        """Where it goes."""


def replayed(snapshot: Snapshot, moves: Sequence[HasTarget]) -> Snapshot:
    """Return the snapshot with every moved VM on its target."""
    target = {move.vm: move.target for move in moves}
    vms = tuple(replace(vm, host=target.get(vm.id, vm.host)) for vm in snapshot.vms)
    return replace(snapshot, vms=vms)

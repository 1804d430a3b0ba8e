"""What `balancer evc` answers: for each EVC mode, whether a cluster could be set to it. Values only."""

from dataclasses import dataclass
from enum import StrEnum

from balancer.model.evc import EvcMode
from balancer.model.units import HostId, VmId


class ModeState(StrEnum):
    """Whether a cluster could be set to a mode now. Undecided: for something it cannot be told."""

    CURRENT = "current"
    POSSIBLE = "possible"
    BLOCKED = "blocked"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeAnswer:
    """One mode: hosts that cannot offer it, VMs that need more, and those of which it cannot be told."""

    mode: EvcMode
    state: ModeState
    hosts: tuple[HostId, ...] = ()
    vms: tuple[VmId, ...] = ()
    unknown_hosts: tuple[HostId, ...] = ()
    unknown_vms: tuple[VmId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EvcReport:
    """The cluster's mode now (None: EVC is off) and its modes, lowest first, of the hosts' makers only."""

    current: str | None
    modes: tuple[ModeAnswer, ...]

    @property
    def possible(self) -> tuple[str, ...]:
        """Return the modes that could be set now, lowest first, without the present one."""
        return tuple(a.mode.key for a in self.modes if a.state is ModeState.POSSIBLE)

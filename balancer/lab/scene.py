"""What a replay starts from: a trace, the hosts, where each VM stands, and what a recording knows besides."""

from collections.abc import Mapping
from dataclasses import dataclass

from balancer.model.host import Host
from balancer.model.recorded import Recorded, unique_names
from balancer.model.trace import Trace
from balancer.model.units import HostId, Ratio

ACTIVE_AND_IDLE: Ratio = 0.25
"""Share of the memory that a VM does not touch which counts as consumed: DRS's idle memory tax, by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """`placement` gives the host of each VM of the trace by its name; `start` names the placement.

    Where the trace does not tell consumed memory, it is active memory and the share `idle_consumed` of the rest
    of the size.
    `recorded` has every VM of the trace; hosts and placement are the scene's own all the same.

    Raises:
        ValueError: a VM has no host, or one that is not among the hosts, or it is not in what was recorded.
    """

    trace: Trace
    hosts: tuple[Host, ...]
    placement: Mapping[str, HostId]
    start: str = "as recorded"
    idle_consumed: Ratio = ACTIVE_AND_IDLE
    recorded: Recorded | None = None

    @property
    def host_names(self) -> dict[HostId, str]:
        """Return by which name a result knows each host, in their order: with its id where several have one."""
        return unique_names({host.id: host.name for host in self.hosts})

    def __post_init__(self) -> None:
        """Refuse what cannot be played."""
        known = {host.id for host in self.hosts}
        lost = [vm.name for vm in self.trace.vms if self.placement.get(vm.name) not in known]
        if lost:
            raise ValueError(
                f"no host of the scene is given for {len(lost)} VMs: {', '.join(lost[:5])}"
            )
        if self.recorded is not None:
            told = {vm.name for vm in self.recorded.base.vms}
            strange = [vm.name for vm in self.trace.vms if vm.name not in told]
            if strange:
                raise ValueError(
                    f"nothing was recorded of {len(strange)} VMs: {', '.join(strange[:5])}"
                )

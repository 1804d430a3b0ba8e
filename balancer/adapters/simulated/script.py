"""What is going to happen and what is going to go wrong: scripted events and injected faults.

Values only, read by the simulated vCenter. Times are virtual seconds after its start.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from balancer.model.host import HostState
from balancer.model.units import HostId, Ratio, Seconds, VmId
from balancer.model.vm import PowerState

TASK_FAULTS = ("Timedout", "SystemError", "FileLocked")
"""Faults with which migrations fail by chance. Source: vSphere API; all three end on the source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostChange:
    """A host changes its state. One that enters maintenance is in maintenance once it is empty."""

    at_s: Seconds
    host: HostId
    state: HostState


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFailure:
    """A host dies with its VMs. A `HostChange` to a state that answers brings it back; see `failover`.

    `state` is how it shows, `restarts` whether HA starts its VMs on other hosts.
    """

    at_s: Seconds
    host: HostId
    state: HostState = HostState.NOT_RESPONDING
    restarts: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartAttempt:
    """VMs that went down with their host are started where they can be."""

    at_s: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignMove:
    """Somebody else migrates a VM; nothing happens where the server refuses it."""

    at_s: Seconds
    vm: VmId
    target: HostId


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerChange:
    """A VM is switched on or off; not while it migrates."""

    at_s: Seconds
    vm: VmId
    power: PowerState


@dataclass(frozen=True, slots=True, kw_only=True)
class VmRemoved:
    """A VM is deleted; not while it migrates."""

    at_s: Seconds
    vm: VmId


ScriptedEvent = HostChange | HostFailure | RestartAttempt | ForeignMove | PowerChange | VmRemoved


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """From `from_s` until before `until_s` no connection to the server can be made."""

    from_s: Seconds
    until_s: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """What goes wrong.

    `failure_ratio` of all migrations fail in the task. `failing_vms` always do, and so does the n-th
    migration of the server (from 1) where `failing_migrations` names it; the value is the fault.
    `refusing_targets` refuse every migration at the call. Each VM of `lost_replies` is migrated, but the
    answer to the first call for it is lost.
    """

    failure_ratio: Ratio = 0.0
    failing_vms: Mapping[VmId, str] = field(default_factory=lambda: MappingProxyType({}))
    failing_migrations: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    refusing_targets: Mapping[HostId, str] = field(default_factory=lambda: MappingProxyType({}))
    lost_replies: frozenset[VmId] = frozenset()
    outages: tuple[Outage, ...] = ()

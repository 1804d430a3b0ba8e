"""Which VMs of a trace can be replayed on a park: those with a size, a place, and a host that is large enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from balancer.adapters.traces.faults import MOST_PROBLEMS
from balancer.adapters.traces.mends import Ledger, MendRule
from balancer.adapters.traces.sizes import Sizes
from balancer.model.errors import InputError, Problem
from balancer.model.host import Host
from balancer.model.units import HostId

THREADS_PER_CORE = 2
"""A VM has at most as many processors as its host has logical ones. Source: vSphere Virtual Machine
Administration, "Virtual CPU Limitations"; two threads a core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Park:
    """What VMs are to be placed on: no hosts and no placement ask nothing of a VM."""

    hosts: Sequence[Host] = ()
    placement: Mapping[str, HostId] | None = None
    leave_out: bool = False


def playable(
    folder: Path, names: Sequence[str], sizes: Sizes, park: Park, ledger: Ledger
) -> list[str]:
    """Return the VMs that can be replayed, in the order of `names`; with `leave_out` the others are counted.

    Raises:
        InputError: the placement names unknown hosts; a VM cannot be replayed and `leave_out` is not set; or no
            VM is left.
    """
    if park.placement is not None:
        _check_hosts(folder, park.placement, park.hosts)
        strangers = sorted(park.placement.keys() - set(names))
        places = [f"the placement, VM {name}" for name in strangers]
        ledger.note(MendRule.UNKNOWN_VM, len(places), places)
    problems = {name: why for name in names if (why := _why_not(name, sizes, park))}
    if problems and (not park.leave_out or len(problems) == len(names)):
        raise InputError(str(folder), _told(problems, is_all=len(problems) == len(names)))
    left_out = [f"{name} {why}" for name, why in problems.items()]
    ledger.note(MendRule.LEFT_OUT, len(left_out), left_out)
    return [name for name in names if name not in problems]


def _told(problems: Mapping[str, str], *, is_all: bool) -> tuple[Problem, ...]:
    rest = "no other VM is left" if is_all else "or replay without such VMs: --leave-out"
    hint = f"mend the file, {rest}"
    listed = [
        Problem(where=f"VM {name}", found=why, hint=hint)
        for name, why in list(problems.items())[:MOST_PROBLEMS]
    ]
    if len(problems) > MOST_PROBLEMS:
        found = f"{len(problems) - MOST_PROBLEMS} more VMs cannot be placed"
        listed.append(Problem(where="the trace", found=found, hint=hint))
    return tuple(listed)


def _check_hosts(folder: Path, placement: Mapping[str, HostId], hosts: Sequence[Host]) -> None:
    known = {host.id for host in hosts}
    lost = [(vm, host) for vm, host in placement.items() if hosts and host not in known]
    if lost:
        allowed = f"a host of the park: {', '.join(sorted(known)[:5])}, ..."
        problems = [
            Problem(
                where=f"the placement, VM {vm}", found=f"there is no host {host}", allowed=allowed
            )
            for vm, host in lost[:MOST_PROBLEMS]
        ]
        raise InputError(str(folder), tuple(problems))


def _why_not(name: str, sizes: Sizes, park: Park) -> str:
    if name not in sizes:
        return "has no size in vms.csv, and none while it is on in provisioned_changes.csv"
    memory_mib = max(size.memory_mib for size in sizes[name])
    largest = max((host.memory_capacity_mib for host in park.hosts), default=memory_mib)
    if memory_mib > largest:
        return f"has {memory_mib:.0f} MiB, more than any host ({largest:.0f} MiB)"
    vcpus = max(size.vcpus for size in sizes[name])
    threads = [host.cpu_cores * THREADS_PER_CORE for host in park.hosts if host.cpu_cores]
    if threads and vcpus > max(threads):
        return f"has {vcpus} processors, more than any host has threads ({max(threads)})"
    if park.placement is not None and name not in park.placement:
        return "has no place in the placement"
    return ""

"""The lines of a recording: a whole snapshot where one begins, and what changed at every look after it.

Lines are JSON. The first one of a file, and one wherever more than VMs changed, holds a snapshot in its public
format. All others hold the time, VMs that are new, changed, gone or moved, and figures as lists in the order of the
VMs' ids. Pure: values in, documents out.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from operator import attrgetter

from balancer.adapters.files.snapshot_file import snapshot_document, vm_document
from balancer.model.host import Host
from balancer.model.snapshot import Snapshot
from balancer.model.vm import Vm

FORM = "balancer/recording/v1"

DIGITS = {
    "cpu_demand_mhz": 0,
    "cpu_usage_mhz": 0,
    "cpu_ready_percent": 2,
    "memory_active_mib": 0,
    "memory_consumed_mib": 0,
}
"""The figures of a VM that every look holds, and to how many digits."""

FLEETING_OF_VM = frozenset(
    {
        *DIGITS,
        *("host", "sampled_at", "profile", "demand_basis", "last_moved_at", "config_version"),
        *("cpu_demand_stddev_mhz", "cpu_demand_p95_mhz", "cpu_demand_max_mhz"),
        *("memory_granted_mib", "memory_swapped_mib"),
        *("memory_ballooned_mib", "dirty_rate_mbps", "swap_in_mbps", "network_mbps"),
        *("storage_committed_mib", "storage_uncommitted_mib"),
    }
)
"""What of a VM changes without being told: a figure, a time, or where it stands."""

_FLEETING_OF_HOST = frozenset(
    {
        *("cpu_usage_mhz", "cpu_usage_p95_mhz", "cpu_usage_max_mhz", "recent_cpu_mhz"),
        *("memory_usage_mib", "memory_usage_p95_mib", "memory_usage_max_mib", "recent_memory_mib"),
        "sampled_at",
    }
)

_facts_of_vm = attrgetter(*(f.name for f in fields(Vm) if f.name not in FLEETING_OF_VM))
_facts_of_host = attrgetter(*(f.name for f in fields(Host) if f.name not in _FLEETING_OF_HOST))

Document = dict[str, object]
Clean = Callable[[Snapshot], Snapshot]
"""Takes out of a snapshot what must not be recorded."""


@dataclass(slots=True)
class Story:
    """What has been told of a cluster so far, so that only what changed is told again."""

    clean: Clean
    _before: Snapshot | None = None

    def anew(self) -> None:
        """Forget what was told: the next line is a whole snapshot."""
        self._before = None

    def line(self, snapshot: Snapshot) -> Document:
        """Return the line of the next snapshot."""
        before = self._before
        if before is None or _frame(before) != _frame(snapshot):
            line: Document = {"form": FORM, "snapshot": snapshot_document(self.clean(snapshot))}
        else:
            line = self._look(before, snapshot)
        self._before = snapshot
        return line

    def _look(self, before: Snapshot, snapshot: Snapshot) -> Document:
        old, new = before.vm_by_id, snapshot.vm_by_id
        changed = [vm for vm in snapshot.vms if vm.id not in old or _is_other(old[vm.id], vm)]
        cleaned = self.clean(replace(snapshot, vms=tuple(changed))).vms if changed else ()
        moved = {vm.id: vm.host for vm in snapshot.vms if _has_moved(old.get(vm.id), vm)}
        told = {
            "changed": [vm_document(vm) for vm in cleaned],
            "gone": [vm_id for vm_id in old if vm_id not in new],
            "moved": moved,
        }
        return {
            "at": _time(snapshot.taken_at),
            **{key: value for key, value in told.items() if value},
            "figures": _figures(snapshot),
        }


def _is_other(before: Vm, vm: Vm) -> bool:
    return bool(_facts_of_vm(before) != _facts_of_vm(vm))


def _has_moved(before: Vm | None, vm: Vm) -> bool:
    return before is not None and before.host != vm.host


def _frame(snapshot: Snapshot) -> tuple[object, ...]:
    """Return what seldom changes around the VMs."""
    return (
        snapshot.cluster,
        snapshot.rules,
        snapshot.resource_pools,
        snapshot.networks,
        [_facts_of_host(host) for host in snapshot.hosts],
    )


def _figures(snapshot: Snapshot) -> dict[str, list[float | int | None]]:
    found = {
        name: [_short(value, digits) for value in map(attrgetter(name), snapshot.vms)]
        for name, digits in DIGITS.items()
    }
    return {name: values for name, values in found.items() if any(v is not None for v in values)}


def _short(value: float | None, digits: int) -> float | int | None:
    if value is None:
        return None
    return round(value, digits) if digits else round(value)


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

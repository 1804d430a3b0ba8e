"""Which of two values of a setting is the stricter one, for the settings where the strictest of several files wins.

One row for each limit, ceiling and mode; a test fails where a limit has none. Settings that are not here go
to the last file that gives them. Pure.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType

from balancer.policy.mode import Mode

Path = tuple[str, ...]


class Stricter(Enum):
    """Where the stricter value of a setting lies."""

    LOWER = "lower"
    HIGHER = "higher"
    MORE_CAREFUL = "more careful"


_LOWER_LIMITS = (
    "moves_per_run_ratio",
    "moves_per_run_at_least",
    "moves_per_run_at_most",
    "moves_per_hour_ratio",
    "mandatory_moves_per_run",
    "migrations_per_host",
    "migrations_per_cluster",
    "migrations_per_vcenter",
    "moves_per_vm_per_day",
    "plan_age_s",
    "snapshot_age_s",
    "sample_age_s",
    "denied_objects_at_most",
    "missing_objects_ratio",
    "clock_offset_s",
    "clock_jump_s",
    "lost_hosts_ratio",
    "lost_hosts_at_most",
    "migration_timeout_s",  # what runs longer counts as unknown, and holds its slot and its VM
    "migration_timeout_factor",
    "breaker_failures_in_row",
    "breaker_failed_ratio",
    "returns_at_most",
    "moves_on_trial",
    "worse_verdicts",
    "approval_s",
    "approved_plan_age_s",
)
_HIGHER_LIMITS = (
    "residence_s",
    "failed_vm_hold_s",
    "failed_vm_quarantine_s",
    "failed_target_quarantine_s",
    "fresh_hosts_ratio",
    "fresh_vms_ratio",
    "breaker_open_s",
    "breaker_open_at_most_s",
    "quiet_s",
    "quarantine_at_most_s",
    "residence_growth",
    "verdict_after_s",
    "missing_hold_s",  # what is missing stops the cycle for so long
)
_CEILINGS = ("cpu_ceiling", "memory_ceiling", "vcpus_per_core", "vms_per_host")
_MODES = ("mode", "outside_windows")

STRICTER: Mapping[Path, Stricter] = MappingProxyType(
    {("limits", name): Stricter.LOWER for name in _LOWER_LIMITS}
    | {("limits", name): Stricter.HIGHER for name in _HIGHER_LIMITS}
    | {("thresholds", name): Stricter.LOWER for name in _CEILINGS}
    | {(name,): Stricter.MORE_CAREFUL for name in _MODES}
)
"""Of the paths of settings in a document. A ceiling or mode of null is none, which any value is stricter than."""


def is_stricter(path: Path, value: object, other: object) -> bool:
    """Whether `value` is stricter than `other`; not where they are equal, or one of them is of a wrong type."""
    if value is None or other is None:
        return other is None and value is not None
    return _COMPARE[STRICTER[path]](value, other)


def _freedom(mode: object) -> int | None:
    return next((known.freedom for known in Mode if known == mode), None)


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _is_below(value: float | None, other: float | None) -> bool:
    return value is not None and other is not None and value < other


_COMPARE: Mapping[Stricter, Callable[[object, object], bool]] = MappingProxyType(
    {
        Stricter.LOWER: lambda value, other: _is_below(_number(value), _number(other)),
        Stricter.HIGHER: lambda value, other: _is_below(_number(other), _number(value)),
        Stricter.MORE_CAREFUL: lambda value, other: _is_below(_freedom(value), _freedom(other)),
    }
)

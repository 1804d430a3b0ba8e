"""EVC modes and which of them can run which. The order is computed from what the server lists, never built in."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EvcMode:
    """One entry of the server's `supportedEVCMode`.

    Source: vSphere API, data object `EVCMode` (fields `key`, `vendor`, `vendorTier`, `track`).
    """

    key: str
    vendor: str
    tier: int
    track: frozenset[str]


class EvcOrder:
    """Answer whether a host at one mode can run a VM that needs another.

    Mode A runs what mode B runs if and only if both are of one vendor, A's track contains B's track
    and A's tier is at least B's. AMD's modes are not a chain, which is why the track counts.
    Source: vSphere API, documentation of `EVCMode.track` and `EVCMode.vendorTier`.
    """

    __slots__ = ("_modes",)

    def __init__(self, modes: Iterable[EvcMode]) -> None:
        self._modes = {mode.key: mode for mode in modes}

    def can_run(self, host_mode: str, needed_mode: str) -> bool | None:
        """Return True or False, or None where a key is unknown to the server ("not comparable")."""
        if host_mode == needed_mode:
            return True
        host, needed = self._modes.get(host_mode), self._modes.get(needed_mode)
        if host is None or needed is None:
            return None
        return (
            host.vendor == needed.vendor and host.track >= needed.track and host.tier >= needed.tier
        )

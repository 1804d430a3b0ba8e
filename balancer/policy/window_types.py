"""Times at which a policy allows more, less, or otherwise. Values only; when one is open is `policy.windows`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from enum import StrEnum
from types import MappingProxyType

from balancer.model.units import Seconds
from balancer.policy.mode import Mode


class Effect(StrEnum):
    """What an open window does."""

    ALLOW = "allow"  # the policy's mode holds; outside of all such windows `outside_windows` does
    DENY = "deny"  # the window's mode is the freest
    SETTINGS = "settings"  # nothing but its settings


NO_SETTINGS: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One window. It opens by `cron`, at `start` on `weekdays`, or from `first` to `last` (whole days).

    `weekdays` count from 0 for Monday; `duration_s` is how long a window of the first two forms stays open.
    Times are those of `time_zone` (IANA name). `settings` is laid over the policy while the window is open,
    in the form of the document.
    """

    name: str
    effect: Effect
    mode: Mode = Mode.OBSERVE
    time_zone: str = "UTC"
    cron: str | None = None
    weekdays: frozenset[int] = frozenset()
    start: time | None = None
    duration_s: Seconds = 0.0
    first: date | None = None
    last: date | None = None
    settings: Mapping[str, object] = field(default_factory=lambda: NO_SETTINGS)

"""Which windows of a policy are open at an instant, what that allows, and when it changes next.

Pure. A window is open from its opening for its duration as time goes by, not as the clock shows: eight
hours from 22:00 end at 07:00 on the night on which the clock is set forward. A window of whole days is
open from the beginning of its first day until the day after its last begins. When a window opens:
`policy.openings`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from balancer.model.reasons import Reason, Refusal
from balancer.policy.mode import Mode
from balancer.policy.openings import DAY, last_opening, next_opening, start_of_day
from balancer.policy.types import Policy
from balancer.policy.window_types import Effect, Window

MOST_EXTENSIONS = 1000
"""Openings of a window that overlap or touch are followed so far; its end lies beyond sight then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowChange:
    """A window opens or closes."""

    at: datetime
    window: str
    opens: bool


def open_windows(windows: Iterable[Window], when: datetime) -> tuple[Window, ...]:
    """Return the windows that are open at an instant (with a time zone), in the order given."""
    return tuple(window for window in windows if is_open(window, when))


def is_open(window: Window, when: datetime) -> bool:
    """Whether a window is open. Its first instant counts, its last does not."""
    if window.first and window.last:
        opens, closes = _whole_days(window)
        return opens <= when < closes
    opened = last_opening(window, when)
    return opened is not None and when < opened + _duration(window)


def closes_at(window: Window, when: datetime) -> datetime | None:
    """Return when a window that is open closes; None where that is out of sight.

    Openings while it is open make it longer.
    """
    if window.first and window.last:
        return _whole_days(window)[1]
    closes = when
    for _ in range(MOST_EXTENSIONS):
        opened = last_opening(window, closes)
        longer = opened + _duration(window) if opened else closes
        if longer <= closes:
            return closes
        closes = longer
    return None


def opens_at(window: Window, when: datetime) -> datetime | None:
    """Return when a window that is closed opens next; None for never again."""
    if window.first and window.last:
        opens, closes = _whole_days(window)
        return opens if when < opens < closes else None
    return next_opening(window, when)


def next_change(policy: Policy, when: datetime) -> WindowChange | None:
    """Return the first opening or closing of a window after an instant, None where none is in sight."""
    changes = [
        WindowChange(at=at, window=window.name, opens=opens)
        for window in policy.windows
        for opens in (not is_open(window, when),)
        if (at := opens_at(window, when) if opens else closes_at(window, when))
    ]
    return min(changes, key=lambda change: change.at, default=None)


def freest_mode(policy: Policy, when: datetime) -> tuple[Mode, Refusal | None]:
    """Return the freest mode that a policy allows at an instant.

    The refusal is there where a window holds the policy's own mode back; it names the window and when
    that will change.
    """
    own = policy.mode or Mode.AUTOMATIC
    held = sorted(_holding(policy, when), key=lambda pair: pair[0].freedom)
    if not held or held[0][0].freedom >= own.freedom:
        return own, None
    mode, detail = held[0]
    return mode, Refusal.of(Reason.WINDOW_CLOSED, detail)


def _holding(policy: Policy, when: datetime) -> Iterable[tuple[Mode, str]]:
    """Yield the modes that windows hold the policy down to, and which windows these are."""
    allowing = [window for window in policy.windows if window.effect is Effect.ALLOW]
    if allowing and not open_windows(allowing, when):
        yield policy.outside_windows, _none_open(policy, allowing, when)
    for window in policy.windows:
        if window.effect is Effect.DENY and is_open(window, when):
            until = _shown(closes_at(window, when), window)
            words = f"until {until}" if until else "with no end in sight"
            yield window.mode, f"window '{window.name}' allows mode {window.mode} {words}"


def _none_open(policy: Policy, allowing: Iterable[Window], when: datetime) -> str:
    opens = [(at, window) for window in allowing if (at := opens_at(window, when))]
    outside = f"mode {policy.outside_windows} while no window is open"
    if not opens:
        return f"{outside}; none opens again"
    at, window = min(opens, key=lambda pair: pair[0])
    return f"{outside}; window '{window.name}' opens {_shown(at, window)}"


def _shown(at: datetime | None, window: Window) -> str:
    return (
        f"{at.astimezone(ZoneInfo(window.time_zone)):%Y-%m-%d %H:%M} {window.time_zone}"
        if at
        else ""
    )


def _whole_days(window: Window) -> tuple[datetime, datetime]:
    """Return when a window of whole days opens and closes."""
    assert window.first, "a window with one of from and until has both"
    assert window.last, "a window with one of from and until has both"
    zone = window.time_zone
    return start_of_day(window.first, zone), start_of_day(window.last + DAY, zone)


def _duration(window: Window) -> timedelta:
    return timedelta(seconds=window.duration_s)

"""The instants at which a window opens, by the clock on the wall of its time zone.

Pure. Two kinds of times, told apart as cron of Debian does. A time of day that is named (`start`, or a
cron whose minute and hour do not begin with `*`) opens once on each of its days: where the change to
summer time skips it, at the moment of the change; where a time exists twice, at the first of both. A cron
that begins with `*` in the minute or the hour follows the clock: what is skipped does not open, what
exists twice opens twice.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from balancer.policy.window_types import Window

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
"""More than any clock was set at a time since there are time zones, and less than between two changes."""


def last_opening(window: Window, when: datetime) -> datetime | None:
    """Return the last opening at or before `when` of a window with cron or weekdays, None for never."""
    zone = ZoneInfo(window.time_zone)
    latest = _wall(when, max(_offset(when, zone), _offset(when - DAY, zone)))
    best: datetime | None = None
    for wall in _walls(window, latest + SECOND, reverse=True):
        instants = _instants(window, wall, zone)
        best = max((i for i in (*instants, best) if i and i <= when), default=None)
        if instants and instants[-1] <= when:
            break  # the later of both instants never grows as the clock on the wall goes back
    return best


def next_opening(window: Window, when: datetime) -> datetime | None:
    """Return the first opening after `when` of a window with cron or weekdays, None for never."""
    zone = ZoneInfo(window.time_zone)
    earliest = _wall(when, min(_offset(when, zone), _offset(when + DAY, zone)))
    best: datetime | None = None
    for wall in _walls(window, earliest - SECOND):
        instants = _instants(window, wall, zone)
        best = min((i for i in (*instants, best) if i and i > when), default=None)
        if instants and instants[0] > when:
            break
    return best


def start_of_day(day: date, time_zone: str) -> datetime:
    """Return the instant at which a day begins: at the change where its midnight is skipped."""
    return _first_instant(datetime.combine(day, time()), ZoneInfo(time_zone))


def _walls(window: Window, start: datetime, *, reverse: bool = False) -> Iterator[datetime]:
    """Yield the times on the wall after (or before) `start`, without a time zone, in order."""
    return CronSim(_expression(window), start, reverse)


def _expression(window: Window) -> str:
    if window.cron:
        return window.cron
    start = window.start or time()
    days = ",".join(str((day + 1) % 7) for day in sorted(window.weekdays))
    return f"{start.minute} {start.hour} * * {days}"


def _follows_the_clock(window: Window) -> bool:
    minute, hour = _expression(window).split()[:2]
    return minute.startswith("*") or hour.startswith("*")


def _instants(window: Window, wall: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
    """Return the instants at which a time on the wall opens the window, in order."""
    if not _follows_the_clock(window):
        return (_first_instant(wall, zone),)
    both = {_instant(wall, zone, fold) for fold in (0, 1)}
    return tuple(sorted(i for i in both if _shows(i, zone) == wall))


def _first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return when the clock first shows a time, or is set past it."""
    instant = _instant(wall, zone, 0)
    if _shows(instant, zone) == wall:
        return instant
    return _change(_instant(wall, zone, 1), instant, zone)


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant with the clock set forward, between two whole seconds around it."""
    new = _offset(after, zone)
    while after - before > SECOND:
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        before, after = (before, middle) if _offset(middle, zone) == new else (middle, after)
    return after


def _instant(wall: datetime, zone: ZoneInfo, fold: int) -> datetime:
    return wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _shows(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _offset(when: datetime, zone: ZoneInfo) -> timedelta:
    return when.astimezone(zone).utcoffset() or timedelta()


def _wall(when: datetime, offset: timedelta) -> datetime:
    return (when.astimezone(UTC).replace(tzinfo=None) + offset).replace(microsecond=0)

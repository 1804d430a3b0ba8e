"""Windows against their slow definition: every minute is looked at, and the clock on the wall read."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from balancer.policy.types import Policy
from balancer.policy.window_types import Effect, Window
from balancer.policy.windows import is_open, next_change
from tests.support.searching import examples

MINUTE = timedelta(minutes=1)
LONGEST_MIN = 3 * 24 * 60

CHANGES = {
    "Europe/Zurich": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "America/New_York": ("2026-03-08T07:00", "2026-11-01T06:00"),
    "Australia/Lord_Howe": ("2026-04-04T15:00", "2026-10-03T15:30"),  # half an hour
    "America/Havana": (
        "2026-03-08T05:00",
        "2026-11-01T05:00",
    ),  # midnight is skipped, or there twice
    "Pacific/Apia": ("2011-12-30T10:00", "2011-04-02T14:00"),  # a whole day is skipped
    "Asia/Kathmandu": ("2026-01-01T00:00",),
    "UTC": ("2024-02-29T12:00", "2026-12-31T23:30"),
}


@dataclass(frozen=True, kw_only=True)
class Times:
    """A cron by its parts; None stands for `*`. `weekdays` as cron counts them, from 0 for Sunday."""

    minutes: frozenset[int] | None
    hours: frozenset[int] | None
    weekdays: frozenset[int] | None

    @property
    def cron(self) -> str:
        def field(numbers: frozenset[int] | None) -> str:
            return "*" if numbers is None else ",".join(map(str, sorted(numbers)))

        return f"{field(self.minutes)} {field(self.hours)} * * {field(self.weekdays)}"

    def match(self, wall: datetime) -> bool:
        pairs = (
            (self.minutes, wall.minute),
            (self.hours, wall.hour),
            (self.weekdays, wall.isoweekday() % 7),
        )
        return all(numbers is None or number in numbers for numbers, number in pairs)

    @property
    def follows_the_clock(self) -> bool:
        return self.minutes is None or self.hours is None


def wall_at(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def opens_slowly(times: Times, instant: datetime, zone: ZoneInfo) -> bool:
    wall = wall_at(instant, zone)
    is_second_time = instant.astimezone(zone).fold == 1
    if times.match(wall) and (times.follows_the_clock or not is_second_time):
        return True
    return not times.follows_the_clock and any(map(times.match, skipped(instant, zone)))


def skipped(instant: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    wall = wall_at(instant - MINUTE, zone) + MINUTE
    while wall < wall_at(instant, zone):
        yield wall
        wall += MINUTE


def is_open_slowly(times: Times, window: Window, when: datetime) -> bool:
    minutes = int(window.duration_s // 60)
    floor = when.replace(second=0, microsecond=0)
    zone = ZoneInfo(window.time_zone)
    return any(opens_slowly(times, floor - n * MINUTE, zone) for n in range(minutes))


all_times = st.builds(
    Times,
    minutes=st.one_of(
        st.none(), st.frozensets(st.sampled_from([0, 1, 15, 29, 30, 31, 59]), min_size=1)
    ),
    hours=st.one_of(
        st.none(), st.frozensets(st.sampled_from([0, 1, 2, 3, 4, 12, 22, 23]), min_size=1)
    ),
    weekdays=st.one_of(st.none(), st.frozensets(st.integers(0, 6), min_size=1)),
)
durations = st.one_of(st.integers(1, 200), st.sampled_from([720, 1440, 1441, LONGEST_MIN]))


@st.composite
def moments(draw: st.DrawFn) -> tuple[str, datetime]:
    """Draw a time zone and an instant near one of its changes."""
    zone = draw(st.sampled_from(sorted(CHANGES)))
    change = datetime.fromisoformat(draw(st.sampled_from(CHANGES[zone]))).replace(tzinfo=UTC)
    away = draw(st.one_of(st.integers(-180, 180), st.integers(-3 * 1440, 3 * 1440)))
    return zone, change + away * MINUTE + timedelta(seconds=draw(st.sampled_from([0, 0, 30, 59.5])))


def window_of(times: Times, zone: str, duration_min: int) -> Window:
    return Window(
        name="w",
        effect=Effect.DENY,
        time_zone=zone,
        cron=times.cron,
        duration_s=60.0 * duration_min,
    )


def at_0230() -> Times:
    return Times(minutes=frozenset({30}), hours=frozenset({2}), weekdays=None)


@examples(100)
@given(all_times, moments(), durations)
@example(at_0230(), ("Europe/Zurich", datetime(2026, 3, 29, 1, 10, tzinfo=UTC)), 20)
@example(at_0230(), ("Europe/Zurich", datetime(2026, 10, 25, 1, 40, tzinfo=UTC)), 20)
@example(at_0230(), ("Europe/Zurich", datetime(2026, 10, 25, 1, 10, tzinfo=UTC)), 60)
def test_a_window_is_open_when_its_slow_definition_says_so(
    times: Times, moment: tuple[str, datetime], duration_min: int
) -> None:
    zone, when = moment
    window = window_of(times, zone, duration_min)

    assert is_open(window, when) == is_open_slowly(times, window, when)


@examples(40)
@given(all_times, moments(), st.integers(1, 300))
def test_the_next_change_is_the_first_minute_at_which_the_slow_definition_differs(
    times: Times, moment: tuple[str, datetime], duration_min: int
) -> None:
    zone, when = moment
    window = window_of(times, zone, duration_min)
    is_open_now = is_open(window, when)

    change = next_change(Policy(windows=(window,)), when)

    if change is None:
        assert all(is_open(window, when + n * MINUTE) for n in range(1000))
        return
    assert change.at > when
    assert change.opens != is_open_now
    assert is_open_slowly(times, window, change.at) == change.opens
    minutes = min(int((change.at - when) / MINUTE), 400)
    last = change.at - MINUTE
    looked_at = [when, last] if minutes > 1 else [when]
    assert all(is_open_slowly(times, window, at) == is_open_now for at in looked_at)
    between = (when + n * MINUTE for n in range(minutes))
    assert all(is_open(window, at) == is_open_now for at in between)


@examples(100)
@given(st.sampled_from([time(2, 30), time(0), time(0, 30), time(23, 59)]), moments(), durations)
def test_weekdays_with_a_start_are_the_cron_of_that_time(
    start: time, moment: tuple[str, datetime], duration_min: int
) -> None:
    zone, when = moment
    times = Times(
        minutes=frozenset({start.minute}),
        hours=frozenset({start.hour}),
        weekdays=frozenset({0, 1, 5}),
    )
    window = Window(
        name="w",
        effect=Effect.DENY,
        time_zone=zone,
        weekdays=frozenset({6, 0, 4}),
        start=start,
        duration_s=60.0 * duration_min,
    )

    assert is_open(window, when) == is_open_slowly(times, window, when)

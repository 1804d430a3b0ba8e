"""Windows by the calendar: which are open, what they allow, and when that changes next."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from balancer.model.reasons import Reason
from balancer.policy.mode import Mode
from balancer.policy.types import Policy
from balancer.policy.window_types import Effect, Window
from balancer.policy.windows import freest_mode, is_open, next_change, open_windows

ZURICH = "Europe/Zurich"


def at(text: str) -> datetime:
    """Return an instant, in UTC where nothing else is said."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def cron(expression: str, *, minutes: int, **facts: object) -> Window:
    known = {"name": "w", "effect": Effect.DENY, "time_zone": ZURICH}
    return Window(cron=expression, duration_s=60.0 * minutes, **(known | facts))  # type: ignore[arg-type]


def nights(**facts: object) -> Window:
    """22:00 to 06:00 from Monday to Friday; the night of Friday ends on Saturday."""
    known: dict[str, object] = {"name": "nights", "effect": Effect.ALLOW, "time_zone": ZURICH}
    known["weekdays"] = frozenset(range(5))
    return Window(
        start=time(22),
        duration_s=8 * 3600.0,
        **(known | facts),  # type: ignore[arg-type]
    )


def days(first: str, last: str, **facts: object) -> Window:
    known: dict[str, object] = {"name": "freeze", "effect": Effect.DENY, "time_zone": ZURICH}
    return Window(
        first=date.fromisoformat(first),
        last=date.fromisoformat(last),
        **(known | facts),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("window", "when", "is_it"),
    [
        pytest.param(nights(), "2026-11-27T22:00+01:00", True, id="its first instant"),
        pytest.param(nights(), "2026-11-27T21:59:59+01:00", False, id="just before"),
        pytest.param(nights(), "2026-11-28T05:59:59+01:00", True, id="across midnight, Saturday"),
        pytest.param(nights(), "2026-11-28T06:00+01:00", False, id="its end does not count"),
        pytest.param(nights(), "2026-11-28T23:00+01:00", False, id="no night of Saturday"),
        pytest.param(nights(), "2027-01-01T01:00+01:00", True, id="across the year's end"),
        pytest.param(cron("30 2 * * *", minutes=60), "2026-03-29T01:00", True, id="no 02:30: opens at 03:00"),
        pytest.param(cron("30 2 * * *", minutes=60), "2026-03-29T00:59", False, id="no 02:30: not before"),
        pytest.param(cron("30 2 * * *", minutes=60), "2026-03-29T01:59", True, id="no 02:30: to 04:00"),
        pytest.param(cron("30 2 * * *", minutes=60), "2026-03-29T02:00", False, id="no 02:30: from 04:00"),
        pytest.param(cron("30 2 * * *", minutes=30), "2026-10-25T00:30", True, id="the first 02:30"),
        pytest.param(cron("30 2 * * *", minutes=30), "2026-10-25T01:30", False, id="the second 02:30"),
        pytest.param(cron("30 2 * * *", minutes=90), "2026-10-25T01:59", True, id="over both"),
        pytest.param(cron("30 * * * *", minutes=9), "2026-10-25T01:30", True, id="each hour: the second too"),
        pytest.param(cron("30 * * * *", minutes=9), "2026-03-29T01:00", False, id="each hour: none skipped"),
        pytest.param(cron("0 0 29 2 *", minutes=600), "2024-02-29T08:59", True, id="a leap day"),
        pytest.param(cron("0 0 29 2 *", minutes=600), "2026-02-28T23:30", False, id="no leap day"),
        pytest.param(cron("0 0 * * *", minutes=1441), "2026-07-01T12:00", True, id="longer than its gap"),
        pytest.param(days("2026-12-24", "2027-01-02"), "2026-12-23T23:00", True, id="the first day"),
        pytest.param(days("2026-12-24", "2027-01-02"), "2026-12-23T22:59", False, id="the eve"),
        pytest.param(days("2026-12-24", "2027-01-02"), "2027-01-02T22:59", True, id="the last day"),
        pytest.param(days("2026-12-24", "2027-01-02"), "2027-01-02T23:00", False, id="the day after"),
        pytest.param(days("2024-02-29", "2024-02-29"), "2024-02-29T22:59", True, id="one leap day"),
        pytest.param(
            days("2026-03-08", "2026-03-08", time_zone="America/Havana"),
            "2026-03-08T05:00",
            True,
            id="a day without its midnight",
        ),
    ],
)  # fmt: skip
def test_a_window_is_open(window: Window, when: str, is_it: bool) -> None:
    assert is_open(window, at(when)) is is_it
    assert open_windows([window], at(when)) == ((window,) if is_it else ())


def test_a_night_on_which_the_clock_is_set_forward_is_as_long_as_any_other() -> None:
    saturday = nights(weekdays=frozenset({5}))
    opened = at("2026-03-28T22:00+01:00")

    change = next_change(Policy(windows=(saturday,)), opened)

    assert change is not None
    assert change.at == at("2026-03-29T07:00+02:00")
    assert change.at - opened == timedelta(hours=8)


@pytest.mark.parametrize(
    ("window", "when", "change_at", "opens"),
    [
        pytest.param(nights(), "2026-11-27T22:00+01:00", "2026-11-28T06:00+01:00", False, id="end"),
        pytest.param(nights(), "2026-11-28T06:00+01:00", "2026-11-30T22:00+01:00", True, id="start"),
        pytest.param(days("2026-12-24", "2027-01-02"), "2026-11-01", "2026-12-23T23:00", True, id="freeze"),
        pytest.param(days("2026-12-24", "2027-01-02"), "2026-12-25", "2027-01-02T23:00", False, id="thaw"),
        pytest.param(cron("0 * * * *", minutes=5), "2026-10-25T00:50", "2026-10-25T01:00", True, id="second 02:00"),
        pytest.param(cron("30 2 * * *", minutes=5), "2026-10-25T00:50", "2026-10-26T01:30", True, id="not again"),
        pytest.param(cron("30 2 * * *", minutes=5), "2026-03-29T00:30", "2026-03-29T01:00", True, id="no 02:30"),
        pytest.param(cron("0 22 * * 1-5", minutes=1440), "2026-11-24", "2026-11-28T21:00", False, id="merged"),
    ],
)  # fmt: skip
def test_the_next_change(window: Window, when: str, change_at: str, opens: bool) -> None:
    change = next_change(Policy(windows=(window,)), at(when))

    assert change is not None
    assert (change.at, change.opens, change.window) == (at(change_at), opens, window.name)


@pytest.mark.parametrize(
    "window",
    [days("2026-12-24", "2027-01-02"), cron("0 0 * * *", minutes=25 * 60)],
    ids=["a freeze that is over", "always open"],
)
def test_what_never_changes_has_no_next_change(window: Window) -> None:
    assert next_change(Policy(windows=(window,)), at("2027-06-01")) is None


def test_a_day_of_25_hours_leaves_one_that_24_hours_do_not_reach() -> None:
    whole_day = cron("0 0 * * *", minutes=24 * 60)

    assert is_open(whole_day, at("2026-10-25T21:59"))
    assert not is_open(whole_day, at("2026-10-25T22:00"))


def test_of_several_windows_the_first_change_counts() -> None:
    policy = Policy(windows=(days("2026-12-24", "2026-12-26"), nights()))

    change = next_change(policy, at("2026-12-23T12:00"))

    assert change is not None
    assert change.window == "nights"


CLOSED = "2026-11-28T12:00+01:00"  # a Saturday
OPEN = "2026-11-26T23:00+01:00"


@pytest.mark.parametrize(
    ("policy", "when", "mode", "words"),
    [
        pytest.param(Policy(), OPEN, Mode.AUTOMATIC, "", id="no word on it"),
        pytest.param(Policy(mode=Mode.MANUAL), OPEN, Mode.MANUAL, "", id="the policy's own"),
        pytest.param(Policy(windows=(nights(),)), OPEN, Mode.AUTOMATIC, "", id="inside"),
        pytest.param(
            Policy(windows=(nights(),)),
            CLOSED,
            Mode.OBSERVE,
            "mode observe while no window is open; window 'nights' opens 2026-11-30 22:00 Europe/Zurich",
            id="outside",
        ),
        pytest.param(
            Policy(windows=(nights(),), outside_windows=Mode.PARTIAL),
            CLOSED,
            Mode.PARTIAL,
            "mode partial while no window is open; window 'nights' opens 2026-11-30 22:00 Europe/Zurich",
            id="outside it is partial",
        ),
        pytest.param(
            Policy(windows=(nights(),), mode=Mode.OBSERVE), CLOSED, Mode.OBSERVE, "", id="not the window"
        ),
        pytest.param(
            Policy(windows=(nights(), days("2026-11-20", "2026-11-30"))),
            OPEN,
            Mode.OBSERVE,
            "window 'freeze' allows mode observe until 2026-12-01 00:00 Europe/Zurich",
            id="deny wins over allow",
        ),
        pytest.param(
            Policy(windows=(days("2026-11-20", "2026-11-30", mode=Mode.PARTIAL),)),
            OPEN,
            Mode.PARTIAL,
            "window 'freeze' allows mode partial until 2026-12-01 00:00 Europe/Zurich",
            id="a milder freeze",
        ),
        pytest.param(
            Policy(windows=(days("2026-01-01", "2026-01-02", effect=Effect.ALLOW),)),
            OPEN,
            Mode.OBSERVE,
            "mode observe while no window is open; none opens again",
            id="never again",
        ),
        pytest.param(
            Policy(windows=(cron("* * * * *", minutes=1),)),
            OPEN,
            Mode.OBSERVE,
            "window 'w' allows mode observe with no end in sight",
            id="always denied",
        ),
    ],
)  # fmt: skip
def test_the_freest_mode_and_what_holds_it_back(
    policy: Policy, when: str, mode: Mode, words: str
) -> None:
    found, refusal = freest_mode(policy, at(when))

    assert found is mode
    assert (refusal.detail if refusal else "") == words
    assert refusal is None or refusal.reason is Reason.WINDOW_CLOSED

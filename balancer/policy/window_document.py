"""Windows of a policy as they are written down, and the mistakes that only show across the keys of one."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field

from balancer.policy.mode import Mode
from balancer.policy.problems import Loc, Mistake, nearest, shown
from balancer.policy.selector_document import DocumentPart, Word
from balancer.policy.unchecked import entries, given, text
from balancer.policy.window_types import NO_SETTINGS, Effect, Window

if TYPE_CHECKING:
    from balancer.policy.document import WindowSettings

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST_MIN = 7 * 24 * 60
CRON_FIELDS = 5
_FORMS = {
    "cron": ("cron", "duration_min"),
    "weekdays": ("weekdays", "start", "duration_min"),
    "from": ("from", "until"),
}
_TIMING = frozenset(key for keys in _FORMS.values() for key in keys)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, KeyError, OSError) as err:
        allowed = "the IANA name of a time zone, such as Europe/Zurich or UTC"
        hint = nearest(name, available_timezones())
        raise ValueError(f"{allowed}; {hint}" if hint else allowed) from err
    return name


def _cron(expression: str) -> str:
    fields = expression.split()
    if len(fields) != CRON_FIELDS:
        raise ValueError("five fields of cron: minute hour day month weekday")
    try:
        next(CronSim(expression, datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as err:
        raise ValueError(f"five fields of cron: minute hour day month weekday; {err}") from err
    except StopIteration as err:
        raise ValueError("a time that comes; on no day of the next 50 years is it so") from err
    return expression


def _time(text: str) -> str:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise ValueError("a time of day such as 22:00")
    return text


def _date(text: str) -> str:
    is_date = re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", text, re.ASCII)
    try:
        date.fromisoformat(text if is_date else "")
    except ValueError as err:
        raise ValueError("a date such as 2026-12-24, from 2000 to 2099") from err
    return text


def _weekday(text: str) -> str:
    if text not in WEEKDAYS:
        raise ValueError(", ".join(WEEKDAYS))
    return text


class WindowDocument(DocumentPart):
    """A time at which a policy allows more, less, or otherwise."""

    name: Word = Field(description="Shown wherever the window is spoken of.")
    description: str = Field(default="", description="For people.")
    effect: Effect = Field(
        description="allow: moves only inside of such windows. deny: none inside. settings: neither."
    )
    mode: Mode = Field(
        default=Mode.OBSERVE, description="deny: the freest mode while the window is open."
    )
    time_zone: Annotated[str, AfterValidator(_zone)] = Field(
        default="UTC", description="IANA name, such as Europe/Zurich."
    )
    cron: Annotated[Word, AfterValidator(_cron)] | None = Field(
        default=None, description="When the window opens: minute hour day month weekday."
    )
    weekdays: tuple[Annotated[str, AfterValidator(_weekday)], ...] | None = Field(
        default=None, min_length=1, description="Days on which it opens: mon to sun."
    )
    start: Annotated[str, AfterValidator(_time)] | None = Field(
        default=None, description="Time of day at which it opens, as 22:00."
    )
    duration_min: Annotated[int, Field(ge=1, le=LONGEST_MIN)] | None = Field(
        default=None, description="Minutes that it stays open, at most a week."
    )
    from_: Annotated[str, AfterValidator(_date)] | None = Field(
        default=None, alias="from", description="First whole day, as 2026-12-24."
    )
    until: Annotated[str, AfterValidator(_date)] | None = Field(
        default=None, description="Last whole day."
    )
    settings: "WindowSettings | None" = Field(
        default=None,
        description="Sections of a policy that are laid over it while the window is open.",
    )

    def value(self) -> Window:
        """Return the values that the program works with; of the settings those that are given."""
        given = self.settings.model_dump(mode="json", exclude_unset=True) if self.settings else {}
        return Window(
            name=self.name,
            effect=self.effect,
            mode=self.mode,
            time_zone=self.time_zone,
            cron=self.cron,
            weekdays=frozenset(WEEKDAYS.index(day) for day in self.weekdays or ()),
            start=time.fromisoformat(self.start) if self.start else None,
            duration_s=60.0 * (self.duration_min or 0),
            first=date.fromisoformat(self.from_) if self.from_ else None,
            last=date.fromisoformat(self.until) if self.until else None,
            settings=_read_only(given) if given else NO_SETTINGS,
        )


def _read_only(values: Mapping[str, object]) -> Mapping[str, object]:
    return MappingProxyType(
        {key: _read_only(v) if isinstance(v, dict) else v for key, v in values.items()}
    )


def window_mistakes(data: object) -> Iterator[Mistake]:
    """Yield what is wrong across the keys of windows, from the plain values of a document."""
    names: set[str] = set()
    for index, entry in entries(data, "windows"):
        path: Loc = ("windows", index)
        window = given(entry)
        name = text(window, "name")
        if name in names:
            found = f"{shown(name)} is given twice"
            yield Mistake(path=(*path, "name"), found=found, allowed="each window once")
        names |= {name} - {""}
        yield from _timing_mistakes(window, path)
        if "mode" in window and window.get("effect") in ("allow", "settings"):
            yield Mistake(path=(*path, "mode"), found="a mode", allowed="only with effect: deny")
        if window.get("effect") == "settings" and not window.get("settings"):
            yield Mistake(path=path, found="no settings", allowed="effect: settings needs some")


def _timing_mistakes(window: Mapping[str, object], path: Loc) -> Iterator[Mistake]:
    timing = window.keys() & _TIMING
    forms = [keys for first, keys in _FORMS.items() if first in timing]
    allowed = "one of: cron, duration_min; weekdays, start, duration_min; from, until"
    if len(forms) != 1 or timing != set(forms[0]):
        found = f"its time as {', '.join(sorted(timing))}" if timing else "no time"
        yield Mistake(path=path, found=found, allowed=allowed)
    first, last = text(window, "from"), text(window, "until")
    if first and last and last < first:
        yield Mistake(path=(*path, "until"), found=shown(last), allowed=f"not before {first}")

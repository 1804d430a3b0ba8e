"""Axes of the lab's charts: from seconds, counts and shares to places in a drawing, with round marks."""

import math
from dataclasses import dataclass

from balancer.expose.charts import Tick
from balancer.model.units import DAY_S, HOUR_S, Seconds

WIDTH = 900.0

_STEPS_S = (
    *(300, 600, 900, 1800, HOUR_S, 2 * HOUR_S, 3 * HOUR_S, 6 * HOUR_S, 12 * HOUR_S),
    *(DAY_S, 2 * DAY_S, 5 * DAY_S, 7 * DAY_S, 14 * DAY_S, 28 * DAY_S),
)
_MOST_TICKS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeAxis:
    """Time from 0 to `end_s` between two places of a drawing."""

    end_s: Seconds
    left: float
    right: float

    def x(self, at_s: Seconds) -> float:
        """Return where an instant stands."""
        share = min(max(at_s, 0.0) / max(self.end_s, 1e-9), 1.0)
        return place(self.left + (self.right - self.left) * share)

    def ticks(self) -> tuple[Tick, ...]:
        """Return marks at round times."""
        step = next((s for s in _STEPS_S if self.end_s / s <= _MOST_TICKS), _STEPS_S[-1])
        step *= max(1, math.ceil(self.end_s / step / (_MOST_TICKS * 2)))
        return tuple(
            Tick(x=self.x(at), label=_clock(at, step)) for at in range(0, int(self.end_s) + 1, step)
        )


def _clock(at_s: int, step_s: int) -> str:
    if step_s % DAY_S == 0:
        return f"day {at_s // DAY_S}"
    if step_s % HOUR_S == 0:
        return f"{at_s // HOUR_S} h"
    return f"{at_s // 60} min"


def when(at_s: Seconds) -> str:
    """Return an instant of a replay for people: `3 d 04:05`, on the first day `04:05`."""
    days, rest = divmod(int(at_s), DAY_S)
    clock = f"{rest // HOUR_S:02}:{rest % HOUR_S // 60:02}"
    return f"{days} d {clock}" if days else clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Figures from `least` to `most` between two places; by their logarithm where `is_log`.

    On a logarithmic scale whatever is at most `least` stands at its lower end.
    """

    least: float
    most: float
    low: float
    high: float
    is_log: bool = False

    def at(self, value: float) -> float:
        """Return where a figure stands."""
        share = self._share(min(max(value, self.least), self.most))
        return place(self.low + (self.high - self.low) * share)

    def _share(self, value: float) -> float:
        if self.most <= self.least:
            return 0.0
        if self.is_log:
            return math.log(value / self.least) / math.log(self.most / self.least)
        return (value - self.least) / (self.most - self.least)

    def marks(self) -> tuple[float, ...]:
        """Return round figures within the scale."""
        if self.is_log:
            first, last = math.ceil(_log(self.least)), math.floor(_log(self.most))
            return tuple(10.0**power for power in range(first, last + 1))
        step = _round_step(self.most - self.least)
        count = int((self.most - self.least) / step + 1e-9)
        return tuple(self.least + step * number for number in range(count + 1))


def _log(value: float) -> float:
    return round(math.log10(value), 9)


def _round_step(span: float, most: int = 6) -> float:
    """Return a step of 1, 2 or 5 times a power of ten that divides a span into few pieces."""
    if span <= 0.0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(power * factor for factor in (1, 2, 5, 10, 20) if span / (power * factor) <= most)


def scale_for(values: list[float], low: float, high: float, *, may_be_log: bool = True) -> Scale:
    """Return a scale from 0, or a logarithmic one where the figures above 0 differ by more than thirty times."""
    above = [value for value in values if value > 0.0]
    most = max(above, default=1.0)
    if may_be_log and above and most / min(above) > 30.0:
        return Scale(
            least=10.0 ** math.floor(math.log10(min(above)) - 0.3),
            most=most * 1.5,
            low=low,
            high=high,
            is_log=True,
        )
    return Scale(least=0.0, most=most * 1.05, low=low, high=high)


def place(value: float) -> float:
    """Return a coordinate with one digit."""
    return round(value, 1) + 0.0


def brief(value: float) -> str:
    """Return a figure for an axis, without an exponent where it is written in a few digits."""
    if value >= 100.0 or value == 0.0:
        return f"{value:,.0f}"
    return f"{value:.6g}" if value >= 1e-4 else f"{value:.0e}"

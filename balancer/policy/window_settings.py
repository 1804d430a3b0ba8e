"""What does not fit together once the settings of windows are laid over a policy.

Owns the mistakes that span a window and what is around it: the rest of the policy, or another window
that may be open at the same time. Ranges and unknown keys are the document's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations_with_replacement
from typing import Protocol

from balancer.policy.problems import Loc, Mistake
from balancer.policy.unchecked import entries, part, text


class Ordered(Protocol):
    """Two settings of one section, of which the first must be below (or at most) the second."""

    @property
    def section(self) -> str:
        """Return the section of both."""

    @property
    def low(self) -> str:
        """Return the name of the lower one."""

    @property
    def high(self) -> str:
        """Return the name of the higher one."""

    @property
    def holds(self) -> Callable[[float, float], bool]:
        """Return what must hold of both."""

    @property
    def words(self) -> str:
        """Return what the lower one must be, as in "less than"."""

    @property
    def words_back(self) -> str:
        """Return what the higher one must be."""


Around = Callable[[Ordered, str], float | None]
"""Gives a setting of the policy without its windows."""

Laid = tuple[int, Mapping[str, object]]


def settings_mistakes(data: object, orders: Sequence[Ordered], around: Around) -> Iterator[Mistake]:
    """Yield the settings of windows that do not fit, from the plain values of a document.

    Of two windows that are open at the same time the later one wins, setting by setting.
    """
    windows = list(entries(data, "windows"))
    for order in orders:
        for lower, upper in combinations_with_replacement(windows, 2):
            yield from _mistake(order, lower, upper, around)


def _mistake(order: Ordered, under: Laid, over: Laid, around: Around) -> Iterator[Mistake]:
    low, low_at = _found(order, order.low, under, over, around)
    high, high_at = _found(order, order.high, under, over, around)
    if low is None or high is None or order.holds(low, high):
        return
    if {low_at, high_at} - {None} != {under[0], over[0]}:
        return  # told of one window alone, or of the policy itself
    place, name, value, words = low_at, order.low, low, order.words
    other, limit, other_at = order.high, high, high_at
    if place is None or (other_at is not None and other_at > place):
        place, name, value, words = high_at, order.high, high, order.words_back
        other, limit, other_at = order.low, low, low_at
    yield Mistake(
        path=_path(place, order.section, name),
        found=f"{value:g}, while {order.section}.{other} is {limit:g}{_of(other_at, under)}",
        allowed=f"{words} {other}",
    )


def _found(
    order: Ordered, name: str, under: Laid, over: Laid, around: Around
) -> tuple[float | None, int | None]:
    """Return a setting with both windows open, and the window that it comes from."""
    for index, window in (over, under):
        value = part(window.get("settings"), order.section).get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value, index
    return around(order, name), None


def _path(window: int | None, section: str, name: str) -> Loc:
    return ("windows", window or 0, "settings", section, name)


def _of(window: int | None, under: Laid) -> str:
    """Say which other window a setting comes from."""
    if window is None:
        return " in the policy"
    return f" in window '{text(under[1], 'name')}'" if window == under[0] else ""

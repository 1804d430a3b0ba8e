"""What does not fit together in one policy or between several: settings, and rules of one name.

Owns the pairs of settings of which one must be below the other, whatever file or window they come from, and
the names that mean two things. Works on documents that may be wrong in any other way: what cannot be
compared is passed over, the typed documents report it. Pure.
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from balancer.policy.document import MOST_WINDOWS
from balancer.policy.layers import Merged, Setting, layer_of
from balancer.policy.problems import Mistake, path_text, shown
from balancer.policy.strict_yaml import YamlFile
from balancer.policy.types import Limits, Thresholds
from balancer.policy.unchecked import entries, text
from balancer.policy.window_settings import Ordered, settings_mistakes


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Two settings of one section, of which the first must be below (or at most) the second."""

    section: str
    low: str
    high: str
    holds: Callable[[float, float], bool] = operator.le

    @property
    def words(self) -> str:
        """Return what the lower one must be."""
        return "at most" if self.holds is operator.le else "less than"

    @property
    def words_back(self) -> str:
        """Return what the higher one must be."""
        return "at least" if self.holds is operator.le else "more than"


ORDERS = (
    Order(section="thresholds", low="balance_target", high="balance_trigger", holds=operator.lt),
    Order(section="thresholds", low="cpu_contention", high="cpu_ceiling", holds=operator.lt),
    Order(section="thresholds", low="memory_contention", high="memory_ceiling", holds=operator.lt),
    Order(section="thresholds", low="vm_count_target", high="vm_count_trigger", holds=operator.lt),
    Order(section="limits", low="moves_per_run_at_least", high="moves_per_run_at_most"),
    Order(section="limits", low="migrations_per_host", high="migrations_per_cluster"),
    Order(section="limits", low="migrations_per_cluster", high="migrations_per_vcenter"),
    Order(section="limits", low="failed_vm_hold_s", high="failed_vm_quarantine_s"),
)
_DEFAULTS = {"thresholds": Thresholds(), "limits": Limits()}

Told = tuple[YamlFile, Mistake]
"""A mistake and the file that it stands in."""


def disagreements(files: Sequence[YamlFile]) -> list[Told]:
    """Return what does not fit together in these files, in the order in which they are laid."""
    merged = _merged(files)
    windows = sum(len(list(entries(file.data, "windows"))) for file in files)
    few = files if windows <= MOST_WINDOWS else ()
    return [
        *_too_many(files, windows),
        *_contradictions(merged),
        *_of_windows(few, merged),
        *_between_windows(few),
        *_two_of_a_name(files, "rules"),
        *_two_of_a_name(files, "windows"),
    ]


def _merged(files: Sequence[YamlFile], opened: frozenset[tuple[str, str]] = frozenset()) -> Merged:
    merged = Merged()
    for file in files:
        merged.lay(layer_of(file, [window for name, window in opened if name == file.name]))
    return merged


def _contradictions(merged: Merged) -> Iterator[Told]:
    for order in ORDERS:
        low, high = _number(merged, order, order.low), _number(merged, order, order.high)
        if low is not None and high is not None and not order.holds(low, high):
            yield _contradiction(merged, order, low, high)


def _contradiction(merged: Merged, order: Order, low: float, high: float) -> Told:
    sides, words = [(order.low, low), (order.high, high)], order.words
    at_low = merged.settings.get((order.section, order.low))
    if at_low is None or at_low.is_implied:
        sides, words = sides[::-1], order.words_back
    (name, value), (other, limit) = sides
    setting = merged.settings[order.section, name]
    mistake = Mistake(
        path=setting.at,
        found=f"{value:g}, while {order.section}.{other} is {limit:g}",
        allowed=f"{words} {other}",
        hint=f"see {_place(merged.settings.get((order.section, other)), order, other)}",
    )
    return setting.file, mistake


def _place(setting: Setting | None, order: Order, name: str) -> str:
    return setting.place if setting else f"the default of {path_text((order.section, name))}"


def _number(merged: Merged, order: Ordered, name: str) -> float | None:
    """Return a setting as it is given or its default, None where it is no number."""
    setting = merged.settings.get((order.section, name))
    value = setting.value if setting else getattr(_DEFAULTS[order.section], name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _too_many(files: Sequence[YamlFile], windows: int) -> Iterator[Told]:
    """Yield that there are too many windows in all files together; of one alone the document says so."""
    if windows > MOST_WINDOWS and len(files) > 1:
        found = f"{windows} windows in all files of the cluster together"
        mistake = Mistake(path=("windows",), found=found, allowed=f"at most {MOST_WINDOWS}")
        yield files[-1], mistake


def _of_windows(files: Sequence[YamlFile], merged: Merged) -> Iterator[Told]:
    """Yield what does not fit in the windows of each file."""
    for file in files:
        found = settings_mistakes(file.data, ORDERS, lambda one, name: _number(merged, one, name))
        yield from ((file, mistake) for mistake in found)


def _between_windows(files: Sequence[YamlFile]) -> Iterator[Told]:
    """Yield what does not fit while a window of one file and one of another are open.

    A setting that counts while many windows are open counts while its own and any one other are: pairs do.
    """
    windows = [(file.name, name) for file in files for name in _with_settings(file)]
    pairs = [pair for pair in combinations(windows, 2) if pair[0][0] != pair[1][0]]
    alone = {window for pair in pairs for window in pair}
    told = {
        _key(one)
        for window in alone
        for one in _contradictions(_merged(files, frozenset({window})))
    }
    for pair in pairs:
        for one in _contradictions(_merged(files, frozenset(pair))):
            if _key(one) not in told:
                told.add(_key(one))
                yield one


def _with_settings(file: YamlFile) -> list[str]:
    windows = entries(file.data, "windows")
    return [text(window, "name") for _, window in windows if window.get("settings")]


def _key(told: Told) -> tuple[str, Mistake]:
    return told[0].name, told[1]


def _two_of_a_name(files: Sequence[YamlFile], key: str) -> Iterator[Told]:
    """Yield entries of a list that are named as one of an earlier file and say something else."""
    seen: dict[str, tuple[YamlFile, int, Mapping[str, object]]] = {}
    for file in files:
        for index, entry in entries(file.data, key):
            name = text(entry, "name")
            first = seen.setdefault(name, (file, index, entry))
            if not name or first[0] is file or _content(first[2]) == _content(entry):
                continue
            where = first[0].where((key, first[1]))
            yield (
                file,
                Mistake(
                    path=(key, index, "name"),
                    found=f"{shown(name)} says something else in {where}",
                    allowed="one meaning for a name in all files of a cluster",
                    hint="give one of the two another name",
                ),
            )


def _content(entry: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in entry.items() if key != "description"}

"""Finds policy files, merges them in order, and turns them into one `Policy`.

It owns where policies are looked for and what settings must hold together (a target below its trigger).
A later file wins over an earlier one, setting by setting. All problems of all files are reported at once.
"""

import json
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from balancer.model.errors import InputError, Problem
from balancer.policy.document import PolicyDocument, policy_from
from balancer.policy.file_access import files_in, is_file, is_folder
from balancer.policy.problems import Mistake, nearest, path_text
from balancer.policy.rule_document import rule_mistakes
from balancer.policy.strict_yaml import YamlFile, YamlPath, read_yaml
from balancer.policy.typed_document import place, typed
from balancer.policy.types import Limits, Policy, Thresholds
from balancer.policy.unchecked import mapping
from balancer.policy.window_document import window_mistakes
from balancer.policy.window_settings import Ordered, settings_mistakes

DEFAULT_POLICY = "balanced"
SITE_FOLDER = Path("/etc/balancer/policies")
_SUFFIXES = (".yaml", ".yml")


def packaged_folder() -> Path:
    """Return the folder of the shipped policies, in an installed wheel or in a source tree."""
    package = Path(__file__).parents[1]
    installed = package / "_policies"
    return installed if is_folder(installed) else package.parent / "policies"


def load_policies(
    names_or_paths: Sequence[str], *, folders: Sequence[Path] = (), base: Path | None = None
) -> Policy:
    """Return the policy that the named files give together; later ones win. None named: "balanced".

    A name is looked for in `folders`, in /etc/balancer/policies and among the shipped ones, in this
    order; what contains a slash or ends in .yaml is a path, relative to `base` (or where we are).

    Raises:
        InputError: every problem of every file, with file, line and column.
    """
    return policy_from(
        _Merged(read_policies(names_or_paths, folders=folders, base=base)).document()
    )


def read_policies(
    names_or_paths: Sequence[str], *, folders: Sequence[Path] = (), base: Path | None = None
) -> tuple[YamlFile, ...]:
    """Return the named files, checked one by one and together; see `compose.load_policy_set`.

    Raises:
        InputError: every problem of every file, with file, line and column.
    """
    wanted = list(names_or_paths) or [DEFAULT_POLICY]
    read = [_read(name, folders, base) for name in wanted]
    files = tuple(one for one in read if isinstance(one, YamlFile))
    merged = _Merged(files)
    problems = [problem for one in read for problem in _problems(one, merged)]
    if problems:
        raise InputError(f"policy {' + '.join(wanted)}", tuple(dict.fromkeys(problems)))
    return files


def _read(name: str, folders: Sequence[Path], base: Path | None) -> YamlFile | InputError:
    try:
        return read_yaml(_find(name, folders, base))
    except InputError as err:
        return err


def _problems(read: YamlFile | InputError, merged: "_Merged") -> tuple[Problem, ...]:
    if isinstance(read, InputError):
        return read.problems
    try:
        typed(
            read,
            PolicyDocument,
            also=[
                *(each.mistake for each in merged.contradictions() if each.file is read),
                *rule_mistakes(read.data),
                *window_mistakes(read.data),
                *settings_mistakes(read.data, _ORDERS, merged.number),
            ],
        )
    except InputError as err:
        return err.problems
    return ()


def policy_names(folders: Sequence[Path] = ()) -> tuple[str, ...]:
    """Return the names of all policies that can be found, sorted."""
    found = (path for folder in _places(folders) for path in _listed(folder))
    return tuple(sorted({path.stem for path in found}))


def _places(folders: Sequence[Path]) -> tuple[Path, ...]:
    return (*folders, SITE_FOLDER, packaged_folder())


def _listed(folder: Path) -> list[Path]:
    return [path for path in files_in(folder) if path.suffix in _SUFFIXES]


def _find(name: str, folders: Sequence[Path], base: Path | None) -> Path:
    if "/" in name or name.endswith(_SUFFIXES):
        return (base or Path()) / name
    for folder in _places(folders):
        for suffix in _SUFFIXES:
            path = folder / f"{name}{suffix}"
            if is_file(path):
                return path
    names = policy_names(folders)
    problem = Problem(
        where=f"policy {name!r}",
        found=f"not found in {', '.join(map(str, _places(folders)))}",
        allowed=f"a path, or one of {', '.join(names)}",
        hint=nearest(name, names),
    )
    raise InputError(f"policy {name}", (problem,))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """Two settings of one section, of which the first must be below (or at most) the second."""

    section: str
    low: str
    high: str
    holds: Callable[[float, float], bool] = operator.le

    @property
    def words(self) -> str:
        return "at most" if self.holds is operator.le else "less than"

    @property
    def words_back(self) -> str:
        return "at least" if self.holds is operator.le else "more than"


_ORDERS = (
    _Order(section="thresholds", low="balance_target", high="balance_trigger", holds=operator.lt),
    _Order(section="thresholds", low="cpu_contention", high="cpu_ceiling", holds=operator.lt),
    _Order(section="thresholds", low="memory_contention", high="memory_ceiling", holds=operator.lt),
    _Order(section="thresholds", low="vm_count_target", high="vm_count_trigger", holds=operator.lt),
    _Order(section="limits", low="moves_per_run_at_least", high="moves_per_run_at_most"),
    _Order(section="limits", low="migrations_per_host", high="migrations_per_cluster"),
    _Order(section="limits", low="migrations_per_cluster", high="migrations_per_vcenter"),
    _Order(section="limits", low="failed_vm_hold_s", high="failed_vm_quarantine_s"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contradiction:
    """Two settings that do not fit each other, told at one of them, which stands in `file`."""

    file: YamlFile
    mistake: Mistake


class _Merged:
    """The settings of all files as they are written, right or wrong, and the file of each."""

    def __init__(self, files: Sequence[YamlFile]) -> None:
        self._settings: dict[str, object] = {}
        self._files: dict[YamlPath, YamlFile] = {}
        for file in files:
            self._add(file)

    def _add(self, file: YamlFile) -> None:
        """Lay one file's settings over those before it."""
        for key, value in mapping(file.data).items():
            section = self._settings.get(key)
            if isinstance(section, dict):
                value = {**section, **mapping(value)}  # noqa: PLW2901
            self._settings[key] = value
        self._files |= dict.fromkeys(file.values, file)

    def document(self) -> PolicyDocument:
        """Return the whole as a typed document; each file must have been read as one before."""
        return PolicyDocument.model_validate_json(json.dumps(self._settings))

    def contradictions(self) -> list[_Contradiction]:
        """Return the settings that do not fit each other, defaults included."""
        return [found for order in _ORDERS for found in self._contradiction(order)]

    def _contradiction(self, order: _Order) -> Iterator[_Contradiction]:
        low, high = self.number(order, order.low), self.number(order, order.high)
        if low is None or high is None or order.holds(low, high):
            return
        sides, words = [(order.low, low), (order.high, high)], order.words
        if (order.section, order.low) not in self._files:
            sides, words = sides[::-1], order.words_back
        (name, value), (other, limit) = sides
        mistake = Mistake(
            path=(order.section, name),
            found=f"{value:g}, while {order.section}.{other} is {limit:g}",
            allowed=f"{words} {other}",
            hint=f"see {self._place(order, other)}",
        )
        yield _Contradiction(file=self._files[order.section, name], mistake=mistake)

    def number(self, order: Ordered, name: str) -> float | None:
        """Return a setting as it is given or its default, None where it is no number."""
        default = getattr(_DEFAULTS[order.section], name)
        value = mapping(self._settings.get(order.section)).get(name, default)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    def _place(self, order: _Order, name: str) -> str:
        path = (order.section, name)
        file = self._files.get(path)
        return place(file, path) if file else f"the default of {path_text(path)}"


_DEFAULTS = {"thresholds": Thresholds(), "limits": Limits()}

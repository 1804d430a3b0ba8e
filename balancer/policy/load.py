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
from balancer.policy.problems import nearest, path_text
from balancer.policy.strict_yaml import YamlFile, YamlPath, read_yaml
from balancer.policy.typed_document import place, typed
from balancer.policy.types import Limits, Policy, Thresholds

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
    merged, problems = _Merged(), list[Problem]()
    wanted = list(names_or_paths) or [DEFAULT_POLICY]
    for name in wanted:
        try:
            file = read_yaml(_find(name, folders, base))
            merged.add(file)
            typed(file, PolicyDocument)
        except InputError as err:
            problems += err.problems
    problems += merged.contradictions()
    if problems:
        raise InputError(f"policy {' + '.join(wanted)}", tuple(problems))
    return policy_from(merged.document())


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


_ORDERS = (
    _Order(section="thresholds", low="balance_target", high="balance_trigger", holds=operator.lt),
    _Order(section="thresholds", low="cpu_contention", high="cpu_ceiling", holds=operator.lt),
    _Order(section="thresholds", low="memory_contention", high="memory_ceiling", holds=operator.lt),
    _Order(section="limits", low="moves_per_run_at_least", high="moves_per_run_at_most"),
    _Order(section="limits", low="migrations_per_host", high="migrations_per_cluster"),
    _Order(section="limits", low="migrations_per_cluster", high="migrations_per_vcenter"),
    _Order(section="limits", low="failed_vm_hold_s", high="failed_vm_quarantine_s"),
)


class _Merged:
    """The settings of all files so far as they are written, and the place of each."""

    def __init__(self) -> None:
        self._settings: dict[str, object] = {}
        self._places: dict[YamlPath, str] = {}

    def add(self, file: YamlFile) -> None:
        """Lay one file's settings over those before it."""
        for key, value in file.data.items() if isinstance(file.data, dict) else ():
            section = self._settings.get(key)
            if isinstance(value, dict) and isinstance(section, dict):
                value = section | value  # noqa: PLW2901
            self._settings[key] = value
            self._places |= {path: place(file, path) for path in file.values if path[:1] == (key,)}

    def document(self) -> PolicyDocument:
        """Return the whole as a typed document; each file must have been read as one before."""
        return PolicyDocument.model_validate_json(json.dumps(self._settings))

    def contradictions(self) -> list[Problem]:
        """Return the settings that do not fit each other, defaults included."""
        return [problem for order in _ORDERS for problem in self._contradiction(order)]

    def _contradiction(self, order: _Order) -> Iterator[Problem]:
        low, high = self._number(order, order.low), self._number(order, order.high)
        if low is None or high is None or order.holds(low, high):
            return
        yield Problem(
            where=self._place(order, order.low),
            found=f"{low:g}, while {order.section}.{order.high} is {high:g}",
            allowed=f"{order.words} {order.high}",
            hint=f"see {self._place(order, order.high)}",
        )

    def _number(self, order: _Order, name: str) -> float | None:
        default = getattr(_DEFAULTS[order.section], name)
        section = self._settings.get(order.section, {})
        value = section.get(name, default) if isinstance(section, dict) else default
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    def _place(self, order: _Order, name: str) -> str:
        path = (order.section, name)
        return self._places.get(path, f"the default of {path_text(path)}")


_DEFAULTS = {"thresholds": Thresholds(), "limits": Limits()}

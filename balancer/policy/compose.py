"""Makes one policy of several files, for every moment: what counts, where it comes from, what conflicts.

The one place that knows the order of files (see `policy.layers`) and which files apply to a cluster. A file
that does not apply is left out, and that is told; where none applies there is no policy, which is an error.
It reads files once, in `load_policy_set`; a `PolicySet` never changes.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from balancer.model.errors import InputError, Problem
from balancer.policy.agreement import Told, disagreements
from balancer.policy.document import PolicyDocument, policy_from
from balancer.policy.layers import LISTS, Merged, SettingConflict, layer_of
from balancer.policy.load import DEFAULT_POLICY, own_problems, read_policy
from balancer.policy.pattern import matches_glob
from balancer.policy.problems import path_text
from balancer.policy.strict_yaml import YamlFile
from balancer.policy.types import Policy
from balancer.policy.unchecked import entries, mapping, text, texts
from balancer.policy.windows import open_windows


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A file that does not apply, and why."""

    file: str
    why: str

    def __str__(self) -> str:
        """Return the fact as a line for people."""
        return f"{self.file} is left out: {self.why}"


class PolicySet:
    """What several files say together, in their order."""

    def __init__(self, files: Sequence[YamlFile], *, left_out: Sequence[LeftOut] = ()) -> None:
        """Take files that were checked, one by one and together."""
        self._files = tuple(files)
        self.left_out = tuple(left_out)
        self._made: dict[frozenset[str], Policy] = {}
        self.without_windows: Policy = self._policy(frozenset())

    def __eq__(self, other: object) -> bool:
        """Whether both say the same at every moment, and the same of where it is written."""
        if not isinstance(other, PolicySet):
            return NotImplemented
        return (self._files, self.left_out) == (other._files, other.left_out)

    def __hash__(self) -> int:
        """Return a number that equal ones share."""
        return hash(self.files)

    @property
    def files(self) -> tuple[str, ...]:
        """Return the files that count, in their order."""
        return tuple(file.name for file in self._files)

    def at(self, when: datetime) -> Policy:
        """Return the policy in force at a moment (with a time zone): settings of open windows laid over."""
        return self._policy(self._open(when))

    @property
    def origins(self) -> Mapping[str, str]:
        """Return where each setting and rule that a file gives comes from while no window is open.

        Keys are dotted paths: `limits.residence_s`, and `rules.NAME` for a rule. What is not in it is a
        default.
        """
        return self._origins(frozenset())

    def origins_at(self, when: datetime) -> Mapping[str, str]:
        """Return the same with the windows that are open at a moment."""
        return self._origins(self._open(when))

    @property
    def conflicts(self) -> tuple[SettingConflict, ...]:
        """Return the settings that files give differently, with what counts, while no window is open."""
        return tuple(self._merged(frozenset()).conflicts)

    def _open(self, when: datetime) -> frozenset[str]:
        return frozenset(window.name for window in open_windows(self.without_windows.windows, when))

    def _merged(self, opened: frozenset[str]) -> Merged:
        merged = Merged()
        for file in self._files:
            merged.lay(layer_of(file, opened))
        return merged

    def _policy(self, opened: frozenset[str]) -> Policy:
        if opened not in self._made:
            self._made[opened] = self._make(opened)
        return self._made[opened]

    def _make(self, opened: frozenset[str]) -> Policy:
        data = self._merged(opened).document() | _head(self._files)
        for key in LISTS:
            data[key] = [entry for _, entry in self._entries(key)]
        policy = policy_from(PolicyDocument.model_validate_json(json.dumps(data)))
        places = [place for place, _ in self._entries("rules")]
        rules = zip(policy.rules, places, strict=True)
        return replace(policy, rules=tuple(replace(rule, origin=at) for rule, at in rules))

    def _entries(self, key: str) -> Iterator[tuple[str, Mapping[str, object]]]:
        """Yield the entries of a list in all files, each with its place; what is given twice once."""
        seen: set[str] = set()
        for file in self._files:
            for index, entry in entries(file.data, key):
                name = text(entry, "name")
                if name not in seen:
                    seen |= {name} - {""}
                    yield file.where((key, index)), entry

    def _origins(self, opened: frozenset[str]) -> Mapping[str, str]:
        settings = self._merged(opened).settings
        found = {path_text(path): setting.place for path, setting in settings.items()}
        for key in ("rules", "windows"):
            found |= {f"{key}.{text(e, 'name')}": place for place, e in self._entries(key)}
        found |= {f"vm_modes[{n}]": at for n, (at, _) in enumerate(self._entries("vm_modes"))}
        return MappingProxyType(found)


def load_policy_set(
    names_or_paths: Sequence[str],
    *,
    folders: Sequence[Path] = (),
    base: Path | None = None,
    vcenter: str | None = None,
    cluster: str | None = None,
) -> PolicySet:
    """Read the named files ("balanced" where none is named) and compose those that apply.

    A name is looked for in `folders`, in /etc/balancer/policies and among the shipped ones, in this order;
    what contains a slash or ends in .yaml is a path, relative to `base` (or where we are). `vcenter` and
    `cluster` are names; None where not known: every policy applies then.

    Raises:
        InputError: every problem of every file, with file, line and column; or no file applies.
    """
    wanted = list(names_or_paths) or [DEFAULT_POLICY]
    read = [_read(name, folders, base) for name in wanted]
    files = [one for one in read if isinstance(one, YamlFile)]
    why_not = {file.name: _why_not(file, vcenter, cluster) for file in files}
    applying = [file for file in files if not why_not[file.name]]
    problems = _problems(read, disagreements(applying))
    left_out = [LeftOut(file=name, why=why) for name, why in why_not.items() if why]
    if not problems and not applying:
        problems = [_does_not_apply(one) for one in left_out]
    if problems:
        raise InputError(f"policy {' + '.join(wanted)}", tuple(dict.fromkeys(problems)))
    return PolicySet(applying, left_out=left_out)


def _read(name: str, folders: Sequence[Path], base: Path | None) -> YamlFile | InputError:
    try:
        return read_policy(name, folders=folders, base=base)
    except InputError as err:
        return err


def _problems(read: Iterable[YamlFile | InputError], told: Sequence[Told]) -> list[Problem]:
    found: list[Problem] = []
    for one in read:
        if isinstance(one, InputError):
            found += one.problems
        else:
            found += own_problems(one, also=[mistake for file, mistake in told if file is one])
    return found


def _does_not_apply(one: LeftOut) -> Problem:
    allowed = "one policy at least that applies to the cluster"
    return Problem(where=one.file, found=one.why, allowed=allowed)


def _why_not(file: YamlFile, vcenter: str | None, cluster: str | None) -> str:
    """Return why a file does not apply, or nothing where it does."""
    scope = mapping(mapping(file.data).get("applies_to"))
    for key, what, name in (("vcenters", "vCenter", vcenter), ("clusters", "cluster", cluster)):
        globs = texts(scope, key)
        if name is not None and globs and not any(matches_glob(glob, name) for glob in globs):
            at = file.where(("applies_to", key))
            return f"it applies to {what} {', '.join(globs)} ({at}) and not to {name}"
    return ""


def _head(files: Sequence[YamlFile]) -> dict[str, object]:
    """Return what a policy of several files is called: the names and words of the last that gives any."""
    given = [mapping(file.data) for file in files]
    keys = ("apiVersion", "kind", "name", "description")
    return {key: data[key] for data in given for key in keys if key in data}

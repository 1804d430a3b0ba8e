"""Lays the settings of several policy files over each other, and remembers where each value comes from.

A later file wins, setting by setting; where a setting has a stricter side (`policy.strictness`) the
strictest of what the files give wins; the shipped policy "balanced" gives nothing there, as it only writes
out the defaults. A migration threshold counts as the settings that it stands for,
below those that its own file sets. Settings of an open window replace those of the file that it stands
in, before the files come together: a window frees or binds its own file, never another one. Rules, windows
and modes of VMs are not settings: those of all files count. Pure; the files were checked before.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from balancer.policy.levels import LEVELS, level_settings
from balancer.policy.load import DEFAULT_POLICY, packaged_folder
from balancer.policy.problems import path_text
from balancer.policy.strict_yaml import YamlFile, YamlPath
from balancer.policy.strictness import STRICTER, is_stricter
from balancer.policy.typed_document import place
from balancer.policy.unchecked import entries, mapping, text

SettingPath = tuple[str, ...]

LISTS = ("rules", "windows", "vm_modes")
_LEVEL = "migration_threshold"
_HEAD = frozenset({"apiVersion", "kind", "name", "description", "applies_to", *LISTS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One value that a file gives, and its place in the file.

    `is_implied` marks what a migration threshold stands for; the place is that of the threshold.
    `is_default` marks what the shipped policy "balanced" says.
    """

    path: SettingPath
    value: object
    file: YamlFile
    at: YamlPath
    is_implied: bool = False

    @property
    def is_default(self) -> bool:
        """Whether it is a default written out, in the shipped policy "balanced"."""
        return Path(self.file.name) == packaged_folder() / f"{DEFAULT_POLICY}.yaml"

    @property
    def place(self) -> str:
        """Return `file:line:column: path.of.the.setting`."""
        return place(self.file, self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingConflict:
    """Two files give a setting differently: the value that counts, and one that does not."""

    kept: Setting
    lost: Setting

    def __str__(self) -> str:
        """Return the conflict as a line for people."""
        side = STRICTER.get(self.kept.path)
        why = f"the stricter one ({side.value}) counts" if side else "the later file counts"
        return (
            f"{path_text(self.kept.path)} is {self.kept.value} in {self.kept.place} and"
            f" {self.lost.value} in {self.lost.place}: {why}"
        )


@dataclass(slots=True)
class Merged:
    """The settings of all files so far, by path, and the values that lost against others."""

    settings: dict[SettingPath, Setting] = field(default_factory=dict)
    conflicts: list[SettingConflict] = field(default_factory=list)

    def lay(self, layer: Iterable[Setting]) -> None:
        """Lay the settings of one more file over those before it."""
        for new in layer:
            old = self.settings.get(new.path)
            if old is None:
                self.settings[new.path] = new
                continue
            kept, lost = (old, new) if _outweighs(old, new) else (new, old)
            self.settings[new.path] = kept
            if kept.value != lost.value and not lost.is_default:
                self.conflicts.append(SettingConflict(kept=kept, lost=lost))

    def document(self) -> dict[str, object]:
        """Return the settings in the form of a document."""
        found: dict[str, object] = {}
        for path, setting in self.settings.items():
            if len(path) == 1:
                found[path[0]] = setting.value
                continue
            section = found.setdefault(path[0], {})
            assert isinstance(section, dict), "a section is a mapping in every file"
            section[path[1]] = setting.value
        return found


def _outweighs(old: Setting, new: Setting) -> bool:
    """Whether a setting stays as an earlier file gives it."""
    if new.path not in STRICTER or old.is_default:
        return False
    return new.is_default or not is_stricter(new.path, new.value, old.value)


def layer_of(file: YamlFile, open_windows: Iterable[str] = ()) -> list[Setting]:
    """Return the settings of one file with those of its open windows laid over, in the order of the file."""
    found = _with_level(file, file.data, ())
    wanted = frozenset(open_windows)
    for index, window in entries(file.data, "windows"):
        if text(window, "name") in wanted:
            found |= _with_level(file, window.get("settings"), ("windows", index, "settings"))
    return list(found.values())


def _with_level(file: YamlFile, data: object, at: YamlPath) -> dict[SettingPath, Setting]:
    """Return the settings of a mapping, laid over what its migration threshold stands for."""
    found = {one.path: one for one in _implied(file, data, at)}
    return found | {one.path: one for one in _settings(file, data, at)}


def _implied(file: YamlFile, data: object, at: YamlPath) -> Iterator[Setting]:
    level = mapping(data).get(_LEVEL)
    if not isinstance(level, int) or level not in LEVELS:
        return
    for section, values in level_settings(level).items():
        for name, value in values.items():
            path = (section, name)
            yield Setting(path=path, value=value, file=file, at=(*at, _LEVEL), is_implied=True)


def _settings(file: YamlFile, data: object, at: YamlPath) -> Iterator[Setting]:
    for key, value in mapping(data).items():
        if key in _HEAD:
            continue
        if not isinstance(value, Mapping):
            yield Setting(path=(key,), value=value, file=file, at=(*at, key))
            continue
        for name, inner in value.items():
            yield Setting(path=(key, name), value=inner, file=file, at=(*at, key, name))

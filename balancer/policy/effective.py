"""What a composed policy says at a moment, setting by setting, with where each value comes from. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime

from balancer.policy.compose import PolicySet
from balancer.policy.types import Policy

_NO_SETTINGS = frozenset({"name", "description", "applies_to", "windows", "rules", "vm_modes"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveSetting:
    """One setting: its dotted path, its value, and the origin of it in words.

    `origin` is `default`, `file:line:column`, `migration_threshold N (file:line:column)`, or
    `window NAME (file:line:column)`.
    """

    path: str
    value: object
    origin: str

    @property
    def is_default(self) -> bool:
        """Whether no file gives it."""
        return self.origin == "default"


def effective_settings(policies: PolicySet, when: datetime) -> tuple[EffectiveSetting, ...]:
    """Return every setting at a moment (with a time zone), in the order of the document."""
    policy, origins = policies.at(when), policies.origins_at(when)
    return tuple(
        EffectiveSetting(path=path, value=value, origin=_origin(path, origins, policy))
        for path, value in _settings(policy)
    )


def _settings(policy: Policy) -> Iterator[tuple[str, object]]:
    for field in fields(policy):
        if field.name in _NO_SETTINGS:
            continue
        value = getattr(policy, field.name)
        if is_dataclass(value):
            yield from ((f"{field.name}.{f.name}", getattr(value, f.name)) for f in fields(value))
        elif isinstance(value, Mapping):
            yield from ((f"{field.name}.{key}", inner) for key, inner in value.items())
        else:
            yield field.name, value


def _origin(path: str, origins: Mapping[str, str], policy: Policy) -> str:
    """Turn the place of a setting, `file:line:column: path`, into words."""
    if path not in origins:
        return "default"
    where, _, written = origins[path].rpartition(": ")
    words = []
    if written.startswith("windows["):
        words.append(f"window {_window(where, origins)}")
    if written.endswith("migration_threshold") and path != "migration_threshold":
        words.append(f"migration_threshold {policy.migration_threshold}")
    return f"{', '.join(words)} ({where})" if words else where


def _window(where: str, origins: Mapping[str, str]) -> str:
    """Return the window that a place lies in: the last one of its file that begins before it."""
    file, line = _file_and_line(where)
    starts = [
        (_file_and_line(place)[1], key.removeprefix("windows."))
        for key, place in origins.items()
        if key.startswith("windows.") and _file_and_line(place)[0] == file
    ]
    return max(((at, name) for at, name in starts if at <= line), default=((0, 0), "of the file"))[
        1
    ]


def _file_and_line(place: str) -> tuple[str, tuple[int, int]]:
    file, line, column = place.rsplit(":", 2)
    return file, (int(line), int(column))

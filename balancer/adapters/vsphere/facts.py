"""One object as the property collector returned it, read by path and by expected type.

Owns the untyped values of the wire and is where they end: what leaves here is a plain value, an id, or a
pyVmomi object whose class was checked. Never turns "not there" into 0. Used by the translations of
hosts, VMs and the cluster.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from pyVmomi.VmomiSupport import ManagedObject

log = logging.getLogger(__name__)

T = TypeVar("T")
_LARGEST = 2**63 - 1

_UNEXPECTED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a translation raises on a value of a shape that it does not know."""


class Link(NamedTuple):
    """A reference to a managed object: its class, such as `HostSystem`, and its id."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The properties of one object. `denied` are paths that the server would not show."""

    id: str
    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)
    denied: frozenset[str] = frozenset()

    def translated(self, translate: "Callable[[Facts], T | None]") -> T | None:
        """Return what a translation makes of this object; None, and it is told, for a value of no known shape."""
        try:
            return translate(self)
        except _UNEXPECTED as err:
            told = " ".join(str(err).split())[:200]
            extra = {"kind": self.kind, "id": self.id, "error": told}
            log.warning("object could not be translated", extra=extra)
            return None

    def text(self, path: str) -> str | None:
        """Return a string or an enumeration's word; None where it is unset or empty."""
        value = self.values.get(path)
        return str(value) if isinstance(value, str) and value else None

    def number(self, path: str) -> float | None:
        """Return a number, None where it is unset or negative (vSphere's "no data", "no limit").

        None, too, for what is no number (NaN) or larger than the wire's `long` can be.
        """
        value = self.values.get(path)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value) if 0 <= value <= _LARGEST else None

    def count(self, path: str) -> int | None:
        """Return a whole number, None where it is unset or negative."""
        value = self.number(path)
        return None if value is None else int(value)

    def flag(self, path: str) -> bool | None:
        """Return a boolean, None where it is unset."""
        value = self.values.get(path)
        return value if isinstance(value, bool) else None

    def time(self, path: str) -> datetime | None:
        """Return an instant in UTC, None where it is unset."""
        value = self.values.get(path)
        return in_utc(value) if isinstance(value, datetime) else None

    def ref(self, path: str) -> str | None:
        """Return the id of one managed object, None where it is unset."""
        return object_id(self.values.get(path))

    def ref_kind(self, path: str) -> str | None:
        """Return the class of one managed object, such as `Folder`; None where it is unset."""
        value = self.values.get(path)
        if isinstance(value, Link):
            return value.kind
        return type(value).__name__.rsplit(".", 1)[-1] if isinstance(value, ManagedObject) else None

    def refs(self, path: str) -> frozenset[str]:
        """Return the ids of a list of managed objects, empty where it is unset."""
        return frozenset(i for i in map(object_id, self._list(path)) if i is not None)

    def words(self, path: str) -> frozenset[str]:
        """Return a list of strings as a set, empty where it is unset."""
        return frozenset(str(item) for item in self._list(path) if isinstance(item, str))

    def one(self, path: str, kind: type[T]) -> T | None:
        """Return a data object of the given class, None where it is unset or of another class."""
        value = self.values.get(path)
        return value if isinstance(value, kind) else None

    def many(self, path: str, kind: type[T]) -> tuple[T, ...]:
        """Return the members of a list that are of the given class, in the server's order."""
        return tuple(item for item in self._list(path) if isinstance(item, kind))

    def holds_any(self, path: str) -> bool:
        """Whether a list has members."""
        return bool(self._list(path))

    def has(self, path: str) -> bool:
        """Whether the server gave a value for the path."""
        return self.values.get(path) is not None

    def _list(self, path: str) -> Sequence[Any]:
        value = self.values.get(path)
        return value if isinstance(value, list) else ()


def object_id(value: object) -> str | None:
    """Return the id of a managed object, such as `host-12`; None for anything else."""
    if isinstance(value, Link):
        return value.id
    if not isinstance(value, ManagedObject):
        return None
    return str(value._GetMoId())  # type: ignore[no-untyped-call]  # pyVmomi's run-time part


def in_utc(moment: datetime) -> datetime:
    """Return an instant in UTC; one without a zone is taken as UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)

"""Properties in bulk: container view, RetrievePropertiesEx with pages, and what to do with a bad object.

Owns the mechanics of the property collector. Never asks attribute by attribute, and destroys every view
it makes. Reads whose paths all end in leaf values are parsed here, and those with structures where they say
so (`Wanted.is_bulk`); the others by pyVmomi. Both give the same facts. One object that cannot be read costs
that object and not the page: the parser leaves it out, and where a page cannot be read at all its other
objects are found by halving. Sits between `reader` and the stub.
"""

# mypy: disable-error-code="no-untyped-call"
# pyVmomi marks itself as typed, its run-time part is not.

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pyVmomi import vim, vmodl
from pyVmomi.VmomiSupport import IsChildVersion, ManagedObject  # type: ignore[attr-defined]

from balancer.adapters.vsphere.facts import Facts, object_id
from balancer.adapters.vsphere.leaf_answer import LeafPage, read_page
from balancer.adapters.vsphere.leaves import is_leaf
from balancer.adapters.vsphere.session import Opened
from balancer.adapters.vsphere.structures import PATHS
from balancer.adapters.vsphere.stub import CallFailed, Unreadable

_QUERY = vmodl.query.PropertyCollector
_FIRST: Any = _QUERY.RetrievePropertiesEx
_NEXT: Any = _QUERY.ContinueRetrievePropertiesEx


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """The objects that could be read, by id; the ids that could not; the ids that are gone.

    `incomplete` are those of the read ones that lack what could not be read and is not needed.
    """

    objects: tuple[Facts, ...] = ()
    unreadable: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    incomplete: frozenset[str] = frozenset()

    def joined(self, *others: "Retrieved") -> "Retrieved":
        """Return all together; of an object read twice the later reading counts."""
        parts = (self, *others)
        by_id = {facts.id: facts for part in parts for facts in part.objects}
        return Retrieved(
            objects=tuple(by_id[key] for key in sorted(by_id)),
            unreadable=frozenset().union(*(part.unreadable for part in parts)),
            gone=frozenset().union(*(part.gone for part in parts)),
            incomplete=frozenset().union(*(part.incomplete for part in parts)),
        )

    def extended(self, extra: "Retrieved") -> "Retrieved":
        """Return these objects with the values of another read; one that it lacks is incomplete."""
        more = {facts.id: facts for facts in extra.objects}
        return replace(
            self,
            objects=tuple(_whole([f, more[f.id]]) if f.id in more else f for f in self.objects),
            incomplete=frozenset(f.id for f in self.objects if f.id not in more),
        )

    def condensed(self, condense: Callable[[Facts], Facts]) -> "Retrieved":
        """Return the objects as `condense` gives them; one of which it cannot make anything is unreadable."""
        short = {facts.id: facts.translated(condense) for facts in self.objects}
        return replace(
            self,
            objects=tuple(facts for facts in short.values() if facts is not None),
            unreadable=self.unreadable | {key for key, facts in short.items() if facts is None},
        )

    def but(self, others: "Retrieved") -> "Retrieved":
        """Return all but the objects that `others` has."""
        left_out = {facts.id for facts in others.objects}
        return replace(self, objects=tuple(f for f in self.objects if f.id not in left_out))

    def together(self, *others: "Retrieved") -> "Retrieved":
        """Return the objects that every read has, with the values of all; the others are named as lost.

        An object that one of the reads did not meet went away between them.
        """
        if not others:
            return self
        parts = (self, *others)
        unreadable = frozenset().union(*(part.unreadable for part in parts))
        by_id = [{facts.id: facts for facts in part.objects} for part in parts]
        everywhere = set(by_id[0]).intersection(*by_id[1:])
        anywhere = set(by_id[0]).union(*by_id[1:])
        lost = frozenset().union(*(part.gone for part in parts)) | (anywhere - everywhere)
        return Retrieved(
            objects=tuple(_whole([part[key] for part in by_id]) for key in sorted(everywhere)),
            unreadable=unreadable,
            gone=lost - unreadable,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to read: paths of objects of one class.

    `is_bulk`: of very many objects, so that structures among them are parsed here where they can be.
    `condense` makes of an object what is kept of it, page by page; see `Retrieved.condensed`.
    """

    kind: type[ManagedObject]
    paths: tuple[str, ...]
    is_bulk: bool = False
    condense: Callable[[Facts], Facts] | None = None

    def with_extra(self, extra: "Wanted | None") -> "Wanted":
        """Return both as one read."""
        if extra is None:
            return self
        first, second = self.condense, extra.condense
        both = [each for each in (first, second) if each is not None]
        return replace(
            self,
            paths=self.paths + extra.paths,
            condense=partial(_in_turn, tuple(both)) if both else None,
        )

    def structures(self) -> frozenset[str] | None:
        """Return the structures that are parsed here; None where pyVmomi parses the whole answer."""
        known = PATHS.get(_name(self.kind), frozenset()) if self.is_bulk else frozenset()
        nested = frozenset(path for path in self.paths if not is_leaf(self.kind, path))
        return nested if nested <= known else None

    def parts(self) -> "tuple[Wanted, ...]":
        """Return the leaf values and the structures, by pyVmomi, as reads of their own, without an empty one."""
        leaves = tuple(path for path in self.paths if is_leaf(self.kind, path))
        structures = tuple(path for path in self.paths if path not in leaves)
        return tuple(Wanted(kind=self.kind, paths=part) for part in (leaves, structures) if part)


def _name(kind: type) -> str:
    return kind.__name__.rsplit(".", 1)[-1]


def _in_turn(steps: Sequence[Callable[[Facts], Facts]], facts: Facts) -> Facts:
    for step in steps:
        facts = step(facts)
    return facts


def _whole(parts: Sequence[Facts]) -> Facts:
    return Facts(
        id=parts[0].id,
        kind=parts[0].kind,
        values={path: value for facts in parts for path, value in facts.values.items()},
        denied=frozenset().union(*(facts.denied for facts in parts)),
    )


def known_paths(kind: type[ManagedObject], paths: Iterable[str], version: str) -> tuple[str, ...]:
    """Return the paths that exist in an API version, in their order.

    One path that is newer than the server makes it refuse the whole call with `InvalidProperty`. The
    versions are those of pyVmomi's own type tables. A path into a subclass, which the declared type
    does not have, is kept.
    """
    return tuple(path for path in paths if _exists(kind, path, version))


def _exists(kind: type, path: str, version: str) -> bool:
    owner = kind
    for name in path.split("."):
        try:
            info = owner._GetPropertyInfo(name)  # type: ignore[attr-defined]
        except AttributeError:
            return True
        if not IsChildVersion(version, info.version):
            return False
        owner = getattr(info.type, "Item", info.type)
    return True


def retrieve_below(
    opened: Opened, container: vim.ManagedEntity, wanted: Wanted, *, page_size: int
) -> Retrieved:
    """Read every object of a class below a container (recursively), `page_size` at a time.

    Raises:
        CallFailed: the connection failed.
        vmodl.MethodFault: the server refused.
    """
    manager = opened.content.viewManager
    if manager is None:
        return Retrieved()
    view = manager.CreateContainerView(container, [wanted.kind], True)
    try:
        return _through_view(opened, view, wanted, page_size)
    finally:
        # A view that cannot be destroyed dies with the session.
        with contextlib.suppress(CallFailed, vmodl.MethodFault):
            view.DestroyView()


def retrieve_along(
    opened: Opened, start: ManagedObject, path: str, wanted: Wanted, *, page_size: int
) -> Retrieved:
    """Read the objects that one property of `start` refers to."""
    step = _QUERY.TraversalSpec(name="step", type=type(start), path=path, skip=False)
    spec = _QUERY.ObjectSpec(obj=start, skip=True, selectSet=[step])
    pages = _Pages(opened, wanted)
    pages.read([spec], page_size)
    return pages.result()


def retrieve_these(
    opened: Opened, refs: Sequence[ManagedObject], wanted: Wanted, *, page_size: int
) -> Retrieved:
    """Read the named objects; those that are gone or unreadable are named in the result."""
    starts = range(0, len(refs), page_size)
    return Retrieved().joined(
        *(_halving(opened, refs[start : start + page_size], wanted) for start in starts)
    )


def reference(opened: Opened, kind: type[ManagedObject], key: str) -> ManagedObject:
    """Return a reference to a managed object, without asking whether it exists."""
    made: ManagedObject = kind(key, opened.stub)
    return made


def _through_view(
    opened: Opened, view: vim.view.ContainerView, wanted: Wanted, page_size: int
) -> Retrieved:
    step = _QUERY.TraversalSpec(name="view", type=type(view), path="view", skip=False)
    spec = _QUERY.ObjectSpec(obj=view, skip=True, selectSet=[step])
    pages = _Pages(opened, wanted)
    try:
        pages.read([spec], page_size)
    except Unreadable:
        seen = pages.result()
        read = seen.unreadable.union(facts.id for facts in seen.objects)
        left = [ref for ref in _members(opened, view) if object_id(ref) not in read]
        return seen.joined(retrieve_these(opened, left, wanted, page_size=page_size))
    return pages.result()


def _members(opened: Opened, view: vim.view.ContainerView) -> list[ManagedObject]:
    spec = _QUERY.PropertySpec(type=type(view), pathSet=["view"], all=False)
    filters = [_QUERY.FilterSpec(objectSet=[_QUERY.ObjectSpec(obj=view)], propSet=[spec])]
    answer = opened.content.propertyCollector.RetrievePropertiesEx(
        filters, _QUERY.RetrieveOptions()
    )
    objects = answer.objects if answer is not None else []
    return [ref for item in objects for prop in item.propSet for ref in prop.val]


def _halving(opened: Opened, refs: Sequence[ManagedObject], wanted: Wanted) -> Retrieved:
    pages = _Pages(opened, wanted)
    try:
        pages.read([_QUERY.ObjectSpec(obj=ref, skip=False) for ref in refs], len(refs))
    except Unreadable:
        if len(refs) == 1:
            return Retrieved(unreadable=frozenset({str(object_id(refs[0]))}))
    except vmodl.fault.ManagedObjectNotFound:
        if len(refs) == 1:
            return Retrieved(gone=frozenset({str(object_id(refs[0]))}))
    else:
        return pages.result()
    middle = len(refs) // 2
    first = _halving(opened, refs[:middle], wanted)
    return first.joined(_halving(opened, refs[middle:], wanted))


class _Pages:
    """Collects pages; what was read stays when a later page cannot be."""

    def __init__(self, opened: Opened, wanted: Wanted) -> None:
        self._stub = opened.stub
        self._collector = opened.content.propertyCollector
        self._paths = known_paths(wanted.kind, wanted.paths, opened.version)
        self._kind = wanted.kind
        self._structures = replace(wanted, paths=self._paths).structures()
        self._condense = wanted.condense
        self._facts: dict[str, Facts] = {}
        self._unreadable: set[str] = set()

    def read(self, starts: list[vmodl.query.PropertyCollector.ObjectSpec], page_size: int) -> None:
        spec = _QUERY.PropertySpec(type=self._kind, pathSet=list(self._paths), all=False)
        filters = [_QUERY.FilterSpec(objectSet=starts, propSet=[spec])]
        options = _QUERY.RetrieveOptions(maxObjects=page_size)
        call = self._page if self._structures is None else self._leaf_page
        token = call(_FIRST.info, filters, options)
        while token:
            token = call(_NEXT.info, token)

    def result(self) -> Retrieved:
        return Retrieved(
            objects=tuple(self._facts[key] for key in sorted(self._facts)),
            unreadable=frozenset(self._unreadable),
        )

    def _leaf_page(self, method: Any, *args: Any) -> str:
        parse = partial(read_page, paths=self._paths, structures=self._structures or ())
        page: LeafPage = self._stub.parsed(self._collector, method, args, parse)
        self._add(Retrieved(objects=page.objects, unreadable=page.unreadable))
        return page.token

    def _page(self, method: Any, *args: Any) -> str:
        page = self._stub.InvokeMethod(self._collector, method, args)
        if page is None:
            return ""
        self._add(Retrieved(objects=tuple(map(_facts, page.objects))))
        return page.token or ""

    def _add(self, page: Retrieved) -> None:
        short = page if self._condense is None else page.condensed(self._condense)
        self._facts.update((facts.id, facts) for facts in short.objects)
        self._unreadable |= short.unreadable


def _facts(content: vmodl.query.PropertyCollector.ObjectContent) -> Facts:
    for entry in content.missingSet:
        if isinstance(entry.fault, vim.fault.NotAuthenticated):
            raise entry.fault
    return Facts(
        id=str(object_id(content.obj)),
        kind=_name(type(content.obj)),
        values={prop.name: prop.val for prop in content.propSet},
        denied=frozenset(entry.path for entry in content.missingSet),
    )

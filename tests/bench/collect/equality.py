"""Whether our parser and pyVmomi give the same values, property by property, over the wire."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyVmomi import vim
from pyVmomi.VmomiSupport import ManagedObject

from balancer.adapters.vsphere.facts import Link, object_id
from balancer.adapters.vsphere.observer import Unobserved
from balancer.adapters.vsphere.retrieve import Wanted, retrieve_below
from balancer.adapters.vsphere.session import LoginGuard, Opened, Session
from tests.bench.collect.paths import READS
from tests.bench.collect.target import Target
from tests.support.wire import QUERY

PLAIN_TYPES = (bool, int, float, str, datetime)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """How many values were compared, and the first of those that differ."""

    values: int
    differing: int
    examples: tuple[str, ...]


def differences(target: Target) -> Compared:
    """Read the leaf values of hosts and VMs both ways and compare them."""
    settings = target.settings()
    session = Session(
        settings, guard=LoginGuard(), observer=Unobserved(), timeout_s=settings.read_timeout_s
    )
    try:
        pairs = [
            pair
            for _, kind, paths in READS["leaves"]
            for pair in compared(session.opened(), kind, paths, page_size=target.page_size)
        ]
    finally:
        session.close()
    wrong = [
        f"{key} {path}: {ours!r} {theirs!r}" for key, path, ours, theirs in pairs if ours != theirs
    ]
    return Compared(values=len(pairs), differing=len(wrong), examples=tuple(wrong[:3]))


def compared(
    opened: Opened, kind: Any, paths: tuple[str, ...], *, page_size: int
) -> list[tuple[str, str, Any, Any]]:
    """Return id, path, our value and pyVmomi's of everything that either of both read."""
    root, wanted = opened.content.rootFolder, Wanted(kind=kind, paths=paths)
    ours = {
        f.id: f.values for f in retrieve_below(opened, root, wanted, page_size=page_size).objects
    }
    theirs = {
        str(object_id(content.obj)): {p.name: normal(p.val) for p in content.propSet}
        for content in _plain(opened, kind, paths)
    }
    rows = []
    for key in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(key, {}), theirs.get(key, {})
        for path in sorted(mine.keys() | other.keys()):
            rows.append((key, path, typed(mine.get(path)), typed(other.get(path))))
    return rows


def normal(value: Any) -> Any:
    """Return pyVmomi's value with references as links."""
    if isinstance(value, list):
        return [normal(item) for item in value]
    if isinstance(value, ManagedObject):
        return Link(kind=type(value).__name__.rsplit(".", 1)[-1], id=str(object_id(value)))
    return value


def typed(value: Any) -> Any:
    """Return a value with the plain type that it is of, so that 1, 1.0 and True differ."""
    if isinstance(value, Link):
        return ("Link", *value)
    if isinstance(value, list):
        return [typed(item) for item in value]
    name = next((kind.__name__ for kind in PLAIN_TYPES if isinstance(value, kind)), "none")
    return (name, value)


def _plain(opened: Opened, kind: Any, paths: tuple[str, ...]) -> list[Any]:
    view = opened.content.viewManager.CreateContainerView(opened.content.rootFolder, [kind], True)
    through = QUERY.TraversalSpec(type=vim.view.ContainerView, path="view", skip=False)
    start = QUERY.ObjectSpec(obj=view, skip=True, selectSet=[through])
    properties = QUERY.PropertySpec(type=kind, pathSet=list(paths))
    spec = QUERY.FilterSpec(objectSet=[start], propSet=[properties])
    collector = opened.content.propertyCollector
    answer = collector.RetrievePropertiesEx([spec], QUERY.RetrieveOptions(maxObjects=500))
    found = list(answer.objects) if answer is not None else []
    while answer is not None and answer.token:
        answer = collector.ContinueRetrievePropertiesEx(answer.token)
        found.extend(answer.objects)
    view.Destroy()
    return found

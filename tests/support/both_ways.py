"""Properties read both ways over the wire: by the adapter, and by pyVmomi with nothing of ours between."""

from datetime import datetime
from typing import Any

from pyVmomi import vim
from pyVmomi.VmomiSupport import ManagedObject

from balancer.adapters.vsphere.facts import Link, object_id
from balancer.adapters.vsphere.retrieve import Wanted, retrieve_below
from balancer.adapters.vsphere.session import Opened
from tests.support.wire import QUERY

PLAIN_TYPES = (bool, int, float, str, datetime)


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
    content: Any = opened.content
    view = content.viewManager.CreateContainerView(content.rootFolder, [kind], True)
    through = QUERY.TraversalSpec(type=vim.view.ContainerView, path="view", skip=False)
    start = QUERY.ObjectSpec(obj=view, skip=True, selectSet=[through])
    properties = QUERY.PropertySpec(type=kind, pathSet=list(paths))
    spec = QUERY.FilterSpec(objectSet=[start], propSet=[properties])
    collector = content.propertyCollector
    answer = collector.RetrievePropertiesEx([spec], QUERY.RetrieveOptions(maxObjects=500))
    found = list(answer.objects) if answer is not None else []
    while answer is not None and answer.token:
        answer = collector.ContinueRetrievePropertiesEx(answer.token)
        found.extend(answer.objects)
    view.Destroy()
    return found

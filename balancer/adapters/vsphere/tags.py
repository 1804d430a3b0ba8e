"""vSphere tags of VMs and hosts, as `category:name`.

Owns the reading in bulk, a cache of what is attached (minutes) and of names (an hour), and the degrading:
where the REST API or the right is missing, the snapshot says so in `Source.tags`, which is not the same as
"has no tags". Never raises and never delays a snapshot for longer than `WITHIN_S`, nor after a failure
before `PAUSE_S` have passed. SOAP does not show tags (`ManagedEntity.tag` is something older).
Source: vSphere Automation API, `tagging.TagAssociation.listAttachedTagsOnObjects`, `tagging.Tag.get`,
`tagging.Category.get`.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TypeVar

from balancer.adapters.vsphere.observer import RequestObserver
from balancer.adapters.vsphere.rest import RestApi, RestFailed, RestSession
from balancer.model.drafts import changed
from balancer.model.host import Host
from balancer.model.snapshot import Snapshot, TagsState
from balancer.model.units import Seconds
from balancer.model.vm import Vm

log = logging.getLogger(__name__)

WITHIN_S: Seconds = 15.0
PAUSE_S: Seconds = 60.0
ATTACHED_KEPT_S: Seconds = 300.0
NAMES_KEPT_S: Seconds = 3600.0
_BATCH = 1000
"""Objects in one question. Believed to be well within what every release answers in a few seconds."""

_NOT_SHOWN = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})
_KINDS = {"vm-": "VirtualMachine", "host-": "HostSystem"}
Item = TypeVar("Item", Host, Vm)


@dataclass(slots=True)
class _Attached:
    """What the server said of which object, and when."""

    at_s: Seconds
    tags: frozenset[str]


class Tags:
    """The tags of one vCenter's objects. For one thread at a time, as the inventory that asks."""

    def __init__(
        self,
        api: RestApi | None,
        *,
        observer: RequestObserver,
        monotonic: Callable[[], Seconds] = time.monotonic,
    ) -> None:
        self._api = api
        self._observer = observer
        self._monotonic = monotonic
        self._attached: dict[str, _Attached] = {}
        self._names: dict[str, tuple[Seconds, str | None]] = {}
        self._failed: tuple[Seconds, TagsState] | None = None

    def put_on(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with the tags of its VMs and hosts, and with what is known of them.

        Where they are not known no object has any. Asks the server only for objects whose tags are
        not known, or were read more than `ATTACHED_KEPT_S` ago.
        """
        ids = [*snapshot.vm_by_id, *snapshot.host_by_id]
        state = self._refreshed(ids)
        by_id = self._named(ids) if state.shows_some else {}
        return replace(
            snapshot,
            vms=_tagged(snapshot.vms, by_id),
            hosts=_tagged(snapshot.hosts, by_id),
            source=replace(snapshot.source, tags=state),
        )

    def told(self, snapshot: Snapshot) -> Snapshot:
        """Tell the observer of how many objects the tags are not known and why, the zeros too."""
        objects = len(snapshot.vms) + len(snapshot.hosts)
        for state in TagsState:
            if not state.is_known:
                count = objects if state is snapshot.source.tags else 0
                self._observer.rejected("tags", state.value, count)
        return snapshot

    def _refreshed(self, ids: Sequence[str]) -> TagsState:
        if self._api is None:
            return TagsState.OFF
        now = self._monotonic()
        self._attached = {
            key: entry
            for key, entry in self._attached.items()
            if 0 <= now - entry.at_s < ATTACHED_KEPT_S
        }
        missing = [key for key in ids if key not in self._attached]
        if missing:
            failure = self._read(missing, now)
            if failure is not None:
                return failure
        return TagsState.KNOWN if self._all_named(ids) else TagsState.INCOMPLETE

    def _read(self, missing: Sequence[str], now: Seconds) -> TagsState | None:
        """Read what is missing; return why that could not be done, or None."""
        if self._failed is not None and 0 <= now - self._failed[0] < PAUSE_S:
            return self._failed[1]
        assert self._api is not None
        try:
            with self._api.session(WITHIN_S) as session:
                for key, tags in _attached(session, missing):
                    self._attached[key] = _Attached(at_s=now, tags=tags)
                self._name(session, now)
        except RestFailed as err:
            self._failed = (now, err.state)
            extra = {"state": err.state.value, "error": str(err)}
            log.warning("tags could not be read", extra=extra)
            return err.state
        self._failed = None
        return None

    def _name(self, session: RestSession, now: Seconds) -> None:
        names = {k: v for k, v in self._names.items() if 0 <= now - v[0] < NAMES_KEPT_S}
        wanted = {tag for entry in self._attached.values() for tag in entry.tags} - names.keys()
        categories: dict[str, str | None] = {}
        for tag in sorted(wanted):
            names[tag] = (now, _name_of(session, tag, categories))
        self._names = names

    def _named(self, ids: Iterable[str]) -> dict[str, frozenset[str]]:
        """Return the names by object; those of one set of tags are put together once."""
        by_tags: dict[frozenset[str], frozenset[str]] = {}
        found = {}
        for key in ids:
            tags = self._attached[key].tags
            if tags not in by_tags:
                names = (self._names[tag][1] for tag in tags if tag in self._names)
                by_tags[tags] = frozenset(name for name in names if name is not None)
            found[key] = by_tags[tags]
        return found

    def _all_named(self, ids: Iterable[str]) -> bool:
        used = {tag for key in ids if key in self._attached for tag in self._attached[key].tags}
        return all(self._names.get(tag, (0.0, None))[1] is not None for tag in used)


def _tagged(items: tuple[Item, ...], by_id: Mapping[str, frozenset[str]]) -> tuple[Item, ...]:
    none: frozenset[str] = frozenset()
    return tuple(
        item
        if item.tags == by_id.get(item.id, none)
        else changed(item, tags=by_id.get(item.id, none))
        for item in items
    )


def _attached(session: RestSession, ids: Sequence[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the tag ids of every object that was asked for; none for those that the answer leaves out."""
    for start in range(0, len(ids), _BATCH):
        batch = ids[start : start + _BATCH]
        objects = [{"id": key, "type": _kind(key)} for key in batch]
        answer = session.act(
            "tag-association", "list-attached-tags-on-objects", {"object_ids": objects}
        )
        found = dict(_entries(answer))
        for key in batch:
            yield key, found.get(key, frozenset())


def _kind(key: str) -> str:
    return next((kind for start, kind in _KINDS.items() if key.startswith(start)), "VirtualMachine")


def _entries(answer: object) -> Iterator[tuple[str, frozenset[str]]]:
    if not isinstance(answer, list):
        raise RestFailed(TagsState.UNREADABLE, "the attached tags are no list")
    for entry in answer:
        whom = entry.get("object_id") if isinstance(entry, dict) else None
        tags = entry.get("tag_ids") if isinstance(entry, dict) else None
        key = whom.get("id") if isinstance(whom, dict) else None
        if not isinstance(key, str) or not isinstance(tags, list | None):
            raise RestFailed(TagsState.UNREADABLE, "an object's tags are not as they should be")
        yield key, frozenset(tag for tag in tags or () if isinstance(tag, str))


def _name_of(session: RestSession, tag: str, categories: dict[str, str | None]) -> str | None:
    """Return `category:name`, None where the account may not see it or its words are not as they should be."""
    known = _shown(session, "tag", tag)
    name, category = known.get("name"), known.get("category_id")
    if not isinstance(name, str) or not isinstance(category, str):
        return None
    if category not in categories:
        word = _shown(session, "category", category).get("name")
        categories[category] = word if isinstance(word, str) else None
    return None if categories[category] is None else f"{categories[category]}:{name}"


def _shown(session: RestSession, kind: str, key: str) -> Mapping[str, object]:
    """Return what the server shows of a tag or category; nothing where it shows none to us."""
    try:
        answer = session.get(kind, key)
    except RestFailed as err:
        if err.status in _NOT_SHOWN:
            return {}
        raise
    return answer if isinstance(answer, dict) else {}

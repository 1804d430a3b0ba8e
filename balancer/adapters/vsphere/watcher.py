"""The thread that listens for changes at one vCenter: wakes cycles, empties caches, gives up quietly.

Owns a session of its own, since a waiting call would hold a reader's connection. Whatever goes wrong here
costs hints and nothing else: cycles go on by the clock, and a warning and a metric say so. Must always end
within ten seconds after `close`. Started by the daemon, never by a command.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from pyVmomi import vim, vmodl

from balancer.adapters.vsphere.observer import ChangeObserver
from balancer.adapters.vsphere.session import Opened, Session
from balancer.adapters.vsphere.stub import UNREADABLE, CallFailed
from balancer.adapters.vsphere.updates import UpdateFeed
from balancer.adapters.vsphere.wording import source_error
from balancer.model.changes import Change
from balancer.model.errors import SourceError
from balancer.model.units import ClusterId, HostId, Seconds, VmId

log = logging.getLogger(__name__)

WAIT_S = 25.0
"""How long the server lets one call wait. Firewalls forget silent connections after a minute or more."""

ANSWER_WITHIN_S = 45.0
"""The time of a call with its wait; a connection that died in silence is found then."""

_FRESH_EVERY_S = 3600.0
_FIRST_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 600.0
_END_WITHIN_S = 8.0

Tell = Callable[[tuple[Change, ...]], None]


class Forgetful(Protocol):
    """Something that keeps facts and may be told that they are old."""

    def forget(self, *, hosts: Iterable[HostId] = (), vms: Iterable[VmId] = ()) -> None:
        """Forget what is kept of these objects."""

    def forget_all(self) -> None:
        """Forget everything."""


class ChangeWatcher:
    """Listens for the clusters that are followed, from the first `follow` to `close`."""

    def __init__(
        self,
        session: Session,
        *,
        observer: ChangeObserver,
        caches: Forgetful,
        first_pause_s: Seconds = _FIRST_PAUSE_S,
        monotonic: Callable[[], Seconds] = time.monotonic,
    ) -> None:
        self._session = session
        self._observer = observer
        self._caches = caches
        self._first_pause_s = first_pause_s
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._listeners: dict[ClusterId, Tell] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._dead: Opened | None = None
        self._losses = 0
        self._was_heard = False

    def follow(self, cluster: ClusterId, tell: Tell) -> None:
        """Tell of the changes of a cluster from now on; may be called again.

        A further cluster is followed when the wait under way is over, after `WAIT_S` at the latest.
        `tell` is called from the watcher's thread and must not block.
        """
        with self._lock:
            self._listeners[cluster] = tell
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._run, name="changes", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End the thread and log out; never fails, and takes ten seconds at most."""
        self._stop.set()
        self._session.stop()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(_END_WITHIN_S)
        self._session.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
                continue
            except SourceError as err:
                self._lost(str(err))
            except (
                Exception
            ) as err:  # the boundary of this thread: a bug here must not end the hints
                log.exception("listening for changes failed unexpectedly")
                self._lost(f"{type(err).__name__}: {err}")
            self._stop.wait(self._pause_s())
        self._observer.listening(False)

    def _listen(self) -> None:
        """Listen on one feed, until it is to be made anew.

        Raises:
            SourceError: it cannot be had, or was lost.
        """
        opened = self._opened()
        try:
            feed = UpdateFeed(opened)
            try:
                self._hear(feed)
            finally:
                if not self._stop.is_set():  # otherwise the logout removes it all
                    feed.close()
        except (CallFailed, vmodl.MethodFault) as err:
            if isinstance(err, vim.fault.NotAuthenticated):
                self._dead = opened
            raise source_error(self._session.settings, "wait for changes", err) from err
        except UNREADABLE as err:
            raise self._session.not_understood("wait for changes", err) from err

    def _opened(self) -> Opened:
        dead, self._dead = self._dead, None
        return self._session.opened() if dead is None else self._session.renewed(dead)

    def _hear(self, feed: UpdateFeed) -> None:
        """Pass changes on for an hour; then what is kept is forgotten and the feed made anew."""
        ends_at = self._monotonic() + _FRESH_EVERY_S
        while not self._stop.is_set() and self._monotonic() < ends_at:
            with self._lock:
                listeners = dict(self._listeners)
            feed.follow(listeners)
            changes = feed.wait(WAIT_S if self._was_heard else 1)
            self._heard()
            self._pass_on(changes, listeners)
        self._caches.forget_all()

    def _pass_on(self, changes: tuple[Change, ...], listeners: dict[ClusterId, Tell]) -> None:
        if not changes:
            return
        for change in changes:
            self._observer.changed(change.kind.value)
        self._caches.forget(
            hosts={change.host for change in changes if change.host},
            vms={change.vm for change in changes if change.vm},
        )
        for cluster, tell in listeners.items():
            of_cluster = tuple(change for change in changes if change.cluster == cluster)
            if of_cluster:
                tell(of_cluster)

    def _heard(self) -> None:
        if not self._was_heard:
            self._was_heard = True
            self._losses = 0
            self._observer.listening(True)
            log.info("listening for changes", extra={"vcenter": self._session.settings.name})

    def _lost(self, why: str) -> None:
        """Say once that hints are lost; changes went unheard meanwhile, so nothing kept can be trusted."""
        self._losses += 1
        self._caches.forget_all()
        if (self._was_heard or self._losses == 1) and not self._stop.is_set():
            extra = {"vcenter": self._session.settings.name, "error": why}
            log.warning("no hints of changes; cycles run by the clock alone", extra=extra)
        self._was_heard = False
        self._observer.listening(False)

    def _pause_s(self) -> Seconds:
        doubled = self._first_pause_s * 2.0 ** min(self._losses - 1, 20)
        return min(doubled, _LONGEST_PAUSE_S)

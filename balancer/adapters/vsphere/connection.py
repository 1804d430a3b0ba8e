"""The door to one vCenter: an inventory, on request a migrator and a watcher, each with its own session.

Owns the putting together of settings, sessions and ports. Does no I/O by itself: the first read logs in.
Reads and mutations never share a session, so that retries of the one can never repeat the other. Used by
the composition root and the commands.
"""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from balancer.adapters.vsphere.accounts import Logins
from balancer.adapters.vsphere.guard import LoginGuard
from balancer.adapters.vsphere.inventory import VsphereInventory
from balancer.adapters.vsphere.migrator import VsphereMigrator
from balancer.adapters.vsphere.observer import ChangeObserver, RequestObserver, Unobserved
from balancer.adapters.vsphere.past_demand import PastDemandReader
from balancer.adapters.vsphere.reading import ReadClient
from balancer.adapters.vsphere.rest import RestApi
from balancer.adapters.vsphere.rights import barred_by
from balancer.adapters.vsphere.session import Session
from balancer.adapters.vsphere.settings import VsphereSettings
from balancer.adapters.vsphere.tags import Tags
from balancer.adapters.vsphere.watcher import ANSWER_WITHIN_S, ChangeWatcher
from balancer.model.reasons import Refusal
from balancer.model.units import Seconds
from balancer.ports import ClusterRef

IDLE_S: Seconds = 600.0
"""A session that was not used for so long is kept alive."""


class VsphereConnection:
    """One vCenter. Ends its sessions when closed or left."""

    def __init__(
        self, settings: VsphereSettings, observer: RequestObserver, logins: Logins
    ) -> None:
        self._settings = settings
        self._observer = observer
        self._guard = LoginGuard(accounts=logins.soap)
        self._sessions: list[Session] = []
        self._migrator: VsphereMigrator | None = None
        self._watcher: ChangeWatcher | None = None
        self._reading = self._session(settings.read_timeout_s)
        own = LoginGuard(accounts=logins.rest)
        api = RestApi(settings, observer=observer, guard=self._guard, own=own)
        tags = Tags(api if settings.read_tags else None, observer=observer)
        self.inventory = VsphereInventory(self._reading, observer=observer, tags=tags)
        self.past_demand = PastDemandReader(self._reading)

    def migrator(self) -> VsphereMigrator:
        """Return the migrator, made at the first call. What only plans never calls this."""
        if self._migrator is None:
            self._migrator = VsphereMigrator(self._session(self._settings.submit_timeout_s))
        return self._migrator

    def watcher(self, observer: ChangeObserver) -> ChangeWatcher:
        """Return the watcher, made at the first call. It does nothing until a cluster is followed."""
        if self._watcher is None:
            session = self._session(ANSWER_WITHIN_S)
            caches = self.inventory.caches
            self._watcher = ChangeWatcher(session, observer=observer, caches=caches)
        return self._watcher

    def barred(self, cluster: ClusterRef) -> Refusal | None:
        """Return why nothing that acts on this cluster should run as the account, asked anew.

        Raises:
            SourceError: the vCenter could not be asked.
        """
        user = self._settings.username
        return ReadClient(self._reading).run(
            "read the account's privileges", lambda opened: barred_by(opened, cluster, user)
        )

    def keep_alive(self) -> None:
        """Use the sessions that were idle for ten minutes; never fails.

        vCenter ends a session that was idle for 30 minutes unless told otherwise (`config.vmacore.soap.
        sessionTimeout`). One that has ended costs a login at its next use, no more.
        """
        for session in self._sessions:
            session.keep_alive(IDLE_S)

    def give_up(self) -> None:
        """End the reads that are under way, with an error at once. What was asked to move goes on."""
        self._reading.stop()

    def close(self) -> None:
        """Log out everywhere, side by side; never fails."""
        self.past_demand.close()
        ends: list[Callable[[], None]] = [self.inventory.close]
        ends += [part.close for part in (self._migrator, self._watcher) if part is not None]
        threads = [threading.Thread(target=end, daemon=True) for end in ends]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Log out."""
        self.close()

    def _session(self, timeout_s: float) -> Session:
        made = Session(
            self._settings, guard=self._guard, observer=self._observer, timeout_s=timeout_s
        )
        self._sessions.append(made)
        return made


def connect(
    settings: VsphereSettings,
    *,
    observer: RequestObserver | None = None,
    logins: Logins | None = None,
) -> VsphereConnection:
    """Return the door to a vCenter without knocking: errors come with the first read.

    `logins` is one for all vCenters of a program, so that one account is not locked by several of them.
    """
    return VsphereConnection(settings, observer or Unobserved(), logins or Logins())

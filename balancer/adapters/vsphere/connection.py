"""The door to one vCenter: an inventory, and on request a migrator, each with a session of its own.

Owns the putting together of settings, sessions and ports. Does no I/O by itself: the first read logs in.
Reads and mutations never share a session, so that retries of the one can never repeat the other. Used by
the composition root and the commands.
"""

from types import TracebackType
from typing import Self

from balancer.adapters.vsphere.inventory import VsphereInventory
from balancer.adapters.vsphere.migrator import VsphereMigrator
from balancer.adapters.vsphere.observer import RequestObserver, Unobserved
from balancer.adapters.vsphere.rest import RestApi
from balancer.adapters.vsphere.session import LoginGuard, Session
from balancer.adapters.vsphere.settings import VsphereSettings
from balancer.adapters.vsphere.tags import Tags


class VsphereConnection:
    """One vCenter. Ends its sessions when closed or left."""

    def __init__(self, settings: VsphereSettings, observer: RequestObserver) -> None:
        self._settings = settings
        self._observer = observer
        self._guard = LoginGuard()
        self._migrator: VsphereMigrator | None = None
        api = RestApi(settings, observer=observer) if settings.read_tags else None
        self.inventory = VsphereInventory(
            self._session(settings.read_timeout_s),
            observer=observer,
            tags=Tags(api, observer=observer),
        )

    def migrator(self) -> VsphereMigrator:
        """Return the migrator, made at the first call. What only plans never calls this."""
        if self._migrator is None:
            self._migrator = VsphereMigrator(self._session(self._settings.submit_timeout_s))
        return self._migrator

    def close(self) -> None:
        """Log out everywhere; never fails."""
        self.inventory.close()
        if self._migrator is not None:
            self._migrator.close()

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
        return Session(
            self._settings, guard=self._guard, observer=self._observer, timeout_s=timeout_s
        )


def connect(
    settings: VsphereSettings, *, observer: RequestObserver | None = None
) -> VsphereConnection:
    """Return the door to a vCenter without knocking: errors come with the first read."""
    return VsphereConnection(settings, observer or Unobserved())

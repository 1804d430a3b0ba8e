"""One login at one vCenter: opened when first needed, renewed once when it has died, logged out at the end.

Owns the session and the guard against locked accounts. Must never log in twice at a time, never try a
refused password again within its time, and never take an ESXi host for a vCenter. Sits between the
clients (`reading`, `migrator`) and the stub.
"""

# mypy: disable-error-code="no-untyped-call"
# pyVmomi marks itself as typed, its run-time part is not.

import contextlib
import hashlib
import http.client
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from pyVmomi import vim, vmodl

from balancer.adapters.vsphere.faults import fault_line
from balancer.adapters.vsphere.observer import OK, RequestObserver
from balancer.adapters.vsphere.settings import VsphereSettings
from balancer.adapters.vsphere.stub import CallFailed, WatchedStub
from balancer.adapters.vsphere.transport import call_within, tls_context
from balancer.adapters.vsphere.versions import NoCommonVersion, negotiate
from balancer.adapters.vsphere.wording import login_refused, source_error
from balancer.model.errors import LoginRefused, SourceAnswerInvalid, UntrustedCertificate
from balancer.model.units import Seconds

_MOST_REFUSALS = 2
_LOGOUT_S = 3.0
_WINDOW_S = LoginRefused.retry_after_s or 0.0


class LoginGuard:
    """Keep wrong passwords from locking an account; shared by all sessions of one vCenter.

    After a refusal the same password is not sent again for `LoginRefused.retry_after_s`; another one
    is, but no more than two wrong ones within that time. vCenter locks an account after five in three
    minutes unless told otherwise. Source: vSphere SSO lockout policy, defaults.
    """

    def __init__(self, monotonic: Callable[[], Seconds] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._refusals: list[tuple[Seconds, bytes]] = []

    def allows(self, password: str) -> bool:
        """Whether a login with this password may be sent now."""
        now = self._monotonic()
        self._refusals = [(at, tried) for at, tried in self._refusals if now - at < _WINDOW_S]
        known = any(tried == _digest(password) for _, tried in self._refusals)
        return not known and len(self._refusals) < _MOST_REFUSALS

    def note_refusal(self, password: str) -> None:
        """Remember that the server refused this password."""
        self._refusals.append((self._monotonic(), _digest(password)))


def _digest(password: str) -> bytes:
    return hashlib.sha256(password.encode()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A session that is logged in. `version` is the API version agreed on, in pyVmomi's words."""

    stub: WatchedStub
    content: vim.ServiceInstanceContent
    sessions: vim.SessionManager
    version: str
    instance_uuid: str
    api_version: str

    def service(self) -> vim.ServiceInstance:
        """Return the root of the API."""
        service: vim.ServiceInstance = vim.ServiceInstance("ServiceInstance", self.stub)
        return service


class Session:
    """One login, shared by threads. Each call on it has `timeout_s` in all."""

    def __init__(
        self,
        settings: VsphereSettings,
        *,
        guard: LoginGuard,
        observer: RequestObserver,
        timeout_s: Seconds,
    ) -> None:
        self.settings = settings
        self._guard = guard
        self._observer = observer
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._opened: Opened | None = None

    def opened(self) -> Opened:
        """Return the session, logging in where there is none.

        Raises:
            SourceError: the login did not work, as its subclasses say.
        """
        return self._opened or self.renewed(None)

    def renewed(self, dead: Opened | None) -> Opened:
        """Return a session other than `dead`. Of several threads that ask, one logs in.

        Raises:
            SourceError: the login did not work.
        """
        with self._lock:
            if self._opened is None or self._opened is dead:
                if dead is not None:
                    dead.stub.retire()
                self._opened = None
                self._opened = self._login()
            return self._opened

    def close(self) -> None:
        """Log out, within three seconds. Never fails: a session that cannot be ended dies of age."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            with (
                call_within(_LOGOUT_S),
                contextlib.suppress(CallFailed, vmodl.MethodFault),
            ):
                opened.sessions.Logout()
            opened.stub.retire()

    def _login(self) -> Opened:
        password = self._password()
        if not self._guard.allows(password):
            raise login_refused(self.settings, "a login was refused a short time ago")
        try:
            opened = self._entered(password)
        except LoginRefused:
            self._guard.note_refusal(password)
            self._observer.login("refused")
            raise
        except (CallFailed, vmodl.MethodFault, NoCommonVersion) as err:
            self._observer.login("failed")
            raise source_error(self.settings, "log in", err) from err
        except (OSError, http.client.HTTPException) as err:
            self._observer.login("failed")
            raise source_error(self.settings, "agree on an API version", err) from err
        self._observer.login(OK)
        return opened

    def _password(self) -> str:
        try:
            return self.settings.current_password()
        except OSError as err:
            raise login_refused(self.settings, f"the password cannot be read ({err})") from err

    def _entered(self, password: str) -> Opened:
        context = self._tls()
        version = negotiate(self.settings, context)
        stub = WatchedStub(
            self.settings,
            context,
            version=version,
            timeout_s=self._timeout_s,
            observer=self._observer,
        )
        try:
            return self._logged_in(stub, password)
        except BaseException:
            stub.retire()
            raise

    def _logged_in(self, stub: WatchedStub, password: str) -> Opened:
        content = vim.ServiceInstance("ServiceInstance", stub).RetrieveContent()
        about, sessions = content.about, content.sessionManager
        if about.apiType != "VirtualCenter" or sessions is None:
            raise SourceAnswerInvalid(
                f"Could not use {self.settings.where}: {about.fullName} answers there, which is no"
                " vCenter. Give the address of the vCenter that manages the cluster."
            )
        try:
            sessions.Login(self.settings.username, password, None)
        except (vim.fault.InvalidLogin, vim.fault.NoPermission) as err:
            raise login_refused(self.settings, f"the server refused ({fault_line(err)})") from err
        return Opened(
            stub=stub,
            content=content,
            sessions=sessions,
            version=str(stub.version),
            instance_uuid=about.instanceUuid or "",
            api_version=about.apiVersion,
        )

    def _tls(self) -> ssl.SSLContext:
        try:
            return tls_context(self.settings)
        except OSError as err:
            raise UntrustedCertificate(
                f"Could not read the certificate authority {self.settings.ca_file} for vCenter"
                f" {self.settings.name} ({self.settings.where}): {err}. It must be a PEM file that"
                " this program may read."
            ) from err

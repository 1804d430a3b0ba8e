"""One login at one vCenter: opened when first needed, renewed once when it has died, logged out at the end.

Owns the session. Must never log in twice at a time, never try a refused password again within its time
(see `guard`), and never take an ESXi host for a vCenter. Sits between the clients (`reading`,
`migrator`, `watcher`) and the stub.
"""

# mypy: disable-error-code="no-untyped-call"
# pyVmomi marks itself as typed, its run-time part is not.

import contextlib
import http.client
import ssl
import threading
import time
from dataclasses import dataclass

from pyVmomi import vim, vmodl

from balancer.adapters.vsphere.deadline import call_within
from balancer.adapters.vsphere.faults import fault_line
from balancer.adapters.vsphere.guard import LoginGuard
from balancer.adapters.vsphere.observer import OK, RequestObserver
from balancer.adapters.vsphere.settings import VsphereSettings
from balancer.adapters.vsphere.stub import Broken, CallFailed, Unreadable, WatchedStub
from balancer.adapters.vsphere.transport import tls_context
from balancer.adapters.vsphere.versions import NoCommonVersion, negotiate
from balancer.adapters.vsphere.wording import (
    credentials_unreadable,
    held_back,
    login_refused,
    not_understood,
    source_error,
)
from balancer.model.errors import (
    BalancerError,
    LoginRefused,
    SourceAnswerInvalid,
    SourceError,
    UntrustedCertificate,
)
from balancer.model.units import Seconds

__all__ = ["LoginGuard", "Opened", "Session"]

_LOGOUT_S = 1.5
_LOGIN_SPARE_S = 1.5
"""How long a login that was sent is waited for after a stop: who does not know of a session cannot end it."""

_PROBE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A session that is logged in. `version` is the API version agreed on, in pyVmomi's words.

    `user` is the account as the server writes it, empty where it does not say.
    """

    stub: WatchedStub
    content: vim.ServiceInstanceContent
    sessions: vim.SessionManager
    version: str
    instance_uuid: str
    api_version: str
    user: str = ""

    def service(self) -> vim.ServiceInstance:
        """Return the root of the API."""
        service: vim.ServiceInstance = vim.ServiceInstance("ServiceInstance", self.stub)
        return service


@dataclass(frozen=True, slots=True)
class _Credentials:
    username: str
    password: str

    @property
    def both(self) -> str:
        return f"{self.username}\0{self.password}"


class Session:
    """One login, shared by threads. Each call on it, and a login as a whole, has `timeout_s` in all."""

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
        self._attempts = 0
        self._failure: SourceError | None = None
        self._stop = threading.Event()

    def opened(self) -> Opened:
        """Return the session, logging in where there is none.

        Raises:
            SourceError: the login did not work, as its subclasses say.
        """
        return self._opened or self.renewed(None)

    def renewed(self, dead: Opened | None) -> Opened:
        """Return a session other than `dead`. Of several threads that ask, one logs in.

        The others share what came of it, also a failure: twenty threads before a dead vCenter wait for
        one time-out, not for twenty.

        Raises:
            SourceError: the login did not work.
        """
        seen = self._attempts
        with self._lock:
            if self._opened is not None and self._opened is not dead:
                return self._opened
            if self._attempts != seen and self._failure is not None:
                raise type(self._failure)(str(self._failure)) from self._failure
            self._discard(dead)
            self._attempts += 1
            self._failure = None
            try:
                self._opened = self._login()
            except SourceError as err:
                self._failure = err
                raise
            return self._opened

    def distrusted(self, opened: Opened) -> None:
        """Give a session up whose server's certificate is no longer accepted.

        The next one reads the authorities' file anew, which may have been exchanged since.
        """
        with self._lock:
            if self._opened is opened:
                self._discard(opened)

    def keep_alive(self, idle_s: Seconds) -> None:
        """Ask for the clock where nothing was asked for `idle_s`, so that the server keeps the session.

        Never logs in and never fails: what is dead is found by the next call.
        """
        opened = self._opened
        if opened is not None and time.monotonic() - opened.stub.used_at >= idle_s:
            with call_within(_PROBE_S), contextlib.suppress(CallFailed, vmodl.MethodFault):
                opened.service().CurrentTime()

    def stop(self) -> None:
        """End every call that is under way, and every later one, with an error at once; a login in 1.5 seconds."""
        self._stop.set()

    def close(self) -> None:
        """Log out, within 1.5 seconds, after a login under way. Never fails: what cannot be ended dies of age."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.stub.stop = None  # this one call may still be made
            with (
                call_within(_LOGOUT_S),
                contextlib.suppress(CallFailed, vmodl.MethodFault),
            ):
                _log_out(opened)
            opened.stub.retire()

    def not_understood(self, attempted: str, failure: Exception) -> SourceError:
        """Count an answer that lacks what is always there, and return the error that stands for it."""
        self._observer.request("Answer", Unreadable.result, 0.0)
        return not_understood(self.settings, attempted, f"{type(failure).__name__}: {failure}")

    def _discard(self, dead: Opened | None) -> None:
        self._opened = None
        if dead is not None:
            dead.stub.retire()

    def _login(self) -> Opened:
        who = self._credentials()
        self._check_guard(who)
        try:
            opened = self._entered(who)
        except LoginRefused:
            self._observer.login("refused")
            raise
        except SourceError:
            self._observer.login("failed")
            raise
        except (CallFailed, vmodl.MethodFault, NoCommonVersion) as err:
            self._observer.login("failed")
            raise source_error(self.settings, "log in", err) from err
        except (OSError, http.client.HTTPException) as err:
            self._observer.login("failed")
            raise source_error(self.settings, "agree on an API version", err) from err
        self._observer.login(OK)
        return opened

    def _credentials(self) -> _Credentials:
        try:
            return _Credentials(self.settings.current_username(), self.settings.current_password())
        except (BalancerError, OSError) as err:
            raise credentials_unreadable(self.settings, err) from err

    def _entered(self, who: _Credentials) -> Opened:
        with call_within(self._timeout_s, stop=self._stop):
            context = self._tls()
            version = negotiate(self.settings, context)
            stub = WatchedStub(
                self.settings,
                context,
                version=version,
                timeout_s=self._timeout_s,
                observer=self._observer,
                stop=self._stop,
            )
            try:
                return self._logged_in(stub, who)
            except BaseException:
                stub.retire()
                raise

    def _logged_in(self, stub: WatchedStub, who: _Credentials) -> Opened:
        content = vim.ServiceInstance("ServiceInstance", stub).RetrieveContent()
        about = getattr(content, "about", None)
        if about is None:
            raise not_understood(self.settings, "log in", "it does not say what it is")
        if about.apiType != "VirtualCenter" or content.sessionManager is None:
            raise SourceAnswerInvalid(
                f"Could not use {self.settings.where}: {about.fullName} answers there, which is no"
                " vCenter. Give the address of the vCenter that manages the cluster."
            )
        with self._guard.turn(who.both):
            user = self._send_login(content.sessionManager, who)
        return Opened(
            stub=stub,
            content=content,
            sessions=content.sessionManager,
            version=str(stub.version),
            instance_uuid=about.instanceUuid or "",
            api_version=about.apiVersion,
            user=user,
        )

    def _send_login(self, sessions: vim.SessionManager, who: _Credentials) -> str:
        """Send one login and return the account's name as the server writes it.

        What became of it is noted before another session may send its own.
        """
        self._check_guard(who)
        try:
            with call_within(self._timeout_s, spare_s=_LOGIN_SPARE_S):
                session = sessions.Login(who.username, who.password, None)
        except (vim.fault.InvalidLogin, vim.fault.NoPermission) as err:
            self._guard.note_refusal(who.both)
            what = f"the server refused ({fault_line(err)})"
            raise login_refused(self.settings, who.username, what) from err
        except (Broken, Unreadable) as err:
            self._guard.note_no_answer()
            raise source_error(self.settings, "log in", err) from err
        self._guard.note_success()
        return str(getattr(session, "userName", None) or "")

    def _check_guard(self, who: _Credentials) -> None:
        if not self._guard.allows(who.both):
            what = "a login was refused a short time ago"
            if self._guard.is_held_by_others(who.both):
                what = "two logins of this account were refused at other vCenters a short time ago"
            raise login_refused(self.settings, who.username, what)
        wait_s = self._guard.waits_for_s()
        if wait_s > 0:
            raise held_back(self.settings, who.username, wait_s)

    def _tls(self) -> ssl.SSLContext:
        try:
            return tls_context(self.settings)
        except OSError as err:
            raise UntrustedCertificate(
                f"Could not read the certificate authority {self.settings.ca_file} for vCenter"
                f" {self.settings.name} ({self.settings.where}): {err}. It must be a PEM file that"
                " this program may read."
            ) from err


def _log_out(opened: Opened) -> None:
    """Log out; once more where the connection was dead, as after an outage. Twice does what once does."""
    try:
        opened.sessions.Logout()
    except Broken:
        opened.stub.DropConnections()
        opened.sessions.Logout()

"""vCenter's REST API on the watched transport: one login, a few calls, one logout.

Owns the two dialects (`/api` from 7.0 U2 on, `/rest` before) and the telling apart of failures. Every
exchange ends with the time and the size that it is given, on a connection that checks the certificate as
the SOAP one does. A refused password is not sent again for as long as `LoginGuard` says. Never raises
anything but `RestFailed`. Used by `tags`.
"""

import base64
import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from balancer.adapters.vsphere.guard import LoginGuard
from balancer.adapters.vsphere.observer import OK, RequestObserver
from balancer.adapters.vsphere.settings import VsphereSettings
from balancer.adapters.vsphere.transport import WatchedConnection, call_within, tls_context
from balancer.model.errors import BalancerError
from balancer.model.snapshot import TagsState
from balancer.model.units import Seconds

MOST_BYTES = 64 * 2**20
"""Largest sum of the answers of one exchange; 10,000 VMs with five tags each take about 5 MB."""

_TOKEN = "vmware-api-session-id"  # the name of a header
_NEW, _OLD = "/api", "/rest"
_SESSIONS = {_NEW: "/api/session", _OLD: "/rest/com/vmware/cis/session"}
_ROOTS = {_NEW: "/api/cis/tagging/", _OLD: "/rest/com/vmware/cis/tagging/"}
_ACTION = {_NEW: "?action=", _OLD: "?~action="}
_UNKNOWN_PATH = 404

_BY_ID = {_NEW: "", _OLD: "id:"}

Connect = Callable[[], http.client.HTTPConnection]


class RestFailed(Exception):
    """The REST API gave no usable answer; `state` is what that means for the tags."""

    def __init__(self, state: TagsState, detail: str, *, status: int = 0) -> None:
        self.state = state
        self.status = status
        super().__init__(detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestSession:
    """A session that is logged in."""

    connection: http.client.HTTPConnection
    dialect: str
    token: str
    observer: RequestObserver

    def get(self, kind: str, key: str) -> object:
        """Return one tag or category."""
        path = f"{_ROOTS[self.dialect]}{kind}/{_BY_ID[self.dialect]}{quote(key, safe=':')}"
        return self._ask("GET", path, kind)

    def act(self, path: str, action: str, body: Mapping[str, object]) -> object:
        """Ask for an action on a path below the tagging service. Only for actions that read."""
        full = _ROOTS[self.dialect] + path + _ACTION[self.dialect] + action
        return self._ask("POST", full, action, body)

    def end(self) -> None:
        """Log out."""
        self._ask("DELETE", _SESSIONS[self.dialect], "logout")

    def _ask(
        self, verb: str, path: str, name: str, body: Mapping[str, object] | None = None
    ) -> object:
        asked = _Asked(verb=verb, path=path, name=name, body=body)
        answer = _asked(self.connection, asked, {_TOKEN: self.token}, self.observer)
        is_wrapped = self.dialect == _OLD and isinstance(answer, dict)
        return answer.get("value") if is_wrapped and isinstance(answer, dict) else answer


class RestApi:
    """Opens sessions at one vCenter.

    What `guard` saw refused is not sent here either. A refusal here is kept apart, by `own`: what this API
    refuses must not lock the program out of the other one.
    """

    def __init__(
        self,
        settings: VsphereSettings,
        *,
        observer: RequestObserver,
        guard: LoginGuard,
        own: LoginGuard | None = None,
        connect: Connect | None = None,
    ) -> None:
        self._settings = settings
        self._observer = observer
        self._guards = (guard, own or LoginGuard())
        self._connect = connect or self._watched

    @contextmanager
    def session(self, within_s: Seconds) -> Iterator[RestSession]:
        """Log in, and out at the end; all of it within `within_s` seconds.

        Raises:
            RestFailed: no login, or a call inside the block failed.
        """
        try:
            with (
                call_within(within_s, most_bytes=MOST_BYTES),
                closing(self._connect()) as connection,
            ):
                session = self._opened(connection)
                try:
                    yield session
                finally:
                    with suppress(RestFailed, OSError, http.client.HTTPException):
                        session.end()  # one that cannot be ended dies of age
        except (OSError, http.client.HTTPException) as err:
            detail = " ".join(f"{type(err).__name__}: {err}".split())[:200]
            raise RestFailed(TagsState.UNREACHABLE, detail) from err

    def _opened(self, connection: http.client.HTTPConnection) -> RestSession:
        try:
            who = self._settings.current_username(), self._settings.current_password()
        except BalancerError as err:
            raise RestFailed(TagsState.REFUSED, f"the credentials cannot be read ({err})") from err
        both = "\0".join(who)
        if not all(guard.allows(both) and not guard.waits_for_s() for guard in self._guards):
            raise RestFailed(TagsState.REFUSED, "a login was refused a short time ago")
        basic = {"Authorization": "Basic " + base64.b64encode(":".join(who).encode()).decode()}
        try:
            dialect, token = self._login(connection, basic)
        except RestFailed as err:
            if err.state is TagsState.REFUSED:
                self._guards[-1].note_refusal(both)
            raise
        return RestSession(
            connection=connection, dialect=dialect, token=token, observer=self._observer
        )

    def _login(
        self, connection: http.client.HTTPConnection, basic: Mapping[str, str]
    ) -> tuple[str, str]:
        for dialect in (_NEW, _OLD):
            asked = _Asked(verb="POST", path=_SESSIONS[dialect], name="login")
            try:
                answer = _asked(connection, asked, basic, self._observer)
            except RestFailed as err:
                if err.status == _UNKNOWN_PATH and dialect == _NEW:
                    continue
                raise
            token = answer.get("value") if isinstance(answer, dict) else answer
            if isinstance(token, str) and token.isascii() and token.isprintable() and token:
                return dialect, token
            raise RestFailed(TagsState.UNREADABLE, "the login was answered without a session")
        raise RestFailed(TagsState.UNSUPPORTED, "neither /api nor /rest is served")

    def _watched(self) -> http.client.HTTPConnection:
        settings = self._settings
        context = tls_context(settings)
        return WatchedConnection(settings.host, settings.port, settings=settings, context=context)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    verb: str
    path: str
    name: str
    body: Mapping[str, object] | None = None


_RESULTS: Mapping[TagsState, str] = {
    TagsState.UNREADABLE: "unreadable",
    TagsState.UNREACHABLE: "http_error",  # answered, by something that is not the API
}
"""The words in which SOAP calls are counted, too; every other answer that is none is a `fault`."""


def _asked(
    connection: http.client.HTTPConnection,
    asked: _Asked,
    headers: Mapping[str, str],
    observer: RequestObserver,
) -> object:
    """Send one request and return its JSON; every request here only reads, or opens and ends a session."""
    started, result = time.monotonic(), "broken"
    try:
        status, content = _exchanged(connection, asked, headers)
        result = OK if status < http.HTTPStatus.MULTIPLE_CHOICES else "fault"
        return _understood(status, content)
    except RestFailed as err:
        result = _RESULTS.get(err.state, result)
        raise
    except TimeoutError:
        result = "timeout"
        raise
    finally:
        observer.request(f"rest:{asked.name}", result, time.monotonic() - started)


def _exchanged(
    connection: http.client.HTTPConnection, asked: _Asked, headers: Mapping[str, str]
) -> tuple[int, bytes]:
    body = None if asked.body is None else json.dumps(asked.body).encode()
    sent = {**headers, "Accept": "application/json", "Content-Type": "application/json"}
    connection.request(asked.verb, asked.path, body=body, headers=sent)
    answer = connection.getresponse()
    return answer.status, answer.read()


_STATES: Mapping[int, TagsState] = {
    http.HTTPStatus.UNAUTHORIZED: TagsState.REFUSED,
    http.HTTPStatus.FORBIDDEN: TagsState.REFUSED,
    http.HTTPStatus.NOT_FOUND: TagsState.UNSUPPORTED,
    http.HTTPStatus.METHOD_NOT_ALLOWED: TagsState.UNSUPPORTED,
    http.HTTPStatus.NOT_IMPLEMENTED: TagsState.UNSUPPORTED,
}


def _understood(status: int, content: bytes) -> object:
    if (
        status >= http.HTTPStatus.MULTIPLE_CHOICES
    ):  # a redirect is not followed: it was not asked for
        state = _STATES.get(status, TagsState.UNREACHABLE)
        raise RestFailed(state, f"answered with HTTP status {status}", status=status)
    if not content.strip():
        return None
    try:
        found: Any = json.loads(content)
    except (ValueError, RecursionError) as err:
        raise RestFailed(TagsState.UNREADABLE, f"the answer is no JSON ({err})") from err
    return found

"""Who asks: bearer tokens, of which only digests are known here, and the roles that they give.

A right token is always let in at once. Wrong ones are answered at a limited rate, whoever sends them, and cost the
right ones nothing. Tokens come in the Authorization header alone, never in a cookie or a URL, so that no page in a
browser can use somebody's.
"""

import hashlib
import hmac
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from balancer.adapters.http.problems import Problem, Refused
from balancer.model.access import Role
from balancer.model.units import Seconds

log = logging.getLogger(__name__)

API = "/api/"
"""What begins so is for those who show a token."""

MOST_TOKEN_CHARACTERS = 512
FAILURES_AT_ONCE = 20
FAILURES_PER_S = 1.0


class TokenEntry(Protocol):
    """A token as the configuration has it."""

    @property
    def name(self) -> str:
        """Who shows it."""

    @property
    def role(self) -> Role:
        """What it may."""

    @property
    def sha256(self) -> str:
        """Its digest, 64 hexadecimal digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody whose token is known."""

    name: str
    role: Role


class Gate:
    """Knows the tokens. `take` may be called from another thread; everything else from the event loop."""

    def __init__(self, tokens: Sequence[TokenEntry], monotonic: Callable[[], float]) -> None:
        self._tokens = tuple(tokens)
        self._failures = _Bucket(monotonic)

    @property
    def is_closed(self) -> bool:
        """Whether nobody can be let in."""
        return not self._tokens

    def take(self, tokens: Sequence[TokenEntry]) -> None:
        """Know these tokens from now on, and no others."""
        self._tokens = tuple(tokens)

    def let_in(self, authorization: str | None, *, client: str) -> Caller:
        """Return who shows a token; `authorization` is the header as it came.

        Raises:
            Refused: there are no tokens (403), none or a wrong one was shown (401), or too many wrong ones were
                shown lately (429).
        """
        if self.is_closed:
            raise Refused(CLOSED)
        token = _token_in(authorization)
        caller = self._known(token) if token else None
        if caller is not None:
            return caller
        if not self._failures.spill():
            raise Refused(TOO_MANY)
        problem = NO_TOKEN if not authorization else WRONG_TOKEN
        log.warning("token refused", extra={"client": client, "detail": problem.found})
        raise Refused(problem)

    def _known(self, token: str) -> Caller | None:
        """Return whose token it is; every digest is compared, so that time tells nothing."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
        found: Caller | None = None
        for entry in self._tokens:
            if hmac.compare_digest(entry.sha256, digest):
                found = Caller(name=entry.name, role=entry.role)
        return found


class _Bucket:
    """So many failures at once, and then so many a second."""

    def __init__(self, monotonic: Callable[[], Seconds]) -> None:
        self._monotonic = monotonic
        self._level, self._seen_s = float(FAILURES_AT_ONCE), monotonic()

    def spill(self) -> bool:
        now_s = self._monotonic()
        gained = (now_s - self._seen_s) * FAILURES_PER_S
        self._level, self._seen_s = min(self._level + gained, float(FAILURES_AT_ONCE)), now_s
        if self._level < 1.0:
            return False
        self._level -= 1.0
        return True


def _token_in(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    token = token.strip()
    is_one = scheme.lower() == "bearer" and 0 < len(token) <= MOST_TOKEN_CHARACTERS
    return token if is_one else ""


class Guard:
    """Lets nobody without a token past to `/api/`, before any of the request's body is read."""

    def __init__(self, app: ASGIApp, gate: Gate, *, metrics_need_token: bool = False) -> None:
        self._app, self._gate = app, gate
        self._closed = (API, "/metrics") if metrics_need_token else (API,)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its caller, or answer with a problem."""
        if scope["type"] == "http" and scope["path"].startswith(self._closed):
            try:
                scope["caller"] = self._caller(scope)
            except Refused as refused:
                await refused.problem.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _caller(self, scope: Scope) -> Caller:
        given = Headers(scope=scope).getlist("authorization")
        client = scope.get("client") or ("?",)
        if len(given) > 1:
            raise Refused(WRONG_TOKEN)
        return self._gate.let_in(given[0] if given else None, client=str(client[0]))


def require(scope: Scope, role: Role) -> Caller:
    """Return who asks. Raises `Refused` where nobody was let in, or the role does not reach so far."""
    caller = scope.get("caller")
    if not isinstance(caller, Caller):
        raise Refused(NO_TOKEN)
    if not caller.role.includes(role):
        raise Refused(_too_little(caller, role, str(scope.get("path", ""))))
    return caller


def _too_little(caller: Caller, role: Role, path: str) -> Problem:
    return Problem(
        kind="role",
        found=f"the token of {caller.name} has the role {caller.role}",
        where=path,
        allowed=f"the role {role}" + ("" if role is Role.ADMIN else ", or one above it"),
        mend="Use a token with that role, or have the role changed in http.tokens of the configuration.",
    )


_CHALLENGE = MappingProxyType({"www-authenticate": 'Bearer realm="balancer"'})
_WHERE = "the header Authorization"
_ALLOWED = "Authorization: Bearer TOKEN, with a token whose digest stands in http.tokens"
_MEND = "Make a token with balancer token, and add the entry that it prints to http.tokens."

NO_TOKEN = Problem(
    kind="token-missing",
    found="no token",
    where=_WHERE,
    allowed=_ALLOWED,
    mend=_MEND,
    headers=_CHALLENGE,
)
WRONG_TOKEN = Problem(
    kind="token-wrong",
    found="a token that is not known any more, was never known, or is not in that form",
    where=_WHERE,
    allowed=_ALLOWED,
    mend=_MEND,
    headers=_CHALLENGE,
)
TOO_MANY = Problem(
    kind="too-many-wrong-tokens",
    found="more wrong tokens than are answered one by one",
    where=_WHERE,
    allowed=f"a right token at any time, and {FAILURES_PER_S:.0f} wrong one a second",
    mend="Wait, and send the right token.",
    headers=MappingProxyType({"retry-after": "20"}),
)
CLOSED = Problem(
    kind="no-tokens",
    found="no tokens are configured",
    where="http.tokens of the daemon's configuration",
    allowed="/metrics, /healthz and /readyz, and this once there are tokens",
    mend="Run balancer token --name NAME --role viewer, add the entry that it prints to http.tokens, and send "
    "SIGHUP or wait a few seconds.",
)

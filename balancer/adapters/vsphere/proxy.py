"""An HTTP proxy between us and a vCenter: the CONNECT request and its answer.

Owns that one exchange. TLS begins only after it, so the proxy sees an address and encrypted bytes, never
a password for the vCenter. Must never send refused credentials again within their time: an account at a
proxy can be locked like any other. Used by `reach`.
"""

import base64
import http
import socket
import threading

from balancer.adapters.vsphere.deadline import Budget
from balancer.adapters.vsphere.guard import LoginGuard
from balancer.adapters.vsphere.settings import ProxySettings
from balancer.model.errors import BalancerError

_MOST_HEAD_BYTES = 16_384
_HEAD_END = b"\r\n\r\n"


class ProxyRefused(OSError):
    """The proxy did not open the way. The text says what it answered."""


class ProxyLoginRefused(ProxyRefused):
    """The proxy wants other credentials, or any."""


class _Guards:
    """One guard for each proxy, whichever vCenters lie behind it: it is the same account."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, LoginGuard] = {}

    def of(self, proxy: ProxySettings) -> LoginGuard:
        with self._lock:
            return self._known.setdefault(proxy.where, LoginGuard())


_GUARDS = _Guards()


def ask_for_tunnel(
    raw: socket.socket, proxy: ProxySettings, *, to: tuple[str, int], budget: Budget
) -> None:
    """Ask the proxy at the other end of `raw` for a way to host and port.

    Raises:
        ProxyRefused: it said no, or something that is not an answer.
        OSError: the connection broke or the budget is used up.
    """
    credentials = _credentials(proxy)
    guard = _GUARDS.of(proxy)
    if credentials and not guard.allows(credentials):
        raise ProxyLoginRefused("these credentials were refused a short time ago")
    _send(raw, _request(to, credentials), budget)
    status, reason = _status(_head(raw, budget))
    if status == http.HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        if credentials:
            guard.note_refusal(credentials)
        raise ProxyLoginRefused(f"it answered {status} {reason}")
    if not 200 <= status < 300:
        raise ProxyRefused(f"it answered {status} {reason}")


def _credentials(proxy: ProxySettings) -> str | None:
    try:
        return proxy.current_credentials()
    except (BalancerError, OSError) as err:
        raise ProxyRefused(
            f"its credentials cannot be read ({' '.join(str(err).split())})"
        ) from err


def _request(to: tuple[str, int], credentials: str | None) -> bytes:
    host = f"[{to[0]}]" if ":" in to[0] else to[0].encode("idna").decode("ascii")
    lines = [f"CONNECT {host}:{to[1]} HTTP/1.1", f"Host: {host}:{to[1]}"]
    if credentials:
        token = base64.b64encode(credentials.encode()).decode("ascii")
        lines.append(f"Proxy-Authorization: Basic {token}")
    return "\r\n".join(lines).encode("ascii") + _HEAD_END


def _send(raw: socket.socket, data: bytes, budget: Budget) -> None:
    """Send the request, which is small enough for any socket's buffer."""
    raw.settimeout(budget.slice_s())
    raw.sendall(data)


def _head(raw: socket.socket, budget: Budget) -> bytes:
    head = b""
    while _HEAD_END not in head:
        raw.settimeout(budget.slice_s())
        try:
            more = raw.recv(4096)
        except TimeoutError:
            continue
        if not more:
            raise ProxyRefused("it closed the connection without an answer")
        head += more
        if len(head) > _MOST_HEAD_BYTES:
            raise ProxyRefused(f"its answer is longer than {_MOST_HEAD_BYTES} bytes")
    if not head.endswith(_HEAD_END):
        raise ProxyRefused("it sent more than its answer")  # TLS is ours to begin
    return head


def _status(head: bytes) -> tuple[int, str]:
    line = head.split(b"\r\n", 1)[0].decode("latin-1")
    version, _, rest = line.partition(" ")
    code, _, reason = rest.partition(" ")
    if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit()):
        raise ProxyRefused(f"it answered with something else than HTTP ({line[:60]!r})")
    return int(code), reason[:100]

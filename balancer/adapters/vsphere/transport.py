"""One HTTPS connection with an end: trust, connect time-out, a total deadline and a size cap per call.

Owns the socket. A read time-out alone counts from byte to byte, so that a server which drips one byte a
second defeats it; here each receive gets what is left of the whole call's time. Must never switch
verification off without a pin, and must never send a byte before the certificate is accepted. Sits
below pyVmomi's stub and the version negotiation.
"""

import hashlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from balancer.adapters.vsphere.settings import VsphereSettings
from balancer.model.units import Seconds

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

MAX_ANSWER_BYTES = 256 * 2**20


class DeadlinePassed(TimeoutError):
    """The time of the whole call is used up."""


class AnswerTooLarge(OSError):
    """The server sent more than `MAX_ANSWER_BYTES` in one answer."""


class ConnectFailed(OSError):
    """No connection could be made, so nothing was sent. The reason is in `__cause__`."""


class PinMismatch(ssl.SSLError):
    """The server shows another certificate than the pinned one."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        super().__init__(f"the server's certificate has the SHA-256 thumbprint {shown}")


@dataclass(slots=True)
class _Budget:
    ends_at: float
    bytes_left: int

    def seconds_left(self) -> Seconds:
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise DeadlinePassed("the call took longer than it may")
        return left

    def take(self, received: int) -> None:
        self.bytes_left -= received
        if self.bytes_left < 0:
            raise AnswerTooLarge(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")


class _Calls(threading.local):
    budget: _Budget | None = None


_CALLS = _Calls()


@contextmanager
def call_within(seconds: Seconds, *, most_bytes: int = MAX_ANSWER_BYTES) -> Iterator[None]:
    """Bound everything that this thread does on watched sockets inside the block.

    A block inside another ends no later than the outer one. Name resolution is the one thing that
    cannot be bound: it ends when the system's resolver gives up.
    """
    before = _CALLS.budget
    ends_at = time.monotonic() + seconds
    if before is not None:
        ends_at = min(ends_at, before.ends_at)
    _CALLS.budget = _Budget(ends_at=ends_at, bytes_left=most_bytes)
    try:
        yield
    finally:
        _CALLS.budget = before


class WatchedSocket(ssl.SSLSocket):
    """A TLS socket whose every send and receive ends with the call's deadline."""

    def recv_into(
        self, buffer: "WriteableBuffer", nbytes: int | None = None, flags: int = 0
    ) -> int:
        """Receive within the call's time and size."""
        budget = _CALLS.budget
        if budget is None:
            return super().recv_into(buffer, nbytes, flags)
        self.settimeout(budget.seconds_left())
        received = super().recv_into(buffer, nbytes, flags)
        budget.take(received)
        return received

    def send(self, data: "ReadableBuffer", flags: int = 0) -> int:
        """Send within the call's time."""
        if _CALLS.budget is not None:
            self.settimeout(_CALLS.budget.seconds_left())
        return super().send(data, flags)


def tls_context(settings: VsphereSettings) -> ssl.SSLContext:
    """Return a context that verifies: system CAs, `ca_file` instead, or nothing but the pin.

    Raises:
        OSError: the CA file cannot be read or holds no certificate.
    """
    context = ssl.create_default_context(
        cafile=str(settings.ca_file) if settings.ca_file and not settings.pin else None
    )
    if settings.pin:  # the pin is checked on the connected socket, before anything is sent
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.sslsocket_class = WatchedSocket
    return context


class WatchedConnection(http.client.HTTPSConnection):
    """An HTTPS connection that keeps to the deadline and to the pin from its first byte."""

    def __init__(
        self, host: str, port: int, *, settings: VsphereSettings, context: ssl.SSLContext
    ) -> None:
        super().__init__(host, port, context=context)
        self._settings = settings
        self._tls = context

    def connect(self) -> None:
        """Connect, shake hands and check the pin.

        Raises:
            ConnectFailed: whatever went wrong; nothing was sent.
        """
        try:
            self.sock = self._secured(self._reached())
        except OSError as err:
            raise ConnectFailed(str(err)) from err

    def _reached(self) -> socket.socket:
        ends_at = time.monotonic() + self._timeout_s()
        failure: OSError = OSError("the name has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(
            self._settings.host, self._settings.port, type=socket.SOCK_STREAM
        ):
            raw = socket.socket(family, kind, protocol)
            try:
                raw.settimeout(max(ends_at - time.monotonic(), 0.001))
                raw.connect(address)
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as err:
                raw.close()
                failure = err
            else:
                return raw
        raise failure

    def _secured(self, raw: socket.socket) -> ssl.SSLSocket:
        try:
            raw.settimeout(self._timeout_s())
            secured = self._tls.wrap_socket(raw, server_hostname=self._settings.host)
        except BaseException:
            raw.close()
            raise
        shown = hashlib.sha256(secured.getpeercert(binary_form=True) or b"").hexdigest()
        if self._settings.pin and shown != self._settings.pin:
            secured.close()
            raise PinMismatch(shown)
        return secured

    def _timeout_s(self) -> Seconds:
        budget = _CALLS.budget
        left = budget.seconds_left() if budget else self._settings.connect_timeout_s
        return min(left, self._settings.connect_timeout_s)

"""One HTTPS connection with an end: trust, connect time-out, a total deadline and a size cap per call.

Owns the socket. A read time-out alone counts from byte to byte, so that a server which drips one byte a
second defeats it; here each receive gets what is left of the whole call's time. Must never switch
verification off without a pin, and must never send a byte to the vCenter before its certificate is
accepted. Sits below pyVmomi's stub and the version negotiation.
"""

import hashlib
import http.client
import socket
import ssl
from typing import TYPE_CHECKING

from balancer.adapters.vsphere.deadline import (
    MAX_ANSWER_BYTES,
    AnswerTooLarge,
    Budget,
    CallStopped,
    DeadlinePassed,
    budget,
    call_within,
)
from balancer.adapters.vsphere.reach import reached
from balancer.adapters.vsphere.settings import VsphereSettings

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = [
    "MAX_ANSWER_BYTES",
    "AnswerTooLarge",
    "CallStopped",
    "ConnectFailed",
    "DeadlinePassed",
    "ForbiddenMarkup",
    "PinMismatch",
    "WatchedConnection",
    "WatchedSocket",
    "call_within",
    "tls_context",
]

_DECLARATIONS = (b"<!DOCTYPE", b"<!ENTITY")
_LONGEST_DECLARATION = max(map(len, _DECLARATIONS))


class ConnectFailed(OSError):
    """No connection could be made, so nothing was sent. The reason is in `__cause__`."""


class ForbiddenMarkup(ValueError):
    """The answer declares a document type. SOAP 1.1 section 3 forbids it, and entity bombs need it."""


class PinMismatch(ssl.SSLError):
    """The server shows another certificate than the pinned one."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        super().__init__(f"the server's certificate has the SHA-256 thumbprint {shown}")


class WatchedSocket(ssl.SSLSocket):
    """A TLS socket whose every send and receive ends with the call's deadline."""

    def recv_into(
        self, buffer: "WriteableBuffer", nbytes: int | None = None, flags: int = 0
    ) -> int:
        """Receive within the call's time and size."""
        left = budget()
        if left is None:
            return super().recv_into(buffer, nbytes, flags)
        while True:
            self.settimeout(left.slice_s())
            try:
                received = super().recv_into(buffer, nbytes, flags)
            except TimeoutError:
                continue  # a slice is over; `slice_s` ends the loop with the call's time
            left.take(received)
            return received

    def send(self, data: "ReadableBuffer", flags: int = 0) -> int:
        """Send within the call's time."""
        left = budget()
        if left is None:
            return super().send(data, flags)
        while True:
            self.settimeout(left.slice_s())
            try:
                return super().send(data, flags)
            except TimeoutError:
                continue


class WatchedAnswer(http.client.HTTPResponse):
    """An answer that is whole, and refuses a document type whatever the parser behind it would do.

    `http.client` takes an early end for the end where it reads in pieces; a parser then finds half a
    document, which is another kind of failure than a broken connection.
    """

    _tail = b""

    def read(self, amt: int | None = None) -> bytes:
        """Read, and look for declarations, also across two pieces."""
        piece = super().read(amt)
        if not piece and amt and self.length:
            raise http.client.IncompleteRead(b"", self.length)
        seen = self._tail + piece
        if any(word in seen for word in _DECLARATIONS):
            raise ForbiddenMarkup("the answer declares a document type")
        self._tail = seen[1 - _LONGEST_DECLARATION :]
        return piece


def tls_context(settings: VsphereSettings) -> ssl.SSLContext:
    """Return a context that verifies: system CAs, `ca_file` instead, or nothing but the pin.

    TLS 1.2 is the least, whatever the system's library would allow.

    Raises:
        OSError: the CA file cannot be read or holds no certificate.
    """
    context = ssl.create_default_context(
        cafile=str(settings.ca_file) if settings.ca_file and not settings.pin else None
    )
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    if settings.pin:  # the pin is checked on the connected socket, before anything is sent
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.sslsocket_class = WatchedSocket
    return context


class WatchedConnection(http.client.HTTPSConnection):
    """An HTTPS connection that keeps to the deadline and to the pin from its first byte."""

    response_class = WatchedAnswer

    def __init__(
        self, host: str, port: int, *, settings: VsphereSettings, context: ssl.SSLContext
    ) -> None:
        super().__init__(host, port, context=context)
        self._settings = settings
        self._tls = context

    def connect(self) -> None:
        """Resolve, connect, shake hands and check the pin, all within `connect_timeout_s`.

        Raises:
            ConnectFailed: whatever went wrong; nothing was sent.
        """
        try:
            with call_within(self._settings.connect_timeout_s) as left:
                self.sock = self._secured(reached(self._settings, left), left)
        except OSError as err:
            raise ConnectFailed(str(err)) from err

    def _secured(self, raw: socket.socket, left: Budget) -> ssl.SSLSocket:
        try:
            raw.settimeout(left.slice_s())
            secured = self._tls.wrap_socket(
                raw, server_hostname=self._settings.host, do_handshake_on_connect=False
            )
        except BaseException:
            raw.close()
            raise
        try:
            _shake_hands(secured, left)
            self._check_pin(secured)
        except BaseException:
            secured.close()
            raise
        return secured

    def _check_pin(self, secured: ssl.SSLSocket) -> None:
        shown = hashlib.sha256(secured.getpeercert(binary_form=True) or b"").hexdigest()
        if self._settings.pin and shown != self._settings.pin:
            raise PinMismatch(shown)


def _shake_hands(secured: ssl.SSLSocket, left: Budget) -> None:
    while True:
        secured.settimeout(left.slice_s())
        try:
            secured.do_handshake()
        except TimeoutError:
            continue
        return

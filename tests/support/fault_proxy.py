"""A proxy between the adapter and the test vCenter that ends TLS, reads SOAP, and spoils what it is told to.

It owns its threads and connections and ends them when left. It passes on what no rule concerns, notes every
request that reaches it, and notes what it passed on: what a test counts on the wire is counted here. The
key beside it (tests/data/fault-proxy.pem) belongs to nobody else and is trusted by no system.
"""

import http.client
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType

from tests.support.listener import Listener
from tests.support.vcenter import VCenterProcess

CERTIFICATE = Path(__file__).parents[1] / "data" / "fault-proxy.pem"
_TICK_S = 0.05
_METHOD = re.compile(rb"<soapenv:Body>\s*<([A-Za-z_]+)[ >]")
_SUBJECT = re.compile(rb"<_this[^>]*>([^<]*)</_this>")
_NO_LINGER = struct.pack("ii", 1, 0)


class Spoil(StrEnum):
    """What may be done to one exchange."""

    DROP_REQUEST = "drop_request"
    DROP_REPLY = "drop_reply"
    DELAY = "delay"
    DRIP = "drip"
    RESET = "reset"
    STATUS = "status"
    TRUNCATE = "truncate"
    ANSWER = "answer"
    REPLACE = "replace"


@dataclass(slots=True, kw_only=True)
class Rule:
    """Spoil the next `times` calls of a method, after `skip` that pass; an empty method is any.

    `seconds` is the delay, or the pause between two dripped bytes. `status` is what STATUS answers after
    the call was passed on, and ANSWER instead of passing it on, there with `body`. REPLACE puts `body` in
    place of `old` wherever an answer has it, which may change its length.
    """

    what: Spoil
    method: str = ""
    times: int = 1
    skip: int = 0
    seconds: float = 0.0
    status: int = 503
    body: bytes = b""
    old: bytes = b""

    def takes(self, method: str) -> bool:
        """Whether this call is spoiled; counts down."""
        if self.times <= 0 or self.method not in ("", method):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request as it came in. `method` is the SOAP method or the path of a GET."""

    method: str
    subject: str
    verb: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True, kw_only=True)
class Seen:
    """What reached the proxy, and what of it was passed on; each as method and subject."""

    received: list[tuple[str, str]] = field(default_factory=list)
    passed: list[tuple[str, str]] = field(default_factory=list)

    def count(self, method: str, subject: str = "") -> int:
        """Return how often a call reached the proxy."""
        return sum(1 for m, s in self.received if m == method and subject in ("", s))


class FaultProxy(Listener):
    """Listens on 127.0.0.1 with a certificate of its own (`ca_file`)."""

    def __init__(self, server: VCenterProcess) -> None:
        self.seen = Seen()
        self.connections = 0
        self.on_request: Callable[[Request], None] = lambda request: None
        self.ca_file = CERTIFICATE
        self._server = server
        self._rules: list[Rule] = []
        self._upstreams: set[http.client.HTTPSConnection] = set()
        self._lock = threading.Lock()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(CERTIFICATE)
        super().__init__()

    def spoil(self, what: Spoil, method: str = "", **facts: object) -> Rule:
        """Add a rule; the first that concerns a call is applied."""
        rule = Rule(what=what, method=method, **facts)  # type: ignore[arg-type]
        with self._lock:
            self._rules.append(rule)
        return rule

    def forget_rules(self) -> None:
        """Pass everything on from now on."""
        with self._lock:
            self._rules.clear()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End; a wait for changes that the server holds open for half a minute is cut off."""
        self._over.set()
        with self._lock:
            for upstream in self._upstreams:
                if upstream.sock is not None:
                    with suppress(OSError):  # not the method of TLS, which spoils the reader's end
                        socket.socket.shutdown(upstream.sock, socket.SHUT_RDWR)
        super().__exit__(kind, error, trace)

    def turn_to(self, server: VCenterProcess) -> None:
        """Pass requests on to another server, as after a restart."""
        self._server = server

    def _accepted(self, client: socket.socket) -> None:
        self.connections += 1
        super()._accepted(client)

    def _serve(self, raw: socket.socket) -> None:
        with raw, suppress(OSError, http.client.HTTPException):
            raw.settimeout(10)
            with self._tls.wrap_socket(raw, server_side=True) as client:
                client.settimeout(_TICK_S)
                while (request := self._read(client)) is not None and self._answer(client, request):
                    pass

    def _read(self, client: ssl.SSLSocket) -> Request | None:
        data = b""
        while b"\r\n\r\n" not in data:
            more = self._received(client)
            if not more:
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        verb, path, _ = lines[0].split(" ", 2)
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        while len(body) < int(headers.get("content-length", 0)):
            more = self._received(client)
            if not more:
                return None
            body += more
        named, of = _METHOD.search(body), _SUBJECT.search(body)
        return Request(
            method=named[1].decode() if named else path,
            subject=of[1].decode() if of else "",
            verb=verb,
            path=path,
            headers=headers,
            body=body,
        )

    def _received(self, client: ssl.SSLSocket) -> bytes:
        """Receive something; nothing where the client has left or the proxy ends."""
        while not self._over.is_set():
            with suppress(TimeoutError):
                return client.recv(65_536)
        return b""

    def _answer(self, client: ssl.SSLSocket, request: Request) -> bool:
        """Answer one request; whether the connection may be used on."""
        self.on_request(request)
        with self._lock:
            self.seen.received.append((request.method, request.subject))
            rule = next((r for r in self._rules if r.takes(request.method)), None)
        if rule is not None and rule.what is Spoil.DROP_REQUEST:
            return False
        if rule is not None and rule.what is Spoil.ANSWER:
            return self._send(client, _packed(rule.status, rule.body))
        answer = self._passed_on(request)
        return self._send(client, answer) if rule is None else self._spoilt(client, rule, answer)

    def _spoilt(self, client: ssl.SSLSocket, rule: Rule, answer: bytes) -> bool:
        if rule.what is Spoil.DELAY:
            self._over.wait(rule.seconds)
            return self._send(client, answer)
        if rule.what is Spoil.DRIP:
            return self._drip(client, answer, rule.seconds)
        if rule.what is Spoil.REPLACE:
            return self._send(client, _replaced(answer, rule.old, rule.body))
        if rule.what is Spoil.STATUS:
            return self._send(client, _packed(rule.status, b"not now"))
        if rule.what is Spoil.TRUNCATE:
            head, _, body = answer.partition(b"\r\n\r\n")
            self._send(client, head + b"\r\n\r\n" + body[: len(body) // 2])
        if rule.what is Spoil.RESET:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        return False

    def _drip(self, client: ssl.SSLSocket, answer: bytes, pause_s: float) -> bool:
        return all(
            self._send(client, bytes([byte])) and not self._over.wait(pause_s) for byte in answer
        )

    def _send(self, client: ssl.SSLSocket, data: bytes) -> bool:
        client.settimeout(30)
        with suppress(OSError):
            client.sendall(data)
            client.settimeout(_TICK_S)
            return True
        return False

    def _passed_on(self, request: Request) -> bytes:
        server = self._server
        upstream = http.client.HTTPSConnection(
            server.host, server.port, timeout=60, context=server.tls_context()
        )
        with self._lock:
            self.seen.passed.append((request.method, request.subject))
            self._upstreams.add(upstream)
        kept = ("cookie", "content-type", "soapaction")
        headers = {name: request.headers[name] for name in kept if name in request.headers}
        try:
            upstream.request(request.verb, request.path, request.body or None, headers)
            answer = upstream.getresponse()
            body = answer.read()
            return _packed(answer.status, body, cookie=answer.getheader("Set-Cookie"))
        finally:
            with self._lock:
                self._upstreams.discard(upstream)
            upstream.close()


def _packed(status: int, body: bytes, *, cookie: str | None = None) -> bytes:
    head = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", "Content-Type: text/xml"]
    if cookie:
        head.append(f"Set-Cookie: {cookie}")
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def _replaced(answer: bytes, old: bytes, new: bytes) -> bytes:
    head, _, body = answer.partition(b"\r\n\r\n")
    body = body.replace(old, new)
    head = re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(body), head)
    return head + b"\r\n\r\n" + body


def soap_fault(name: str, *, detail: str = "") -> bytes:
    """Return the body of a fault of that class, such as `NotAuthenticatedFault` in the vim25 namespace."""
    inner = detail or f'<{name} xmlns="urn:vim25" xsi:type="{name.removesuffix("Fault")}"/>'
    return (
        '<?xml version="1.0"?><soapenv:Envelope'
        ' xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><soapenv:Fault>'
        f"<faultcode>ServerFaultCode</faultcode><faultstring>{name}</faultstring>"
        f"<detail>{inner}</detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>"
    ).encode()


def since(started: float) -> float:
    """Return the seconds that have passed."""
    return time.monotonic() - started

"""A receiver of webhooks on a port of this machine: keeps what it is sent, answers as it is told to."""

import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request. Names of headers are in small letters."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer. `before`: what to do, or to wait for, before it is given."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    before: Callable[[], object] = bool


class Receiver:
    """Answers with `replies` in order, and the last one for ever."""

    def __init__(
        self, replies: Sequence[Reply] = (Reply(),), tls: ssl.SSLContext | None = None
    ) -> None:
        self.received: list[Received] = []
        self._replies = list(replies)
        self._news = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._scheme = "https" if tls else "http"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_address[1])

    def url(self, path: str = "/hook") -> str:
        """Return its address."""
        return f"{self._scheme}://127.0.0.1:{self.port}{path}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def wait_for(self, count: int, within_s: float = 20.0) -> list[Received]:
        """Return what was received once that are so many."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.received) >= count, within_s), self.received
            return list(self.received)

    def _take(self, request: Received) -> Reply:
        with self._news:
            self.received.append(request)
            self._news.notify_all()
            return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                reply = take(Received(path=self.path, headers=headers, body=body))
                reply.before()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *words: object) -> None:
                del words

        return Handler

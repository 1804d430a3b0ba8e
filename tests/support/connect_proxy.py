"""An HTTP proxy for tests that opens ways with CONNECT, or refuses to; it owns its threads and ends them."""

import base64
import select
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

_TICK_S = 0.05


class ConnectProxy:
    """Listens on 127.0.0.1. `login` is `user:password` or empty; `answer` replaces its own answer."""

    def __init__(
        self, *, login: str = "", answer: bytes | None = None, silent: bool = False
    ) -> None:
        self.asked: list[str] = []
        self.refused = 0
        self._login = login
        self._answer = answer
        self._is_silent = silent
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_TICK_S)
        self._threads: list[threading.Thread] = []
        self._spawn(self._accept)

    @property
    def port(self) -> int:
        """The port that the proxy listens on."""
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _spawn(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._over.is_set():
            with suppress(TimeoutError):
                self._spawn(self._serve, self._listener.accept()[0])

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            client.settimeout(10)
            head = b""
            while b"\r\n\r\n" not in head:
                more = client.recv(4096)
                if not more:
                    return
                head += more
            lines = head.decode("latin-1").split("\r\n")
            self.asked.append(lines[0])
            if self._is_silent:
                self._over.wait(60)
            elif self._answer is not None:
                client.sendall(self._answer)
            elif not self._may_pass(lines):
                self.refused += 1
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            else:
                self._relay(client, lines[0].split(" ")[1])

    def _may_pass(self, lines: list[str]) -> bool:
        token = base64.b64encode(self._login.encode()).decode("ascii")
        return not self._login or f"Proxy-Authorization: Basic {token}" in lines

    def _relay(self, client: socket.socket, target: str) -> None:
        host, _, port = target.rpartition(":")
        with socket.create_connection((host, int(port))) as server:
            client.sendall(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
            other = {client: server, server: client}
            while not self._over.is_set():
                ready, _, _ = select.select(list(other), [], [], _TICK_S)
                for side in ready:
                    data = side.recv(65_536)
                    if not data:
                        return
                    other[side].sendall(data)

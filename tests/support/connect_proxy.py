"""An HTTP proxy for tests that opens ways with CONNECT, or refuses to; it owns its threads and ends them."""

import base64
import select
import socket
from contextlib import suppress

from tests.support.listener import Listener

_TICK_S = 0.05


class ConnectProxy(Listener):
    """Listens on 127.0.0.1. `login` is `user:password` or empty; `answer` replaces its own answer."""

    def __init__(
        self, *, login: str = "", answer: bytes | None = None, silent: bool = False
    ) -> None:
        self.asked: list[str] = []
        self.refused = 0
        self._login = login
        self._answer = answer
        self._is_silent = silent
        super().__init__()

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

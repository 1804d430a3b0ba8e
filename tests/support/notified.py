"""A service manager's side of sd_notify: a datagram socket of our own that keeps what it is told."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TOLD_WITHIN_S = 30.0


class Notified:
    """What a service manager has been told, one datagram a time; `address` is what NOTIFY_SOCKET holds."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def next(self, within_s: float = TOLD_WITHIN_S) -> dict[str, str]:
        """Return the next message, by name; raises `TimeoutError` where none comes."""
        self._socket.settimeout(within_s)
        lines = self._socket.recv(4096).decode().split("\n")
        return dict(line.split("=", 1) for line in lines)

    def next_of(self, name: str) -> dict[str, str]:
        """Return the next message that has a name, and leave out what comes before it."""
        while name not in (message := self.next()):
            pass
        return message

    def is_quiet(self) -> bool:
        """Whether nothing waits to be read."""
        self._socket.setblocking(False)
        try:
            self._socket.recv(4096)
        except BlockingIOError:
            return True
        return False

    def close(self) -> None:
        """Close the socket; what is sent afterwards is refused."""
        self._socket.close()


@contextmanager
def notified(folder: Path) -> Iterator[Notified]:
    """Listen at a path in a folder."""
    manager = Notified(str(folder / "notify"))
    try:
        yield manager
    finally:
        manager.close()

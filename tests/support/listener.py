"""What listens on a port of this machine for a test: a thread for each connection, all of them ended."""

import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

_TICK_S = 0.05


class Listener(ABC):
    """Listens from the moment it is made, which subclasses do last; `_serve` has each connection."""

    def __init__(self, listen_on: str = "127.0.0.1") -> None:
        self._over = threading.Event()
        self._listener = socket.create_server((listen_on, 0), backlog=128)
        self._listener.settimeout(_TICK_S)
        self._threads: list[threading.Thread] = []
        self._spawn(self._accept)

    @property
    def port(self) -> int:
        """The port that is listened on."""
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

    def _spawn(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._over.is_set():
            with suppress(TimeoutError):
                self._accepted(self._listener.accept()[0])

    def _accepted(self, client: socket.socket) -> None:
        self._spawn(self._serve, client)

    @abstractmethod
    def _serve(self, client: socket.socket) -> None:
        """Have one connection to its end."""

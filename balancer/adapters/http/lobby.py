"""Where connections wait for their first byte: thousands of them cost little, and none holds the place of another.

Most connections of a wave never ask anything. They are given what an HTTP connection needs once something comes.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Protocol

from balancer.model.units import Seconds

MOST_CONNECTIONS = 6_000
"""Of all together; fewer where the process may not have so many descriptors."""


class Speaker(Protocol):
    """A connection on which something was said."""

    @property
    def idle_since_s(self) -> Seconds | None:
        """Since when nothing is asked on it, by the loop's clock; None while something is."""

    def cut_off(self) -> None:
        """End it at once."""


class Lobby:
    """The connections that wait, oldest first, and how many there may be with those that speak."""

    def __init__(
        self,
        admit: Callable[[], asyncio.Protocol],
        speaking: Callable[[], list[Speaker]],
        *,
        timeout_s: Callable[[], Seconds],
        most: int,
    ) -> None:
        self.admit, self.timeout_s = admit, timeout_s
        self._speaking, self._most = speaking, most
        self._waiting: dict[Waiting, None] = {}

    def enter(self, connection: "Waiting") -> None:
        """Let one wait; the one that has been idle for longest makes room where there is none."""
        speaking = self._speaking()
        if len(self._waiting) + len(speaking) >= self._most:
            self._make_room(speaking, connection)
        self._waiting[connection] = None

    def leave(self, connection: "Waiting") -> None:
        """Let one go."""
        self._waiting.pop(connection, None)

    def close(self) -> None:
        """End all that wait."""
        for connection in list(self._waiting):
            connection.cut_off()

    def _make_room(self, speaking: list[Speaker], new: "Waiting") -> None:
        for oldest in self._waiting:
            oldest.cut_off()
            return
        idle = [(one.idle_since_s, one) for one in speaking if one.idle_since_s is not None]
        if idle:
            min(idle, key=lambda pair: pair[0])[1].cut_off()
        else:
            new.cut_off()


class Waiting(asyncio.Protocol):
    """One connection until its first byte."""

    def __init__(self, lobby: Lobby) -> None:
        self._lobby = lobby
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._lobby.timeout_s(), self._give_up)
        self._lobby.enter(self)

    def data_received(self, data: bytes) -> None:
        """Hand the connection over to what understands HTTP."""
        assert self._transport is not None, "data come after the connection"
        self._end()
        speaker = self._lobby.admit()
        self._transport.set_protocol(speaker)
        speaker.connection_made(self._transport)
        speaker.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        del exc
        self._end()

    def cut_off(self) -> None:
        """End it."""
        self._end()
        if self._transport is not None:
            reset(self._transport)

    def _give_up(self) -> None:
        self._end()
        if self._transport is not None:
            self._transport.close()

    def _end(self) -> None:
        self._lobby.leave(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def reset(transport: asyncio.Transport) -> None:
    """End a connection at once, with what was not read yet: nothing of it stays in the kernel."""
    opened = transport.get_extra_info("socket")
    if opened is not None:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()

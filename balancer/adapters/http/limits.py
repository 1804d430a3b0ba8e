"""What one client may ask of the HTTP side: how large a request, how slow its head.

A probe or a scrape has no body and sends its head at once. Whatever does otherwise is cut off, so that
no client can hold the few connections that there are.
"""

import asyncio
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from balancer.model.units import Seconds

MOST_BODY_BYTES = 64 * 1024
MOST_HEAD_BYTES = 16 * 1024
HEAD_TIMEOUT_S: Seconds = 5.0
KEEP_ALIVE_TIMEOUT_S = 5
MOST_CONNECTIONS = 64


class _BodyTooLarge(Exception):
    """More was sent than is read."""


class LimitBody:
    """Answer 413 to a request whose body is, or turns out to be, larger than `most_bytes`."""

    def __init__(self, app: ASGIApp, most_bytes: int = MOST_BODY_BYTES) -> None:
        self._app = app
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a counted body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _announced(scope) > self._most_bytes:
            await _too_large(scope, receive, send)
            return
        read, has_begun = 0, False

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most_bytes:
                raise _BodyTooLarge
            return message

        async def noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, counted, noted)
        except _BodyTooLarge:
            if not has_begun:
                await _too_large(scope, receive, send)


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


async def _too_large(scope: Scope, receive: Receive, send: Send) -> None:
    answer = PlainTextResponse("the request's body is too large\n", status_code=413)
    await answer(scope, receive, send)


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection on which the head of a request is not complete in time."""

    head_timeout_s: Seconds = HEAD_TIMEOUT_S

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock with the connection."""
        super().connection_made(transport)
        self._arm()

    def data_received(self, data: bytes) -> None:
        """Stop the clock when the head is complete; start it with the first byte of the next one."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._arm()
        else:
            self._disarm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._disarm()
        super().connection_lost(exc)

    def _arm(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_timeout_s, self.transport.close)

    def _disarm(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

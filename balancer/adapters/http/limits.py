"""What one client, and all together, may ask of the HTTP side: sizes, times, numbers.

A probe or a scrape has no body and sends its head at once, and reads its answer. Whatever does otherwise is cut
off, so that nobody can hold what there is. How many connections there are is a matter of the `lobby`.
"""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from balancer.adapters.http.lobby import reset
from balancer.adapters.http.problems import Problem, busy
from balancer.model.units import Seconds

MOST_BODY_BYTES = 64 * 1024
MOST_HEAD_BYTES = 16 * 1024
HEAD_TIMEOUT_S: Seconds = 5.0
BODY_TIMEOUT_S: Seconds = 10.0
READER_TIMEOUT_S: Seconds = 20.0
HANDSHAKE_TIMEOUT_S: Seconds = 5.0
KEEP_ALIVE_TIMEOUT_S = 5
MOST_API_REQUESTS = 32
MOST_OTHER_REQUESTS = 64
_CLOSE: Mapping[str, str] = MappingProxyType({"connection": "close"})


class LimitBody:
    """Answer 413 to a body that is larger than `most_bytes`, 408 to one that is not there in time.

    A body is read whole before anything is done with it: what is half there changes nothing.
    """

    timeout_s: ClassVar[Seconds] = BODY_TIMEOUT_S

    def __init__(self, app: ASGIApp, most_bytes: int = MOST_BODY_BYTES) -> None:
        self._app = app
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body, or answer with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        read = None if _announced(scope) > self._most_bytes else await self._read(receive)
        if isinstance(read, bytes):
            await self._app(scope, _given(read, receive), send)
            return
        await (read or self._too_large()).response()(scope, receive, send)

    async def _read(self, receive: Receive) -> bytes | Problem:
        body, is_whole = b"", False
        try:
            async with asyncio.timeout(self.timeout_s):
                while not is_whole:
                    message = await receive()
                    body += message.get("body", b"")
                    if len(body) > self._most_bytes:
                        return self._too_large()
                    is_whole = not message.get("more_body", False)
        except TimeoutError:
            return _TOO_SLOW
        return body

    def _too_large(self) -> Problem:
        return Problem(
            kind="body-too-large",
            found=f"more than {self._most_bytes:,} bytes",
            where="the body of the request",
            allowed=f"at most {self._most_bytes:,} bytes",
            mend="Send less: a request of this interface is a few hundred bytes long.",
            headers=_CLOSE,
        )


def _given(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read, and then what comes after it."""
    is_given = False

    async def give() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give


_TOO_SLOW = Problem(
    kind="body-too-slow",
    found=f"a body that was not whole after {BODY_TIMEOUT_S:.0f} seconds",
    where="the body of the request",
    allowed=f"all of it within {BODY_TIMEOUT_S:.0f} seconds",
    mend="Send it at once.",
    headers=_CLOSE,
)


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


class LimitRequests:
    """Answer 503 at once to more requests at a time than are worked on; the interface and the rest apart.

    However much is asked of the interface, probes and scrapes have their own share.
    """

    def __init__(self, app: ASGIApp, api: str) -> None:
        self._app, self._api = app, api
        self._running = {True: 0, False: 0}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_api = scope["path"].startswith(self._api)
        most = MOST_API_REQUESTS if is_api else MOST_OTHER_REQUESTS
        if self._running[is_api] >= most:
            await busy(self._api if is_api else "/metrics and probes").response()(
                scope, receive, send
            )
            return
        self._running[is_api] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running[is_api] -= 1


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection whose head, or whose reading of an answer, takes too long."""

    head_timeout_s: ClassVar[Seconds] = HEAD_TIMEOUT_S
    reader_timeout_s: ClassVar[Seconds] = READER_TIMEOUT_S

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_timer: asyncio.TimerHandle | None = None
        self._reader_timer: asyncio.TimerHandle | None = None
        self._idle_since_s = self.loop.time()

    @property
    def idle_since_s(self) -> Seconds | None:
        """Return since when nothing is asked, by the loop's clock; None while something is."""
        return self._idle_since_s if self._is_idle else None

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock with the connection."""
        super().connection_made(transport)
        self._arm()

    def cut_off(self) -> None:
        """End the connection at once."""
        reset(self.transport)

    def data_received(self, data: bytes) -> None:
        """Stop the clock when the head is complete; start it with the first byte of the next one."""
        super().data_received(data)
        if self._is_idle:
            self._arm()
        else:
            self._disarm()

    def on_response_complete(self) -> None:
        """Begin to be idle."""
        self._idle_since_s = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Start the clock of a client that does not read."""
        super().pause_writing()
        if self._reader_timer is None:
            self._reader_timer = self.loop.call_later(self.reader_timeout_s, self.cut_off)

    def resume_writing(self) -> None:
        """Stop it."""
        self._forgive_reader()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        self._disarm()
        self._forgive_reader()
        super().connection_lost(exc)

    def _arm(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_timeout_s, self.transport.close)

    def _disarm(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _forgive_reader(self) -> None:
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None

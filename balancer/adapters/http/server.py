"""The HTTP server: uvicorn on a thread of its own, listening when `start` returns, gone after `stop`.

Bound to loopback by default. Its limits are those of `limits`. It never touches signals: the daemon
owns them.
"""

import socket
import threading
import time

from fastapi import FastAPI
from uvicorn import Config, Server

from balancer.adapters.http.limits import (
    KEEP_ALIVE_TIMEOUT_S,
    MOST_CONNECTIONS,
    MOST_HEAD_BYTES,
    ImpatientProtocol,
)
from balancer.model.errors import BalancerError
from balancer.model.units import Seconds

START_WITHIN_S: Seconds = 10.0
STOP_WITHIN_S: Seconds = 2.0
_FINISH_WITHIN_S = 1
_LOOK_EVERY_S: Seconds = 0.01
_BACKLOG = 64
_LAST_PORT = 65_535


class HttpServer:
    """One server for one application. Port 0 takes any free port; `port` tells which."""

    def __init__(self, app: FastAPI, host: str = "127.0.0.1", port: int = 0) -> None:
        self._app = app
        self._host = host
        self._wanted_port = port
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._port: int | None = None

    @property
    def port(self) -> int:
        """Return the port that is listened on.

        Raises:
            RuntimeError: the server has not been started.
        """
        if self._port is None:
            raise RuntimeError("the HTTP server has not been started")
        return self._port

    @property
    def url(self) -> str:
        """Return the server's address, such as `http://127.0.0.1:9273`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    def start(self) -> None:
        """Listen, and return when requests are answered.

        Raises:
            BalancerError: the address cannot be listened on.
            RuntimeError: the server runs already.
        """
        if self._thread is not None:
            raise RuntimeError("the HTTP server runs already")
        listener = _listen(self._host, self._wanted_port)
        self._port = int(listener.getsockname()[1])
        server = Server(_config(self._app))
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="http", daemon=True
        )
        self._server, self._thread = server, thread
        thread.start()
        deadline = time.monotonic() + START_WITHIN_S
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                self.stop()
                raise BalancerError(f"starting the HTTP server on {self._host}: it did not come up")
            time.sleep(_LOOK_EVERY_S)

    def stop(self) -> None:
        """Stop listening, give running answers a second to end, and return within two."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(STOP_WITHIN_S * 0.9)
        if self._thread.is_alive():
            self._server.force_exit = True
            self._thread.join(STOP_WITHIN_S * 0.1)
        self._server = self._thread = self._port = None


def _config(app: FastAPI) -> Config:
    return Config(
        app,
        http=ImpatientProtocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_TIMEOUT_S,
        timeout_graceful_shutdown=_FINISH_WITHIN_S,
        h11_max_incomplete_event_size=MOST_HEAD_BYTES,
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if not 0 <= port <= _LAST_PORT:
        raise _cannot_listen(host, port, f"ports run from 0 to {_LAST_PORT}")
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise _cannot_listen(host, port, str(error)) from error


def _cannot_listen(host: str, port: int, why: str) -> BalancerError:
    return BalancerError(
        f"listening on {host} port {port} for metrics and probes: {why}. "
        "Set another address or port in the configuration, or end what listens there."
    )

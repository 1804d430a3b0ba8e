"""The HTTP server: uvicorn on a thread of its own, listening when `start` returns, gone after `stop`.

Bound to loopback by default. Its limits are those of `limits`. It never touches signals: the daemon owns them. A
changed certificate is taken up while it runs; what is wrong with a new one is told, and the old one stays.
"""

import asyncio
import logging
import resource
import socket
import ssl
import threading
import time
from functools import partial
from pathlib import Path
from typing import Protocol

from fastapi import FastAPI
from uvicorn import Config, Server

from balancer.adapters.http.limits import (
    HANDSHAKE_TIMEOUT_S,
    KEEP_ALIVE_TIMEOUT_S,
    MOST_HEAD_BYTES,
    ImpatientProtocol,
)
from balancer.adapters.http.lobby import MOST_CONNECTIONS, Lobby, Speaker, Waiting
from balancer.config.serving import is_loopback
from balancer.model.errors import BalancerError
from balancer.model.units import Seconds

log = logging.getLogger(__name__)

START_WITHIN_S: Seconds = 10.0
STOP_WITHIN_S: Seconds = 2.0
LOOK_AT_CERTIFICATE_EVERY_S: Seconds = 10.0
WANTED_DESCRIPTORS = 8192
"""A wave of connections must not keep the process from opening its journal: the soft limit is often 1,024."""

KEPT_DESCRIPTORS = 512
"""For the journal, vCenters and processes that plan."""

LEAST_CONNECTIONS = 64
_FINISH_WITHIN_S = 1
_LOOK_EVERY_S: Seconds = 0.01
_BACKLOG = 1024
_LAST_PORT = 65_535


class CertificateFiles(Protocol):
    """Where certificate and key are."""

    @property
    def certificate_file(self) -> Path:
        """PEM file, the certificate first."""

    @property
    def key_file(self) -> Path:
        """PEM file, without a passphrase."""


class Certificate:
    """The TLS context that is shown, and the files that it comes from.

    Raises:
        BalancerError: a file cannot be read, or the two do not fit together.
    """

    def __init__(self, files: CertificateFiles) -> None:
        self._files = files
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._content = self._read()
        self._load()

    def look(self) -> None:
        """Take up changed files: connections from now on are shown the new certificate."""
        try:
            content = self._read()
            if content == self._content:
                return
            self._content = content
            self._load()
        except BalancerError as error:
            log.error("certificate refused, the old one stays", extra={"error": str(error)})
        else:
            log.info("certificate loaded", extra={"path": str(self._files.certificate_file)})

    def _read(self) -> tuple[bytes, bytes]:
        try:
            return self._files.certificate_file.read_bytes(), self._files.key_file.read_bytes()
        except OSError as error:
            raise self._wrong(f"{error.filename}: {error.strerror}") from error

    def _load(self) -> None:
        """Try the pair on a context of its own first: a failed load would leave half of it behind."""
        pair = str(self._files.certificate_file), str(self._files.key_file)
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*pair, password=_no_passphrase)
            self.context.load_cert_chain(*pair, password=_no_passphrase)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise self._wrong(str(error)) from error

    def _wrong(self, why: str) -> BalancerError:
        files = self._files
        return BalancerError(
            f"reading the certificate {files.certificate_file} and the key {files.key_file}: {why}. "
            "Both must be PEM, the key without a passphrase and the one of the first certificate; see http.tls."
        )


def _no_passphrase() -> str:
    return ""


class HttpServer:
    """One server for one application. Port 0 takes any free port; `port` tells which."""

    def __init__(
        self,
        app: FastAPI,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        tls: CertificateFiles | None = None,
    ) -> None:
        self._app = app
        self._host = host
        self._wanted_port = port
        self._tls = tls
        self.most_connections: int | None = None
        """Another limit than that of the descriptors, for tests; before the start."""
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
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    def start(self) -> None:
        """Listen, and return when requests are answered.

        Raises:
            BalancerError: the address cannot be listened on, or the certificate is wrong.
            RuntimeError: the server runs already.
        """
        if self._thread is not None:
            raise RuntimeError("the HTTP server runs already")
        certificate = Certificate(self._tls) if self._tls else None
        if certificate is None and not is_loopback(self._host):
            log.warning("served in clear beyond this machine", extra={"listen": self._host})
        listener = _listen(self._host, self._wanted_port)
        self._port = int(listener.getsockname()[1])
        server = _Listening(_config(self._app), certificate, self._most_connections())
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

    def _most_connections(self) -> int:
        return self.most_connections or _most_for(_descriptors())

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


def _most_for(descriptors: int) -> int:
    """Return how many connections fit beside the files and sessions of the process."""
    return max(min(MOST_CONNECTIONS, descriptors - KEPT_DESCRIPTORS), LEAST_CONNECTIONS)


class _Listening(Server):
    """A server that waits for a handshake no longer than for a head, and looks after its certificate."""

    def __init__(self, config: Config, certificate: Certificate | None, most: int) -> None:
        super().__init__(config)
        self._certificate, self._most = certificate, most
        self._lobby: Lobby | None = None
        self._looked_at_s = time.monotonic()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on sockets that are open already.

        Uvicorn's own gives no way to limit the handshake (Source: uvicorn 0.54, `Server.startup`).
        """
        await self.lifespan.startup()
        loop, config = asyncio.get_running_loop(), self.config

        def speaking() -> ImpatientProtocol:
            return ImpatientProtocol(
                config=config, server_state=self.server_state, app_state=self.lifespan.state
            )

        self._lobby = Lobby(
            speaking,
            self._speakers,
            timeout_s=lambda: ImpatientProtocol.head_timeout_s,
            most=self._most,
        )
        context = self._certificate.context if self._certificate else None
        timeout_s = HANDSHAKE_TIMEOUT_S if context else None
        self.servers = [
            await loop.create_server(
                partial(Waiting, self._lobby),
                sock=opened,
                ssl=context,
                ssl_handshake_timeout=timeout_s,
                backlog=_BACKLOG,
            )
            for opened in sockets or ()
        ]
        self.started = True

    def _speakers(self) -> list[Speaker]:
        return [c for c in self.server_state.connections if isinstance(c, ImpatientProtocol)]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End those that have said nothing, and then as uvicorn does."""
        if self._lobby is not None:
            self._lobby.close()
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Look at the certificate now and then."""
        now_s = time.monotonic()
        if self._certificate and now_s - self._looked_at_s >= LOOK_AT_CERTIFICATE_EVERY_S:
            self._looked_at_s = now_s
            self._certificate.look()
        return await super().on_tick(counter)


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
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_TIMEOUT_S,
        timeout_graceful_shutdown=_FINISH_WITHIN_S,
        h11_max_incomplete_event_size=MOST_HEAD_BYTES,
    )


def _descriptors() -> int:
    """Return how many descriptors there are, as many as the system allows up to what is wanted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(WANTED_DESCRIPTORS, hard)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return most
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError) as error:
        log.warning("file descriptors stay few", extra={"limit": soft, "error": str(error)})
        return soft
    return most


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

"""What tests of the vSphere adapter share: settings for the test vCenter, an observer, a slow proxy.

The proxy stands between the adapter and the test vCenter and passes TLS through, so that certificate and
session stay real; it can go silent or let answers drip. It owns its threads and ends them when left.
"""

import select
import socket
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import Any

from balancer.adapters.vsphere import VsphereSettings
from balancer.model.snapshot import Snapshot
from tests.support.listener import Listener
from tests.support.vcenter import VCenterProcess

_TICK_S = 0.02


def without_times(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot that does not tell when it was sampled: a new sample comes every 20 s."""
    return replace(
        snapshot,
        hosts=tuple(replace(host, sampled_at=None) for host in snapshot.hosts),
        vms=tuple(replace(vm, sampled_at=None) for vm in snapshot.vms),
    )


def settings_for(server: VCenterProcess, **others: Any) -> VsphereSettings:
    """Return settings that log in at the test vCenter and trust it."""
    settings = VsphereSettings(
        name="test",
        host=server.host,
        port=server.port,
        username=server.greeting.username,
        password=server.greeting.password,
        ca_file=server.ca_file,
    )
    return replace(settings, **others)


class HeardRequests:
    """A `RequestObserver` that counts."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str]] = Counter()
        self.logins: Counter[str] = Counter()
        self.rejections: Counter[tuple[str, str]] = Counter()
        self.samplings: Counter[tuple[str, str]] = Counter()
        self.sample_faults: Counter[str] = Counter()

    def request(self, method: str, result: str, seconds: float) -> None:
        """Count a call by method and result."""
        assert seconds >= 0
        self.requests[method, result] += 1

    def login(self, result: str) -> None:
        """Count a login."""
        self.logins[result] += 1

    def rejected(self, kind: str, cause: str, count: int) -> None:
        """Add up rejected objects."""
        self.rejections[kind, cause] += count

    def sampled(self, kind: str, outcome: str, count: int) -> None:
        """Add up what came of reading statistics, without the zeros."""
        if count:
            self.samplings[kind, outcome] += count

    def faulty_samples(self, fault: str, count: int) -> None:
        """Add up values that are no numbers, without the zeros."""
        if count:
            self.sample_faults[fault] += count


class SlowProxy(Listener):
    """A TCP relay to a server. `go_silent` swallows answers, `drip` passes one byte per tick."""

    def __init__(self, host: str, port: int, *, listen_on: str = "127.0.0.1") -> None:
        self._target = (host, port)
        self._is_silent = False
        self._drips = False
        super().__init__(listen_on)

    def go_silent(self) -> None:
        """Swallow everything that the server answers from now on."""
        self._is_silent = True

    def turn_to(self, host: str, port: int) -> None:
        """Relay new connections to another server."""
        self._target = (host, port)

    def drip(self) -> None:
        """Pass one byte of the server's answers at a time, fifty a second."""
        self._drips = True

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._target) as server:
            while not self._over.is_set():
                ready, _, _ = select.select([client, server], [], [], _TICK_S)
                if client in ready and not self._passed(client, server):
                    return
                if server in ready and not self._answered(server, client):
                    return

    def _passed(self, source: socket.socket, target: socket.socket) -> bool:
        with suppress(OSError):
            data = source.recv(65_536)
            target.sendall(data)
            return bool(data)
        return False

    def _answered(self, server: socket.socket, client: socket.socket) -> bool:
        if self._is_silent:
            time.sleep(_TICK_S)
            return True
        with suppress(OSError):
            data = server.recv(1 if self._drips else 65_536)
            client.sendall(data)
            if self._drips:
                time.sleep(_TICK_S)
            return bool(data)
        return False

"""What systemd is told of this process: ready, reloading, stopping, its state in words, and that it lives.

The protocol of sd_notify over one datagram socket, without a library. Owns the socket and the variables that
name it: they are taken out of the environment, so that no child can speak for the daemon. Where no service
manager asked to be told, it does nothing. Never raises: a daemon does not end because nobody listens.
Source: sd_notify(3), sd_watchdog_enabled(3), systemd 252.
"""

import logging
import os
import socket
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager

from balancer.expose.escape import visible
from balancer.model.units import Seconds

log = logging.getLogger(__name__)

ADDRESS = "NOTIFY_SOCKET"
WATCHDOG = "WATCHDOG_USEC"
WATCHDOG_PROCESS = "WATCHDOG_PID"

SEND_WITHIN_S: Seconds = 2.0
"""How long a full queue of the service manager may hold us up; what is lost is told again by the next beat."""

MOST_STATUS_CHARACTERS = 300
"""systemd reads 4096 bytes of a datagram, and `systemctl status` shows one line. Source: NOTIFY_BUFFER_MAX."""

_MICROSECONDS = 1_000_000


class ServiceManager:
    """The service manager that started this process, or nobody.

    `environ` loses the variables of the protocol. `process_id` is compared with the one that the watchdog
    is meant for.
    """

    def __init__(self, environ: MutableMapping[str, str], process_id: int) -> None:
        self._address = _address_of(environ.pop(ADDRESS, ""))
        self._watchdog_s = _watchdog_of(environ, process_id)
        self._socket: socket.socket | None = None
        self._status = ""
        self._is_deaf = False

    @property
    def beat_within_s(self) -> Seconds | None:
        """Return how often `alive` is to be called at the least: twice per watchdog time; None for never."""
        if self._address is None or self._watchdog_s is None:
            return None
        return self._watchdog_s / 2

    def ready(self) -> None:
        """Tell that the service works: it listens, and its jobs run."""
        self._tell("READY=1")

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Tell that the configuration is read anew, and at the end that the service is ready again."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            self.ready()

    def stopping(self) -> None:
        """Tell that the stop has begun."""
        self._tell("STOPPING=1")

    def status(self, words: str) -> None:
        """Tell people in one line how it is; the same words are told once. Too long ones are cut."""
        line = visible(words)[:MOST_STATUS_CHARACTERS]
        if line != self._status:
            self._status = line
            self._tell(f"STATUS={line}")

    def alive(self) -> None:
        """Tell the watchdog that there is progress. Nothing else may keep it quiet."""
        if self._watchdog_s is not None:
            self._tell("WATCHDOG=1")

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, *lines: str) -> None:
        if self._address is None:
            return
        try:
            self._open().sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            if not self._is_deaf:
                told = {"told": lines[0], "error": error.strerror or str(error)}
                log.error("the service manager cannot be told", extra=told)
            self._is_deaf = True
        else:
            self._is_deaf = False

    def _open(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.settimeout(SEND_WITHIN_S)
        return self._socket


def _address_of(given: str) -> bytes | None:
    """Return the address as the kernel takes it: a path, or a zero byte and an abstract name."""
    if given.startswith("@"):
        return b"\0" + os.fsencode(given[1:])
    if given.startswith("/"):
        return os.fsencode(given)
    if given:
        told = {"setting": ADDRESS, "found": given, "allowed": "a path from / on, or @ and a name"}
        log.warning("the service manager is not told anything", extra=told)
    return None


def _watchdog_of(environ: MutableMapping[str, str], process_id: int) -> Seconds | None:
    """Return the watchdog's time; None where there is none, or where it is meant for another process."""
    time_us, owner = environ.pop(WATCHDOG, ""), environ.pop(WATCHDOG_PROCESS, "")
    if not time_us or (owner and owner != str(process_id)):
        return None
    if time_us.isdecimal() and int(time_us) > 0:
        return int(time_us) / _MICROSECONDS
    told = {"setting": WATCHDOG, "found": time_us, "allowed": "microseconds, from 1 on"}
    log.warning("the watchdog is not fed", extra=told)
    return None

"""The notices that wait for one channel, and the thread that delivers them: bounded, patient, never in the way.

Whoever puts a notice goes on at once. What comes in one go is told in one message; after a message the channel
rests. Where too many wait the oldest are dropped, and counted. A failed try is repeated with growing pauses.
"""

import logging
import secrets
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_after_attempt,
    stop_when_event_set,
)

from balancer.adapters.notify.bulletin import Bulletin
from balancer.adapters.notify.senders import Send
from balancer.config.notify import Channel
from balancer.model.errors import BalancerError, DeliveryFailed, InputError
from balancer.model.notice import Notice
from balancer.model.units import Seconds

log = logging.getLogger(__name__)

MOST_WAITING = 500
"""Notices that wait for a channel; more are dropped, the oldest first."""

GATHER_S: Seconds = 2.0
"""After the first notice so long others are waited for: failures seldom come alone."""

TRIES = 10
FIRST_PAUSE_S: Seconds = 2.0
LONGEST_PAUSE_S: Seconds = 300.0
"""Pauses double: ten tries take a quarter of an hour."""

Count = Callable[[str, int], None]
"""Told what became of how many notices: delivered, failed, dropped."""


class Outbox:
    """One channel's queue and worker. `put` from any thread; `start` and `stop` once."""

    def __init__(
        self,
        channel: Channel,
        send: Send,
        *,
        now: Callable[[], datetime],
        count: Count,
        gather_s: Seconds = GATHER_S,
        first_pause_s: Seconds = FIRST_PAUSE_S,
    ) -> None:
        self.channel = channel
        self._send = send
        self._now = now
        self._count = count
        self._gather_s = gather_s
        self._first_pause_s = first_pause_s
        self._waiting: deque[Notice] = deque()
        self._dropped = 0
        self._lock = threading.Lock()
        self._is_needed = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._work, name=f"notify {channel.name}", daemon=True
        )

    def wants(self, notice: Notice) -> bool:
        """Whether the channel is to be told of it."""
        channel = self.channel
        return (
            notice.severity.rank >= channel.least_severity.rank
            and (not channel.events or notice.kind in channel.events)
            and (not channel.clusters or notice.shard in channel.clusters)
        )

    def start(self) -> None:
        """Start the worker."""
        self._thread.start()

    def put(self, notice: Notice) -> None:
        """Take a notice; returns at once."""
        with self._lock:
            is_full = len(self._waiting) >= MOST_WAITING
            if is_full:
                self._waiting.popleft()
                self._dropped += 1
            self._waiting.append(notice)
        if is_full:
            self._count("dropped", 1)
        self._is_needed.set()

    def stopping(self) -> None:
        """Let the worker try what waits once more, and end."""
        self._stopping.set()
        self._is_needed.set()

    def ended(self, within_s: Seconds) -> bool:
        """Wait for the worker's end; whether it came in time. What is left is told to the log."""
        self._thread.join(within_s)
        with self._lock:
            left = len(self._waiting)
        if left or self._thread.is_alive():
            told = {"channel": self.channel.name, "notices": left}
            log.warning("notifications left untold at the stop", extra=told)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._is_needed.wait()
            self._is_needed.clear()
            self._stopping.wait(self._gather_s)
            try:
                self._deliver_waiting()
            except Exception:  # the next ones are told all the same
                log.exception("notification failed unexpectedly")
                self._count("failed", 1)

    def _deliver_waiting(self) -> None:
        bulletin = self._taken()
        if not bulletin.notices:
            return
        result = "delivered" if self._delivered(bulletin) else "failed"
        self._count(result, len(bulletin.notices))
        self._stopping.wait(self.channel.least_interval_s)
        if self._stopping.is_set():
            self._deliver_waiting()

    def _taken(self) -> Bulletin:
        with self._lock:
            notices, dropped = tuple(self._waiting), self._dropped
            self._waiting.clear()
            self._dropped = 0
        return Bulletin(
            id=f"msg_{secrets.token_hex(12)}", at=self._now(), notices=notices, dropped=dropped
        )

    def _delivered(self, bulletin: Bulletin) -> bool:
        """Try until it is taken, no try can help, or the process stops; whether it was taken."""
        retrying = Retrying(
            stop=stop_after_attempt(TRIES) | stop_when_event_set(self._stopping),
            wait=self._pause,
            retry=retry_if_exception(_may_pass),
            sleep=sleep_using_event(self._stopping),
            reraise=True,
        )
        told = {"channel": self.channel.name, "notices": len(bulletin.notices)}
        try:
            retrying(self._send, bulletin)
        except BalancerError as err:
            log.error("notification not delivered", extra={**told, "error": str(err)})
            return False
        log.info("notification delivered", extra={**told, "message_id": bulletin.id})
        return True

    def _pause(self, state: RetryCallState) -> Seconds:
        error = state.outcome.exception() if state.outcome else None
        asked_s = error.retry_after_s if isinstance(error, DeliveryFailed) else None
        own_s = self._first_pause_s * 2.0 ** (state.attempt_number - 1)
        pause_s = min(max(own_s, asked_s or 0.0), LONGEST_PAUSE_S)
        told = {"channel": self.channel.name, "error": str(error), "pause_s": pause_s}
        log.warning("notification is tried again", extra=told)
        return pause_s


def _may_pass(error: BaseException) -> bool:
    """Whether another try may help. A file with a secret may be exchanged just now."""
    return isinstance(error, InputError) or (
        isinstance(error, DeliveryFailed) and error.is_transient
    )

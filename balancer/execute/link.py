"""Whether vCenter answers, and when to ask again after it did not. No reading here, only bookkeeping."""

import logging

from balancer.model.errors import LoginRefused, SourceError, UntrustedCertificate
from balancer.model.reasons import Reason, Refusal
from balancer.model.units import Seconds
from balancer.ports import Clock

log = logging.getLogger(__name__)

LONGEST_BACK_OFF_S: Seconds = 30.0
"""Longest pause between two tries while the network is away."""

NEEDS_A_PERSON_S: Seconds = 300.0
"""Pause after an error that only a person can mend and that names no time of its own."""


class Link:
    """The state of the connection as the last call left it."""

    def __init__(self, clock: Clock, poll_s: Seconds) -> None:
        self._clock = clock
        self._first_pause_s = max(poll_s, 0.1)
        self._failures = 0
        self._next_try_s = 0.0
        self._error = ""
        self._has_returned = False

    @property
    def is_down(self) -> bool:
        """Whether the last call failed."""
        return self._failures > 0

    @property
    def may_ask(self) -> bool:
        """Whether it is time for a call: always while up, after a pause while down."""
        return not self.is_down or self._clock.monotonic() >= self._next_try_s

    @property
    def next_try_s(self) -> Seconds:
        """Return the monotonic time of the next try."""
        return self._next_try_s

    def lost(self, error: Exception) -> None:
        """Take note of a failed call. Pauses double; a refused login is not tried again soon."""
        pause_s = min(self._first_pause_s * 2.0**self._failures, LONGEST_BACK_OFF_S)
        if isinstance(error, SourceError) and error.retry_after_s is None:
            pause_s = NEEDS_A_PERSON_S
        if isinstance(error, LoginRefused | UntrustedCertificate):
            pause_s = error.retry_after_s or NEEDS_A_PERSON_S
        self._failures += 1
        self._next_try_s = self._clock.monotonic() + pause_s
        self._error = str(error)
        level = logging.WARNING if self._failures == 1 else logging.DEBUG
        log.log(level, "vcenter does not answer", extra={"error": str(error), "pause_s": pause_s})

    def back(self) -> None:
        """Take note of a call that was answered."""
        if self.is_down:
            log.info("vcenter answers again", extra={"failures": self._failures})
            self._has_returned = True
        self._failures = 0

    def take_return(self) -> bool:
        """Return whether the link came back since this was asked last."""
        has_returned, self._has_returned = self._has_returned, False
        return has_returned

    def refusal(self) -> Refusal:
        """Say why nothing is sent while the link is down."""
        return Refusal.of(Reason.CONNECTION_LOST, self._error)

"""The time and the size that a call may take, kept per thread, and the switch that ends it early.

Owns the budget of the call that this thread is making. Everything that waits for the network asks it how
long it may wait, so that the sum is bound and not only the single wait. Must never wait itself. Used by
the sockets (`transport`, `reach`), set by the stub, the version negotiation and the login.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from balancer.model.units import Seconds

MAX_ANSWER_BYTES = 256 * 2**20

_SLICE_S = 0.2
"""The longest single wait of a call that may be stopped: so long may a stop be overlooked."""


class DeadlinePassed(TimeoutError):
    """The time of the whole call is used up."""


class CallStopped(OSError):
    """The call was ended from our side, because its session is being closed."""


class AnswerTooLarge(OSError):
    """The server sent more bytes in one answer than the call allows."""


@dataclass(slots=True)
class Budget:
    """What is left of one call. `ends_at` is monotonic; `stop`, where given, ends it within `spare_s`."""

    ends_at: float
    bytes_left: int
    stop: threading.Event | None
    spare_s: Seconds = 0.0

    def seconds_left(self) -> Seconds:
        """Return how long the call may still take.

        Raises:
            DeadlinePassed: no longer.
            CallStopped: somebody ended it.
        """
        now = time.monotonic()
        if self.stop is not None and self.stop.is_set():
            if self.spare_s <= 0.0:
                raise CallStopped("the call was stopped, its session is being closed")
            self.ends_at, self.stop = min(self.ends_at, now + self.spare_s), None
        left = self.ends_at - now
        if left <= 0:
            raise DeadlinePassed("the call took longer than it may")
        return left

    def slice_s(self) -> Seconds:
        """Return how long one wait may take before the budget is to be asked again; see `seconds_left`."""
        left = self.seconds_left()
        return left if self.stop is None else min(left, _SLICE_S)

    def take(self, received: int) -> None:
        """Count received bytes.

        Raises:
            AnswerTooLarge: they are more than allowed.
        """
        self.bytes_left -= received
        if self.bytes_left < 0:
            raise AnswerTooLarge("the answer is longer than it may be")


class _Calls(threading.local):
    budget: Budget | None = None


_CALLS = _Calls()


def budget() -> Budget | None:
    """Return the budget of this thread's call, None outside of one."""
    return _CALLS.budget


@contextmanager
def call_within(
    seconds: Seconds,
    *,
    most_bytes: int = MAX_ANSWER_BYTES,
    stop: threading.Event | None = None,
    spare_s: Seconds = 0.0,
) -> Iterator[Budget]:
    """Bound everything that this thread does on the network inside the block.

    A block inside another ends no later than the outer one, and is stopped with it, after the longer of their
    `spare_s`.
    """
    before = _CALLS.budget
    ends_at = time.monotonic() + seconds
    if before is not None:
        ends_at, stop = min(ends_at, before.ends_at), stop or before.stop
        spare_s = max(spare_s, before.spare_s)
    _CALLS.budget = Budget(ends_at=ends_at, bytes_left=most_bytes, stop=stop, spare_s=spare_s)
    try:
        yield _CALLS.budget
    finally:
        _CALLS.budget = before

"""Virtual time: a sleep moves the clock instead of waiting, or waits a fraction of it.

The simulated vCenter, the cycle and the executor share one such clock. It moves only in `sleep`, so
that a run is the same however slow the machine is.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from balancer.model.units import Seconds

_STEP_S = 0.1


class VirtualClock:
    """Implements `ports.Clock`. `speed` of None is as fast as possible, 60 is a minute in a second.

    `pause` waits real seconds, in steps of at most 0.1 s, so that a page can show time passing.
    """

    def __init__(
        self,
        start: datetime,
        *,
        speed: float | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        if speed is not None and speed <= 0.0:
            raise ValueError(f"speed must be above 0, got {speed}")
        self._start = start
        self._elapsed_s = 0.0
        self._speed = speed
        self._pause = pause
        self._lock = Lock()

    def now(self) -> datetime:
        """Return the virtual wall clock."""
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        """Return virtual seconds since the start."""
        return self._elapsed_s

    def sleep(self, seconds: Seconds) -> None:
        """Let virtual time pass."""
        if self._speed is None:
            self._advance(seconds)
            return
        left_s = seconds / self._speed
        while left_s > 0.0:
            step_s = min(left_s, _STEP_S)
            self._pause(step_s)
            self._advance(step_s * self._speed)
            left_s -= step_s

    def _advance(self, seconds: Seconds) -> None:
        with self._lock:
            self._elapsed_s += max(seconds, 0.0)

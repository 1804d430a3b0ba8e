"""The real clock."""

import time
from datetime import UTC, datetime

from balancer.model.units import Seconds


class SystemClock:
    """Wall clock in UTC for records, monotonic clock for time-outs."""

    def now(self) -> datetime:
        """Return the wall clock in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never jump."""
        return time.monotonic()

    def sleep(self, seconds: Seconds) -> None:
        """Wait."""
        time.sleep(seconds)

"""Seconds by stage, for reports and metrics. Never decides anything."""

import time
from collections.abc import Mapping
from types import MappingProxyType

from balancer.model.units import Seconds


class Stopwatch:
    """Measure stages one after another; a stage that is entered again adds up."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self._laps: dict[str, Seconds] = {}

    def lap(self, stage: str) -> None:
        """Book the time since the last lap on `stage`."""
        now = time.perf_counter()
        self._laps[stage] = self._laps.get(stage, 0.0) + now - self._last
        self._last = now

    @property
    def laps(self) -> Mapping[str, Seconds]:
        """Return seconds by stage, in the order in which the stages were first met."""
        return MappingProxyType(dict(self._laps))

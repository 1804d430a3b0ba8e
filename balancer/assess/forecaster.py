"""The forecast of one cluster from cycle to cycle: what is costly is worked out anew at times only.

Owns when the usual course of the day is learnt again. Mutable bookkeeping of one cluster, for one thread.
"""

import numpy as np

from balancer.assess.forecast import Forecast, level_of
from balancer.assess.forecast_season import Season, season_of
from balancer.model.history import HistoryView
from balancer.model.units import Seconds
from balancer.policy.types import DemandReading, ForecastKind

SLOT_S: Seconds = 900.0
"""Length of a slot of a profile: each is one more column for the planner."""

HORIZON_S: Seconds = 3600.0
"""How far a profile reaches where the policy does not say."""

LEARNT_FOR_S: Seconds = 21_600.0
"""So long, by the source's clock, holds what was learnt of the usual course."""


class Forecaster:
    """Forecasts of the VMs of one history."""

    def __init__(self) -> None:
        self._season: Season | None = None
        self._learnt_at_s = -np.inf
        self._vms: tuple[str, ...] = ()

    def forecast(self, view: HistoryView, reading: DemandReading) -> Forecast:
        """Return what the VMs of the view are expected to want, in the form that the policy asks for."""
        level = level_of(view, reading.window_s)
        if reading.forecast is not ForecastKind.PROFILE:
            return level
        season = self._learnt(view)
        slots = max(round((reading.horizon_s or HORIZON_S) / SLOT_S), 1)
        now_s = view.ends_at.timestamp()
        ahead = season.at(now_s + SLOT_S * (np.arange(slots, dtype=np.float64) + 0.5))
        usual_now = season.at(np.array([now_s - view.step_s / 2]))
        shift = np.nan_to_num(ahead - usual_now)
        cpu = np.maximum(level.cpu_mhz + shift, 0.0)
        return Forecast(
            vms=level.vms,
            cpu_mhz=level.cpu_mhz,
            cpu_stddev_mhz=level.cpu_stddev_mhz,
            slot_s=SLOT_S,
            cpu_slots_mhz=cpu.astype(np.float32),
            memory_slots_mib=np.empty((0, len(level.vms)), dtype=np.float32),
        )

    def _learnt(self, view: HistoryView) -> Season:
        now_s = view.ends_at.timestamp()
        is_due = now_s - self._learnt_at_s >= LEARNT_FOR_S or view.vms != self._vms
        if self._season is None or is_due:
            self._season = season_of(view, SLOT_S)
            self._learnt_at_s, self._vms = now_s, view.vms
        return self._season

"""How right forecasts were: what was said is kept until it is known what came.

Mutable bookkeeping of one cluster, for one thread.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from balancer.assess.forecast import Forecast, Remembered
from balancer.model.events import ForecastError
from balancer.model.history import Figures
from balancer.model.units import Seconds

HORIZONS_S: tuple[Seconds, ...] = (900.0, 1800.0, 3600.0)
"""How far ahead forecasts are judged. A level says the same of all, a shorter profile what it ends with."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Said:
    """What was expected in the step that ends at `until_s`, made `horizon_s` before."""

    until_s: Seconds
    horizon_s: Seconds
    vms: tuple[str, ...]
    cpu_mhz: Figures
    memory_mib: Figures


class Judge:
    """Forecasts that wait for what comes; the first of each step counts."""

    def __init__(self) -> None:
        self._waiting: deque[_Said] = deque()
        self._noted_s = -np.inf

    def note(self, forecast: Forecast, now_s: Seconds) -> None:
        """Keep what is forecast in the step that ends at `now_s`, to be judged later."""
        if now_s <= self._noted_s:
            return
        self._noted_s = now_s
        for horizon_s in HORIZONS_S:
            said = _Said(
                until_s=now_s + horizon_s,
                horizon_s=horizon_s,
                vms=forecast.vms,
                cpu_mhz=forecast.cpu_at(horizon_s),
                memory_mib=forecast.memory_mib,
            )
            self._waiting.append(said)

    def judged(self, history: Remembered, now_s: Seconds) -> tuple[ForecastError, ...]:
        """Return the errors of what has become known: of steps that were over when the one until `now_s` began.

        Where nothing is known of a step, or nobody wanted anything in it, nothing is judged.
        """
        due = [said for said in self._waiting if said.until_s < now_s]
        self._waiting = deque(said for said in self._waiting if said.until_s >= now_s)
        return tuple(error for said in due for error in _errors(said, history, now_s))


def _errors(said: _Said, history: Remembered, now_s: Seconds) -> Iterator[ForecastError]:
    steps = round((now_s - said.until_s) / history.view(1).step_s) + 1
    came = history.view(steps)
    if len(came.cpu_mhz) < steps:
        return
    then, now = _places(said.vms, came.vms)
    pairs = (("cpu", said.cpu_mhz, came.cpu_mhz), ("memory", said.memory_mib, came.memory_mib))
    for resource, expected, known in pairs:
        ratio = _ratio(expected[then], known[0, now])
        if ratio is not None:
            yield ForecastError(resource=resource, horizon_s=said.horizon_s, ratio=ratio)


def _places(
    said: tuple[str, ...], came: tuple[str, ...]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the columns of the VMs that are in both; where nobody came or went they are the same."""
    if said is came:
        every = np.arange(len(said))
        return every, every
    column = {name: at for at, name in enumerate(came)}
    places = [(at, column[name]) for at, name in enumerate(said) if name in column]
    then, now = np.array(places, dtype=np.intp).reshape(-1, 2).T
    return then, now


def _ratio(expected: Figures, known: Figures) -> float | None:
    both = np.isfinite(expected) & np.isfinite(known)
    total = float(known[both].sum())
    return float(np.abs(expected - known)[both].sum()) / total if total > 0.0 else None

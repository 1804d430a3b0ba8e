"""How right the forecasts of a recorded trace would have been, and what a forecast costs.

`python -m tests.bench.forecast TRACE_FOLDER` reads a trace, learns from the two weeks before each moment and
forecasts what comes after it; without a folder it only times the forecast of 10,000 made-up VMs. Prints tables,
asserts nothing.
"""

import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from balancer.adapters.traces import read_trace
from balancer.assess.forecast_choice import Choice, blended, choose
from balancer.assess.forecast_models import (
    LATE_STEPS,
    LEVEL_STEPS,
    MODELS,
    forecasts,
    weights_of,
)
from balancer.assess.forecast_season import Days, days_of
from balancer.assess.forecast_slots import slots_of
from balancer.assess.forecast_smoothing import carried
from balancer.assess.forecaster import Forecaster, learn
from balancer.model.history import Figures
from balancer.policy.types import DemandReading, ForecastKind
from tests.support.builders import NOON
from tests.support.remembered import DAY, recorded

LEADS = (1, 3, 6, 12, 24)
"""5, 15, 30, 60 and 120 minutes, in steps."""

LEARNT_DAYS = 14
LEARNT_EVERY = DAY // 4
FORECAST_EVERY = 25
"""Steps: not quite a divisor of the day, so that moments fall on all times of day."""

HOSTS, VMS_PER_HOST, DRAWS = 20, 25, 3
CHOSEN = "best or blend, by VM and lead"


def main(folder: Path | None) -> None:
    """Print both tables."""
    if folder is not None:
        _errors(read_trace(folder).trace.cpu_mhz)
    _costs()


def _errors(cpu_mhz: Figures) -> None:
    """Print the errors of all models by lead, of VMs and of the sums of random groups of them."""
    said, came = _all(cpu_mhz)
    known = np.isfinite(came) & np.logical_and.reduce([np.isfinite(one) for one in said.values()])
    came = np.where(known, came, 0.0)
    groups = _groups(came.shape[-1])
    sums = came @ groups
    _say(f"{len(came)} moments, {known[:, 0].sum(axis=1).mean():.0f} VMs known at each")
    _say(
        "Absolute errors over what was wanted, %, by minutes ahead; root mean square error of a host, GHz"
    )
    minutes = "".join(f"{5 * lead:>7}" for lead in LEADS)
    _say("|".join((f"{'':32}", *(f"{word:<35}" for word in ("VMs, %", "hosts, %", "hosts, GHz")))))
    _say("|".join((f"{'minutes ahead':32}", minutes, minutes, minutes)))
    for name, one in said.items():
        error = np.where(known, one, 0.0) - came
        at_host = error @ groups
        rows = (
            100.0 * np.abs(error).sum(axis=(0, 2)) / came.sum(axis=(0, 2)),
            100.0 * np.abs(at_host).sum(axis=(0, 2)) / sums.sum(axis=(0, 2)),
            np.sqrt((at_host**2).mean(axis=(0, 2))) / 1000.0,
        )
        cells = "|".join("".join(f"{value:7.2f}" for value in row) for row in rows)
        _say(f"{name:32}|{cells}")


def _all(cpu_mhz: Figures) -> tuple[dict[str, Figures], Figures]:
    """Return what each model said and what came, (moments, leads, VMs)."""
    said: dict[str, list[Figures]] = {name: [] for name in (*MODELS, CHOSEN)}
    came: list[Figures] = []
    for moment, days, choice in _moments(cpu_mhz):
        now_s = NOON.timestamp() + moment * 300.0
        late = carried(cpu_mhz[moment - LATE_STEPS : moment])
        before = days.usual(now_s + 300.0 * (np.arange(-LEVEL_STEPS, 0) + 0.5)).mean(axis=1)
        ahead = days.usual(now_s + 300.0 * (np.array(LEADS) - 0.5))
        found = forecasts(weights_of(LEADS), late, before, ahead)
        for name, one in zip(MODELS, found, strict=True):
            said[name].append(
                np.where(np.isfinite(one), one, found[1])
            )  # no season yet: the newest
        said[CHOSEN].append(blended(found, choice.weights))
        came.append(cpu_mhz[moment + np.array(LEADS) - 1])
    return {name: np.array(parts) for name, parts in said.items()}, np.array(came)


def _moments(cpu_mhz: Figures) -> Iterator[tuple[int, Days, Choice]]:
    """Go through the moments of forecasts with what was learnt from the days before."""
    learnt_at = -LEARNT_EVERY
    for moment in range(LEARNT_DAYS * DAY, len(cpu_mhz) - max(LEADS), FORECAST_EVERY):
        if moment - learnt_at >= LEARNT_EVERY:
            learnt_at = moment
            view = recorded(
                cpu_mhz[moment - LEARNT_DAYS * DAY : moment], ends_at_step=moment
            ).everything
            days = days_of(view)
            choice = choose(view, days, LEADS)
        yield moment, days, choice


def _groups(vms: int) -> Figures:
    """Return who stands on which host: random groups, drawn several times (VMs, hosts)."""
    rng = np.random.default_rng(0)
    groups = np.zeros((vms, DRAWS * HOSTS), dtype=np.float32)
    for draw in range(DRAWS):
        order = rng.permutation(vms)
        for host in range(HOSTS):
            groups[order[host * VMS_PER_HOST : (host + 1) * VMS_PER_HOST], draw * HOSTS + host] = (
                1.0
            )
    return groups


def _costs() -> None:
    """Print what learning and a forecast cost, in seconds of processor time."""
    reading = DemandReading(forecast=ForecastKind.PROFILE)
    _say(f"{'VMs':>7}{'learn, s':>10}{'each cycle, ms':>16}{'memory, MiB':>13}")
    for vms in (500, 2_000, 10_000):
        history = recorded(_made_up(vms))
        forecaster = Forecaster(history)
        begun = time.process_time()
        forecaster.forecast(reading)
        learnt = time.process_time()
        for _ in range(10):
            forecaster.forecast(reading)
        each = (time.process_time() - learnt) / 10.0
        tracemalloc.start()
        learn(history, slots_of(None, 300.0))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        _say(f"{vms:7}{learnt - begun:10.2f}{each * 1e3:16.2f}{peak / 2**20:13.0f}")


def _made_up(vms: int) -> Figures:
    """Return two weeks of VMs with days of their own and noise: (steps, VMs)."""
    rng = np.random.default_rng(1)
    day = 1.0 + np.sin(np.linspace(0.0, 2.0 * np.pi, DAY))[:, np.newaxis] * rng.random(vms)
    demand = np.tile(day, (LEARNT_DAYS, 1)).astype(np.float32)
    demand *= rng.gamma(2.0, 500.0, vms).astype(np.float32)
    demand *= rng.random(demand.shape, dtype=np.float32) + np.float32(0.5)
    return demand


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)

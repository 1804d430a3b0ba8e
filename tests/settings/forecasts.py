"""Settings of what is expected from what is remembered: each with a memory in which changing it tells."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from balancer.collect.history import DemandHistory
from balancer.foresight import RememberedDemand
from balancer.policy.types import ForecastKind, Policy
from tests.settings.case import Case
from tests.support.builders import NOON, host, snapshot, vm


def expected(mhz: Sequence[float]) -> Callable[[Policy], object]:
    """Ask what a VM is expected to want that wanted so much every five minutes up to now."""

    def look(policy: Policy) -> object:
        foresight = RememberedDemand(DemandHistory(steps=len(mhz)))
        for step, figure in enumerate(mhz):
            one = vm(1, on=1, cpu_demand_mhz=figure)
            taken_at = NOON + timedelta(minutes=5 * step)
            seen = foresight.seen(snapshot([host(1)], [one], taken_at=taken_at), policy)
        return seen.vms[0].cpu_demand_mhz, seen.vms[0].profile

    return look


FORECASTS = (
    Case(
        setting="demand.forecast",
        values=(ForecastKind.SAMPLE, ForecastKind.LEVEL),
        look=expected([100.0, 900.0]),
    ),
    Case(
        setting="demand.forecast",
        values=(ForecastKind.LEVEL, ForecastKind.PROFILE),
        look=expected([100.0, 900.0]),
    ),
    Case(
        setting="demand.forecast",
        values=(ForecastKind.LEVEL, ForecastKind.PEAK),
        look=expected([100.0, 900.0]),
    ),
    Case(setting="demand.window_s", values=(300.0, 600.0), look=expected([100.0, 900.0])),
    Case(
        setting="demand.horizon_s",
        values=(None, 7200.0),
        look=expected([100.0, 900.0]),
        also={"demand.forecast": ForecastKind.PROFILE},
    ),
)

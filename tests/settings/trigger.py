"""Settings of when contention and imbalance count as lasting: each with a past that one value waits for."""

from dataclasses import replace

from balancer.model.snapshot import Snapshot
from balancer.model.vm import Profile
from tests.settings.case import Case, moves
from tests.support.builders import host, snapshot, vm


def remembered(*past: float, now: float, **facts: object) -> Snapshot:
    """Two VMs that want `now` together on one of two hosts, and what they wanted in steps of five minutes."""
    hosts = [host(1, recent_cpu_mhz=past), host(2, recent_cpu_mhz=(0.0,) * len(past))]
    vms = [vm(n, on=1, cpu_demand_mhz=now / 2, **facts) for n in (1, 2)]
    return replace(snapshot(hosts, vms), recent_step_seconds=300.0)


FULL, UNEVEN = 18e3, 12e3
PEAK = Profile(cpu_demand_mhz=(9e3,) * 4)
FORECAST = replace(remembered(1e3, 1e3, now=FULL, profile=PEAK), profile_slot_seconds=300.0)
RELIEF = {"goals.balance": False}

TRIGGER = (
    Case(
        setting="trigger.contention_sustained_s",
        values=(300.0, 900.0),
        look=moves(remembered(1e3, 1e3, FULL, now=FULL)),
        also=RELIEF,
    ),
    Case(
        setting="trigger.balance_sustained_s",
        values=(300.0, 900.0),
        look=moves(remembered(0.0, 0.0, UNEVEN, now=UNEVEN)),
    ),
    Case(
        setting="trigger.sustained_share",
        values=(0.5, 0.6),
        look=moves(remembered(0.0, UNEVEN, now=UNEVEN)),
    ),
    Case(
        setting="trigger.grave",
        values=(0.88, 1.0),
        look=moves(remembered(1e3, FULL, now=FULL)),
        also=RELIEF,
    ),
    Case(setting="trigger.foreseen", values=(True, False), look=moves(FORECAST), also=RELIEF),
)

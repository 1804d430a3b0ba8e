"""Settings that decide what is planned: each with a cluster in which changing it changes the plan."""

from balancer.model.host import Host, HostState
from balancer.model.plan import MoveReason, Priority
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.vm import Profile, Vm
from balancer.policy.types import MemoryMetric, Statistic
from tests.settings.case import Case, moves
from tests.support.builders import host, rule, snapshot, vm


def on_two(*demands: tuple[int, float], **facts: object) -> Snapshot:
    """Return two hosts with VMs given as (host, CPU demand)."""
    vms = [vm(n, on=on, cpu_demand_mhz=mhz, **facts) for n, (on, mhz) in enumerate(demands, 1)]
    return snapshot([host(1), host(2)], vms)


def evacuated() -> Snapshot:
    return snapshot(
        [host(1, state=HostState.ENTERING_MAINTENANCE), host(2), host(3)], [vm(1, on=1)]
    )


def apart(*, mandatory: bool = True, weight: float = 5.0) -> Snapshot:
    wish = rule("apart", RuleType.ANTI_AFFINITY, [1, 2], mandatory=mandatory, weight=weight)
    vms = [vm(1, on=1), vm(2, on=1), vm(3, on=2), vm(4, on=2)]
    return snapshot([host(1), host(2)], vms, [wish])


def crowded() -> Snapshot:
    """Eight small VMs against one large: the loads are alike, the numbers are not."""
    small = {"cpu_demand_mhz": 500.0, "memory_mib": 1_000.0}
    vms = [vm(n, on=1, **small) for n in range(1, 9)]
    return snapshot([host(1), host(2)], [*vms, vm(9, on=2, cpu_demand_mhz=4e3, memory_mib=8e3)])


def lightly_used() -> Snapshot:
    return snapshot([host(n) for n in (1, 2, 3)], [vm(n, on=n) for n in (1, 2, 3)])


def full(resource: str, share: float) -> Snapshot:
    """A hot host, and one that would be filled to a share by what leaves it."""
    large = {"cpu_demand_mhz": 9e3, "memory_mib": 1e3}
    rest = {"cpu_demand_mhz": share * 2e4 - 9e3, "memory_mib": 1e3}
    if resource == "memory":
        large = {"cpu_demand_mhz": 9e3, "memory_mib": 3e4}
        rest = {"cpu_demand_mhz": 1e3, "memory_mib": share * 1e5 - 3e4, "memory_active_mib": 1e3}
    return snapshot(
        [host(1), host(2)], [vm(1, on=1, **large), vm(2, on=1, **large), vm(3, on=2, **rest)]
    )


def memory_heavy(share: float) -> Snapshot:
    facts = {"cpu_demand_mhz": 100.0, "memory_mib": share * 5e4}
    facts["memory_active_mib"] = facts["memory_mib"]
    return snapshot([host(1), host(2)], [vm(1, on=1, **facts), vm(2, on=1, **facts)])


def varying(*, mhz: float, stddev: float) -> Snapshot:
    return on_two((1, mhz), (1, mhz), cpu_demand_stddev_mhz=stddev)


def peaking(*slots: float) -> Snapshot:
    """Two VMs on one of two hosts with the same profile, in slots of five minutes."""
    profile = Profile(cpu_demand_mhz=slots)
    vms = [vm(n, on=1, profile=profile) for n in (1, 2)]
    return snapshot([host(1), host(2)], vms, profile_slot_seconds=300.0)


def wide() -> Snapshot:
    """A VM of 8 vCPUs that is wider than a NUMA node of the emptier host, and not of another."""
    hosts: list[Host] = [
        host(1, state=HostState.ENTERING_MAINTENANCE, cpu_cores=16),
        host(2, cpu_cores=8, numa_nodes=2),
        host(3, cpu_cores=16, numa_nodes=2),
    ]
    vms: list[Vm] = [vm(1, on=1, vcpus=8), vm(2, on=3, cpu_demand_mhz=1_500.0)]
    return snapshot(hosts, vms)


def two_sizes() -> Snapshot:
    """One large VM or several small ones would level: seconds and number of moves compete."""
    vms = [vm(1, on=1, cpu_demand_mhz=3e3, memory_mib=64_000.0, memory_active_mib=100.0)]
    vms += [vm(n, on=1, cpu_demand_mhz=1e3, memory_mib=500.0) for n in range(2, 8)]
    vms += [vm(8, on=2, cpu_demand_mhz=1e3, memory_mib=500.0)]
    return snapshot([host(1), host(2)], vms)


def by_memory(**second: float) -> Snapshot:
    """Two VMs of which one looks large by one measure of memory, and both alike by the others."""
    same = {"cpu_demand_mhz": 100.0, "memory_mib": 4e4}
    first = {"memory_active_mib": 1e3, "memory_consumed_mib": 1e3, "memory_granted_mib": 1e3}
    vms = [vm(1, on=1, **same, **(first | second)), vm(2, on=1, **same, **(first | second))]
    return snapshot([host(1), host(2)], vms)


def ruled(**facts: object) -> Rule:
    return rule("apart", RuleType.ANTI_AFFINITY, [1, 2], **facts)


def room_made() -> Snapshot:
    """A VM that must leave fits only where another makes room."""
    leaving = host(1, state=HostState.ENTERING_MAINTENANCE)
    vms = [vm(1, on=1, memory_mib=6e4), vm(2, on=2, memory_mib=4e4), vm(3, on=3, memory_mib=4e4)]
    return snapshot([leaving, host(2), host(3)], vms)


HOT = on_two((1, 9e3), (1, 9e3))
UNEVEN = on_two((1, 4e3), (1, 4e3), (1, 4e3), (1, 4e3))
QUIET = {"goals.balance": False}
LOUD = (Priority.LOW, Priority.HIGH)

GOALS = (
    Case(setting="goals.evacuation", values=(True, False), look=moves(evacuated())),
    Case(setting="goals.rules", values=(True, False), look=moves(apart()), also=QUIET),
    Case(setting="goals.contention", values=(True, False), look=moves(HOT), also=QUIET),
    Case(setting="goals.balance", values=(True, False), look=moves(UNEVEN)),
    Case(setting="goals.vm_count", values=(True, False), look=moves(crowded())),
    Case(setting="goals.consolidation", values=(True, False), look=moves(lightly_used())),
)

THRESHOLDS = (
    Case(setting="thresholds.cpu_ceiling", values=(0.5, 1.0), look=moves(full("cpu", 0.6))),
    Case(setting="thresholds.memory_ceiling", values=(0.8, 0.96), look=moves(full("memory", 0.9))),
    Case(setting="thresholds.cpu_contention", values=(0.7, 0.95), look=moves(HOT), also=QUIET),
    Case(
        setting="thresholds.memory_contention",
        values=(0.8, 0.95),
        look=moves(memory_heavy(0.9)),
        also=QUIET,
    ),
    Case(setting="thresholds.balance_trigger", values=(0.05, 0.9), look=moves(UNEVEN)),
    Case(
        setting="thresholds.balance_target",
        values=(0.001, 0.3),
        look=moves(UNEVEN),
        also={"thresholds.balance_trigger": 0.35},
    ),
    Case(
        setting="thresholds.cpu_risk",
        values=(0.0, 3.0),
        look=moves(varying(mhz=7_500.0, stddev=1_500.0)),
        also=QUIET,
    ),
    Case(
        setting="thresholds.peak_share",
        values=(0.0, 0.9),
        look=moves(peaking(2e3, 2e3, 2e3, 9e3)),
        also=QUIET,
    ),
    Case(
        setting="thresholds.vcpus_per_core",
        values=(None, 0.5),
        look=moves(
            snapshot(
                [host(1, cpu_cores=2), host(2, cpu_cores=2)],
                [vm(1, on=1, cpu_demand_mhz=9e3), vm(2, on=1, cpu_demand_mhz=9e3)],
            )
        ),
    ),
    Case(
        setting="thresholds.vms_per_host",
        values=(None, 1),
        look=moves(on_two((1, 9e3), (1, 9e3), (2, 1e3))),
    ),
    Case(
        setting="thresholds.vm_count_trigger",
        values=(0.3, 0.95),
        look=moves(crowded()),
        also={"goals.vm_count": True},
    ),
    Case(
        setting="thresholds.vm_count_target",
        values=(0.0, 0.7),
        look=moves(on_two(*[(1, 10.0)] * 12, memory_mib=100.0)),
        also={"goals.vm_count": True, "thresholds.vm_count_trigger": 0.75},
    ),
    Case(setting="thresholds.balance_floor", values=(0.0, 1.0), look=moves(UNEVEN)),
    Case(
        setting="thresholds.minimum_benefit",
        values=(0.0, 0.99),
        look=moves(on_two((1, 4e3), (1, 7e3), (2, 5e3))),
    ),
    Case(setting="thresholds.balance_floor", values=(0.79, 0.81), look=moves(UNEVEN)),
)

PRICES = (
    Case(setting="prices.move_price", values=(3e-5, 1.0), look=moves(UNEVEN)),
    Case(setting="prices.per_second", values=(0.0, 10.0), look=moves(two_sizes())),
    Case(
        setting="prices.soft_rule",
        values=(0.0, 2e-3),
        look=moves(apart(mandatory=False)),
        also=QUIET,
    ),
    Case(setting="prices.stable_s", values=(1.0, 3600.0), look=moves(UNEVEN)),
    Case(setting="prices.wide_vm", values=(0.0, 1.0), look=moves(wide()), also=QUIET),
)

DEMAND = (
    Case(
        setting="demand.statistic",
        values=(Statistic.MEAN, Statistic.P95),
        look=moves(varying(mhz=7_500.0, stddev=1_500.0)),
        also=QUIET | {"thresholds.cpu_risk": 0.0},
    ),
    Case(
        setting="demand.horizon_s",
        values=(None, 600.0),
        look=moves(peaking(2e3, 2e3, 9e3, 9e3)),
        also=QUIET,
    ),
    Case(
        setting="memory_metric",
        values=(MemoryMetric.ACTIVE, MemoryMetric.CONSUMED),
        look=moves(by_memory(memory_consumed_mib=3e4)),
        also={"idle_memory_share": 0.0},
    ),
    Case(
        setting="memory_metric",
        values=(MemoryMetric.ACTIVE, MemoryMetric.GRANTED),
        look=moves(by_memory(memory_granted_mib=3e4)),
    ),
    Case(
        setting="idle_memory_share",
        values=(0.0, 1.0),
        look=moves(by_memory(memory_consumed_mib=3e4)),
    ),
)

_SHOWN = {
    MoveReason.EVACUATE: (evacuated(), {}),
    MoveReason.RULE: (apart(), QUIET),
    MoveReason.SHOULD_RULE: (apart(mandatory=False), QUIET),
    MoveReason.CONTENTION: (HOT, QUIET),
    MoveReason.BALANCE: (UNEVEN, {}),
    MoveReason.MAKE_ROOM: (room_made(), {}),
    MoveReason.CONSOLIDATE: (lightly_used(), {"goals.consolidation": True}),
}

PRIORITIES = tuple(
    Case(setting=f"priorities.{reason}", values=LOUD, look=moves(snap), also=also)
    for reason, (snap, also) in _SHOWN.items()
)

PLANS = (*GOALS, *THRESHOLDS, *PRICES, *DEMAND, *PRIORITIES)

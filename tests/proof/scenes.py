"""Clusters, plans and bad luck of the state machine, made from a seed."""

from random import Random
from types import MappingProxyType

from balancer.model.plan import Move, MoveReason
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.policy.types import Limits
from tests.support.builders import host, rule, snapshot, vm
from tests.support.fakes import Script
from tests.unit.execute.stage import host_id, move

HOSTS, VMS = 4, 12

LIMITS = Limits(
    moves_per_run_ratio=0.0,
    moves_per_run_at_least=4,
    moves_per_run_at_most=4,
    moves_per_hour_ratio=2.0,
    mandatory_moves_per_run=5,
    migrations_per_host=2,
    migrations_per_cluster=3,
    migrations_per_vcenter=5,
    moves_per_vm_per_day=6,
    migration_timeout_s=200.0,
    breaker_failures_in_row=1000,
    breaker_failed_ratio=1.0,
    quiet_s=0.0,
    returns_at_most=1000,
)
"""Small numbers, so that they are reached; what would keep a cluster from being worked on comes by the machine."""

BAD_LUCK = MappingProxyType(
    {
        "all well": Script(),
        "task times out": Script(task_fault="Timedout"),
        "target not connected": Script(task_fault="HostNotConnected"),
        "no room": Script(task_fault="InsufficientHostMemoryCapacityFault"),
        "fault that nobody knows": Script(task_fault="BrandNewFault"),
        "cancelled by a person": Script(task_fault="RequestCanceled"),
        "fault after the switch-over": Script(task_fault="SystemError", fails_after_switch=True),
        "call refused": Script(call_fault="TaskInProgress"),
        "call refused for the pair": Script(call_fault="CpuIncompatible"),
        "call without rights": Script(call_fault="NoPermission"),
        "answer lost": Script(reply_lost=True),
        "request lost": Script(reply_lost=True, arrives=False),
        "late request": Script(reply_lost=True),
        "task vanishes": Script(vanishes=True),
        "task lies": Script(lies=True),
        "task hangs": Script(hangs=True),
        "task is queued": Script(queued_s=45.0),
        "lands elsewhere": Script(lands_on=host_id(4)),
    }
)


def some_cluster(random: Random) -> Snapshot:
    """Return a small cluster, tight in memory, with two rules, or three where VMs must stay together."""
    machines = []
    for number in range(1, VMS + 1):
        size = random.choice([4096.0, 4096.0, 16_384.0, 30_000.0])
        on = random.randint(1, HOSTS)
        machines.append(vm(number, on=on, memory_mib=size, uuid=f"uuid-{number}"))
    rules = [
        rule(f"apart-{n}", RuleType.ANTI_AFFINITY, random.sample(range(1, VMS + 1), k=3))
        for n in (1, 2)
    ]
    if random.random() < 0.3:
        home = random.choice(machines).host
        near = [int(m.id.removeprefix("vm-")) for m in machines if m.host == home]
        rules.append(rule("together", RuleType.AFFINITY, near[:3]))
    return snapshot([host(n) for n in range(1, HOSTS + 1)], machines, rules)


def some_moves(random: Random, base: Snapshot, cycle_id: str) -> list[Move]:
    """Return moves of some VMs, sound or not: the executor must not rely on the planner."""
    reason = random.choice([MoveReason.BALANCE, MoveReason.BALANCE, MoveReason.EVACUATE])
    together = [one for kept in base.rules if kept.type is RuleType.AFFINITY for one in kept.vms]
    common, made = random.randint(1, HOSTS), []
    present = [machine for machine in base.vms if machine.is_running]
    for machine in random.sample(present, k=min(len(present), random.randint(3, 10))):
        source = int(machine.host.removeprefix("host-"))
        target = common if machine.id in together else random.randint(1, HOSTS)
        if source == target:
            continue
        after = [random.choice(made)] if made and random.random() < 0.2 else []
        made.append(
            move(
                int(machine.id.removeprefix("vm-")),
                source,
                target,
                id=f"{cycle_id}-{machine.id}",
                reason=reason,
                gain=random.random(),
                wave=1 + max((earlier.wave for earlier in after), default=0),
            )
        )
        if after:
            made[-1] = _after(made[-1], after[0])
    return made


def _after(late: Move, early: Move) -> Move:
    return Move(**{**{f: getattr(late, f) for f in late.__slots__}, "after": (early.id,)})

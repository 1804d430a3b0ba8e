"""Plans for the tests of what is exposed: small, big, quiet, refused, and one full of hostile names."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from balancer.assess.state import measure
from balancer.model.host import HostState
from balancer.model.plan import Conflict, Move, MoveReason, Plan, PlanStatus, Priority
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, MoveId, VmId
from tests.support.builders import NOON, host, placement, rule, snapshot, vm

HOSTILE_NAMES = (
    "<script>alert(1)</script>",
    "</td></table><img src=x onerror=alert(1)>",
    "line\nbreak\r\nPlan: 0 moves",
    "\x1b[2J\x1b[31mred\x07",
    "\u202egnp.exe\u2066",
    "a|b||c",
    "`code` **bold** _it_ [x](http://evil.test) ![i](y)",
    "@everyone #1 www.evil.test https://evil.test",
    'quo"te\\back\\n{}',
    "lone\udc80surrogate",
    "nul\x00tab\tzero\u200bwidth",
    "\u05d0\u05d1\u05d2 \u6f22\u5b57 e\u0301 \U0001f4a5",
    "'; drop table hosts; --",
    "",
    " ",
    "x" * 300,
)

ONE_STAGE: Mapping[str, float] = MappingProxyType({"search": 1.25, "sequence": 0.25})


def move(number: int, vm_number: int, source: int, target: int, **facts: Any) -> Move:
    """Return move mN of vm-`vm_number` from host-`source` to host-`target` in wave 1."""
    defaults: dict[str, Any] = {
        "id": MoveId(f"m{number}"),
        "vm": VmId(f"vm-{vm_number}"),
        "vm_name": f"vm{vm_number}",
        "source": HostId(f"host-{source}"),
        "target": HostId(f"host-{target}"),
        "reason": MoveReason.BALANCE,
        "why": f"esx{source} at 82 % CPU against 18 % on esx{target}",
        "priority": Priority.DEFAULT,
        "wave": 1,
        "after": (),
        "start_seconds": 0.0,
        "expected_seconds": 14.0,
        "memory_mib": 4096.0,
        "gain": 0.001,
    }
    return Move(**(defaults | facts))


def plan(snap: Snapshot, moves: Sequence[Move] = (), **facts: Any) -> Plan:
    """Return a plan over `snap` whose states are measured, not made up."""
    place = placement(snap)
    before = measure(place)
    for step in moves:
        place.move(step.vm, step.target)
    ends = [step.start_seconds + step.expected_seconds for step in moves]
    defaults: dict[str, Any] = {
        "id": "0123456789abcdef",
        "created_at": NOON + timedelta(seconds=2),
        "snapshot_taken_at": NOON,
        "cluster_id": snap.cluster.id,
        "cluster_name": snap.cluster.name,
        "status": PlanStatus.PLANNED if moves else PlanStatus.BALANCED,
        "reason": "" if moves else "nothing to do",
        "before": before,
        "after": measure(place),
        "moves": tuple(moves),
        "conflicts": (),
        "refusals": (),
        "makespan_seconds": max(ends, default=0.0),
        "stage_seconds": ONE_STAGE,
    }
    return Plan(**(defaults | facts))


def small_snapshot() -> Snapshot:
    """Return four hosts: esx1 crowded, esx4 entering maintenance with a VM that cannot leave."""
    crowd = [vm(n, on=1, cpu_demand_mhz=2500.0, memory_mib=12_000.0) for n in range(1, 7)]
    others = [vm(7, on=2), vm(8, on=3), vm(9, on=4), vm(10, on=4, name="licence-dongle")]
    hosts = [host(1), host(2), host(3), host(4, state=HostState.ENTERING_MAINTENANCE)]
    rules = [
        rule("web apart", RuleType.ANTI_AFFINITY, [1, 2]),
        rule("db near", RuleType.AFFINITY, [7, 8], mandatory=False),
    ]
    return snapshot(hosts, [*crowd, *others], rules)


def small_plan(**facts: Any) -> Plan:
    """Return a degraded plan of four moves in two waves over `small_snapshot`, one left to a later run."""
    moves = (
        move(1, 9, 4, 3, reason=MoveReason.EVACUATE, why="esx4 is entering maintenance"),
        move(
            2, 2, 1, 2, reason=MoveReason.RULE, why="shares esx1 with vm1 against rule 'web apart'"
        ),
        move(3, 3, 1, 3, why="esx1 at 75 % CPU against 5 % on esx3"),
        move(4, 4, 1, 2, wave=2, start_seconds=80.0, after=(MoveId("m2"),), this_run=False),
    )
    defaults: dict[str, Any] = {
        "status": PlanStatus.DEGRADED,
        "reason": "1 thing cannot be met, see conflicts",
        "conflicts": (
            Conflict(
                kind="evacuation",
                message="licence-dongle cannot leave esx4: a USB device of the host is connected",
                vms=(VmId("vm-10"),),
                hosts=(HostId("host-4"),),
                relax="disconnect the USB device or power the VM off",
            ),
        ),
        "refusals": (
            Refusal.of(Reason.USB_DEVICE, "licence-dongle: usb_device", vm="vm-10"),
            *(
                Refusal.of(
                    Reason.MEMORY_CEILING, f"esx{h}: memory full", vm="vm-5", host=f"host-{h}"
                )
                for h in (2, 3)
            ),
            Refusal.of(Reason.RUN_BUDGET, "3 of 4 moves", vm="vm-4"),
        ),
    }
    return plan(small_snapshot(), moves, **(defaults | facts))


def big_snapshot(hosts: int = 60, vms_per_host: int = 10) -> Snapshot:
    """Return a cluster with long host names whose first half is crowded."""
    esx = [host(n, name=f"esx{n:02}.dc1.example.com") for n in range(1, hosts + 1)]
    vms = [
        vm(
            h * 100 + n,
            on=h,
            name=f"prod-app-{h:02}-{n:02}.example.com",
            cpu_demand_mhz=1800.0 if h <= hosts // 2 else 400.0,
        )
        for h in range(1, hosts + 1)
        for n in range(vms_per_host)
    ]
    return snapshot(esx, vms)


def big_plan(snap: Snapshot, count: int = 100) -> Plan:
    """Return a plan with `count` moves in waves of four, from the crowded half to the other."""
    half = len(snap.hosts) // 2
    steps = []
    for n in range(count):
        source, nth = n % half + 1, n // half
        facts: dict[str, Any] = {
            "vm_name": f"prod-app-{source:02}-{nth:02}.example.com",
            "wave": n // 4 + 1,
            "start_seconds": n // 4 * 20.0,
            "why": f"esx{source:02} at 90 % CPU against 20 % on esx{source + half:02}",
        }
        steps.append(move(n + 1, source * 100 + nth, source, source + half, **facts))
    return plan(snap, steps)


def hostile() -> tuple[Plan, Snapshot]:
    """Return a plan and its snapshot in which everything with a name has a hostile one."""
    names = HOSTILE_NAMES
    hosts = [host(n, name=name) for n, name in enumerate(names, 1)]
    vms = [
        vm(n, on=n, name=name, cpu_demand_mhz=200.0 * n)
        for n, name in enumerate(reversed(names), 1)
    ]
    rules = [
        rule(name, RuleType.VM_HOST_AFFINE, [n], on=[1 if n > 1 else 2])
        for n, name in enumerate(names, 1)
    ]
    snap = snapshot(hosts, vms, rules, cluster={"name": "".join(names)})
    steps = [
        move(n, n, n, n % len(names) + 1, vm_name=vms[n - 1].name, why=f"because {name}")
        for n, name in enumerate(names, 1)
    ]
    refusals = tuple(
        Refusal.of(Reason.EVC, f"needs {name}", vm=f"vm-{n}") for n, name in enumerate(names, 1)
    )
    conflicts = tuple(Conflict(kind="rule", message=name, relax=name) for name in names)
    whole = plan(snap, steps, refusals=refusals, conflicts=conflicts, status=PlanStatus.DEGRADED)
    return replace(whole, reason="".join(names)), snap

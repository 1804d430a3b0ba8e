"""A plan in which everything that has a name has one of those given: hosts, VMs, rules, policy, datastores."""

from collections.abc import Sequence

from balancer.model.plan import Conflict, MoveReason, Plan, PlanStatus, RuleMark
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import RuleType
from balancer.model.snapshot import Datastore, Network, Snapshot, Source, SourceKind
from balancer.model.units import HostId, VmId
from balancer.policy.in_force import InForce
from balancer.policy.mode import Mode
from balancer.policy.types import Policy
from balancer.policy.window_types import Effect, Window
from tests.support.builders import host, rule, snapshot, vm
from tests.unit.expose.plans import move, plan
from tests.unit.expose.reported import briefed


def harmless(count: int) -> tuple[str, ...]:
    """Return names that no place could trip over."""
    return tuple(f"name{number}" for number in range(count))


def named_plan(names: Sequence[str]) -> tuple[Plan, Snapshot, Policy]:
    """Return a degraded plan that says each name in every place where a name can stand."""
    snap = _snapshot(names)
    numbers = range(1, len(names) + 1)
    moves = [
        move(
            n,
            n,
            n,
            n % len(names) + 1,
            vm_name=name,
            why=f"because {name}",
            reason=MoveReason.RULE if n % 2 else MoveReason.BALANCE,
        )
        for n, name in zip(numbers, names, strict=True)
    ]
    marks = tuple(
        RuleMark(name=name, mandatory=True, mark="m", vms=(VmId(f"vm-{n}"),))
        for n, name in zip(numbers, names, strict=True)
    )
    refusals = tuple(
        Refusal.of(Reason.EVC, f"needs {name}", vm=f"vm-{n}", host=f"host-{n}")
        for n, name in zip(numbers, names, strict=True)
    )
    conflicts = tuple(
        Conflict(kind="rule", message=name, rules=(name,), hosts=(HostId("host-1"),), relax=name)
        for name in names
    )
    because = Refusal.of(Reason.NOT_APPROVED, f"mode manual, by policy {names[0]}")
    windows = tuple(
        Window(name=name, effect=Effect.ALLOW, cron="0 22 * * *", duration_s=60.0)
        for name in names[:20]
    )
    policy = Policy(name=names[0], windows=windows)
    made = plan(
        snap,
        moves,
        status=PlanStatus.DEGRADED,
        reason=names[0],
        refusals=refusals,
        conflicts=conflicts,
        rules=marks,
        notes=tuple(names),
        verdicts=tuple(names),
    )
    return briefed(made, snap, policy, InForce(mode=Mode.MANUAL, because=because)), snap, policy


def _snapshot(names: Sequence[str]) -> Snapshot:
    hosts = [host(n, name=name) for n, name in enumerate(names, 1)]
    stores = tuple(Datastore(id=f"ds-{n}", name=name) for n, name in enumerate(names, 1))
    nets = tuple(Network(id=f"net-{n}", name=name) for n, name in enumerate(names, 1))
    vms = [vm(n, on=n, name=name, cpu_demand_mhz=200.0) for n, name in enumerate(names, 1)]
    rules = [
        rule(name, RuleType.VM_HOST_AFFINE, [n], on=[1 if n > 1 else 2])
        for n, name in enumerate(names, 1)
    ]
    return snapshot(
        hosts,
        vms,
        rules,
        cluster={"name": names[0]},
        source=Source(kind=SourceKind.VCENTER, name=names[0]),
        datastores=stores,
        networks=nets,
    )

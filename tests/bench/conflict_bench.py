"""Time to find the smallest conflict, near the stuck VMs and over a whole cluster. Prints a table, judges nothing.

Run: python -m tests.bench.conflict_bench [HOSTSxVMS ...]
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.assess.need import assess
from balancer.model.host import Host, HostState
from balancer.model.need import Holds
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.model.vm import Blocker, Vm
from balancer.plan.conflict_question import Facts
from balancer.plan.conflict_set import ConflictSet, Patience, find_set
from balancer.plan.desk import Desk
from balancer.plan.mandatory import fulfil
from balancer.plan.problem import compile_problem
from balancer.policy.types import Policy
from balancer.solver import InProcess, Solver

SIZES = ("8x100", "16x400", "32x1000", "96x10000")
POLICY = Policy()
GIB = 1024.0


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What one explanation took, apart from the facts that all explanations of a draft share."""

    found: ConflictSet
    wall_s: float
    cpu_s: float
    facts_s: float


def main(sizes: Sequence[str]) -> None:
    """Print one row per situation and size."""
    say(
        "size      situation                 finding        members  ms wall  ms cpu  ms facts  solver"
    )
    for size in sizes or SIZES:
        hosts, vms = (int(part) for part in size.split("x"))
        for name, situation in SITUATIONS.items():
            timing = timed(situation(generate(InventorySpec.sized(hosts, vms), 1)))
            say(
                f"{size:9} {name:25} {timing.found.finding.value:15}{len(timing.found.members):7}"
                f"{timing.wall_s * 1000:9.1f}{timing.cpu_s * 1000:8.1f}{timing.facts_s * 1000:10.1f}"
                f"  {'loaded' if 'ortools' in sys.modules else 'not loaded'}"
            )


def timed(snapshot: Snapshot) -> Timing:
    """Explain the first task that the greedy stage leaves open."""
    desk = Desk(compile_problem(assess(snapshot, POLICY, Holds()), POLICY))
    stuck = fulfil(desk)
    begun = time.perf_counter()
    facts = Facts(desk)
    wall, cpu = time.perf_counter(), time.process_time()
    found = find_set(
        facts, stuck[0], Patience(solver=Solver(InProcess()), seed=0, deadline=wall + 60.0)
    )
    return Timing(
        found=found,
        wall_s=time.perf_counter() - wall,
        cpu_s=time.process_time() - cpu,
        facts_s=wall - begun,
    )


def two_rules_and_two_hosts(snapshot: Snapshot) -> Snapshot:
    """Three VMs kept apart that may run on four hosts, of which two are to be emptied."""
    hosts = _with_state(snapshot, 2, HostState.ENTERING_MAINTENANCE)
    chosen = [vm for vm in snapshot.running_vms if vm.host == hosts[0].id][:3]
    vms = tuple(vm.id for vm in chosen)
    licence = frozenset(host.id for host in hosts[:4])
    rules = (
        Rule(name="web apart", type=RuleType.ANTI_AFFINITY, vms=vms),
        Rule(name="licence", type=RuleType.VM_HOST_AFFINE, vms=vms, hosts=licence),
    )
    plain = tuple(replace(vm, blockers=()) for vm in snapshot.vms)
    return replace(snapshot, hosts=hosts, vms=plain, rules=rules)


def full_memory(snapshot: Snapshot) -> Snapshot:
    """One host to be emptied, and the others so full that its VMs cannot fit, wherever all others go."""
    held: dict[HostId, float] = {}
    for vm in snapshot.running_vms:
        held[vm.host] = held.get(vm.host, 0.0) + vm.footprint_mib
    hosts = _with_state(snapshot, 1, HostState.ENTERING_MAINTENANCE)
    full = tuple(
        replace(host, memory_capacity_mib=host.memory_overhead_mib + held[host.id] / 0.959)
        for host in hosts[1:]
    )
    return replace(snapshot, hosts=(hosts[0], *full), rules=())


def five_in_four(snapshot: Snapshot) -> Snapshot:
    """Five large VMs that may run on four hosts only, each of which has room for one beside what is tied to it.

    Their total would fit: only trying to place them shows that they cannot be.
    """
    return _more_than_hosts(snapshot, 4)


def eight_in_seven(snapshot: Snapshot) -> Snapshot:
    """Return the same with more hosts than can be tried in all orders: this one needs the solver."""
    return _more_than_hosts(snapshot, 7)


def _more_than_hosts(snapshot: Snapshot, count: int) -> Snapshot:
    hosts = _with_state(snapshot, 1, HostState.ENTERING_MAINTENANCE)
    licence = frozenset(host.id for host in hosts[1 : count + 1])
    sized = tuple(
        replace(host, memory_capacity_mib=host.memory_overhead_mib + 100 * GIB)
        if host.id in licence
        else host
        for host in hosts
    )
    large = tuple(_vm(f"vm-large-{n}", hosts[n], 30 * GIB) for n in range(count + 1))
    tied = tuple(
        replace(_vm(f"vm-tied-{host.id}-{n}", host, 8 * GIB), blockers=(Blocker.VGPU,))
        for host in hosts[1 : count + 1]
        for n in range(5)
    )
    others = tuple(
        replace(vm, blockers=()) for vm in snapshot.vms if vm.host not in licence | {hosts[0].id}
    )
    rule = Rule(
        name="licence",
        type=RuleType.VM_HOST_AFFINE,
        vms=tuple(vm.id for vm in large),
        hosts=licence,
    )
    return replace(snapshot, hosts=sized, vms=(*large, *tied, *others), rules=(rule,))


SITUATIONS: Mapping[str, Callable[[Snapshot], Snapshot]] = {
    "two rules and two hosts": two_rules_and_two_hosts,
    "full memory": full_memory,
    "five in four": five_in_four,
    "eight in seven": eight_in_seven,
}


def _with_state(snapshot: Snapshot, count: int, state: HostState) -> tuple[Host, ...]:
    return tuple(
        replace(host, state=state) if number < count else host
        for number, host in enumerate(snapshot.hosts)
    )


def _vm(name: str, host: Host, memory_mib: float) -> Vm:
    return Vm(
        id=VmId(name),
        name=name,
        host=host.id,
        vcpus=2,
        memory_mib=memory_mib,
        memory_consumed_mib=memory_mib,
        memory_active_mib=memory_mib / 2,
        cpu_demand_mhz=100.0,
    )


def say(line: str) -> None:
    """Print one line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])

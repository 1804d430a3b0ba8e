"""What a finished plan is held against: the laws of every plan, and the expectations of one scenario.

Replays the moves by itself, wave by wave, and shares no code with planner, sequencing or their check.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from balancer.model.plan import Conflict, MoveReason, Plan
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.policy.types import Policy
from tests.support.replay import replayed
from tests.support.scenario import Expectation

SLACK_MIB = 1e-3


def broken_laws(snapshot: Snapshot, policy: Policy, plan: Plan) -> Iterator[str]:
    """Yield what no plan may do: overfill, move a VM twice, or leave the cluster worse than it was."""
    parked = {move.vm for move in plan.moves if move.reason is MoveReason.PARKING}
    count = Counter(move.vm for move in plan.moves)
    yield from (f"{vm} moves {n} times" for vm, n in count.items() if n > 1 + (vm in parked))
    yield from _overfilled(snapshot, policy, plan)
    if plan.after.broken_must_rules > plan.before.broken_must_rules:
        yield "more must-rules are broken than before"
    is_free = not any(move.reason.is_mandatory for move in plan.moves)
    if plan.moves and is_free and plan.after.cost >= plan.before.cost:
        yield f"the objective rises from {plan.before.cost} to {plan.after.cost}"


def _overfilled(snapshot: Snapshot, policy: Policy, plan: Plan) -> Iterator[str]:
    """Count every arrival of a wave before any departure, and each move on the host that takes it."""
    ceiling = policy.thresholds.memory_ceiling
    held: defaultdict[HostId, float] = defaultdict(float)
    for vm in snapshot.running_vms:
        held[vm.host] += vm.footprint_mib
    for number, wave in groupby(plan.moves, key=lambda move: move.wave):
        moves = list(wave)
        for move in moves:
            held[move.target] += snapshot.vm_by_id[move.vm].footprint_mib
        for target in sorted({move.target for move in moves}):
            most = ceiling * snapshot.host_by_id[target].usable_memory_mib
            if held[target] > most + SLACK_MIB:
                yield f"wave {number} fills {target} with {held[target]:.0f} of {most:.0f} MiB"
        for move in moves:
            held[move.source] -= snapshot.vm_by_id[move.vm].footprint_mib


def disappointments(snapshot: Snapshot, plan: Plan, wanted: Expectation) -> Iterator[str]:
    """Yield which expectations a plan does not meet, in sentences."""
    if plan.status != wanted.status:
        yield f"status is {plan.status} ({plan.reason}), not {wanted.status}"
    yield from _moves(plan, wanted)
    yield from _places(replayed(snapshot, plan.moves), wanted)
    yield from _conflicts(plan, wanted.conflicts)
    told = {refusal.reason.value for refusal in plan.refusals}
    yield from (f"'{reason}' is not told" for reason in wanted.refusals if reason not in told)
    if wanted.fairer and not _is_fairer(plan):
        yield f"a resource is less level than before: {plan.before} {plan.after}"


def _moves(plan: Plan, wanted: Expectation) -> Iterator[str]:
    count, moved = len(plan.moves), {move.vm for move in plan.moves}
    told = f"{count} moves: {sorted(moved)[:12]}"
    if wanted.moves is not None and count != wanted.moves:
        yield f"{told}, not {wanted.moves}"
    if wanted.at_most is not None and count > wanted.at_most:
        yield f"{told}, more than {wanted.at_most}"
    if wanted.at_least is not None and count < wanted.at_least:
        yield f"{told}, fewer than {wanted.at_least}"
    if wanted.movers is not None and not moved <= _vms(wanted.movers):
        yield f"{told}, allowed were {wanted.movers}"
    yield from (f"{vm} moves" for vm in sorted(moved & _vms(wanted.stay)))


def _places(after: Snapshot, wanted: Expectation) -> Iterator[str]:
    host_of = {vm.id: vm.host for vm in after.running_vms}
    count = Counter(host_of.values())
    yield from (
        f"vm-{number} is on {host_of[VmId(f'vm-{number}')]}, not on {hosts}"
        for number, hosts in (wanted.after or {}).items()
        if host_of[VmId(f"vm-{number}")] not in _hosts(hosts)
    )
    yield from (f"{host} is not empty" for host in sorted(_hosts(wanted.empty)) if count[host])
    if wanted.most_per_host is not None and max(count.values()) > wanted.most_per_host:
        yield f"{max(count.values())} VMs are on one host"
    for group in wanted.apart:
        if max(Counter(host_of[vm] for vm in _vms(group)).values()) > 1:
            yield f"{group} share a host"
    for group in wanted.together:
        if len({host_of[vm] for vm in _vms(group)}) > 1:
            yield f"{group} are not together"
    for one in wanted.spread:
        counts = Counter(host_of[vm] for vm in _vms(one["vms"]))
        per = [_hosts(group) for group in one.get("per", ())] or [{host} for host in counts]
        if max(sum(counts[host] for host in group) for group in per) > one["most"]:
            yield f"{one['vms']} are not spread to at most {one['most']} per {per}"


def _conflicts(plan: Plan, wanted: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Compare kinds and names; sentences are free."""
    told = [(conflict.kind, conflict.rules, conflict.vms) for conflict in plan.conflicts]
    yield from (
        f"no conflict like {one} among {told}"
        for one in wanted
        if not any(_is_like(conflict, one) for conflict in plan.conflicts)
    )
    yield from (
        f"unexpected conflict: {conflict.message}"
        for conflict in plan.conflicts
        if not any(_is_like(conflict, one) for one in wanted)
    )


def _is_like(conflict: Conflict, wanted: Mapping[str, Any]) -> bool:
    return (
        conflict.kind == wanted["kind"]
        and set(wanted.get("rules", ())) <= set(conflict.rules)
        and _vms(wanted.get("vms", ())) <= set(conflict.vms)
    )


def _is_fairer(plan: Plan) -> bool:
    before, after = plan.before, plan.after
    return after.cpu.stddev <= before.cpu.stddev and after.memory.stddev <= before.memory.stddev


def _vms(numbers: Sequence[int]) -> set[VmId]:
    return {VmId(f"vm-{number}") for number in numbers}


def _hosts(numbers: int | Sequence[int]) -> set[HostId]:
    listed = [numbers] if isinstance(numbers, int) else numbers
    return {HostId(f"host-{number}") for number in listed}

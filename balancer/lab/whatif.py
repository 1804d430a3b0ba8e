"""What if: would a changed cluster hold its VMs, and what would the way there cost?

A pure function from a snapshot, a policy and a change to an answer. It plans with the one planner, before and
after the change, so that what the change costs is told apart from what would be done anyway.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from balancer.assess.reading import read_need
from balancer.collect import judge_quality
from balancer.lab.whatif_change import Assumed, Change, assume
from balancer.lab.whatif_seats import Seat, Unplaced, seat_all
from balancer.model.errors import BalancerError
from balancer.model.past import Past
from balancer.model.plan import Conflict, Plan, PlanStatus, State
from balancer.model.reasons import UNFIT, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, Mhz, Mib, Ratio, Seconds, VmId
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.resolve import resolve
from balancer.policy.types import Policy
from balancer.rules.failover import Loss, losses
from balancer.rules.placement import Ground, Placement

UNMET_MHZ = 1.0
"""CPU demand beyond capacity that is no more than this is rounding."""


class NotFit(BalancerError):
    """The snapshot's facts are too few to answer from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What carrying a plan out takes. `seconds` is from the first start to the last end."""

    moves: int
    mandatory: int
    memory_mib: Mib
    seconds: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One host's load by usable capacity. Balance is measured by demand; what VMs hold decides whether they fit."""

    cpu_ratio: Ratio
    memory_ratio: Ratio
    held_ratio: Ratio
    vms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HostChange:
    """One host: load before the change, after it and all moves; None where it is not there or does not answer."""

    id: HostId
    name: str
    before: Load | None
    after: Load | None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What the serving hosts have left together: CPU beside demand, memory beside what VMs hold; no ceilings."""

    cpu_mhz: Mhz
    cpu_ratio: Ratio
    memory_mib: Mib
    memory_ratio: Ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A running VM that stands on an emptied host after all moves, and why as far as it is known."""

    vm: VmId
    name: str
    host: HostId
    why: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What would come of a change.

    `snapshot` is the cluster after restarts and before moves, `plan` what is done then, `plan_without` what would
    be done without the change. `conflicts` are those of the plan that are not in the other one.
    `unmet_cpu_mhz` is the CPU demand above capacity that the change adds. `losses_before` and `losses` are the
    hosts whose failure, one more, would leave a VM without a host, before and after all.
    """

    change: Assumed
    snapshot: Snapshot
    seats: tuple[Seat, ...]
    unplaced: tuple[Unplaced, ...]
    left: tuple[Left, ...]
    conflicts: tuple[Conflict, ...]
    unmet_cpu_mhz: Mhz
    plan: Plan
    plan_without: Plan
    hosts: tuple[HostChange, ...]
    room_before: Room
    room: Room
    losses_before: tuple[Loss, ...]
    losses: tuple[Loss, ...]

    @property
    def fits(self) -> bool:
        """Whether every VM finds a host, what must hold holds, and no CPU demand goes unmet for the change."""
        return not (self.unplaced or self.left or self.conflicts or self.unmet_cpu_mhz)

    @property
    def cost(self) -> Cost:
        """Return what the moves after the change take."""
        return cost_of(self.plan)

    @property
    def cost_without(self) -> Cost:
        """Return what would be done without the change."""
        return cost_of(self.plan_without)


def what_if(
    snapshot: Snapshot,
    policy: Policy,
    change: Change,
    *,
    settings: PlanSettings,
    against: tuple[Snapshot, Policy] | None = None,
) -> Answer:
    """Return what would come of a change.

    Hosts to remove are asked to be emptied; VMs of failed hosts are started on others before anything is planned.
    Whether the facts are good enough is judged from the snapshot without the change, whose time is "now".
    `against` is what stands beside the change, where that is another policy: the snapshot with its rules, and it.

    Raises:
        InputError: the change cannot be meant so; everything wrong is named.
        NotFit: nothing can be planned from so few facts.
        PlanInvalid: the plan did not pass the independent check.
    """
    gates = judge_quality(snapshot, policy.limits, now=snapshot.taken_at)
    _require_facts(gates, unread=snapshot.source.rejected_objects)
    assumed = assume(snapshot, change)
    usual, usual_policy = against or (snapshot, policy)
    without = plan_snapshot(usual, usual_policy, settings=settings, unfit=gates)
    emptied = replace(policy, evacuating=policy.evacuating | assumed.removed)
    seated = seat_all(assumed, emptied)
    plan = plan_snapshot(seated.snapshot, emptied, settings=settings, unfit=gates)
    _require_plans(without, plan)
    before = _end(usual, usual_policy, without)
    after = _end(seated.snapshot, emptied, plan)
    return Answer(
        change=assumed,
        snapshot=seated.snapshot,
        seats=seated.seats,
        unplaced=seated.unplaced,
        left=tuple(_left(plan, after, assumed)),
        conflicts=_added(plan.conflicts, without.conflicts),
        unmet_cpu_mhz=_grown(plan.after.unmet_cpu_mhz, without.after.unmet_cpu_mhz),
        plan=plan,
        plan_without=without,
        hosts=_hosts(usual, after, without, plan, assumed),
        room_before=_room(before),
        room=_room(after),
        losses_before=losses(before),
        losses=losses(after),
    )


def cost_of(plan: Plan) -> Cost:
    """Return what carrying a whole plan out takes."""
    return Cost(
        moves=len(plan.moves),
        mandatory=sum(move.reason.is_mandatory for move in plan.moves),
        memory_mib=sum(move.memory_mib for move in plan.moves),
        seconds=plan.makespan_seconds,
    )


def _require_facts(gates: Sequence[Refusal], *, unread: int) -> None:
    unfit = [gate for gate in gates if gate.reason in UNFIT]
    if not unfit:
        return
    facts = "; ".join(gate.told for gate in unfit)
    mend = (
        f"{unread:,} hosts and VMs could not be read when the snapshot was made, which named them: make it anew"
        if unread
        else "Use a snapshot with figures of its VMs; an RVTools export without any can be imported with "
        "--split-host-usage"
    )
    raise NotFit(f"Whether the changed cluster would fit cannot be told: {facts}. {mend}.")


def _require_plans(*plans: Plan) -> None:
    for plan in plans:
        if plan.status is PlanStatus.REFUSED:
            raise NotFit(f"Whether the changed cluster would fit cannot be told: {plan.reason}.")


def _end(snapshot: Snapshot, policy: Policy, plan: Plan) -> Placement:
    """Return the placement after all moves, in which one more host may fail."""
    resolved = resolve(snapshot, policy)
    need, wanted = read_need(resolved, policy, unfit=(), past=Past(), now=snapshot.taken_at)
    ha = replace(need.snapshot.cluster.ha, enabled=True, host_failures_to_tolerate=1)
    cluster = replace(need.snapshot.cluster, ha=ha)
    one_more = replace(need.snapshot, cluster=cluster)
    placement = Placement(Ground(one_more, wanted, need.demand))
    for move in plan.moves:
        placement.move(move.vm, move.target)
    return placement


def _left(plan: Plan, after: Placement, assumed: Assumed) -> Iterator[Left]:
    for host in sorted(assumed.removed):
        for vm in sorted(after.present[host]):
            why = tuple(refusal for refusal in plan.refusals if refusal.vm == vm)
            yield Left(vm=vm, name=after.vm(vm).name, host=host, why=why)


def _added(conflicts: Sequence[Conflict], known: Sequence[Conflict]) -> tuple[Conflict, ...]:
    before = {(one.kind, one.rules, one.vms, one.hosts) for one in known}
    return tuple(c for c in conflicts if (c.kind, c.rules, c.vms, c.hosts) not in before)


def _grown(now: Mhz, before: Mhz) -> Mhz:
    return now - before if now > before + UNMET_MHZ else 0.0


def _hosts(
    snapshot: Snapshot, after: Placement, without: Plan, plan: Plan, assumed: Assumed
) -> tuple[HostChange, ...]:
    held = dict.fromkeys(snapshot.host_by_id, 0.0)
    for vm in snapshot.running_vms:
        held[vm.host] += vm.footprint_mib
    first, last = (
        _loads(without.before, held, snapshot),
        _loads(plan.after, after.footprint_mib, after.ground.snapshot),
    )
    notes = dict.fromkeys(assumed.removed, "emptied") | dict.fromkeys(assumed.failed, "failed")
    notes |= dict.fromkeys(assumed.new_hosts, "new")
    return tuple(
        HostChange(
            id=host.id,
            name=host.name,
            before=first.get(host.id),
            after=None if host.id in assumed.failed else last.get(host.id),
            note=notes.get(host.id, ""),
        )
        for host in after.ground.snapshot.hosts
    )


def _loads(state: State, held: Mapping[HostId, Mib], snapshot: Snapshot) -> Mapping[HostId, Load]:
    return {
        load.id: Load(
            cpu_ratio=load.cpu_ratio,
            memory_ratio=load.memory_ratio,
            held_ratio=held[load.id] / snapshot.host_by_id[load.id].usable_memory_mib,
            vms=load.vms,
        )
        for load in state.hosts
    }


def _room(placement: Placement) -> Room:
    ground = placement.ground
    whole_cpu, whole_memory = (
        max(float(sum_), 1.0) for sum_ in ground.serving_capacity.sum(axis=0)
    )
    cpu = whole_cpu - float(placement.host_arrays().load[:, 0].sum())
    held = sum(placement.footprint_mib[host.id] for host in ground.snapshot.serving_hosts)
    memory = whole_memory - held
    return Room(
        cpu_mhz=cpu,
        cpu_ratio=cpu / whole_cpu,
        memory_mib=memory,
        memory_ratio=memory / whole_memory,
    )

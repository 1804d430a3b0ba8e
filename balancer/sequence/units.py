"""What is put in order: steps (one vMotion each) and units (steps that share a wave).

A unit is one move, or all moves of VMs that must-rules keep together. Nothing here decides when a unit
starts; a unit that is parked is replaced by a hop, whose `then` is the rest of the way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from balancer.model.duration import vmotion_seconds
from balancer.model.pace import at_pace
from balancer.model.plan import MoveReason, ProposedMove
from balancer.model.rule import RuleType
from balancer.model.units import HostId, Seconds, VmId
from balancer.rules.placement import Candidate, Ground

EMPTYING = 3

_CLASS_OF = {MoveReason.CONTENTION: 1, MoveReason.PARKING: -1, MoveReason.CONSOLIDATE: EMPTYING}
"""What starts before what: parking hops, mandatory moves (0), relief (1), everything else (2), emptying hosts."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """One vMotion of the way: a proposed move, or one of the two halves of a parked one."""

    candidate: Candidate
    source: HostId
    reason: MoveReason
    why: str
    gain: float
    seconds: Seconds

    @property
    def vm(self) -> VmId:
        """Return the VM that moves."""
        return self.candidate.vm

    @property
    def target(self) -> HostId:
        """Return where it goes."""
        return self.candidate.target


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Unit:
    """Steps that move in one wave, by VM id. `key` is the first VM's id, the same before and after a hop.

    `is_parked` says that the VMs stand on a parking host; `then` is what follows a hop.
    """

    key: VmId
    steps: tuple[Step, ...]
    is_parked: bool = False
    then: "Unit | None" = None
    urgency: int = field(init=False)
    """The class of the most urgent step; lower starts first."""
    is_mandatory: bool = field(init=False)
    """Whether a step serves an evacuation or a must-rule."""
    seconds: Seconds = field(init=False)
    """The seconds of all steps together, as the ranking estimates them."""
    gain: float = field(init=False)
    """What the steps bring together, in units of the objective."""

    def __post_init__(self) -> None:
        """Sum up the steps, once: ranking asks for it again and again."""
        put = object.__setattr__
        put(self, "urgency", min(map(_class_of, self.steps)))
        put(self, "is_mandatory", any(step.candidate.is_mandatory for step in self.steps))
        put(self, "seconds", sum(step.seconds for step in self.steps))
        put(self, "gain", sum(step.gain for step in self.steps))


def _class_of(step: Step) -> int:
    return 0 if step.reason.is_mandatory else _CLASS_OF.get(step.reason, 2)


def step_seconds(ground: Ground, vm: VmId, source: HostId, target: HostId) -> Seconds:
    """Return the duration while as many copies share the link as the host limit allows.

    An estimate to rank by, before it is known how many copies each host takes part in.
    """
    hosts, demand = ground.snapshot.host_by_id, ground.demand[vm]
    model_s = vmotion_seconds(
        hosts[source],
        hosts[target],
        demand.footprint_mib,
        dirty_rate_mbps=ground.snapshot.vm_by_id[vm].dirty_rate_mbps or 0.0,
        sharing=ground.policy.limits.migrations_per_host,
    )
    return at_pace(model_s, ground.paces.of(source, target))


def units_of(ground: Ground, moves: Sequence[ProposedMove]) -> list[Unit]:
    """Return the moves as units, by key. Moves of VMs under a common must-affinity rule are one unit.

    Raises:
        ValueError: a VM occurs twice, does not run, or is not where the move begins.
    """
    steps: dict[VmId, Step] = {}
    for move in moves:
        if move.vm in steps:
            raise ValueError(f"{move.vm} occurs twice in the draft")
        vm = ground.snapshot.vm_by_id.get(move.vm)
        if vm is None or not vm.is_running or vm.host != move.source:
            raise ValueError(f"the draft moves {move.vm}, which does not run on {move.source}")
        steps[move.vm] = _step(ground, move)
    groups = _groups(ground, sorted(steps))
    return [Unit(key=group[0], steps=tuple(steps[vm] for vm in group)) for group in groups]


def _step(ground: Ground, move: ProposedMove) -> Step:
    candidate = Candidate(vm=move.vm, target=move.target, is_mandatory=move.reason.is_mandatory)
    return Step(
        candidate=candidate,
        source=move.source,
        reason=move.reason,
        why=move.why,
        gain=move.gain,
        seconds=step_seconds(ground, move.vm, move.source, move.target),
    )


def _groups(ground: Ground, vms: Sequence[VmId]) -> list[list[VmId]]:
    """Return the VMs, joined where a must-affinity rule names both; every list and the whole by id."""
    leader = {vm: vm for vm in vms}

    def lead(vm: VmId) -> VmId:
        while leader[vm] != vm:
            vm = leader[vm]
        return vm

    for vm in vms:
        for rule in ground.musts(vm, RuleType.AFFINITY):
            mates = [mate for mate in rule.vms if mate in leader]
            first = min(lead(mate) for mate in mates)
            for mate in mates:
                leader[lead(mate)] = first
    groups: dict[VmId, list[VmId]] = {}
    for vm in vms:
        groups.setdefault(lead(vm), []).append(vm)
    return list(groups.values())


def with_hop(ground: Ground, unit: Unit, parking: HostId, why: str) -> Unit:
    """Return the hop of `unit` to `parking`, followed by the rest of its way.

    The hop is judged like an optional move, so that parking never strains a host's CPU or fills one
    in quarantine.
    """
    hops, finals = [], []
    for step in unit.steps:
        hops.append(
            replace(
                step,
                candidate=Candidate(vm=step.vm, target=parking),
                reason=MoveReason.PARKING,
                why=why,
                gain=0.0,
                seconds=step_seconds(ground, step.vm, step.source, parking),
            )
        )
        seconds = step_seconds(ground, step.vm, parking, step.target)
        finals.append(replace(step, source=parking, seconds=seconds))
    rest = Unit(key=unit.key, steps=tuple(finals), is_parked=True)
    return Unit(key=unit.key, steps=tuple(hops), then=rest)

"""The yard in which waves are put together: where every VM is, what has begun, what may begin as well.

Every answer comes from the judges in `rules`, with all moves of the wave begun, so that each arrival
counts before any departure. Mutable and of one attempt; never leaves this package. Chooses nothing.
"""

from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import Rule, RuleType
from balancer.model.units import HostId, VmId
from balancer.rules.anti_affinity import members_on, stays_inside
from balancer.rules.judge import ALL_LAWS
from balancer.rules.law import Law
from balancer.rules.placement import Candidate, Placement
from balancer.sequence.origin import Origin
from balancer.sequence.prospect import Prospect
from balancer.sequence.slots import Slots
from balancer.sequence.units import Step, Unit

STATIC_LAWS = tuple(law for law in ALL_LAWS if law.is_static)
DYNAMIC_LAWS = tuple(law for law in ALL_LAWS if not law.is_static)

WORSE = Refusal.of(
    Reason.UNREACHABLE, "the cluster would be worse than at the start before it gets better"
)
CROWDED = Refusal.of(
    Reason.ANTI_AFFINITY, "a group too large to be kept apart is spread by one move at a time"
)


class Yard:
    """State of one attempt to put units into waves.

    With `cost_waits` a mandatory unit may make the load worse for a while, as one that makes room does.
    """

    def __init__(self, origin: Origin, *, cost_waits: bool = False) -> None:
        self.need = origin.need
        self.cost_waits = cost_waits
        self.ground = origin.ground
        self.now = origin.start.copy()
        self.prospect = Prospect(origin)
        self.slots = Slots(origin.need.snapshot, origin.capacities)
        self.wave: list[Unit] = []
        self._flying = frozenset(self.now.heading)
        self._static: dict[tuple[VmId, HostId, HostId], Refusal | None] = {}

    def begin(self, unit: Unit, *, may_worsen: bool = False) -> Refusal | None:
        """Add `unit` to the wave, or return why it may not begin now and leave everything as it was."""
        refusal = self.slots.refuse(unit) or self._begin_lawfully(unit)
        if refusal is not None:
            return refusal
        self.prospect.apply(unit)
        if not may_worsen and self._is_loss(unit):
            self.prospect.undo(unit)
            self._stop(unit)
            return WORSE
        self.slots.take(unit)
        self.wave.append(unit)
        return None

    def _is_loss(self, unit: Unit) -> bool:
        if self.cost_waits and unit.is_mandatory:
            return self.prospect.is_unlawful()
        return self.prospect.is_worse()

    def cancel(self, unit: Unit) -> None:
        """Take `unit` out of the wave."""
        self.wave.remove(unit)
        self.slots.give_back(unit)
        self.prospect.undo(unit)
        self._stop(unit)

    def end_wave(self) -> tuple[Unit, ...]:
        """Let all begun moves end and return the wave."""
        wave, self.wave = tuple(self.wave), []
        for unit in wave:
            for step in unit.steps:
                self.now.finish(step.vm)
        self.slots.clear()
        return wave

    def judge(self, unit: Unit) -> Refusal | None:
        """Return what the laws say of `unit` now, regardless of slots and of the objective."""
        refusal = self._begin_lawfully(unit)
        if refusal is None:
            self._stop(unit)
        return refusal

    def shift(self, unit: Unit, *, back: bool = False) -> None:
        """Let the unit have moved (or moved back) without asking anyone: to look ahead, then to undo."""
        for step in unit.steps:
            self.now.move(step.vm, step.source if back else step.target)

    def static_refusal(self, candidate: Candidate, source: HostId) -> Refusal | None:
        """Return what the laws that look at VM and hosts alone say; remembered."""
        key = (candidate.vm, source, candidate.target)
        if key not in self._static:
            self._static[key] = self._ask_static(candidate)
        return self._static[key]

    def _ask_static(self, candidate: Candidate) -> Refusal | None:
        if candidate.vm in self._flying:
            return Refusal.of(Reason.IN_FLIGHT, "it is on its way already", vm=candidate.vm)
        pinned = self.need.holds.pinned.get(candidate.vm)
        return pinned or _first(STATIC_LAWS, self.now, candidate)

    def _begin_lawfully(self, unit: Unit) -> Refusal | None:
        for step in unit.steps:
            refusal = self.static_refusal(step.candidate, step.source)
            if refusal is not None:
                return refusal
        if len(unit.steps) == 1:
            refusal = _first(DYNAMIC_LAWS, self.now, unit.steps[0].candidate)
            if refusal is not None:
                return refusal
        self.now.start_all((step.vm, step.target) for step in unit.steps)
        refusal = self._judge_begun(unit)
        if refusal is not None:
            self._stop(unit)
        return refusal

    def _judge_begun(self, unit: Unit) -> Refusal | None:
        """Judge the steps that the others of the unit or the wave bear upon, with all of them begun."""
        exposed = list(unit.steps) if len(unit.steps) > 1 else []
        forced = {step.target for step in unit.steps if step.candidate.is_mandatory}
        if forced:
            steps = (step for other in self.wave for step in other.steps)
            exposed += [s for s in steps if s.target in forced and not s.candidate.is_mandatory]
        for step in exposed:
            self.now.cancel(step.vm)
            refusal = _first(DYNAMIC_LAWS, self.now, step.candidate)
            self.now.start(step.vm, step.target)
            if refusal is not None:
                return refusal
        return self._judge_spreading(unit)

    def _judge_spreading(self, unit: Unit) -> Refusal | None:
        """Refuse company to a move that its target has no place for, and that may go because its source is fuller.

        Such a permission depends on who else has left already, so the group moves one by one.
        """
        for step in unit.steps:
            for rule in self.ground.musts(step.vm, RuleType.ANTI_AFFINITY):
                movers = self._movers(rule, unit)
                if len(movers) > 1 and any(is_one_too_many(self.now, rule, s) for s in movers):
                    return CROWDED
        return None

    def _movers(self, rule: Rule, unit: Unit) -> list[Step]:
        steps = [step for other in (*self.wave, unit) for step in other.steps]
        return [step for step in steps if step.vm in rule.vms]

    def _stop(self, unit: Unit) -> None:
        for step in unit.steps:
            self.now.cancel(step.vm)


def is_one_too_many(placement: Placement, rule: Rule, step: Step) -> bool:
    """Whether as many other VMs of the rule as may be are at the step's target, or on their way there or away."""
    if stays_inside(rule, step.source, step.target):
        return False
    return len(members_on(placement, rule, step.target) - {step.vm}) >= rule.most


def _first(laws: tuple[Law, ...], placement: Placement, move: Candidate) -> Refusal | None:
    for law in laws:
        refusal = law.judge(placement, move)
        if refusal is not None:
            return refusal
    return None

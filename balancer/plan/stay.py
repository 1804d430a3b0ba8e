"""Why a VM stays where it is: the first of the possible causes that holds, in a fixed order.

Facts before wishes: what does not let it go, what takes it nowhere, what the policy does not ask for, what
it would not gain, what others do better. Each answer is a refusal with its figures.
"""

from collections.abc import Callable
from dataclasses import dataclass

from balancer.model.decision import Answer
from balancer.model.goal import Goal
from balancer.model.insight import TargetInsight, is_lawful
from balancer.model.plan import PlanStatus
from balancer.model.reasons import UNFIT, Reason, Refusal
from balancer.model.units import percent
from balancer.model.vm import Vm
from balancer.plan.counts import spread
from balancer.plan.loadcost import LEAST_GAIN
from balancer.plan.obstacles import obstacles
from balancer.plan.scene import Outlook, Scene, millionths
from balancer.rules.exclusion import excluded_from_all

_OWN_HOST = frozenset({Reason.SOURCE_HOST_STATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Staying:
    """A VM that the plan leaves alone, and what is known of moving it."""

    scene: Scene
    vm: Vm
    now: Outlook
    after: Outlook
    targets: tuple[TargetInsight, ...]

    @property
    def best(self) -> TargetInsight | None:
        """Return the target worth most of those that only the price may speak against."""
        lawful = [target for target in self.targets if is_lawful(target)]
        return max(lawful, key=lambda target: target.net, default=None)

    @property
    def best_now(self) -> tuple[str, float, float] | None:
        """Return name, gain and price of the best target as the cluster stands."""
        hosts, gates = self.scene.problem.hosts, {t.host: t.gates[:-1] for t in self.targets}
        open_ones = [
            row
            for row, host in enumerate(hosts)
            if host.id in gates and not any(gate.now for gate in gates[host.id])
        ]
        if not open_ones:
            return None
        row = max(open_ones, key=lambda row: float(self.now.gain[row] - self.now.price[row]))
        return hosts[row].name, float(self.now.gain[row]), float(self.now.price[row])


def why_it_stays(staying: Staying) -> tuple[Refusal, str]:
    """Return why a running VM is not moved, and the cheapest change where something stays unmet."""
    conflict = _conflict(staying)
    if conflict:
        return conflict
    for cause in _CAUSES:
        refusal = cause(staying)
        if refusal is not None:
            return refusal, ""
    return _not_taken(staying), ""


def _conflict(staying: Staying) -> tuple[Refusal, str] | None:
    plan, vm = staying.scene.plan, staying.vm.id
    for conflict in plan.conflicts:
        if vm in conflict.vms:
            own = [refusal.reason for refusal in plan.refusals if refusal.vm == vm]
            reason = own[0] if own else Reason.NO_TARGET
            return Refusal.of(reason, conflict.message, vm=vm), conflict.relax
    return None


def _unfit(staying: Staying) -> Refusal | None:
    plan = staying.scene.plan
    if plan.status is not PlanStatus.REFUSED:
        return None
    unfit = [refusal for refusal in plan.refusals if refusal.reason in UNFIT]
    return unfit[0] if unfit else Refusal(reason=Reason.SNAPSHOT_PARTIAL, detail=plan.reason)


def _pinned(staying: Staying) -> Refusal | None:
    pinned = staying.scene.need.holds.pinned
    vms = [staying.scene.problem.vms[vm].id for vm in staying.after.movers]
    return next((pinned[vm] for vm in vms if vm in pinned), None)


def _left_alone(staying: Staying) -> Refusal | None:
    """Return why a goal that calls for the VM, or for any, leaves it or what goes with it alone."""
    called = _goals_that_call(staying)
    goals = called or tuple(Goal)
    holds = staying.scene.need.holds
    for vm in (staying.scene.problem.vms[vm].id for vm in staying.after.movers):
        refusal = excluded_from_all(holds, vm, goals)
        if refusal is not None:
            return refusal
    return None


def _goals_that_call(staying: Staying) -> tuple[Goal, ...]:
    goals, need = staying.scene.policy.goals, staying.scene.need
    calls = (
        (Goal.EVACUATION, goals.evacuation and _is_leaving(staying)),
        (Goal.CONTENTION, goals.contention and _is_over(staying)),
        (Goal.BALANCE, goals.balance and need.wants_balance),
    )
    return tuple(goal for goal, is_called in calls if is_called)


def _unreachable(staying: Staying) -> Refusal | None:
    dropped = [r for r in staying.scene.plan.refusals if r.vm == staying.vm.id]
    return next((r for r in dropped if r.reason is Reason.UNREACHABLE), None)


def _spare_for_failover(staying: Staying) -> Refusal | None:
    """Return that its move was taken back, or that all moves by choice were, so that a host may fail."""
    found = [r for r in staying.scene.plan.refusals if r.reason is Reason.FAILOVER_CAPACITY]
    own = next((r for r in found if r.vm == staying.vm.id), None)
    if own is not None or staying.after.is_duty or not any(r.vm is None for r in found):
        return own
    detail = (
        "only what must move does: other moves would leave too little room for a host's failure"
    )
    return Refusal.of(Reason.FAILOVER_CAPACITY, detail, vm=staying.vm.id)


def _nowhere(staying: Staying) -> Refusal | None:
    """Return the one reason of all hosts where it is the VM's own, or how many hosts have which."""
    vm = staying.vm
    if not staying.targets:
        return Refusal.of(Reason.NO_TARGET, "the cluster has no other host", vm=vm.id)
    if any(is_lawful(target) for target in staying.targets):
        return None
    first = [target.refusal for target in staying.targets]
    refusals = [refusal for refusal in first if refusal is not None]
    reasons = {refusal.reason for refusal in refusals}
    if len(reasons) == 1 and (refusals[0].host is None or reasons <= _OWN_HOST):
        return refusals[0]
    return Refusal.of(Reason.NO_TARGET, obstacles(refusals), vm=vm.id)


def _goal_off(staying: Staying) -> Refusal | None:
    """Return a refusal where a goal that is switched off would be served by a move of the VM."""
    goals, need, best = staying.scene.policy.goals, staying.scene.need, staying.best
    if best is None or best.net <= LEAST_GAIN:
        return None
    if _is_over(staying) and not goals.contention:
        detail = f"{_source(staying)} is above a contention threshold, and relief is switched off"
        return Refusal.of(Reason.GOAL_OFF, detail, vm=staying.vm.id)
    if need.wants_balance and not goals.balance:
        figures = _imbalance(staying)
        return Refusal.of(Reason.GOAL_OFF, f"{figures}; balance is switched off", vm=staying.vm.id)
    return None


def _not_called_for(staying: Staying) -> Refusal | None:
    if staying.scene.need.wants_balance or _is_over(staying) or staying.scene.plan.moves:
        return None
    calm = f"{_source(staying)} is below its contention thresholds"
    return Refusal.of(Reason.NOT_NEEDED, f"{_imbalance(staying)}; {calm}", vm=staying.vm.id)


def _given_up(staying: Staying) -> Refusal | None:
    """Return that the hosts were not levelled at all, as it would have been of too little benefit."""
    if not staying.scene.need.wants_balance or _is_over(staying):
        return None
    found = staying.scene.plan.refusals
    return next((r for r in found if r.reason is Reason.NO_GAIN and r.vm is None), None)


def _no_gain(staying: Staying) -> Refusal | None:
    best, now = staying.best, staying.best_now
    if best is None or best.net > LEAST_GAIN:
        return None
    name = staying.scene.need.snapshot.host_by_id[best.host].name
    figures = f"gain {millionths(best.gain)}, price {millionths(best.price)}"
    if now is None or now[1] - now[2] <= LEAST_GAIN:
        detail = f"the best target is {name}: {figures}"
        return Refusal.of(Reason.NO_GAIN, detail, vm=staying.vm.id)
    detail = (
        f"other moves do it better: a move to {now[0]} would now gain {millionths(now[1])} "
        f"for {millionths(now[2])}; with the plan's moves done the best is {name}: {figures}"
    )
    return Refusal.of(Reason.NOT_NEEDED, detail, vm=staying.vm.id)


def _not_taken(staying: Staying) -> Refusal:
    """Return what is left: a move would pay, and the goals are reached without it."""
    best, plan = staying.best, staying.scene.plan
    target = staying.scene.policy.thresholds.balance_target
    reached = f"the plan reaches {percent(plan.after.imbalance, 1)}, sought is {percent(target, 1)}"
    if best is None:
        return Refusal.of(Reason.NOT_NEEDED, reached, vm=staying.vm.id)
    name = staying.scene.need.snapshot.host_by_id[best.host].name
    more = (
        f"a move to {name} would still gain {millionths(best.gain)} for {millionths(best.price)}, "
        f"beyond what is sought"
        if plan.after.imbalance <= target
        else f"a move to {name} would gain {millionths(best.gain)} for {millionths(best.price)}, "
        f"but the search ended with other moves"
    )
    return Refusal.of(Reason.NOT_NEEDED, f"{reached}; {more}", vm=staying.vm.id)


def _is_leaving(staying: Staying) -> bool:
    return bool(staying.scene.problem.leaving[staying.now.source])


def _is_over(staying: Staying) -> bool:
    return bool(staying.now.cost.is_over(staying.now.ledger)[staying.now.source])


def _source(staying: Staying) -> str:
    return staying.scene.problem.hosts[staying.now.source].name


def _imbalance(staying: Staying) -> str:
    trigger = staying.scene.policy.thresholds.balance_trigger
    now = staying.scene.need.imbalance
    told = f"imbalance {percent(now, 1)}, sought above {percent(trigger, 1)}"
    reading = staying.scene.need.balance
    if reading.answer is Answer.NOT_SUSTAINED:
        told += f" in {reading.looks_needed} of {reading.looks} looks: so in {reading.looks_over}"
    if reading.answer is Answer.CALM:
        floor = staying.scene.policy.thresholds.balance_floor
        told += f" and while a host has more demand than {percent(floor)}: none has"
    if not staying.scene.policy.goals.vm_count:
        return told
    numbers = percent(spread(staying.scene.desk, staying.scene.problem.at), 1)
    above = percent(staying.scene.policy.thresholds.vm_count_trigger, 1)
    return f"{told}; numbers of VMs uneven by {numbers}, evened above {above}"


_CAUSES: tuple[Callable[[Staying], Refusal | None], ...] = (
    _unfit,
    _pinned,
    _left_alone,
    _unreachable,
    _spare_for_failover,
    _nowhere,
    _goal_off,
    _not_called_for,
    _given_up,
    _no_gain,
)

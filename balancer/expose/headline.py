"""The headline of a plan and the gate values behind it: what it amounts to, in one sentence each."""

from collections.abc import Iterator

from balancer.expose.decision_words import decision_lines
from balancer.expose.figures import counted, duration, gibibytes, percent, points
from balancer.model.host import Host
from balancer.model.plan import HostLoad, MoveReason, Plan, PlanStatus, State, Violation
from balancer.model.snapshot import Snapshot
from balancer.policy.types import Policy


def headline(plan: Plan) -> str:
    """Return what a plan amounts to in one line, such as `Plan: 7 moves in 3 waves, 2 rule fixes, ...`."""
    if plan.status is PlanStatus.REFUSED and not plan.moves:
        return f"Refused: {_sentence(plan.reason or 'the snapshot is not fit to act on')}"
    if not plan.moves:
        return f"No moves: {_sentence(plan.reason or 'nothing worth doing')}"
    left = counted(plan.after.broken_must_rules, "must-rule")
    text = f"Plan: {_extent(plan)}; {_improvement(plan)}; {left} left broken."
    if plan.conflicts:
        count = counted(len(plan.conflicts), "thing")
        text += f" Degraded: {count} cannot be met, see Conflicts."
    return text


def run_note(plan: Plan) -> str:
    """Return which of the moves this run's budgets and the mode admit; empty where there are no moves."""
    if not plan.moves:
        return ""
    note, mode = _budget_note(plan), mode_note(plan)
    if not mode:
        return note
    return f"{mode} {note}" if plan.admitted else mode


def mode_note(plan: Plan) -> str:
    """Return what the mode in force allows and what holds it there; empty for automatic."""
    because = plan.mode_because
    if because is None:
        return ""
    allowed = {
        "partial": "Only evacuations and rule repairs are made now",
        "manual": "Nothing is moved now that nobody approved",
    }
    return f"{allowed.get(plan.mode, 'Nothing is moved now')}: {because.detail}."


def _budget_note(plan: Plan) -> str:
    admitted, planned = len(plan.admitted), len(plan.moves)
    if admitted == planned:
        return (
            f"This run's budget admits {'the move' if planned == 1 else f'all {planned:,} moves'}."
        )
    if not admitted:
        return f"This run's budget admits none of the {counted(planned, 'move')}."
    rest = planned - admitted
    waits = "1 waits" if rest == 1 else f"{rest:,} wait"
    return f"This run's budget admits {admitted:,} of {planned:,} moves; {waits} for a later run."


def gates(plan: Plan, snapshot: Snapshot, policy: Policy | None) -> tuple[str, ...]:
    """Return why something is done for the load or not; where nothing moves, beside the figures of now.

    Thresholds are told where a decision or a policy tells them.
    """
    told = tuple(decision_lines(plan.decision, snapshot)) if plan.decision else ()
    if plan.moves:
        return told
    limits = policy.thresholds if policy else None
    acts = (
        f", sought above {percent(limits.balance_trigger, 1)} "
        f"and then down to {percent(limits.balance_target, 1)}"
        if limits
        else ""
    )
    cpu = f", relieved above {percent(limits.cpu_contention)}" if limits else ""
    memory = f", relieved above {percent(limits.memory_contention)}" if limits else ""
    lines = list(told) or [f"imbalance {percent(plan.before.imbalance, 1)}{acts}"]
    hottest = _highest(plan.before, snapshot, "cpu_ratio")
    fullest = _highest(plan.before, snapshot, "memory_ratio")
    if hottest and fullest:
        lines.append(f"highest CPU demand {percent(hottest[1])} on {hottest[0].name}{cpu}")
        lines.append(f"highest memory demand {percent(fullest[1])} on {fullest[0].name}{memory}")
    lines.append(f"{counted(plan.before.broken_must_rules, 'must-rule')} broken")
    return (*lines, *_without_figures(snapshot))


def _without_figures(snapshot: Snapshot) -> Iterator[str]:
    """Yield that loads are not whole: what is not known of a VM's CPU is in none of them."""
    running = snapshot.running_vms
    count = sum(vm.cpu_demand_mhz is None and vm.cpu_usage_mhz is None for vm in running)
    if count:
        yield (
            f"no CPU figure of {count:,} of {counted(len(running), 'running VM')}: what they want is missing in "
            "every load of CPU told here"
        )


def fixed_rules(plan: Plan) -> tuple[Violation, ...]:
    """Return the rules that are broken before the plan and hold after it."""
    left = {(v.rule, v.type) for v in plan.after.violations}
    return tuple(v for v in plan.before.violations if (v.rule, v.type) not in left)


def _extent(plan: Plan) -> str:
    moves = counted(len(plan.moves), "move")
    waves = counted(plan.waves, "wave")
    fixes = counted(len(fixed_rules(plan)), "rule fix", "rule fixes")
    copied = gibibytes(sum(move.memory_mib for move in plan.moves))
    return f"{moves} in {waves}, {fixes}, about {duration(plan.makespan_seconds)}, {copied}"


def _improvement(plan: Plan) -> str:
    before, after = plan.before, plan.after
    return (
        f"imbalance {percent(before.imbalance, 1)} -> {percent(after.imbalance, 1)}, "
        f"CPU spread {points(before.cpu.stddev)} -> {points(after.cpu.stddev)} pp, "
        f"memory {points(before.memory.stddev)} -> {points(after.memory.stddev)} pp"
        f"{_emptied(plan)}"
    )


def _emptied(plan: Plan) -> str:
    """Return how many hosts run no VM any more, where the plan is to empty hosts."""
    left = {move.source for move in plan.moves if move.reason is MoveReason.CONSOLIDATE}
    empty = {load.id for load in plan.after.hosts if not load.vms}
    return f", {counted(len(left & empty), 'host')} emptied" if left else ""


def _highest(state: State, snapshot: Snapshot, figure: str) -> tuple[Host, float] | None:
    serving = {host.id: host for host in snapshot.serving_hosts}
    loads = [load for load in state.hosts if load.id in serving]
    if not loads:
        return None
    top = max(loads, key=lambda load: (_figure(load, figure), load.id))
    return serving[top.id], _figure(top, figure)


def _figure(load: HostLoad, figure: str) -> float:
    return load.cpu_ratio if figure == "cpu_ratio" else load.memory_ratio


def _sentence(text: str) -> str:
    stripped = text.strip()
    return stripped if stripped.endswith((".", "!", "?")) else f"{stripped}."

"""The independent check of a finished plan: replays it wave by wave before the judges.

Shares no code with search, solver or sequencing. A plan that fails here is a bug of ours: it is
counted and logged and never executed.
"""

from collections.abc import Sequence
from itertools import groupby

from balancer.model.need import Need
from balancer.model.plan import Move, MoveReason
from balancer.model.units import MoveId, VmId
from balancer.policy.types import Policy
from balancer.rules.consolidation import half_emptied, strained
from balancer.rules.exclusion import left_alone
from balancer.rules.failover import lost_by_choice
from balancer.rules.judge import judge_move
from balancer.rules.placement import Candidate, Ground, Placement
from balancer.rules.standing import Scale


def verify(need: Need, policy: Policy, moves: Sequence[Move]) -> tuple[str, ...]:
    """Return what is wrong with a plan, in sentences; empty where it is sound.

    Checked: order and references; whether a goal moves a VM that is left alone for it; every move at its
    wave, with all others of the wave and the running migrations of others begun (so that each arrival
    counts before any departure); no prefix of waves worse than the start. While a mandatory move is still
    to come only the laws count: room that is made for an evacuation may cost balance. After the last wave,
    whether host failures can still be survived, and whether hosts that were to be emptied are empty.
    """
    problems = _check_form(need, moves) or _check_exclusions(need, policy, moves)
    if problems or not moves:  # where nothing moves, nothing becomes worse
        return problems
    return _replay(need, policy, moves)


def _check_form(need: Need, moves: Sequence[Move]) -> tuple[str, ...]:
    found: list[str] = []
    wave_of: dict[MoveId, int] = {}
    for move in moves:
        if move.id in wave_of:
            found.append(f"{move.id} occurs twice")
        if move.vm not in need.demand:
            found.append(f"{move.id}: {move.vm} is not a running VM of the snapshot")
        if move.target not in need.snapshot.host_by_id:
            found.append(f"{move.id}: {move.target} is not a host of the snapshot")
        if move.source == move.target:
            found.append(f"{move.id} leads from {move.source} to itself")
        late = [other for other in move.after if wave_of.get(other, move.wave) >= move.wave]
        found.extend(
            f"{move.id} waits for {other}, which is not in an earlier wave" for other in late
        )
        wave_of[move.id] = move.wave
    if [move.wave for move in moves] != sorted(move.wave for move in moves):
        found.append("the moves are not in the order of their waves")
    return tuple(found)


def _check_exclusions(need: Need, policy: Policy, moves: Sequence[Move]) -> tuple[str, ...]:
    evens = policy.goals.vm_count
    judged = [(m, left_alone(need.holds, m.vm, m.reason, evens_counts=evens)) for m in moves]
    return tuple(
        f"{move.id} moves {move.vm_name} for {move.reason}, for which it is left alone: {refusal}"
        for move, refusal in judged
        if refusal is not None
    )


def _replay(need: Need, policy: Policy, moves: Sequence[Move]) -> tuple[str, ...]:
    ground = Ground(need.snapshot, policy, need.demand)
    ahead = Placement(ground)
    placement = ahead.copy()
    placement.begin_flights()
    scale = Scale(ahead)
    start = scale.standing()
    mandatory = {move.vm for move in moves if move.reason.is_mandatory}
    last_mandatory = max((move.wave for move in moves if move.reason.is_mandatory), default=0)
    for number, group in groupby(moves, key=lambda move: move.wave):
        wave = tuple(group)
        problems = _check_wave(need, placement, wave, mandatory)
        if problems:
            return problems
        for move in wave:
            placement.finish(move.vm)
            ahead.move(move.vm, move.target)
            scale.touch(move.vm)
        now = scale.standing()
        if now.laws > start.laws or (number >= last_mandatory and now.is_worse_than(start)):
            return (
                f"after wave {number} the cluster would be worse than at the start: {now}, {start}",
            )
    return _check_failover(need, policy, moves) + _check_consolidation(need, policy, moves)


def _check_failover(need: Need, policy: Policy, moves: Sequence[Move]) -> tuple[str, ...]:
    return tuple(
        f"after the plan {loss.vm} would find no host if {loss.host} failed"
        for loss in lost_by_choice(need, policy, moves)
    )


def _check_consolidation(need: Need, policy: Policy, moves: Sequence[Move]) -> tuple[str, ...]:
    asked = policy.goals.consolidation or MoveReason.CONSOLIDATE not in {m.reason for m in moves}
    found = [] if asked else ["the policy does not empty hosts, and the plan does"]
    halves = half_emptied(need, policy, moves)
    found += [f"the plan is to empty {host} and leaves VMs on it" for host in halves]
    over = strained(need, policy, moves)
    return (*found, *(f"emptying hosts brings {host} above a threshold" for host in over))


def _check_wave(
    need: Need, placement: Placement, wave: Sequence[Move], mandatory: set[VmId]
) -> tuple[str, ...]:
    displaced = [move for move in wave if placement.host_of[move.vm] != move.source]
    if displaced:
        return tuple(f"{move.id}: {move.vm} would not be on {move.source}" for move in displaced)
    held = [move for move in wave if move.vm in need.holds.pinned]
    if held:
        return tuple(f"{move.id}: {move.vm} must not be touched" for move in held)
    if len({move.vm for move in wave}) != len(wave):
        return (f"wave {wave[0].wave} moves a VM twice",)
    placement.start_all((move.vm, move.target) for move in wave)
    found = []
    for move in wave:
        placement.cancel(move.vm)
        candidate = Candidate(vm=move.vm, target=move.target, is_mandatory=move.vm in mandatory)
        refusal = judge_move(placement, candidate)
        placement.start(move.vm, move.target)
        if refusal is not None:
            found.append(f"{move.id} ({move.vm_name} to {move.target}) breaks a law: {refusal}")
    return tuple(found)

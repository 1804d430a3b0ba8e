"""A replay of schedules that shares nothing with `balancer.sequence` and does not ask the judges.

Looks at the instants of a wave: begun and not ended, then ended. Says in words what is wrong.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from random import Random

from balancer.model.need import Need
from balancer.model.plan import Move, Schedule
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Snapshot
from balancer.policy.types import Policy
from balancer.rules import Candidate, Placement, judge_move
from balancer.rules.placement import Ground
from balancer.rules.standing import standing
from balancer.rules.violations import offenders


def faults(need: Need, policy: Policy, schedule: Schedule) -> list[str]:
    """Return everything that is wrong with a schedule replayed wave by wave."""
    found = _form_faults(schedule)
    ground = Ground(need.snapshot, policy, need.demand)
    place, ahead = placed(ground), Placement(ground)
    start = standing(ahead)
    mandatory = [move.wave for move in schedule.moves if move.reason.is_mandatory]
    last_mandatory = max(mandatory, default=0)
    for number, group in groupby(schedule.moves, key=lambda move: move.wave):
        wave = list(group)
        found += [f"wave {number}: {fault}" for fault in _slot_faults(need, policy, wave)]
        before = held_rules(place)
        place.start_all((move.vm, move.target) for move in wave)
        found += [f"wave {number}: {fault}" for fault in instant_faults(place, wave, before)]
        for move in wave:
            place.finish(move.vm)
            ahead.move(move.vm, move.target)
        found += [f"wave {number} splits {r.name}" for r in before if _is_split(place, r)]
        now = standing(ahead)
        if now.laws > start.laws or (number >= last_mandatory and now.is_worse_than(start)):
            found.append(f"worse than the start after wave {number}")
    return found


def placed(ground: Ground) -> Placement:
    """Return the start, with running migrations counted on both hosts."""
    place = Placement(ground)
    for flight in ground.snapshot.in_flight:
        place.start(flight.vm, flight.target)
    return place


def _form_faults(schedule: Schedule) -> list[str]:
    found, wave_of = [], {}
    for place, move in enumerate(schedule.moves, start=1):
        wave_of[move.id] = move.wave
        if move.id != f"m{place}":
            found.append(f"{move.id} stands at place {place}")
        found += [
            f"{move.id} waits for {o}, not in an earlier wave"
            for o in move.after
            if wave_of.get(o, 10**9) >= move.wave
        ]
    starts = [(move.wave, move.start_seconds) for move in schedule.moves]
    if starts != sorted(starts):
        found.append("ids are not in the order of waves and starts")
    waves = sorted({move.wave for move in schedule.moves})
    if waves != list(range(1, len(waves) + 1)):
        found.append(f"waves are numbered {waves}")
    return found


def _slot_faults(need: Need, policy: Policy, wave: Sequence[Move]) -> list[str]:
    if is_one_group(need.snapshot, wave):
        return []
    busy = Counter(host for move in wave for host in (move.source, move.target))
    limit = policy.limits.migrations_per_host
    found = [f"{host} has {n} migrations" for host, n in busy.items() if n > limit]
    if len(wave) > policy.limits.migrations_per_cluster:
        found.append(f"{len(wave)} migrations in the cluster")
    return found


def is_one_group(snap: Snapshot, wave: Sequence[Move]) -> bool:
    """Whether must-affinity rules tie all the moves together: such a wave may pass the limits."""
    tied, rules = {wave[0].vm}, list(snap.active_rules(RuleType.AFFINITY))
    moving = {move.vm for move in wave}
    for _ in rules:
        for rule in rules:
            if rule.mandatory and tied & set(rule.vms):
                tied |= moving & set(rule.vms)
    return tied == moving


def held_rules(place: Placement) -> list[Rule]:
    """Return the must-rules that hold now."""
    rules = place.ground.snapshot.active_rules()
    return [rule for rule in rules if rule.mandatory and not offenders(place, rule)]


def _is_split(place: Placement, rule: Rule) -> bool:
    return rule.type is RuleType.AFFINITY and bool(offenders(place, rule))


def instant_faults(place: Placement, begun: Sequence[Move], held: Sequence[Rule]) -> Iterator[str]:
    """Say what is wrong while `begun` are under way, counted on both hosts; `held` are rules to keep."""
    snap, limits = place.ground.snapshot, place.ground.policy.thresholds
    for host in sorted({move.target for move in begun}):
        facts, vms = snap.host_by_id[host], place.present[host]
        footprint = sum(place.ground.demand[vm].footprint_mib for vm in vms)
        reserved = sum(snap.vm_by_id[vm].memory_reservation_mib for vm in vms)
        arriving = [snap.vm_by_id[move.vm] for move in begun if move.target == host]
        if footprint > limits.memory_ceiling * facts.usable_memory_mib + 1e-3:
            yield f"{host} holds {footprint:.0f} MiB"
        needs = any(vm.memory_reservation_mib for vm in arriving)
        if needs and reserved > facts.usable_memory_mib + 1e-3:
            yield f"{host} has {reserved:.0f} MiB reserved"
        if facts.max_running_vms is not None and len(vms) > facts.max_running_vms:
            yield f"{host} runs {len(vms)} VMs"
    for rule in held:
        if rule.type is not RuleType.AFFINITY and offenders(place, rule):
            yield f"rule {rule.name} is broken"


def stream(
    need: Need, policy: Policy, schedule: Schedule, seed: int
) -> Iterator[tuple[str, Placement]]:
    """Run the moves in a random order that only respects `after`; yield faults and the state after each.

    The members of an affinity group begin together, as an executor announces them to the judges.
    """
    random = Random(seed)
    place = placed(Ground(need.snapshot, policy, need.demand))
    waiting = [list(group) for group in together(need.snapshot, schedule)]
    running: list[Move] = []
    ended: set[str] = set()
    mandatory = {move.vm for move in schedule.moves if move.reason.is_mandatory}
    while waiting or running:
        ready = [g for g in waiting if all(ended >= set(move.after) for move in g)]
        if ready and (not running or random.random() < 0.6):
            group = random.choice(ready)
            waiting.remove(group)
            held = held_rules(place)
            place.start_all((move.vm, move.target) for move in group)
            running += group
            for move in group:
                yield judged(place, move, is_mandatory=move.vm in mandatory), place
            for fault in instant_faults(place, group, held):
                yield fault, place
        elif running:
            move = running.pop(random.randrange(len(running)))
            place.finish(move.vm)
            ended.add(move.id)
        else:
            yield "nothing can start", place
            return
    yield "", place


def judged(place: Placement, move: Move, *, is_mandatory: bool) -> str:
    """Return what the judges say of a begun move, with all others as they are; "" where nothing."""
    place.cancel(move.vm)
    candidate = Candidate(vm=move.vm, target=move.target, is_mandatory=is_mandatory)
    refusal = judge_move(place, candidate)
    place.start(move.vm, move.target)
    return "" if refusal is None else f"{move.id}: {refusal}"


def together(snap: Snapshot, schedule: Schedule) -> list[list[Move]]:
    """Return the moves grouped by wave and by common must-affinity rule."""
    groups: list[list[Move]] = []
    for move in schedule.moves:
        mates = {
            vm
            for rule in snap.active_rules(RuleType.AFFINITY)
            if rule.mandatory and move.vm in rule.vms
            for vm in rule.vms
        }
        home = [g for g in groups if g[0].wave == move.wave and any(m.vm in mates for m in g)]
        merged = [other for group in home for other in group] + [move]
        groups = [group for group in groups if group not in home] + [merged]
    return groups

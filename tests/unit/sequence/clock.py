"""A replay of schedules by the clock: each move begins and ends when the plan expects it to.

Asks the judges at every start and counts the slots at every instant. Shares nothing with
`balancer.sequence`. Says in words what is wrong.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from balancer.model.need import Need
from balancer.model.plan import Move, Schedule
from balancer.policy.types import Policy
from balancer.rules.placement import Ground
from tests.unit.sequence.replay import held_rules, instant_faults, judged, placed, together

LEAST_S = 1e-6
"""Ends this little after a start are rounding."""


def clock_faults(need: Need, policy: Policy, schedule: Schedule) -> list[str]:
    """Return everything that is wrong with a schedule whose moves keep their expected times."""
    found = [*_early(schedule), *_slots(need, policy, schedule)]
    ends = [ended(move) for move in schedule.moves]
    if abs(schedule.makespan_seconds - max(ends, default=0.0)) > 0.002:
        found.append(f"the makespan is {schedule.makespan_seconds}, the last end {max(ends)}")
    if schedule.makespan_seconds < schedule.makespan_bound_seconds - LEAST_S:
        found.append(f"faster than the bound of {schedule.makespan_bound_seconds} s")
    return found + list(_laws(need, policy, schedule))


def ended(move: Move) -> float:
    """Return when the move is expected to have ended."""
    return move.start_seconds + move.expected_seconds


def _early(schedule: Schedule) -> Iterator[str]:
    by_id = {move.id: move for move in schedule.moves}
    for move in schedule.moves:
        for other in move.after:
            if ended(by_id[other]) > move.start_seconds + LEAST_S:
                yield f"{move.id} starts before {other} has ended"


def _laws(need: Need, policy: Policy, schedule: Schedule) -> Iterator[str]:
    place = placed(Ground(need.snapshot, policy, need.demand))
    mandatory = {move.vm for move in schedule.moves if move.reason.is_mandatory}
    running: list[Move] = []
    groups = together(need.snapshot, schedule)
    # of those that start at one instant, the mandatory ones last: they may strain a CPU
    groups.sort(key=lambda g: (_first_start(g), any(m.vm in mandatory for m in g)))
    for group in groups:
        now = _first_start(group)
        for move in sorted(running, key=ended):
            if ended(move) <= now + LEAST_S:
                place.finish(move.vm)
                running.remove(move)
        held = held_rules(place)
        place.start_all((move.vm, move.target) for move in group)
        running += group
        for move in group:
            fault = judged(place, move, is_mandatory=move.vm in mandatory)
            if fault:
                yield f"at {now:.1f} s {fault}"
        yield from (f"at {now:.1f} s {fault}" for fault in instant_faults(place, group, held))


def _first_start(group: Sequence[Move]) -> float:
    return min(move.start_seconds for move in group)


def _slots(need: Need, policy: Policy, schedule: Schedule) -> Iterator[str]:
    """Count at every start: what a host, a datastore and the cluster carry then."""
    limits, snap = policy.limits, need.snapshot
    ordered = sorted(schedule.moves, key=lambda move: move.start_seconds)
    running: list[Move] = []
    for now, group in groupby(ordered, key=lambda move: move.start_seconds):
        running = [move for move in running if ended(move) > now + LEAST_S] + list(group)
        hosts = Counter(host for move in running for host in (move.source, move.target))
        stores = Counter(store for m in running for store in snap.vm_by_id[m.vm].datastores)
        foreign = list(snap.in_flight) if now == 0.0 else []
        hosts.update(host for flight in foreign for host in {flight.source, flight.target})
        for host, count in hosts.items():
            fast = host not in snap.host_by_id or snap.host_by_id[host].vmotion.link_mbps >= 10_000
            if count > max(min(limits.migrations_per_host, 8 if fast else 4), len(foreign)):
                yield f"at {now:.1f} s {host} takes part in {count} migrations"
        total = len(running) + len(foreign)
        most = min(limits.migrations_per_cluster, limits.migrations_per_vcenter)
        if total > max(most, len(foreign)):
            yield f"at {now:.1f} s {total} migrations run"
        yield from (f"at {now:.1f} s {s} has {n} migrations" for s, n in stores.items() if n > 128)

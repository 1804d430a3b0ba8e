"""Parking: a first hop to a host with room, for rings of full hosts that wait for each other.

Looks for the cheapest set of hops after which at least one stuck unit may begin. Only units that move
anyway are parked, each at most once; the hops are judged like every other move.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from balancer.model.host import Host
from balancer.model.rule import RuleType
from balancer.model.units import HostId, Seconds
from balancer.rules.exclusion import GOALS_OF
from balancer.sequence.units import Unit, with_hop
from balancer.sequence.yard import Yard

LOOK_AT = 40
"""How many stuck units, in rank order, are tried to be set free. Bounds the time."""

MOST_HOPS = 4
"""More hops than this for one stuck unit are not worth it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Option:
    """Hops that set a stuck unit free."""

    hops: tuple[Unit, ...]
    rank: int

    @property
    def price(self) -> tuple[int, Seconds, int]:
        return len(self.hops), sum(hop.seconds for hop in self.hops), self.rank


def choose_hops(yard: Yard, stuck: Sequence[Unit]) -> tuple[Unit, ...]:
    """Return the cheapest hops that set one of `stuck` free (fewest, then shortest); empty if none do.

    A mandatory unit that can be set free goes before an optional one. The yard is left as it was.
    """
    options = []
    for rank, unit in enumerate(stuck[:LOOK_AT]):
        if yard.judge(unit) is None:
            continue
        leavers = [
            one for one in _leavers(yard, unit, stuck) if not _is_left_alone(yard, one, unit)
        ]
        found = _single(yard, unit, leavers, stuck) or _several(yard, unit, leavers, stuck)
        if found:
            options.append((not unit.is_mandatory, _Option(hops=found, rank=rank)))
    if not options:
        return ()
    return min(options, key=lambda pair: (pair[0], pair[1].price))[1].hops


def _leavers(yard: Yard, unit: Unit, stuck: Sequence[Unit]) -> list[Unit]:
    """Return the stuck units that are to leave a target of `unit` and may be parked, shortest first."""
    found = [
        other
        for other in stuck
        if other is not unit
        and not other.is_parked
        and other.then is None
        and any(step.source in _in_the_way(yard, unit, other) for step in other.steps)
    ]
    return sorted(found, key=lambda other: (other.seconds, other.key))


def _is_left_alone(yard: Yard, leaver: Unit, blocked: Unit) -> bool:
    """Whether a VM of `leaver` must not be moved for the goal that `blocked` serves."""
    goals = {goal for step in blocked.steps for goal in GOALS_OF[step.reason]}
    holds = yard.need.holds
    return any(holds.excludes(step.vm, goal) for step in leaver.steps for goal in goals)


def _in_the_way(yard: Yard, unit: Unit, other: Unit) -> set[HostId]:
    """Return the hosts on which another takes room or places that a unit needs: targets, and their domains."""
    hosts = {step.target for step in unit.steps}
    movers = {step.vm for step in other.steps}
    for step in unit.steps:
        for rule in yard.ground.musts(step.vm, RuleType.ANTI_AFFINITY):
            if rule.domains and not movers.isdisjoint(rule.vms):
                hosts |= rule.domain_of(step.target)
    return hosts


def _single(
    yard: Yard, unit: Unit, leavers: Sequence[Unit], stuck: Sequence[Unit]
) -> tuple[Unit, ...]:
    for leaver in leavers:
        hops = _free_by(yard, unit, [leaver], stuck)
        if hops:
            return hops
    return ()


def _several(
    yard: Yard, unit: Unit, leavers: Sequence[Unit], stuck: Sequence[Unit]
) -> tuple[Unit, ...]:
    """Park the largest leavers together, as few as do it."""
    return _free_by(yard, unit, list(reversed(leavers))[:MOST_HOPS], stuck)


def _free_by(
    yard: Yard, unit: Unit, leavers: Sequence[Unit], stuck: Sequence[Unit]
) -> tuple[Unit, ...]:
    """Return hops of the first leavers that together set `unit` free; empty where all do not."""
    hops: list[Unit] = []
    is_free = False
    for leaver in leavers:
        hop = _hop(yard, leaver, unit, stuck)
        if hop is None:
            continue
        yard.shift(hop)
        yard.prospect.apply(hop)
        hops.append(hop)
        is_free = yard.judge(unit) is None
        if is_free:
            break
    for hop in reversed(hops):
        yard.prospect.undo(hop)
        yard.shift(hop, back=True)
    return tuple(hops) if is_free else ()


def _hop(yard: Yard, leaver: Unit, blocked: Unit, stuck: Sequence[Unit]) -> Unit | None:
    """Return the hop of `leaver` to the parking host with most room, away from where others are going."""
    avoided = {step.target for step in leaver.steps} | _in_the_way(yard, blocked, leaver)
    avoided |= {step.source for step in leaver.steps}
    busy = {step.target for unit in stuck for step in unit.steps}
    size_mib = sum(yard.ground.demand[step.vm].footprint_mib for step in leaver.steps)
    takers = (h for h in yard.ground.snapshot.hosts if h.takes and h.id not in avoided)
    hosts = [host for host in takers if _room_mib(yard, host) >= size_mib]
    for host in sorted(hosts, key=lambda host: (host.id in busy, -_room_mib(yard, host), host.id)):
        hop = with_hop(yard.ground, leaver, host.id, _why(yard, leaver, blocked))
        if _may_park(yard, hop, host.id):
            return hop
    return None


def _may_park(yard: Yard, hop: Unit, host: HostId) -> bool:
    """Whether the hop is legal now, is no loss, leaves the way on open, and nothing held speaks against it."""
    holds = yard.need.holds
    if host in holds.targets or any((step.vm, host) in holds.pairs for step in hop.steps):
        return False
    if hop.then is None or yard.judge(hop) is not None:
        return False
    yard.prospect.apply(hop)
    is_worse = yard.prospect.is_worse()
    yard.prospect.undo(hop)
    yard.shift(hop)
    onward = [yard.static_refusal(step.candidate, host) for step in hop.then.steps]
    yard.shift(hop, back=True)
    return not is_worse and all(refusal is None for refusal in onward)


def _room_mib(yard: Yard, host: Host) -> float:
    ceiling = yard.ground.policy.thresholds.memory_ceiling * host.usable_memory_mib
    return ceiling - yard.now.footprint_mib[host.id]


def _why(yard: Yard, leaver: Unit, blocked: Unit) -> str:
    snapshot, first = yard.ground.snapshot, blocked.steps[0]
    names = [snapshot.host_by_id[h].name for h in (first.source, first.target)]
    onward = snapshot.host_by_id[leaver.steps[0].target].name
    waiting = snapshot.vm_by_id[first.vm].name
    return (
        f"Parked so that {waiting} can move from {names[0]} to {names[1]}, where there is no room"
        f" for both; goes on to {onward} afterwards."
    )

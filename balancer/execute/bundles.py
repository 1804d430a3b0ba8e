"""Moves that are admitted together or not at all, and what each bundle waits for. Pure."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from balancer.model.plan import Move
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import MoveId, VmId


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Moves that belong together, in the plan's order. `place` is that of the first one in the plan.

    One mandatory member makes the whole bundle mandatory: the others serve it.
    """

    place: int
    moves: tuple[Move, ...]

    @property
    def ids(self) -> frozenset[MoveId]:
        """Return the ids of its moves."""
        return frozenset(move.id for move in self.moves)

    @property
    def is_mandatory(self) -> bool:
        """Whether it serves an evacuation or a must-rule."""
        return any(move.reason.is_mandatory for move in self.moves)


def make_bundles(moves: Sequence[Move], snapshot: Snapshot) -> tuple[Bundle, ...]:
    """Join the hops of one VM and the partners of a must-affinity rule, in the plan's order."""
    group_of: dict[VmId, set[VmId]] = {move.vm: {move.vm} for move in moves}
    for rule in snapshot.active_rules(RuleType.AFFINITY):
        movers = [vm for vm in rule.vms if rule.mandatory and vm in group_of]
        for vm in movers[1:]:
            _join(group_of, movers[0], vm)
    places: dict[int, list[int]] = {}
    for place, move in enumerate(moves):
        places.setdefault(id(group_of[move.vm]), []).append(place)
    return tuple(
        Bundle(place=group[0], moves=tuple(moves[place] for place in group))
        for group in places.values()
    )


def with_predecessors(
    bundle: Bundle, bundle_of: Mapping[MoveId, Bundle], admitted: Set[MoveId]
) -> tuple[Move, ...]:
    """Return the moves of `bundle` and of all bundles that it waits for, less those admitted already."""
    found: dict[MoveId, Move] = {}
    todo = [bundle]
    while todo:
        current = todo.pop()
        fresh = [m for m in current.moves if m.id not in found and m.id not in admitted]
        found.update((move.id, move) for move in fresh)
        before = {key for move in fresh for key in move.after if key in bundle_of}
        todo.extend(bundle_of[key] for key in sorted(before - found.keys()))
    return tuple(found.values())


def serving_mandatory(moves: Sequence[Move], snapshot: Snapshot) -> frozenset[MoveId]:
    """Return the moves that are mandatory by themselves, by their bundle, or by what waits for them."""
    bundles = make_bundles(moves, snapshot)
    bundle_of = {key: bundle for bundle in bundles for key in bundle.ids}
    found: set[MoveId] = set()
    for bundle in bundles:
        if bundle.is_mandatory:
            found.update(move.id for move in with_predecessors(bundle, bundle_of, found))
    return frozenset(found)


def _join(group_of: dict[VmId, set[VmId]], one: VmId, other: VmId) -> None:
    joined = group_of[one] | group_of[other]
    for vm in joined:
        group_of[vm] = joined

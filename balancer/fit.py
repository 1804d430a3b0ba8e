"""Whether a plan that was made earlier still fits its cluster, and which facts have changed where it does not.

For plans that a person approved or hands in: they are carried out later than they were made. Compared with a
snapshot that was read just now; what still fits passes the same independent check as a new plan. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime

from balancer.assess.reading import read_need
from balancer.execute.bundles import Bundle, make_bundles
from balancer.model.digest import marks_of
from balancer.model.need import Need
from balancer.model.past import Past
from balancer.model.plan import Move, Plan
from balancer.model.reasons import UNFIT, Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, MoveId, VmId
from balancer.plan.verify import verify
from balancer.policy.resolve import resolve
from balancer.policy.types import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What of a plan may still be carried out, and why the rest may not: a reason for each move left out.

    `changed` are the facts themselves, each once: what was, and what is.
    """

    moves: tuple[Move, ...]
    left_out: Mapping[MoveId, Refusal]
    changed: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a plan is held against: the snapshot as read just now, what is remembered, why it is unfit, if so."""

    snapshot: Snapshot
    past: Past
    unfit: Sequence[Refusal]
    now: datetime


def fit(plan: Plan, policy: Policy, at: Moment) -> Fit:
    """Return what of a plan still fits. A move is left out with all that waits for it or goes with it."""
    resolved = resolve(at.snapshot, policy)
    unfit = (*at.unfit, *resolved.unfit)
    stop = next((refusal for refusal in unfit if refusal.reason in UNFIT), None)
    if stop:
        return _nothing_of(plan, stop)
    need, wanted = read_need(resolved, policy, unfit=unfit, past=at.past, now=at.now)
    found = dict(_changed(plan, resolved.snapshot))
    if unfit:
        found |= {
            m.id: unfit[0] for m in plan.moves if not m.reason.is_mandatory and m.id not in found
        }
    return _verified(plan, need, wanted, found)


def _nothing_of(plan: Plan, refusal: Refusal) -> Fit:
    left_out = {move.id: refusal for move in plan.moves}
    return Fit(moves=(), left_out=left_out, changed=(refusal,))


def _verified(plan: Plan, need: Need, wanted: Policy, found: dict[MoveId, Refusal]) -> Fit:
    """Leave out what the independent check refuses, until it refuses nothing of the rest."""
    bundles = make_bundles(plan.moves, need.snapshot)
    while True:
        left_out = _with_dependants(plan.moves, bundles, found)
        kept = tuple(move for move in plan.moves if move.id not in left_out)
        problems = verify(need, wanted, kept) if kept else ()
        named = {move.id for move in kept} & {_first_word(problem) for problem in problems}
        if problems and not named:
            return _nothing_of(plan, Refusal.of(Reason.FACT_CHANGED, problems[0]))
        if not problems:
            return Fit(moves=kept, left_out=left_out, changed=_once(found.values()))
        for problem in problems:
            key = _first_word(problem)
            if key in named:
                found.setdefault(key, Refusal.of(Reason.FACT_CHANGED, problem))


def _first_word(problem: str) -> MoveId:
    return MoveId(problem.split(" ", 1)[0].rstrip(":"))


def _once(refusals: Iterable[Refusal]) -> tuple[Refusal, ...]:
    return tuple(dict.fromkeys(replace(refusal, vm=None, host=None) for refusal in refusals))


def _with_dependants(
    moves: Sequence[Move], bundles: Sequence[Bundle], found: Mapping[MoveId, Refusal]
) -> dict[MoveId, Refusal]:
    """Return the moves left out: those found, what goes only together with one, and what waits for one."""
    left_out = dict(found)
    name_of = {move.id: move.vm_name for move in moves}
    while True:
        more = dict(_next_dependants(bundles, left_out.keys(), name_of))
        if not more:
            return left_out
        left_out |= more


def _next_dependants(
    bundles: Sequence[Bundle], left_out: Set[MoveId], name_of: Mapping[MoveId, str]
) -> Iterator[tuple[MoveId, Refusal]]:
    for bundle in bundles:
        needed = bundle.ids | {key for move in bundle.moves for key in move.after}
        lost = sorted(needed & left_out)
        for move in bundle.moves:
            if lost and move.id not in left_out:
                detail = f"goes only with or after the move of {name_of.get(lost[0], lost[0])}"
                yield move.id, Refusal.of(Reason.DEPENDENCY_FAILED, detail, vm=move.vm)


def _changed(plan: Plan, fresh: Snapshot) -> Iterator[tuple[MoveId, Refusal]]:
    """Yield for each move the first fact that is another one now."""
    rules = _changed_rules(plan, fresh)
    seen: set[VmId] = set()
    for move in plan.moves:
        words = _vm_words(move, fresh, is_first=move.vm not in seen)
        words = words or _host_words(move, fresh) or rules.get(move.vm, "")
        seen.add(move.vm)
        if words:
            yield move.id, Refusal.of(Reason.FACT_CHANGED, words, vm=move.vm, host=move.target)


def _vm_words(move: Move, fresh: Snapshot, *, is_first: bool) -> str:
    vm, name = fresh.vm_by_id.get(move.vm), move.vm_name
    if vm is None:
        return f"VM {name} was there, is gone"
    if move.vm_uuid and vm.uuid != move.vm_uuid:
        return f"{move.vm} was VM {name} ({move.vm_uuid}), is {vm.name} ({vm.uuid or 'no uuid'})"
    if not vm.is_running:
        return f"VM {name} was running, is {vm.power.phrase}"
    if is_first and vm.host != move.source:
        return f"VM {name} was on {_name(fresh, move.source)}, is on {_name(fresh, vm.host)}"
    if any(flight.vm == move.vm for flight in fresh.in_flight):
        return f"VM {name} stood still, is being migrated"
    return ""


def _host_words(move: Move, fresh: Snapshot) -> str:
    target = fresh.host_by_id.get(move.target)
    if target is None:
        return f"host {move.target} was there, is gone"
    return "" if target.takes else f"host {target.name} took VMs, is {target.phrase}"


def _changed_rules(plan: Plan, fresh: Snapshot) -> dict[VmId, str]:
    """Return for each VM the first rule that names it and is not what it was."""
    before = {mark.name: mark for mark in plan.rules}
    after = {mark.name: mark for mark in marks_of(fresh, plan.moves)}
    found: dict[VmId, str] = {}
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old and new and old.mark == new.mark:
            continue
        words = "is gone" if not new else "is another one" if old else "was not there, is"
        was = f"rule '{name}' {words}" if not old else f"rule '{name}' was there, {words}"
        for mark in filter(None, (old, new)):
            found |= {vm: was for vm in mark.vms if vm not in found}
    return found


def _name(snapshot: Snapshot, host: HostId) -> str:
    known = snapshot.host_by_id.get(host)
    return known.name if known else f"{host}, which is gone"

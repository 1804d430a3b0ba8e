"""From facts and the journal to what a plan starts from: rules, goals that the facts allow, holds, need."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from balancer.assess.goals import fit_goals
from balancer.assess.need import assess
from balancer.assess.pace import learn_paces
from balancer.assess.stability import holds_from
from balancer.model.need import Need
from balancer.model.outcome import JournalRow
from balancer.model.past import Past
from balancer.model.reasons import Refusal
from balancer.model.snapshot import InFlight, Snapshot
from balancer.model.units import VmId
from balancer.policy.resolved import Resolved
from balancer.policy.types import Policy


def read_need(
    resolved: Resolved,
    policy: Policy,
    *,
    unfit: Sequence[Refusal],
    past: Past,
    now: datetime,
) -> tuple[Need, Policy]:
    """Return the need and the policy without the goals for which the facts are unfit.

    `resolved` is the snapshot as this policy reads it; `unfit` are all reasons why it is fit for less.
    """
    wanted = replace(policy, goals=fit_goals(policy.goals, unfit))
    holds = holds_from(resolved.snapshot, past, policy.limits, now=now)
    holds = replace(holds, excluded=resolved.excluded)
    need = assess(with_open_moves(resolved.snapshot, past.rows), wanted, holds)
    return replace(need, paces=learn_paces(past.rows, now=now)), wanted


def with_open_moves(snapshot: Snapshot, rows: Iterable[JournalRow]) -> Snapshot:
    """Return the snapshot with our moves of unknown end in flight: each may still arrive on its target.

    vCenter shows nothing of a request whose answer was lost, nor yet the target of one that is queued. What
    such a VM needs is held on its target, and its slots with it, until the journal knows what became of it.
    """
    open_moves = {row.entry.vm: row for row in rows if row.state.is_open}
    shown = tuple(_with_target(flight, open_moves) for flight in snapshot.in_flight)
    known = {flight.vm for flight in shown}
    hidden = (
        InFlight(
            vm=row.entry.vm,
            source=row.entry.source,
            target=row.entry.target,
            started_at=row.submitted_at or row.entry.intended_at,
            task=row.task or None,
        )
        for row in open_moves.values()
        if row.entry.vm not in known and _may_arrive(row, snapshot)
    )
    return replace(snapshot, in_flight=(*shown, *hidden)) if open_moves else snapshot


def _with_target(flight: InFlight, open_moves: Mapping[VmId, JournalRow]) -> InFlight:
    row = open_moves.get(flight.vm)
    is_told = flight.target != flight.source
    return flight if is_told or row is None else replace(flight, target=row.entry.target)


def _may_arrive(row: JournalRow, snapshot: Snapshot) -> bool:
    vm = snapshot.vm_by_id.get(row.entry.vm)
    is_waiting = vm is not None and vm.host == row.entry.source
    return is_waiting and row.entry.target in snapshot.host_by_id

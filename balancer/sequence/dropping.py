"""Says, for every move that was given up, what blocks it. Words only; decides nothing."""

from collections.abc import Iterable, Sequence

from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.sequence.units import Step, Unit
from balancer.sequence.waves import Stuck

MOST_NAMES = 3


def refusals_of(snapshot: Snapshot, given_up: Sequence[Stuck]) -> tuple[Refusal, ...]:
    """Return one refusal for each VM that stays although the draft moves it, by VM id."""
    units = [stuck.unit for stuck in given_up]
    found = [
        _refusal(snapshot, stuck, step, _waiting_for(step, units))
        for stuck in given_up
        for step in stuck.unit.steps
    ]
    return tuple(sorted(found, key=lambda refusal: refusal.vm or ""))


def _refusal(snapshot: Snapshot, stuck: Stuck, step: Step, blockers: Sequence[Step]) -> Refusal:
    vm, target = snapshot.vm_by_id[step.vm], snapshot.host_by_id[step.target]
    detail = f"{vm.name} to {target.name}: {_cause(stuck.refusal)}"
    if blockers:
        detail += f"; waits for {_names(snapshot, blockers)} to leave it"
    mates = [other for other in stuck.unit.steps if other is not step]
    if mates:
        detail += f"; moves together with {_names(snapshot, mates)}"
    return Refusal.of(Reason.UNREACHABLE, detail, vm=step.vm, host=step.target)


def _cause(refusal: Refusal) -> str:
    return refusal.told if refusal.reason is not Reason.UNREACHABLE else refusal.detail


def _waiting_for(step: Step, units: Iterable[Unit]) -> list[Step]:
    """Return the given-up steps that were to leave the target of `step`."""
    steps = [other for unit in units for other in unit.steps]
    return [other for other in steps if other.source == step.target]


def _names(snapshot: Snapshot, steps: Sequence[Step]) -> str:
    names = sorted(snapshot.vm_by_id[step.vm].name for step in steps)
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more

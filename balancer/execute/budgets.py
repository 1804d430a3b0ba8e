"""How many moves of a plan one run may send: marks the admitted ones and says why the rest waits (S6).

Budgets limit what is sent, not what is planned. Load moves and mandatory moves (evacuation, rule
repair) have budgets of their own, so that neither starves the other; open and unknown rows of the
journal count as used. Pure: decides from the plan, the snapshot and the journal's rows.
"""

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from balancer.execute.bundles import Bundle, make_bundles, with_predecessors
from balancer.execute.slots import most_on
from balancer.execute.trial import Trial
from balancer.model.lease import Allowance
from balancer.model.outcome import JournalRow, MoveState
from balancer.model.plan import Move
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import MoveId, VmId
from balancer.policy.in_force import InForce
from balancer.policy.types import Limits

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def admit(  # noqa: PLR0913 - each is a fact of its own
    moves: Sequence[Move],
    snapshot: Snapshot,
    limits: Limits,
    rows: Sequence[JournalRow],
    *,
    now: datetime,
    in_force: InForce,
    trial: Trial | None = None,
) -> tuple[tuple[Move, ...], tuple[Refusal, ...]]:
    """Return all moves with `this_run` set, and why the others wait, alike reasons grouped.

    Admitted in the plan's order, mandatory moves first. A move comes with all that it waits for and
    with all that must go together (partners of a must-affinity rule, the hops of one VM), or not at
    all; one that does not fit is passed over, so that a large group does not block the small ones.
    What is in force for one of the VMs that come along holds for all of them.
    `rows` must reach back a day. The hour's budget is at least `moves_per_run_at_least`. `trial` is None where
    nothing is known of the past: then nothing is on trial.
    """
    ledger = _ledger(snapshot, limits, rows, now, trial)
    bundles = make_bundles(moves, snapshot)
    bundle_of = {key: bundle for bundle in bundles for key in bundle.ids}
    admitted: set[MoveId] = set()
    waiting: list[tuple[Refusal, Bundle]] = []
    for bundle in sorted(bundles, key=lambda bundle: (not bundle.is_mandatory, bundle.place)):
        wanted = with_predecessors(bundle, bundle_of, admitted)
        refusal = _mode_refusal(wanted, bundle, in_force) or ledger.refusal(wanted, bundle)
        if refusal:
            waiting.append((refusal, bundle))
            continue
        ledger.spend(wanted, bundle)
        admitted.update(move.id for move in wanted)
    marked = tuple(replace(move, this_run=move.id in admitted) for move in moves)
    return marked, _grouped(waiting, admitted)


@dataclass(slots=True, kw_only=True)
class _Ledger:
    """What is left of each budget. Numbers of moves; below zero where more is open than allowed."""

    limits: Limits
    run_left: int
    hour_left: int
    mandatory_left: int
    sent_today: Counter[VmId]
    open_vms: frozenset[VmId]
    run_limit: int
    hour_limit: int
    trial: Trial | None

    def refusal(self, wanted: Sequence[Move], bundle: Bundle) -> Refusal | None:
        """Return the first budget that the wanted moves would pass."""
        if any(move.vm in self.open_vms for move in wanted):
            return Refusal.of(Reason.IN_FLIGHT, "an earlier move has no known end")
        if bundle.is_mandatory:
            detail = f"{self.limits.mandatory_moves_per_run} evacuation and rule moves a run"
            too_many = len(wanted) > self.mandatory_left
            return Refusal.of(Reason.RUN_BUDGET, detail) if too_many else None
        return self._load_refusal(wanted)

    def spend(self, wanted: Sequence[Move], bundle: Bundle) -> None:
        """Take the wanted moves from their budget."""
        self.sent_today.update(move.vm for move in wanted)
        if bundle.is_mandatory:
            self.mandatory_left -= len(wanted)
            return
        self.run_left -= len(wanted)
        self.hour_left -= len(wanted)
        self.trial = self.trial.with_more(len(wanted)) if self.trial else None

    def _load_refusal(self, wanted: Sequence[Move]) -> Refusal | None:
        per_vm = Counter(move.vm for move in wanted)
        most = self.limits.moves_per_vm_per_day
        if any(self.sent_today[vm] + count > most for vm, count in per_vm.items()):
            return Refusal.of(Reason.VM_BUDGET, f"{most} moves of a VM in 24 h")
        if len(wanted) > self.run_left:
            return Refusal.of(Reason.RUN_BUDGET, f"{self.run_limit} load moves a run")
        if len(wanted) > self.hour_left:
            return Refusal.of(Reason.HOUR_BUDGET, f"{self.hour_limit} load moves an hour")
        return self.trial.refusal(len(wanted)) if self.trial else None


def _ledger(
    snapshot: Snapshot,
    limits: Limits,
    rows: Sequence[JournalRow],
    now: datetime,
    trial: Trial | None,
) -> _Ledger:
    per_run, per_hour = _load_moves(snapshot, limits)
    sent = [row for row in rows if row.state is not MoveState.ABORTED]
    load = [row for row in sent if not row.entry.reason.is_mandatory]
    open_rows = [row for row in rows if row.state.is_open]
    open_load = sum(1 for row in load if row.state.is_open)
    last_hour = sum(1 for row in load if row.state.is_open or _is_within(row, HOUR, now))
    return _Ledger(
        limits=limits,
        run_left=per_run - open_load,
        hour_left=per_hour - last_hour,
        mandatory_left=limits.mandatory_moves_per_run - (len(open_rows) - open_load),
        sent_today=Counter(row.entry.vm for row in sent if _is_within(row, DAY, now)),
        open_vms=frozenset(row.entry.vm for row in open_rows),
        run_limit=per_run,
        hour_limit=per_hour,
        trial=trial,
    )


def allowance_for(
    move: Move, snapshot: Snapshot, limits: Limits, *, serves_others: bool
) -> Allowance:
    """Return what the journal may hold when this move is begun: the same budgets, checked once more there.

    A move that serves others (an evacuation or a must-rule, or the group that it belongs to) is counted and
    has no budget of its own.
    """
    per_run, per_hour = _load_moves(snapshot, limits)
    is_load = not move.reason.is_mandatory
    in_cycle = per_run if is_load else limits.mandatory_moves_per_run
    return Allowance(
        open_in_vcenter=limits.migrations_per_vcenter,
        open_in_cluster=limits.migrations_per_cluster,
        open_on_source=most_on(move.source, limits, snapshot),
        open_on_target=most_on(move.target, limits, snapshot),
        in_cycle=None if serves_others else in_cycle,
        in_hour=None if serves_others or not is_load else per_hour,
        of_vm_in_day=None if serves_others or not is_load else limits.moves_per_vm_per_day,
    )


def _load_moves(snapshot: Snapshot, limits: Limits) -> tuple[int, int]:
    """Return how many load moves a run and an hour may have."""
    running = len(snapshot.running_vms)
    per_run = max(int(running * limits.moves_per_run_ratio), limits.moves_per_run_at_least)
    per_hour = max(int(running * limits.moves_per_hour_ratio), limits.moves_per_run_at_least)
    return min(per_run, limits.moves_per_run_at_most), per_hour


def _is_within(row: JournalRow, span: timedelta, now: datetime) -> bool:
    return row.entry.intended_at > now - span


def _mode_refusal(wanted: Sequence[Move], bundle: Bundle, in_force: InForce) -> Refusal | None:
    refusals = (in_force.refusal(move, is_mandatory=bundle.is_mandatory) for move in wanted)
    return next((refusal for refusal in refusals if refusal), None)


def _grouped(
    waiting: Sequence[tuple[Refusal, Bundle]], admitted: Set[MoveId]
) -> tuple[Refusal, ...]:
    """Count the moves that wait for each reason; a later bundle may have brought some of them along."""
    counts: Counter[Refusal] = Counter()
    for refusal, bundle in waiting:
        counts[refusal] += len(bundle.ids - admitted)
    return tuple(replace(refusal, count=n) for refusal, n in counts.items() if n)

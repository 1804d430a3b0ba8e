"""Starts what is ready: a slot, a fresh look, an intent in the journal, and then one call.

`_send` is the only place of the program that asks vCenter to move a VM. It is entered once per journal
row and never repeats its call, whatever the answer is (S2, S3).
"""

import logging
from collections.abc import Sequence

from balancer.execute.agenda import Stage, Track, Unit
from balancer.execute.execution import Execution, facts_of
from balancer.execute.failures import failure_kind
from balancer.execute.preflight import Verdict, examine, refreshed
from balancer.execute.sight import Ending
from balancer.execute.slots import Journeys, all_journeys, full, our_journeys, room_for
from balancer.model.errors import (
    IntentRefused,
    SourceAnswerInvalid,
    SourceError,
    StoreError,
    SubmitNotSent,
    SubmitRefused,
    SubmitUnknown,
)
from balancer.model.events import MoveStarted
from balancer.model.outcome import (
    FailureKind,
    JournalEntry,
    JournalRow,
    JournalStep,
    MigrationOrder,
    MoveState,
)
from balancer.model.plan import Move
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import Seconds, VmId

log = logging.getLogger(__name__)

RETRY_S: Seconds = 5.0
"""Pause before a move is looked at again for which others have left no slot."""

SEND_WITHIN_S: Seconds = 2.0
"""A call that is not begun so soon after its intent was asked for is not made at all.

A process that was frozen, or waited for its disk, must not send what others have settled meanwhile.
"""


def start_ready(run: Execution) -> None:
    """Start every move that is ready and fits, in the order of the agenda."""
    units = _that_may_try(run) if run.lookout.is_probing else run.agenda.ready()
    _note_ready(run, units)
    if units and run.lookout.is_due() and not _look_around(run):
        return
    try:
        rows = run.record.open_rows(run.tools.vcenter) if units else ()
    except StoreError as err:
        run.stop(Reason.JOURNAL_UNAVAILABLE, str(err))
        return
    for unit in units:
        if run.closed(completing=True):
            return
        if run.closed(completing=unit.is_begun) or run.now_s < unit.not_before_s:
            continue
        if unit.waiting and not _try_unit(run, unit, rows):
            return


def _that_may_try(run: Execution) -> tuple[Unit, ...]:
    """Return the units that may be the one move of a run that tries: mandatory ones as long as any waits."""
    for unit in run.agenda.units:
        if len(unit.tracks) > 1 and unit.waiting:
            detail = f"a group of {len(unit.tracks)} cannot be the one move that tries"
            run.refuse(unit.waiting[0], Refusal.of(Reason.BREAKER_OPEN, detail))
    needed = any(run.serves_mandatory(track) for track in run.agenda.at(Stage.WAITING))
    ready = run.agenda.ready()
    return tuple(unit for unit in ready if not needed or run.serves_mandatory(unit.tracks[0]))


def _look_around(run: Execution) -> bool:
    """Look at the whole cluster; return whether anything may be sent after what was seen."""
    try:
        run.see(run.lookout.look())
    except SourceError as err:
        run.link.lost(err)
        return False
    return run.closed(completing=True) is None


def _note_ready(run: Execution, units: Sequence[Unit]) -> None:
    for unit in units:
        for track in unit.waiting:
            track.ready_s = run.now_s if track.ready_s is None else track.ready_s


def _try_unit(run: Execution, unit: Unit, rows: Sequence[JournalRow]) -> bool:
    """Start the waiting members of one unit that slots allow, if all of them may go.

    Return False where a group waits for slots that our own migrations hold: then nothing of lower
    order starts either, or single moves would take one slot after the other from it.
    """
    if unit.has_unknown or _is_withheld(run, unit):
        return True
    if not _has_room(run, unit, rows):
        return len(unit.waiting) == 1 or unit.is_begun
    verdict = _examined(run, unit, rows)
    if verdict is None:
        return True
    if verdict.refused:
        move, refusal = verdict.refused
        run.refuse(run.agenda.tracks[move.id], refusal)
    elif _has_room(run, unit, rows, foreign=verdict.snapshot):
        for track in unit.waiting:
            track.warnings = verdict.warnings.get(track.move.vm, ())
        _start_members(run, unit, rows, verdict.snapshot)
    else:
        unit.not_before_s = run.now_s + RETRY_S
    return True


def _is_withheld(run: Execution, unit: Unit) -> bool:
    """Refuse a unit that the mode in force holds back. The rest of a group that was begun follows it (S7)."""
    if unit.is_begun:
        return False
    for track in unit.waiting:
        refusal = run.withheld(track)
        if refusal:
            run.refuse(track, refusal)
            return True
    return False


def _start_members(run: Execution, unit: Unit, rows: Sequence[JournalRow], fresh: Snapshot) -> None:
    while unit.waiting:
        track = unit.waiting[0]
        journeys = all_journeys(_ours(run, rows), fresh)
        is_full = full(track.move, journeys, run.policy.limits, run.view)
        is_held = run.now_s < unit.not_before_s or run.closed(completing=unit.is_begun)
        if is_full or is_held or _is_withheld(run, unit):
            return
        _begin(run, unit, track)
        if track.stage is Stage.OVER or unit.has_unknown:
            return  # the others were judged as going along with it: look again


def _has_room(
    run: Execution, unit: Unit, rows: Sequence[JournalRow], foreign: Snapshot | None = None
) -> bool:
    """Whether the unit may start: as much of it as could start if nothing of this run were running.

    The rest of a group that was begun takes any slot.
    """
    limits = run.policy.limits
    moves = [track.move for track in unit.waiting]
    mine = {track.row for track in run.agenda.at(Stage.RUNNING)}
    others = our_journeys((), [row for row in rows if row.id not in mine], run.view)
    ours = _ours(run, rows)
    if foreign:
        others, ours = all_journeys(others, foreign), all_journeys(ours, foreign)
        others = {vm: j for vm, j in others.items() if vm not in _vms_of(run)}
    fits = room_for(moves, ours, limits, run.view)
    return fits > 0 and (unit.is_begun or fits >= room_for(moves, others, limits, run.view))


def without_slots(run: Execution) -> tuple[tuple[Track, Refusal], ...]:
    """Return moves that no slot will come free for, asked when nothing of this run is under way.

    Open rows of this cluster are settled between runs, so that waiting for one here is in vain. Those of
    other clusters are watched by their own runs.
    """
    units = [unit for unit in run.agenda.ready() if not unit.is_begun]
    try:
        rows = run.record.open_rows(run.tools.vcenter) if units else ()
    except StoreError:
        return ()  # the next turn stops the run for it
    earlier = [row for row in rows if row.entry.cluster == run.plan.cluster_id]
    journeys, limits = our_journeys((), earlier, run.view), run.policy.limits
    found: list[tuple[Track, Refusal]] = []
    for unit in units:
        refusals = [full(track.move, journeys, limits, run.view) for track in unit.waiting]
        if refusals[0] and all(refusals):
            found.append((unit.waiting[0], refusals[0]))
    return tuple(found)


def _vms_of(run: Execution) -> frozenset[VmId]:
    return frozenset(track.move.vm for track in run.agenda.at(Stage.RUNNING))


def _ours(run: Execution, rows: Sequence[JournalRow]) -> Journeys:
    """Return what we have sent: running migrations of this run, and open rows."""
    running = [track.move for track in run.agenda.at(Stage.RUNNING)]
    return our_journeys(running, rows, run.view)


def _promised(run: Execution, unit: Unit) -> Journeys:
    """Return the rest of other groups that were begun: what they need on their target is theirs."""
    return our_journeys(
        [
            track.move
            for other in run.agenda.units
            for track in other.waiting
            if other is not unit and other.is_begun
        ],
        (),
        run.view,
    )


def _examined(run: Execution, unit: Unit, rows: Sequence[JournalRow]) -> Verdict | None:
    """Look anew; None where vCenter did not answer, or gave an answer that cannot be understood."""
    moves = [track.move for track in unit.waiting]
    try:
        run.see(refreshed(run.view, moves, run.tools))
        ours = {**_promised(run, unit), **_ours(run, rows)}
        return examine(run.view, moves, ours, uuids=run.uuids, policy=run.policy, tools=run.tools)
    except SourceAnswerInvalid as err:
        refusal = Refusal.of(Reason.SERVER_CHECK, f"could not be read: {err}", vm=moves[0].vm)
        run.refuse(unit.waiting[0], refusal)
    except SourceError as err:
        run.link.lost(err)
    return None


_FOR_A_WHILE = frozenset({Reason.CLUSTER_SLOTS, Reason.HOST_SLOTS})

_FOR_ALL = frozenset({Reason.LEASE_HELD, Reason.PAUSED})


def _begin(run: Execution, unit: Unit, track: Track) -> None:
    """Write the intent, and send; lease, pauses, slots and budgets are checked as it is written."""
    permit = run.permit(track.move, completing=unit.is_begun)
    if permit is None:
        return  # the next turn says why
    asked_s = run.now_s
    entry = _entry(run, track.move)
    track.intended_at_vcenter = entry.intended_at_vcenter
    try:
        track.row = run.record.begin(entry, permit)
    except IntentRefused as err:
        _intent_refused(run, unit, track, err.refusal)
    except StoreError as err:
        run.stop(Reason.JOURNAL_UNAVAILABLE, str(err))
    else:
        _send(run, track, asked_s=asked_s)


def _intent_refused(run: Execution, unit: Unit, track: Track, refusal: Refusal) -> None:
    """Let the move wait for a slot that somebody else took just now; refuse it, or all, for other reasons."""
    if refusal.reason in _FOR_A_WHILE:
        unit.not_before_s = run.now_s + RETRY_S
    elif refusal.reason in _FOR_ALL:
        run.stop(refusal.reason, refusal.detail)
    else:
        run.refuse(track, refusal)


def _send(run: Execution, track: Track, *, asked_s: Seconds) -> None:
    """Ask vCenter once for this migration, unless a stop came since the intent (S8), or it comes too late (S4)."""
    refusal = run.tools.may_submit()
    if refusal:
        run.withdraw(track, refusal)
        return
    move, limits = track.move, run.policy.limits
    time_limit_s = max(
        limits.migration_timeout_s, limits.migration_timeout_factor * move.expected_seconds
    )
    track.stage, track.sent_s = Stage.RUNNING, run.now_s
    track.deadline_s = track.sent_s + time_limit_s
    order = MigrationOrder(
        vm=move.vm, vm_name=move.vm_name, target=move.target, priority=move.priority
    )
    too_late = _too_late(run, asked_s)
    if too_late:
        run.end(track, Ending(state=MoveState.ABORTED, detail=too_late))
        return
    try:
        task = run.tools.migrator.submit(order)
    except SubmitRefused as err:
        kind = failure_kind(err.fault, str(err), err.message_keys)
        run.end(track, Ending(state=MoveState.FAILED, detail=str(err), fault=err.fault, kind=kind))
    except SubmitNotSent as err:
        run.link.lost(err)
        kind = FailureKind.TRANSIENT
        run.end(track, Ending(state=MoveState.FAILED, detail=str(err), kind=kind))
    except SubmitUnknown as err:
        _note_sent(run, track, MoveState.UNKNOWN, detail=str(err))
    else:
        _note_sent(run, track, MoveState.SUBMITTED, task=task, detail=_warned(track))


def _too_late(run: Execution, asked_s: Seconds) -> str:
    """Return why a call must not be begun any more, empty where it may."""
    passed_s = run.now_s - asked_s
    if passed_s >= SEND_WITHIN_S:
        return f"not sent: the intent took {passed_s:.1f} s, {SEND_WITHIN_S:.0f} s are allowed"
    if run.tenure.is_given_up:
        return "not sent: the lease was not renewed in time, and others may act soon"
    return ""


def _warned(track: Track) -> str:
    """Return what vCenter's check warned of, empty where it did not."""
    told = "; ".join(warning.detail for warning in track.warnings)
    return f"vCenter's check warned: {told}" if told else ""


def _note_sent(
    run: Execution, track: Track, state: MoveState, *, task: str = "", detail: str = ""
) -> None:
    at = run.tools.clock.now()
    run.write(track, JournalStep(state=state, at=at, task=task, detail=detail))
    ready_s = track.sent_s if track.ready_s is None else track.ready_s
    waited_s = track.sent_s - ready_s
    run.tools.events.tell(MoveStarted(move=track.move, task=task, at=at, waited_seconds=waited_s))
    if state is MoveState.UNKNOWN:
        log.warning("no answer to a request", extra=facts_of(track) | {"error": detail})
        return
    log.info("migration started", extra=facts_of(track))
    if track.warnings:
        log.warning("vCenter warned of a migration", extra=facts_of(track) | {"warning": detail})


def _entry(run: Execution, move: Move) -> JournalEntry:
    return JournalEntry(
        vcenter=run.tools.vcenter,
        cluster=run.plan.cluster_id,
        plan_id=run.plan.id,
        cycle_id=run.cycle_id,
        move_id=move.id,
        vm=move.vm,
        vm_name=move.vm_name,
        vm_uuid=run.uuids.get(move.vm, ""),
        source=move.source,
        target=move.target,
        reason=move.reason,
        expected_seconds=move.expected_seconds,
        intended_at=run.tools.clock.now(),
        pace=move.pace,
        intended_at_vcenter=run.vcenter_now,
    )

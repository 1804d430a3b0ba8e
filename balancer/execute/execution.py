"""One plan being carried out: what is known, what was told, and why nothing may be sent at the moment.

Holds the state that starting and watching share, and is the only place where a move comes to its end:
journal, outcome, event and log line together. Reads and sends nothing itself.
"""

import contextlib
import logging
from datetime import datetime, timedelta

from balancer.execute.agenda import Stage, Track, make_agenda
from balancer.execute.budgets import allowance_for
from balancer.execute.bundles import serving_mandatory
from balancer.execute.chronicle import none_sent, not_sent, told
from balancer.execute.link import Link
from balancer.execute.lookout import Lookout
from balancer.execute.reading import as_the_policy_reads, kept_from
from balancer.execute.record import Record
from balancer.execute.rival import tell_rivals
from balancer.execute.sight import Ending
from balancer.execute.tenure import Tenure
from balancer.execute.tools import Tools
from balancer.model.errors import StoreError
from balancer.model.events import MoveEnded
from balancer.model.lease import Permit
from balancer.model.outcome import FailureKind, JournalStep, MoveOutcome, MoveState
from balancer.model.plan import Move, Plan
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import Seconds
from balancer.policy.resolve import resolve
from balancer.policy.types import Policy

log = logging.getLogger(__name__)

_ENDS_THE_RUN = frozenset({FailureKind.STOP, FailureKind.STOP_CLUSTER, FailureKind.UNMAPPED})
_LEVEL = {MoveState.DONE: logging.INFO, MoveState.ABORTED: logging.INFO}


class Execution:
    """The state of one run of the executor. `view` is the newest snapshot, `stopped` a final refusal.

    Snapshots are taken as they were read; `view` has the rules of the policy besides.
    """

    def __init__(
        self,
        plan: Plan,
        base: Snapshot,
        policy: Policy,
        *,
        tools: Tools,
        tenure: Tenure,
        cycle_id: str,
    ) -> None:
        self.plan, self.policy, self.tools, self.cycle_id = plan, policy, tools, cycle_id
        self.tenure = tenure
        self._resolved = resolve(base, policy)
        base = self._resolved.snapshot
        kept_together = [r for r in base.active_rules(RuleType.AFFINITY) if r.mandatory]
        self.agenda = make_agenda(plan.admitted, kept_together)
        self._mandatory = serving_mandatory(plan.admitted, base)
        self.record = Record(tools.store)
        self.link = Link(tools.clock, tools.poll_s)
        self.uuids = {vm.id: vm.uuid or "" for vm in base.vms}
        self.stopped: Refusal | None = None
        self.lookout = Lookout(base, policy, tools)
        self._seen_s = tools.clock.monotonic()
        self._rival: Refusal | None = None
        self._look_for_rivals()

    @property
    def view(self) -> Snapshot:
        """Return the newest snapshot, with the rules that hold."""
        return self._resolved.snapshot

    @property
    def now_s(self) -> Seconds:
        """Return the monotonic time."""
        return self.tools.clock.monotonic()

    def see(self, snapshot: Snapshot) -> None:
        """Take a snapshot that was read just now."""
        self._resolved = as_the_policy_reads(snapshot, self.view, self.policy)
        self._seen_s = self.now_s
        self.link.back()
        self._look_for_rivals()

    @property
    def vcenter_now(self) -> datetime:
        """Return the vCenter's clock: that of the newest snapshot, and what passed since."""
        return self.view.taken_at + timedelta(seconds=self.now_s - self._seen_s)

    def plan_age_at(self, moment_s: Seconds) -> Seconds:
        """Return the plan's age at a monotonic time, measured on the clock that the snapshots carry.

        A plan from the future counts as that old: then one of the two clocks is wrong.
        """
        at_view_s = (self.view.taken_at - self.plan.created_at).total_seconds()
        return abs(at_view_s) + moment_s - self._seen_s

    def is_too_old_at(self, moment_s: Seconds, *, completing: bool = False) -> bool:
        """Whether the plan must not be acted on any more at a monotonic time (S5).

        The rest of a group that was begun gets the time of one migration more: a plan's age breaks
        no rule, half a group does (S7).
        """
        limits = self.policy.limits
        extra_s = limits.migration_timeout_s if completing else 0.0
        return self.plan_age_at(moment_s) > limits.plan_age_s + extra_s

    def closed(self, *, completing: bool = False) -> Refusal | None:
        """Return why nothing may be sent now, or None. Asked again before every single submit (S8).

        `completing` asks for the rest of a group that was begun.
        """
        if self.stopped:
            return self.stopped
        refusal = self.tools.may_submit() or self.tenure.refusal() or self._rival
        if refusal:
            return refusal
        if self.is_too_old_at(self.now_s, completing=completing):
            age_s = self.plan_age_at(self.now_s)
            return Refusal.of(Reason.PLAN_TOO_OLD, f"the plan is {age_s:.0f} s old")
        if self.record.is_behind:
            return Refusal.of(Reason.JOURNAL_UNAVAILABLE, "a step could not be written yet")
        learnt = self.lookout.refusal(has_sent=any(t.row for t in self.agenda.tracks.values()))
        if learnt:
            self.stop(learnt.reason, learnt.detail)
            return self.stopped
        return None if self.link.may_ask else self.link.refusal()

    def permit(self, move: Move, *, completing: bool) -> Permit | None:
        """Return what the intent of a move is written under; None where the lease is not held.

        The rest of a group that was begun (`completing`) was in the budget of its first member.
        """
        lease = self.tenure.lease
        if lease is None:
            return None
        serves = completing or (move.id in self._mandatory and not move.reason.is_mandatory)
        allowance = allowance_for(move, self.view, self.policy.limits, serves_others=serves)
        return Permit(lease=lease, allowance=allowance)

    def withheld(self, track: Track) -> Refusal | None:
        """Return why the mode in force or the policy does not let this move be sent now, or None."""
        move, is_mandatory = track.move, track.move.id in self._mandatory
        refusal = self.tools.may_move(move, is_mandatory)
        return refusal or kept_from(
            move,
            self._resolved,
            self.policy,
            is_mandatory=is_mandatory,
            is_approved=self.tools.is_approved,
        )

    def serves_mandatory(self, track: Track) -> bool:
        """Whether a move is an evacuation or a rule repair, or is made for one."""
        return track.move.id in self._mandatory

    def is_final(self, refusal: Refusal) -> bool:
        """Whether a refusal will not pass in this run."""
        return refusal is self.stopped or refusal.reason is Reason.PLAN_TOO_OLD

    def stop(self, reason: Reason, detail: str) -> None:
        """Send nothing more in this run; what runs is watched on."""
        self.stopped = self.stopped or Refusal.of(reason, detail)
        log.error("no more moves in this run", extra={"reason": str(reason), "detail": detail})

    def write(self, track: Track, step: JournalStep) -> None:
        """Write the next state of a sent move."""
        track.state = step.state
        track.task = step.task or track.task
        self.record.advance(track.row, step)

    def end(self, track: Track, ending: Ending) -> None:
        """Bring a sent move to its end, and draw the consequences for those that wait."""
        fault, kind = ending.fault, ending.kind
        at = self.tools.clock.now()
        step = JournalStep(
            state=ending.state,
            at=at,
            task=ending.task,
            fault=fault,
            kind=kind,
            detail=ending.detail,
        )
        self.write(track, step)
        outcome = MoveOutcome(
            move=track.move,
            state=ending.state,
            fault=fault,
            kind=kind,
            detail=ending.detail,
            seconds=self.now_s - track.sent_s,
        )
        self._close(track, outcome)
        facts = {"state": str(ending.state), "fault": fault, "kind": kind and str(kind)}
        more = {"seconds": round(outcome.seconds, 3), "detail": ending.detail}
        level = _LEVEL.get(ending.state, logging.WARNING)
        log.log(level, "migration ended", extra=facts_of(track) | facts | more)
        self._react(track, outcome)

    def refuse(self, track: Track, refusal: Refusal) -> None:
        """Write off a move that was not sent, and those that go only together with it."""
        if track.stage is not Stage.WAITING:
            return
        log.info(
            "move not sent",
            extra=facts_of(track) | {"reason": str(refusal.reason), "detail": refusal.detail},
        )
        self._refuse(track, refusal)

    def withdraw(self, track: Track, refusal: Refusal) -> None:
        """Take back an intent whose call is not made, because something stopped it in between."""
        at, detail = self.tools.clock.now(), f"not sent, {refusal}"
        self.write(track, JournalStep(state=MoveState.ABORTED, at=at, detail=detail))
        log.info("intent taken back", extra=facts_of(track) | {"detail": detail})
        track.row = 0
        self._refuse(track, refusal)

    def _refuse(self, track: Track, refusal: Refusal) -> None:
        self._note_not_sent(track, refusal)
        detail = f"goes only together with {track.move.vm_name}"
        for mate in self.agenda.mates(track):
            no = Refusal.of(Reason.DEPENDENCY_FAILED, detail, vm=mate.move.vm)
            self._note_not_sent(mate, no)
            self._close(mate, MoveOutcome(move=mate.move, state=None, refusal=no))
        self._close(track, MoveOutcome(move=track.move, state=None, refusal=refusal))

    def refuse_all(self, refusal: Refusal, *, spare_begun: bool = False) -> None:
        """Write off every move that waits, or those only that belong to no group that was begun."""
        waiting = [
            track
            for unit in self.agenda.units
            for track in unit.waiting
            if not (spare_begun and unit.is_begun)
        ]
        if waiting:
            facts = {"reason": str(refusal.reason), "detail": refusal.detail, "moves": len(waiting)}
            log.info("moves not sent", extra=facts)
            where = {"cycle_id": self.cycle_id, "shard": self.tools.shard}
            at = self.tools.clock.now()
            told(self.tools.store, none_sent(self.plan, len(waiting), refusal, at=at, **where))
        for track in waiting:
            self._close(track, MoveOutcome(move=track.move, state=None, refusal=refusal))

    def write_off(self) -> None:
        """Refuse the moves that wait for something that will not come."""
        for track, refusal in self.agenda.hopeless():
            self.refuse(track, refusal)

    def leave(self) -> None:
        """Leave what runs to the next start: the rows stay open, the outcome says how far it came."""
        for track in self.agenda.at(Stage.RUNNING):
            track.stage = Stage.OVER
            track.outcome = MoveOutcome(
                move=track.move,
                state=track.state,
                detail="left running at the stop, settled at the next start",
                seconds=self.now_s - track.sent_s,
            )
            log.info("migration left running", extra=facts_of(track))

    def _look_for_rivals(self) -> None:
        """Take note of migrations of our account that the journal does not know, while they run."""
        known = [track.move.vm for track in self.agenda.at(Stage.RUNNING)]
        with contextlib.suppress(StoreError):  # then no intent can be written either
            self._rival = tell_rivals(self.view, self.tools, known=known)

    def _note_not_sent(self, track: Track, refusal: Refusal) -> None:
        where = {"cycle_id": self.cycle_id, "shard": self.tools.shard}
        at = self.tools.clock.now()
        told(self.tools.store, not_sent(self.plan, track.move, refusal, at=at, **where))

    def _close(self, track: Track, outcome: MoveOutcome) -> None:
        track.stage, track.outcome = Stage.OVER, outcome
        self.tools.events.tell(MoveEnded(outcome=outcome, at=self.tools.clock.now()))

    def _react(self, track: Track, outcome: MoveOutcome) -> None:
        if outcome.state is MoveState.FAILED:
            self.lookout.failed()
        if outcome.kind in _ENDS_THE_RUN:
            self.stop(Reason.RUN_STOPPED, f"{outcome.fault or 'no fault'}: {outcome.detail}")
        if outcome.kind is FailureKind.SKIP_TARGET:
            self._avoid(track, outcome.fault)

    def _avoid(self, failed: Track, fault: str) -> None:
        """Drop the moves to a host that failed as a target."""
        target = failed.move.target
        for track in self.agenda.at(Stage.WAITING):
            if track.move.target == target:
                detail = f"{failed.move.vm_name} failed there with {fault}"
                no = Refusal.of(
                    Reason.TARGET_FAILED_RECENTLY, detail, vm=track.move.vm, host=target
                )
                self.refuse(track, no)


def facts_of(track: Track) -> dict[str, object]:
    """Return the fields that every log line of a move carries."""
    move = track.move
    return {
        "move_id": move.id,
        "vm": move.vm,
        "source": move.source,
        "target": move.target,
        "task": track.task,
    }

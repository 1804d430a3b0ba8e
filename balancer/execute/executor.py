"""Carries out the admitted moves of a plan: watch, ask whether anything may be sent, start what is ready.

No batches: a move starts as soon as its predecessors have ended well, a slot is free and a fresh look
allows it. What is sent is never sent again and never cancelled; what cannot be sent is said with its
reason. Between planning and the next cycle, this is the only stage that changes anything.
"""

from balancer.execute.agenda import Stage
from balancer.execute.execution import Execution
from balancer.execute.settle import settle
from balancer.execute.start import start_ready, without_slots
from balancer.execute.tools import Tools
from balancer.execute.watch import watch
from balancer.model.errors import SourceError, StoreError
from balancer.model.outcome import MoveOutcome
from balancer.model.plan import Plan
from balancer.model.reasons import Reason
from balancer.model.snapshot import Snapshot
from balancer.policy.types import Policy


def execute(
    plan: Plan, base: Snapshot, policy: Policy, tools: Tools, *, cycle_id: str
) -> tuple[MoveOutcome, ...]:
    """Carry out the admitted moves and return what became of each, in the order of the plan.

    `base` is the snapshot that the plan was made from. Returns when nothing runs and nothing can start;
    within one poll after `tools.may_submit` says STOPPING, and then migrations go on unwatched with
    their rows open. Raises nothing of its own: errors of vCenter and journal become outcomes.
    """
    with tools.tenure() as tenure:
        run = Execution(plan, base, policy, tools=tools, tenure=tenure, cycle_id=cycle_id)
        while _goes_on(run):
            tools.clock.sleep(tools.poll_s)
        run.record.catch_up()
    return run.agenda.outcomes(plan.admitted)


def _goes_on(run: Execution) -> bool:
    """Take one turn; return whether another one is needed."""
    run.record.catch_up()
    if _is_stopping(run):
        return False
    watch(run)
    _settle_after_return(run)
    run.write_off()
    if run.closed(completing=True) is None:
        start_ready(run)
        run.write_off()
    return _has_more_to_do(run)


def _settle_after_return(run: Execution) -> None:
    """Look for the ends of earlier rows once more, where the connection had been lost and is back.

    Rows of this run are watched by it, or were left to the next cycle with an outcome that stands.
    """
    if not run.link.take_return():
        return
    mine = {track.row for track in run.agenda.tracks.values()}
    try:
        settle(run.view, run.policy, run.tools, but=mine)
    except SourceError as err:
        run.link.lost(err)
    except StoreError as err:
        run.stop(Reason.JOURNAL_UNAVAILABLE, str(err))


def _is_stopping(run: Execution) -> bool:
    refusal = run.tools.may_submit()
    if refusal is None or refusal.reason is not Reason.STOPPING:
        return False
    run.refuse_all(refusal)
    run.leave()
    return True


def _has_more_to_do(run: Execution) -> bool:
    for completing in (False, True):
        refusal = run.closed(completing=completing)
        if refusal and run.is_final(refusal):
            run.refuse_all(refusal, spare_begun=not completing)
    if run.agenda.at(Stage.RUNNING):
        return True
    closed = run.closed(completing=run.agenda.is_completing)
    if closed is None:
        for track, refusal in (*run.agenda.stuck(), *without_slots(run)):
            run.refuse(track, refusal)
    elif not _is_worth_waiting(run, closed.reason):
        run.refuse_all(closed)
    return bool(run.agenda.at(Stage.WAITING))


def _is_worth_waiting(run: Execution, reason: Reason) -> bool:
    """Whether the connection will be tried again before the plan is too old."""
    if reason is not Reason.CONNECTION_LOST:
        return False
    completing = run.agenda.is_completing
    return not run.is_too_old_at(run.link.next_try_s, completing=completing)

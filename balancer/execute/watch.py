"""Watches the running migrations of an execution until each has an end, or its time is up.

Reads only. A success counts when the VM is seen on the target; a task that cannot be asked is replaced
by looking where the VM is; while vCenter does not answer, nothing is concluded (S3, S8).
"""

import logging

from balancer.execute.agenda import Stage, Track
from balancer.execute.execution import Execution, facts_of
from balancer.execute.settle import tasks_of_others
from balancer.execute.sight import (
    JITTER,
    Ending,
    Errand,
    Sight,
    adopted,
    judged,
    recalled,
    sight_of,
)
from balancer.model.errors import SourceAnswerInvalid, SourceError, StoreError
from balancer.model.events import MoveProgressed
from balancer.model.outcome import JournalStep, MoveState, TaskState, TaskView
from balancer.model.units import Seconds

log = logging.getLogger(__name__)

LOOKS_AFTER_SUCCESS = 5
"""How often a VM is looked for on its target after its task succeeded."""

RECALL_EVERY_S: Seconds = 10.0
"""How often the task history is asked for a task that cannot be asked itself: it costs three calls."""

LOOK_FOR_S: Seconds = 10.0
"""How long a run that has nothing else to do looks for the migration of a request without an answer.

vCenter shows the task of a request that it took at once, so that what is not seen by then was most likely
lost. Nothing rests on it: the row stays open, and with it VM and slots held, until `Tools.hold_s` has passed.
"""


def watch(run: Execution) -> None:
    """Look at every running migration once, as far as vCenter answers."""
    if run.agenda.at(Stage.RUNNING) and run.link.may_ask:
        try:
            _look_at_all(run)
        except SourceError as err:
            run.link.lost(err)
    _let_go_of_overdue(run)
    _let_go_of_unseen(run)


def _look_at_all(run: Execution) -> None:
    running = run.agenda.at(Stage.RUNNING)
    tasks = [track.task for track in running if track.task]
    views = dict(run.tools.inventory.tasks(tasks)) if tasks else {}
    if tasks:
        run.link.back()
    for track in running:
        try:
            _look(run, track, views.get(track.task))
        except SourceAnswerInvalid as err:
            log.debug("vm not readable", extra=facts_of(track) | {"error": str(err)})


def _look(run: Execution, track: Track, view: TaskView | None) -> None:
    if view is None or view.state is TaskState.MISSING:
        _look_for_vm(run, track)
    elif view.state is TaskState.SUCCESS:
        _confirm(run, track)
    elif view.state is TaskState.ERROR:
        _conclude_failure(run, track, view)
    else:
        _tell_progress(run, track, view)


def _tell_progress(run: Execution, track: Track, view: TaskView) -> None:
    track.lost_s = None
    if view.progress_percent is None or view.progress_percent == track.progress_percent:
        return
    track.progress_percent = view.progress_percent
    event = MoveProgressed(move=track.move, progress_percent=view.progress_percent)
    run.tools.events.tell(event)


def _confirm(run: Execution, track: Track) -> None:
    """End as DONE only when the VM is seen on the target."""
    sight, move = _sight(run, track), track.move
    if sight.host == move.target:
        run.end(track, Ending(state=MoveState.DONE, detail=""))
        return
    if sight.host not in (move.source, None):
        detail = f"the task succeeded, the VM was seen on {sight.host}"
        run.end(track, Ending(state=MoveState.EXTERNAL, detail=detail))
        return
    track.looks += 1
    if track.looks >= LOOKS_AFTER_SUCCESS:
        detail = f"the task succeeded, the VM was not seen on the target in {track.looks} looks"
        run.end(track, Ending(state=MoveState.UNKNOWN, detail=detail))


def _conclude_failure(run: Execution, track: Track, view: TaskView) -> None:
    ending = judged(_errand(run, track), _sight(run, track), view, waited_s=0.0)
    if ending:
        run.end(track, ending)


def _look_for_vm(run: Execution, track: Track) -> None:
    """Find out what became of a request without an answer or a task that is gone.

    By the task history, asked once in a while, and by the VM's place.
    """
    if track.lost_s is None:
        track.lost_s = run.now_s
    _recall(run, track)
    sight, errand = _sight(run, track), _errand(run, track)
    task = adopted(errand, sight)
    if task:
        _adopt(run, track, task)
        return
    ending = judged(errand, sight, track.past, waited_s=run.now_s - track.lost_s)
    if ending:
        run.end(track, ending)


def _recall(run: Execution, track: Track) -> None:
    """Ask the task history, where it is time."""
    is_early = track.recalled_s is not None and run.now_s - track.recalled_s < RECALL_EVERY_S
    if is_early or track.intended_at_vcenter is None:
        return
    track.recalled_s, since = run.now_s, track.intended_at_vcenter - JITTER
    history = run.tools.inventory.task_history([track.move.vm], since)
    if not history:
        return
    try:
        others = tasks_of_others(run.plan.cluster_id, run.tools)
    except StoreError:
        return  # whose task it is cannot be told now; the place decides
    track.past = recalled(_errand(run, track), history, of_others=others - {track.task})


def _errand(run: Execution, track: Track) -> Errand:
    move = track.move
    return Errand(
        vm=move.vm,
        uuid=run.uuids.get(move.vm, ""),
        source=move.source,
        target=move.target,
        task=track.task,
        intended_at=track.intended_at_vcenter,
        hold_s=run.tools.hold_s,
    )


def _adopt(run: Execution, track: Track, task: str) -> None:
    """Go on with the task that vCenter shows for this VM and target."""
    track.lost_s = None
    at = run.tools.clock.now()
    step = JournalStep(state=MoveState.SUBMITTED, at=at, task=task, detail="task found")
    run.write(track, step)
    log.info("migration found", extra=facts_of(track))


def _sight(run: Execution, track: Track) -> Sight:
    """Look where the VM is now; raises `SourceError`."""
    vm = track.move.vm
    run.see(run.tools.inventory.refresh(run.view, vms=[vm], hosts=[]))
    return sight_of(run.view, vm, run.uuids.get(vm, ""))


def _let_go_of_overdue(run: Execution) -> None:
    """Call a migration unknown that ran too long; its row stays open and is settled later."""
    for track in run.agenda.at(Stage.RUNNING):
        waited_s = run.now_s - track.sent_s
        if run.now_s >= track.deadline_s:
            detail = f"no end after {waited_s:.0f} s; watched on by the next cycle"
            run.end(track, Ending(state=MoveState.UNKNOWN, detail=detail))


def _let_go_of_unseen(run: Execution) -> None:
    """Leave requests without an answer to the next cycle, once nothing else runs or can start.

    Their rows stay open and hold what they hold; the rest of the cluster does not wait for them.
    """
    running = run.agenda.at(Stage.RUNNING)
    if run.agenda.ready() or not all(_is_unseen(run, track) for track in running):
        return
    for track in running:
        detail = (
            f"no answer, and not seen on its way in {LOOK_FOR_S:.0f} s; settled by a later cycle"
        )
        run.end(track, Ending(state=MoveState.UNKNOWN, detail=detail))


def _is_unseen(run: Execution, track: Track) -> bool:
    return not track.task and track.lost_s is not None and run.now_s - track.lost_s >= LOOK_FOR_S

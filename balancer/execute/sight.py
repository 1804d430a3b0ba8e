"""What is looked for of one move that was sent, what vCenter shows of it, and which end that proves.

Pure, and the one place of these conclusions: the watching of running migrations and the settling of rows that
an earlier run left both come here. vCenter keeps no id of ours with a task, so that a task is recognised by
account, VM, kind and the time at which it was queued.
"""

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from balancer.execute.failures import failure_kind
from balancer.model.outcome import (
    SEEN_LATE,
    FailureKind,
    JournalRow,
    MoveState,
    PastTask,
    TaskState,
    TaskView,
)
from balancer.model.snapshot import FlightKind, InFlight, Snapshot
from balancer.model.units import HostId, Seconds, VmId

MARGIN = timedelta(seconds=30)
"""How much later than its time is up a task of ours may seem to be queued.

The moment of the intent is told on vCenter's clock: that of the last reading, and what passed since on ours.
The reading gives its clock before it begins and may take some seconds, so that the moment is told too early by
as much, and never too late.
"""

JITTER = timedelta(seconds=2)
"""How much earlier than our intent a task of ours may seem to be queued: clocks that run a little differently."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One move that was sent, or may have been. `task` is empty where its id is not known.

    `intended_at` is vCenter's clock at the intent, None where nobody knows it (then no task is recognised
    by its time); `hold_s` is how long after it vCenter may still show a task for the first time.
    """

    vm: VmId
    uuid: str
    source: HostId
    target: HostId
    task: str
    intended_at: datetime | None
    hold_s: Seconds

    def fits(self, *, is_ours: bool | None, queued_at: datetime | None) -> bool:
        """Whether a relocation of this VM is the one that was asked for, by account and time."""
        if not is_ours or queued_at is None or self.intended_at is None:
            return False
        until = self.intended_at + timedelta(seconds=self.hold_s) + MARGIN
        return self.intended_at - JITTER <= queued_at <= until


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Where a VM was seen, and the task that has it under way, if any.

    `host` is None where the VM is gone (or another VM has its id now).
    """

    host: HostId | None
    flight: InFlight | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The end of a move, with what was seen. `task` is the one that was found to be its own."""

    state: MoveState
    detail: str
    fault: str = ""
    kind: FailureKind | None = None
    task: str = ""


def errand_of(row: JournalRow, hold_s: Seconds) -> Errand:
    """Return what is looked for of a row."""
    return Errand(
        vm=row.entry.vm,
        uuid=row.entry.vm_uuid,
        source=row.entry.source,
        target=row.entry.target,
        task=row.task,
        intended_at=row.entry.intended_at_vcenter,
        hold_s=hold_s,
    )


def sight_of(snapshot: Snapshot, vm: VmId, uuid: str = "") -> Sight:
    """Return what `snapshot` shows of `vm`; an empty `uuid` means that any VM of this id is the one."""
    facts = snapshot.vm_by_id.get(vm)
    if facts is None or (uuid and facts.uuid and facts.uuid != uuid):
        return Sight(host=None)
    flight = next((each for each in snapshot.in_flight if each.vm == vm), None)
    return Sight(host=facts.host, flight=flight)


def adopted(errand: Errand, sight: Sight) -> str:
    """Return the id of a task under way that is this move's, empty where there is none.

    A task that is not ours, or of which that is not told, is never adopted: it holds the move open until it
    ends, and then the VM's place decides.
    """
    flight = sight.flight
    if errand.task or flight is None or flight.kind is not FlightKind.VMOTION:
        return ""
    goes_there = flight.target in (errand.target, flight.source)  # the source: not told
    is_it = goes_there and errand.fits(is_ours=flight.is_ours, queued_at=flight.queued_at)
    return (flight.task or "") if is_it else ""


def recalled(
    errand: Errand, history: Iterable[PastTask], *, of_others: Set[str]
) -> TaskView | None:
    """Return the task of this move as the task history has it, None where it does not tell one.

    `of_others` are tasks that other rows of the journal have. Of several that fit none is taken.
    """
    tasks = [past for past in history if past.vm == errand.vm]
    if errand.task:
        return next((past.view for past in tasks if past.view.task == errand.task), None)
    fitting = [
        past.view
        for past in tasks
        if errand.fits(is_ours=past.is_ours, queued_at=past.queued_at)
        and past.view.task not in of_others
    ]
    return fitting[0] if len(fitting) == 1 else None


def judged(
    errand: Errand, sight: Sight, told: TaskView | None, *, waited_s: Seconds
) -> Ending | None:
    """Return the end that task and place prove together, or None: not known yet.

    `told` is the move's own task, asked before the VM was looked at; None where no task can be asked.
    `waited_s` counts from the intent, as far as that can be trusted. The task is kept with the end: no later
    move of the VM may take it for its own.
    """
    ending = _judged(errand, sight, told, waited_s=waited_s)
    return replace(ending, task=told.task) if ending and told else ending


def _judged(
    errand: Errand, sight: Sight, told: TaskView | None, *, waited_s: Seconds
) -> Ending | None:
    if told and told.state is TaskState.ERROR:
        return _failed(errand, sight, told)
    if sight.flight or (told and not told.state.has_ended):
        return None
    ending = end_by_place(errand, sight, waited_s=waited_s)
    if ending and told and told.state is TaskState.SUCCESS:
        return _after_success(ending)
    return ending


def end_by_place(errand: Errand, sight: Sight, *, waited_s: Seconds) -> Ending | None:
    """Return the end that the VM's place proves when no task can be asked, or None: not known yet.

    A VM on its source proves nothing until `hold_s` has passed without a migration of it: a request
    whose answer was lost may still become one.
    """
    if sight.flight:
        return None
    if sight.host == errand.target:
        return Ending(state=MoveState.DONE, detail=SEEN_LATE)
    if sight.host not in (errand.source, None):
        return Ending(state=MoveState.EXTERNAL, detail=f"seen on {sight.host}")
    if waited_s < errand.hold_s:
        return None
    if sight.host is None:
        return Ending(state=MoveState.EXTERNAL, detail="the VM is gone")
    detail = f"still on its source after {errand.hold_s:.0f} s, no migration"
    return Ending(state=MoveState.ABORTED, detail=detail)


def _failed(errand: Errand, sight: Sight, told: TaskView) -> Ending:
    detail = told.message
    if sight.host == errand.target:
        detail = f"{detail}; the VM was seen on the target nevertheless".lstrip("; ")
    kind = failure_kind(told.fault, told.message, told.message_keys)
    return Ending(state=MoveState.FAILED, detail=detail, fault=told.fault, kind=kind)


def _after_success(ending: Ending) -> Ending:
    """A task that succeeded did move the VM: on its source again means that somebody moved it back."""
    if ending.state is not MoveState.ABORTED:
        return ending
    detail = "the task succeeded, and the VM was seen on its source again"
    return Ending(state=MoveState.EXTERNAL, detail=detail)

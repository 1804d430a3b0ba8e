"""What a snapshot shows of one VM that was sent on its way, and which end of the move that proves.

Pure. Shared by the watching of running migrations and by the settling of rows that an earlier run left.
"""

from dataclasses import dataclass

from balancer.model.outcome import SEEN_LATE, MoveState
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, Seconds, VmId


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Where a VM was seen. `host` is None where it is gone (or another VM has its id now).

    `is_moving` says that a migration of it is in flight, `task` and `heading` whose.
    """

    host: HostId | None
    is_moving: bool = False
    task: str = ""
    heading: HostId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The end of a move, with what was seen."""

    state: MoveState
    detail: str


def sight_of(snapshot: Snapshot, vm: VmId, uuid: str = "") -> Sight:
    """Return what `snapshot` shows of `vm`; an empty `uuid` means that any VM of this id is the one."""
    facts = snapshot.vm_by_id.get(vm)
    if facts is None or (uuid and facts.uuid and facts.uuid != uuid):
        return Sight(host=None)
    for flight in snapshot.in_flight:
        if flight.vm == vm:
            return Sight(
                host=facts.host, is_moving=True, task=flight.task or "", heading=flight.target
            )
    return Sight(host=facts.host)


def end_by_place(
    sight: Sight, *, source: HostId, target: HostId, waited_s: Seconds, hold_s: Seconds
) -> Ending | None:
    """Return the end that the VM's place proves when no task can be asked, or None: not known yet.

    A VM on its source proves nothing until `hold_s` has passed without a migration of it: a request
    whose answer was lost may still become one.
    """
    if sight.is_moving:
        return None
    if sight.host == target:
        return Ending(state=MoveState.DONE, detail=SEEN_LATE)
    if sight.host not in (source, None):
        return Ending(state=MoveState.EXTERNAL, detail=f"seen on {sight.host}")
    if waited_s < hold_s:
        return None
    if sight.host is None:
        return Ending(state=MoveState.EXTERNAL, detail="the VM is gone")
    return Ending(
        state=MoveState.ABORTED, detail=f"still on its source after {hold_s:.0f} s, no migration"
    )

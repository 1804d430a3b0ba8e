"""One cluster from cycle to cycle: what is missing since the last one, and whether the clocks went on.

Owns the reading of a cluster together with the clocks around it, and the comparison with what the last
cycle saw. The comparison is pure; nothing is kept here, the caller hands the last `Sighting` back in. A
loss is never taken for granted at once: what was seen stays expected until it has been missing for
`missing_hold_s`, so that a role that was taken away does not look like a smaller cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from balancer.collect.quality import judge_quality
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, Seconds, VmId
from balancer.policy.types import Limits
from balancer.ports import Clock, ClusterRef, Inventory

_MOST_NAMES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a cluster was read. `asked_at` is our clock, `taken_at` the source's, each at the beginning.

    `began_s` and `ended_s` are our monotonic clock, which never jumps.
    """

    asked_at: datetime
    taken_at: datetime
    began_s: Seconds
    ended_s: Seconds

    @property
    def lasted_s(self) -> Seconds:
        """Return how long the reading took."""
        return self.ended_s - self.began_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What a cycle leaves for the next one to compare with: names by id, the host of each VM, and the time.

    `places` are those that were seen, whatever is still expected. `missing_since_s` is the monotonic time since
    which expected objects are missing, None while they are all there.
    """

    moment: Moment
    hosts: Mapping[str, str]
    vms: Mapping[str, str]
    places: Mapping[VmId, HostId] = field(default_factory=dict)
    missing_since_s: Seconds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A snapshot with every reason why it is not fit to act on, and the sighting for the next cycle."""

    snapshot: Snapshot
    unfit: tuple[Refusal, ...]
    sighting: Sighting


def observe(
    inventory: Inventory,
    cluster: ClusterRef,
    *,
    clock: Clock,
    limits: Limits,
    last: Sighting | None = None,
) -> Observation:
    """Read a cluster and judge it: by itself as old as it is at the end, by the clocks, by the last sighting.

    Raises:
        SourceError: the cluster could not be read.
    """
    asked_at, began_s = clock.now(), clock.monotonic()
    snapshot = inventory.snapshot(cluster)
    moment = Moment(
        asked_at=asked_at, taken_at=snapshot.taken_at, began_s=began_s, ended_s=clock.monotonic()
    )
    read_at = snapshot.taken_at + timedelta(seconds=moment.lasted_s)
    by_itself = judge_quality(snapshot, limits, now=read_at)
    return Observation(
        snapshot=snapshot,
        unfit=(*by_itself, *judge_continuity(snapshot, moment, last, limits)),
        sighting=sighting_of(snapshot, moment, last, limits),
    )


def judge_continuity(
    snapshot: Snapshot, moment: Moment, last: Sighting | None, limits: Limits
) -> tuple[Refusal, ...]:
    """Return why the snapshot is not to be trusted, given when it was read and what was seen before."""
    answers = [_judge_offset(moment, limits)]
    if last is not None:
        answers.append(_judge_jump(moment, last.moment, limits))
        if _is_held(snapshot, moment, last, limits):
            answers.append(_judge_missing(last.hosts, _hosts(snapshot), limits, what="hosts"))
            answers.append(_judge_missing(last.vms, _vms(snapshot), limits, what="VMs"))
    return tuple(answer for answer in answers if answer is not None)


def sighting_of(
    snapshot: Snapshot, moment: Moment, last: Sighting | None, limits: Limits
) -> Sighting:
    """Return what the next cycle is to compare with: what is here, or what is still expected."""
    if last is not None and _is_held(snapshot, moment, last, limits):
        since_s = _missing_since_s(moment, last)
        return Sighting(
            moment=moment,
            hosts=last.hosts,
            vms=last.vms,
            places=_places(snapshot),
            missing_since_s=since_s,
        )
    return Sighting(
        moment=moment, hosts=_hosts(snapshot), vms=_vms(snapshot), places=_places(snapshot)
    )


def _judge_offset(moment: Moment, limits: Limits) -> Refusal | None:
    """Refuse where the source's clock is surely too far from ours.

    The source was asked at some time between the beginning and the end of the reading, so that slowness
    is never taken for an offset.
    """
    behind_s = (moment.asked_at - moment.taken_at).total_seconds()
    ahead_s = -behind_s - moment.lasted_s
    offset_s, word = max((ahead_s, "ahead of"), (behind_s, "behind"))
    if offset_s <= limits.clock_offset_s:
        return None
    detail = (
        f"vCenter's clock is {offset_s:.0f} s {word} ours, allowed are"
        f" {limits.clock_offset_s:.0f} s"
    )
    return Refusal.of(Reason.CLOCK_OFF, detail)


def _judge_jump(moment: Moment, last: Moment, limits: Limits) -> Refusal | None:
    """Refuse where a clock went on by another time than passed, measured by the clock that never jumps."""
    ours_s = (moment.asked_at - last.asked_at).total_seconds()
    passed_s = moment.began_s - last.began_s
    if abs(ours_s - passed_s) > limits.clock_jump_s:
        return _jumped("our clock", ours_s - passed_s, limits)
    theirs_s = (moment.taken_at - last.taken_at).total_seconds()
    least_s, most_s = moment.began_s - last.ended_s, moment.ended_s - last.began_s
    jump_s = theirs_s - min(max(theirs_s, least_s), most_s)
    return _jumped("vCenter's clock", jump_s, limits) if abs(jump_s) > limits.clock_jump_s else None


def _jumped(whose: str, by_s: Seconds, limits: Limits) -> Refusal:
    detail = f"{whose} jumped by {by_s:+.0f} s since the last cycle, allowed are {limits.clock_jump_s:.0f} s"
    return Refusal.of(Reason.CLOCK_OFF, detail)


def _judge_missing(
    expected: Mapping[str, str], seen: Mapping[str, str], limits: Limits, *, what: str
) -> Refusal | None:
    missing = _missing(expected, seen, limits)
    if not missing:
        return None
    shown = ", ".join(sorted(missing)[:_MOST_NAMES])
    more = ", ..." if len(missing) > _MOST_NAMES else ""
    detail = (
        f"{len(missing)} of {len(expected)} {what} of the last cycle are not in the snapshot"
        f" ({shown}{more}); they count as gone for good after {limits.missing_hold_s:.0f} s"
    )
    return Refusal.of(Reason.OBJECTS_MISSING, detail)


def _missing(
    expected: Mapping[str, str], seen: Mapping[str, str], limits: Limits
) -> tuple[str, ...]:
    """Return the names of what is missing; none where it is one object, or a share that is allowed."""
    missing = tuple(name for key, name in expected.items() if key not in seen)
    allowed = max(limits.missing_objects_ratio * len(expected), 1)
    return missing if len(missing) > allowed else ()


def _is_held(snapshot: Snapshot, moment: Moment, last: Sighting, limits: Limits) -> bool:
    """Whether too much is missing, and has not been for so long that it is gone for good."""
    pairs = ((last.hosts, _hosts(snapshot)), (last.vms, _vms(snapshot)))
    if not any(_missing(expected, seen, limits) for expected, seen in pairs):
        return False
    return moment.ended_s - _missing_since_s(moment, last) < limits.missing_hold_s


def _missing_since_s(moment: Moment, last: Sighting) -> Seconds:
    return moment.ended_s if last.missing_since_s is None else last.missing_since_s


def _hosts(snapshot: Snapshot) -> Mapping[str, str]:
    return {host.id: host.name for host in snapshot.hosts}


def _places(snapshot: Snapshot) -> Mapping[VmId, HostId]:
    return {vm.id: vm.host for vm in snapshot.vms}


def _vms(snapshot: Snapshot) -> Mapping[str, str]:
    return {vm.id: vm.name for vm in snapshot.vms}

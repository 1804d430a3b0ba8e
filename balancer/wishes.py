"""What people want of one cluster at this moment: stops, pauses, hosts to be emptied, approved plans.

Reads the stop file and the store for a job, each time anew. Where the store cannot be read the answer is the
careful one: nothing is sent.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from balancer.adapters.store.permits import covers
from balancer.approvals import usable
from balancer.control import pause_refusal, why_paused
from balancer.model.control import Approval, Evacuation, Pause
from balancer.model.errors import StoreError
from balancer.model.plan import Move, MoveReason
from balancer.model.reasons import Reason, Refusal
from balancer.model.units import HostId
from balancer.policy.types import Policy
from balancer.ports import Clock, Store

log = logging.getLogger(__name__)

StopSwitch = Callable[[], Refusal | None]
"""Answers why nothing may be sent anywhere: the stop file."""


def no_stop() -> Refusal | None:
    """Return that nothing is stopped."""
    return None


NEWEST_APPROVALS = 50
"""How many of the last approvals are looked at for one that can be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """All that people ask at one moment, of all clusters."""

    pauses: tuple[Pause, ...]
    evacuations: tuple[Evacuation, ...]
    approvals: tuple[Approval, ...]


def asked_of(store: Store) -> Asked:
    """Return what people ask now: three short reads. Raises `StoreError`."""
    return Asked(
        pauses=store.pauses(),
        evacuations=store.evacuations(""),
        approvals=store.approvals("", last=NEWEST_APPROVALS),
    )


class Wishes:
    """What is asked of one cluster. `shard` is its watch's key."""

    def __init__(self, store: Store, clock: Clock, shard: str, stop_switch: StopSwitch) -> None:
        self._store, self._clock = store, clock
        self._shard, self._stop_switch = shard, stop_switch

    def why_stopped(self) -> Refusal | None:
        """Return why a person's word keeps anything from being sent at this moment, or None (S8)."""
        try:
            return self._stop_switch() or why_paused(self._store, self._shard)
        except StoreError as err:
            return Refusal.of(Reason.JOURNAL_UNAVAILABLE, str(err))

    def stops_among(self, asked: Asked) -> tuple[Refusal, ...]:
        """Return every stop at this moment, of which the pauses are given."""
        stop = self._stop_switch()
        paused = [pause for pause in asked.pauses if covers(pause.shard, self._shard)]
        return (*([stop] if stop else []), *(pause_refusal(pause) for pause in paused[:1]))

    def emptied(self) -> frozenset[HostId]:
        """Return the hosts that are to be emptied and kept empty. Raises `StoreError`."""
        return frozenset(asked.host for asked in self._store.evacuations(self._shard))

    def applied_to(self, policy: Policy) -> Policy:
        """Return a policy that has the hosts to be emptied in it. Raises `StoreError`."""
        return replace(policy, evacuating=self.emptied())

    def may_move(self, move: Move, is_mandatory: bool) -> Refusal | None:
        """Return why a move is not wanted any more since it was planned: what people ask has changed."""
        del is_mandatory
        try:
            emptied = self.emptied()
        except StoreError as err:
            return Refusal.of(Reason.JOURNAL_UNAVAILABLE, str(err), vm=move.vm)
        if move.target in emptied:
            detail = f"{move.target} was asked to be emptied since"
            return Refusal.of(Reason.TARGET_HOST_STATE, detail, vm=move.vm, host=move.target)
        if move.reason is MoveReason.REQUESTED and move.source not in emptied:
            detail = f"{move.source} is not to be emptied any more"
            return Refusal.of(Reason.NOT_NEEDED, detail, vm=move.vm, host=move.source)
        return None

    def emptied_among(self, asked: Asked) -> frozenset[HostId]:
        """Return the same of what is given."""
        return frozenset(one.host for one in asked.evacuations if one.shard == self._shard)

    def has_approval(self) -> bool:
        """Whether an approved plan waits to be carried out. Raises `StoreError`."""
        known = self._store.approvals(self._shard, last=NEWEST_APPROVALS)
        return usable(known, self._shard, self._clock.now()) is not None

    def has_approval_among(self, asked: Asked) -> bool:
        """Return the same of what is given."""
        return usable(asked.approvals, self._shard, self._clock.now()) is not None

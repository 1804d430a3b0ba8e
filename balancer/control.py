"""What people may ask of a running balancer, as functions over the store: pause, resume, empty a host.

The command line and the HTTP interface are two ways to the same functions. Each writes what was asked together
with who asked (the store notes it in the audit log), and returns what it found as values; words for people are
made by the caller.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from balancer.adapters.store.permits import covers, paused
from balancer.model.control import Evacuation, Pause
from balancer.model.past import Breaker
from balancer.model.reasons import Reason, Refusal
from balancer.model.units import ClusterId
from balancer.ports import Store

LOOKED_BACK = timedelta(days=1)
"""What had failed by a resume, and in so long before, opens no breaker again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who asks, when, and why."""

    actor: str
    at: datetime
    reason: str = ""


def why_paused(store: Store, shard: str) -> Refusal | None:
    """Return the oldest pause that covers a shard, or None. Raises `StoreError`."""
    covering = [pause for pause in store.pauses() if covers(pause.shard, shard)]
    return pause_refusal(covering[0]) if covering else None


def pause_refusal(pause: Pause) -> Refusal:
    """Return a pause as the reason why nothing is sent."""
    return Refusal.of(Reason.PAUSED, paused(pause))


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """What came of asking for a pause. `already` is the one that held before, in place of which nothing is kept."""

    shard: str
    already: Pause | None = None


def pause(store: Store, shard: str, by: By) -> Paused:
    """Let nothing be submitted on a shard (empty: on none) once this returns. Raises `StoreError`."""
    for known in store.pauses():
        if known.shard == shard:
            return Paused(shard=shard, already=known)
    store.pause(Pause(shard=shard, by=by.actor, at=by.at, reason=by.reason))
    return Paused(shard=shard)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifted:
    """What stood in the way of one cluster beside pauses, and was acknowledged."""

    shard: str
    verdicts: int = 0
    breaker: str = ""
    foreign_moves: int = 0

    @property
    def is_something(self) -> bool:
        """Whether anything was lifted."""
        return bool(self.verdicts or self.breaker or self.foreign_moves)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """What a resume has ended and acknowledged, and which pauses still cover the shards."""

    ended: tuple[Pause, ...]
    lifted: tuple[Lifted, ...]
    still: tuple[Pause, ...]


def resume(
    store: Store, shard: str, shards: Sequence[str], by: By, *, acknowledge: bool = True
) -> Resumed:
    """End the pauses of exactly this shard, and acknowledge what holds the clusters `shards` beside these.

    Without `acknowledge` the pauses alone are ended: breaker, verdicts and moves by others hold on.
    A pause of one cluster outlives a resume of everything: who made it had a reason of their own.
    Raises `StoreError`.
    """
    ended = store.resume(shard, by=by.actor, at=by.at)
    found = [_lift(store, one, by) for one in shards] if acknowledge else []
    lifted = tuple(one for one in found if one.is_something)
    still = tuple(p for p in store.pauses() if any(covers(p.shard, one) for one in shards))
    return Resumed(ended=ended, lifted=lifted, still=still)


def _lift(store: Store, shard: str, by: By) -> Lifted:
    cluster = cluster_id_of(store, shard)
    if cluster is None:
        return Lifted(shard=shard)
    vcenter = shard.partition("/")[0]
    past = store.past(vcenter, cluster, by.at - LOOKED_BACK)
    count = store.acknowledge_verdicts(vcenter, cluster, by=by.actor, at=by.at)
    moved = store.acknowledge_foreign_moves(vcenter, cluster, by=by.actor, at=by.at)
    if not past.breaker.is_open:
        return Lifted(shard=shard, verdicts=count, foreign_moves=moved)
    seen = max([past.breaker.counted_to, *(row.id for row in past.rows)])
    store.put_breaker(vcenter, cluster, Breaker(counted_to=seen), at=by.at)
    return Lifted(shard=shard, verdicts=count, breaker=past.breaker.cause, foreign_moves=moved)


def cluster_id_of(store: Store, shard: str) -> ClusterId | None:
    """Return the id of the cluster that the configuration calls so, by its newest kept plan; None without one."""
    newest = store.plans(shard, last=1)
    return ClusterId(json.loads(newest[0].document)["cluster"]["id"]) if newest else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Emptying:
    """What came of asking for a host to be emptied, or of taking that back. `already`: it was so before."""

    evacuation: Evacuation
    already: bool = False


def ask_to_empty(store: Store, wanted: Evacuation, by: By) -> Emptying:
    """Have a host emptied and kept empty until it is cancelled. Raises `StoreError`."""
    for known in store.evacuations(wanted.shard):
        if known.host == wanted.host:
            return Emptying(evacuation=known, already=True)
    asked = replace(wanted, by=by.actor, at=by.at, reason=by.reason)
    number = store.ask_evacuation(asked)
    return Emptying(evacuation=replace(asked, id=number))


def cancel_emptying(store: Store, asked: Evacuation, by: By) -> None:
    """Let a host take VMs again. Raises `StoreError`."""
    store.end_evacuation(asked.id, by=by.actor, at=by.at)

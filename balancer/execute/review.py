"""Looks back before a plan is made: what became of earlier moves, and what follows from it.

Reads the journal's memory of one cluster and writes down what is learnt. Sends nothing and asks vCenter nothing:
what it needs to see is in the snapshot. Each part is judged by a pure function of its own; whatever is written
is found again by the next look, so that a crash between two writes changes nothing.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from balancer.execute.breaker import judged
from balancer.execute.contention import Contention, contention
from balancer.execute.disturbance import disturbances, known_hosts, new_ones, quiet_until
from balancer.execute.foreign import foreign_moves
from balancer.execute.gates import all_closed
from balancer.execute.judging import judge_batches
from balancer.execute.quarantine import new_quarantines
from balancer.execute.tools import Tools
from balancer.model.audit import AuditNote
from balancer.model.events import PastReviewed
from balancer.model.past import Past
from balancer.model.reasons import Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import ClusterId, HostId, VmId
from balancer.policy.types import Limits, Policy

log = logging.getLogger(__name__)

MEMORY = timedelta(days=30)
"""How far back anything is remembered: quarantines that follow each other double."""


def review(
    snapshot: Snapshot,
    policy: Policy,
    tools: Tools,
    *,
    asked_at: datetime,
    before: Mapping[VmId, HostId] | None = None,
    unfit: Sequence[Refusal] = (),
) -> Past:
    """Return what is remembered of the cluster, with what this look has added.

    `asked_at` is our clock when the reading of the snapshot began; `before` is where each VM was at the last
    look, None where there was none, as after a start; `unfit` are the reasons why the snapshot is not fit to act
    on: then no batch is measured by it.

    Raises:
        StoreError: the journal could not be read or written.
    """
    places, limits = before or {}, policy.limits
    past = _remembered(snapshot.cluster.id, tools)
    past = _note_disturbances(snapshot, past, places, tools)
    past = _note_foreign_moves(
        snapshot, past, places, limits=limits, tools=tools, asked_at=asked_at
    )
    past = _concluded(snapshot.cluster.id, past, limits, tools)
    past = judge_batches(snapshot, policy, tools, past, unfit=unfit)
    _show(past, limits, tools)
    return past


def review_ends(cluster: ClusterId, policy: Policy, tools: Tools) -> Past:
    """Return what is remembered after moves have ended in the middle of a run, with what follows from that.

    Raises:
        StoreError: the journal could not be read or written.
    """
    before = _remembered(cluster, tools)
    past = _concluded(cluster, before, policy.limits, tools)
    if past != before:
        _show(past, policy.limits, tools)
    return past


def _remembered(cluster: ClusterId, tools: Tools) -> Past:
    return tools.store.past(tools.vcenter, cluster, tools.clock.now() - MEMORY)


def _concluded(cluster: ClusterId, past: Past, limits: Limits, tools: Tools) -> Past:
    """Write what follows from the rows and from what was seen: quarantines, then the breaker."""
    past = _put_quarantines(cluster, past, limits, tools)
    return _put_breaker(cluster, past, limits, tools)


def _show(past: Past, limits: Limits, tools: Tools) -> None:
    now = tools.clock.now()
    closed = tuple(all_closed(past, limits, now=now))
    tools.events.tell(PastReviewed(past=past, closed=closed, at=now))


def _note_disturbances(
    snapshot: Snapshot, past: Past, places: Mapping[VmId, HostId], tools: Tools
) -> Past:
    """Write what happened to hosts since the last look, and then how they are now."""
    seen = disturbances(
        snapshot, past.hosts, vcenter=tools.vcenter, places=places, now=tools.clock.now()
    )
    new = new_ones(seen, past)
    for one in new:
        facts = {"host": one.subject, "kind": str(one.kind), "detail": one.detail}
        log.warning("cluster disturbed", extra=facts)
        tools.store.note_disturbance(one)
    hosts = known_hosts(snapshot, past.hosts)
    if hosts != past.hosts:
        tools.store.keep_hosts(tools.vcenter, snapshot.cluster.id, hosts)
    return replace(past, disturbances=(*past.disturbances, *new), hosts=hosts)


def _note_foreign_moves(
    snapshot: Snapshot,
    past: Past,
    places: Mapping[VmId, HostId],
    *,
    limits: Limits,
    tools: Tools,
    asked_at: datetime,
) -> Past:
    """Write which VMs somebody else moved after us; where that makes a fight, say so once."""
    now = tools.clock.now()
    new = foreign_moves(
        snapshot,
        past,
        vcenter=tools.vcenter,
        before=places,
        asked_at=asked_at,
        is_shaken=quiet_until(past.disturbances, limits, now=now) is not None,
    )
    after = replace(past, foreign_moves=(*past.foreign_moves, *new))
    was = contention(past.foreign_moves, limits, now=now)
    fight = contention(after.foreign_moves, limits, now=now)
    if fight and not was:
        _tell_fight(fight, tools)
    for move in new:
        facts = {"vm": move.vm, "from": move.source, "to": move.target, "after_row": move.row}
        more = {"is_return": move.is_return, "is_against": move.is_against}
        log.warning("vm moved by somebody else", extra=facts | more)
        tools.store.note_foreign_move(move)
    return after


def _tell_fight(fight: Contention, tools: Tools) -> None:
    """Say why the cluster is left alone, before what makes it so is kept: rather twice than never."""
    log.error("cluster left alone", extra={"detail": fight.told})
    now, told = tools.clock.now(), fight.told
    tools.store.note(AuditNote(at=now, action="cluster.contended", shard=tools.shard, reason=told))


def _put_quarantines(cluster: ClusterId, past: Past, limits: Limits, tools: Tools) -> Past:
    new = new_quarantines(past, limits, vcenter=tools.vcenter, cluster=cluster)
    for one in new:
        facts = {"kind": str(one.kind), "subject": one.subject, "reason": str(one.reason)}
        more = {"detail": one.detail, "level": one.level, "until": one.until.isoformat()}
        log.warning("left alone for a while", extra=facts | more)
        tools.store.put_quarantine(one)
    return replace(past, quarantines=(*past.quarantines, *new))


def _put_breaker(cluster: ClusterId, past: Past, limits: Limits, tools: Tools) -> Past:
    now = tools.clock.now()
    after = judged(past.breaker, past.rows, limits, now=now)
    if after == past.breaker:
        return past
    if after.is_open:
        until = after.until.isoformat() if after.until else None
        facts = {"detail": after.cause, "level": after.level, "until": until}
        log.error("breaker opened", extra=facts)
    elif past.breaker.is_open:
        log.warning("breaker closed: the move that tried has succeeded")
    tools.store.put_breaker(tools.vcenter, cluster, after, at=now)
    return replace(past, breaker=after)

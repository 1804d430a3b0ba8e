"""How each cluster stands: mode and why, cycles, newest plan, what runs, what waits for people, what holds it.

From the store beside a daemon; in the daemon also from what it saw last. What nobody knows is left out.
"""

from datetime import datetime

from balancer.adapters.store.permits import covers
from balancer.api.answer import Answer, Json
from balancer.api.evacuating import evacuation_entry
from balancer.api.journal import past_of
from balancer.api.pausing import pause_entry
from balancer.api.plans import plans_of, waiting_among
from balancer.api.scene import Scene, Watched
from balancer.approvals import KnownPlan
from balancer.board import Seen
from balancer.execute.gates import all_closed
from balancer.execute.review import MEMORY
from balancer.expose.decision_document import decision_entry
from balancer.expose.decision_words import decision_lines
from balancer.expose.document import number
from balancer.expose.figures import timestamp
from balancer.expose.status_view import status_text
from balancer.model.outcome import JournalRow
from balancer.model.past import Past
from balancer.model.reasons import Refusal
from balancer.policy.in_force import InForce

SCHEMA = "balancer/status/v1"
CLUSTERS_SCHEMA = "balancer/clusters/v1"

LOOKED_AT = 20
"""Newest plans among which those that wait are looked for."""


def status(scene: Scene, *, cluster: str | None = None) -> Answer:
    """Say how clusters stand. Raises `NotFound`, `StoreError`, and `InputError` for a policy that is wrong."""
    _, chosen = scene.chosen(cluster)
    document: Json = {
        "schema": SCHEMA,
        "at": timestamp(scene.now()),
        "stop_file": scene.stop_path.exists(),
        "from_daemon": scene.board is not None,
        "clusters": [_entry(scene, one) for one in chosen],
    }
    return Answer(document=document, text=lambda width: status_text(document, width=width))


def clusters(scene: Scene) -> Answer:
    """List the clusters that are watched, with their modes."""
    now = scene.now()
    entries = [
        _names(one) | {"mode": _mode(one, one.in_force(now), scene.seen(one.shard))}
        for one in scene.clusters()
    ]
    document: Json = {"schema": CLUSTERS_SCHEMA, "clusters": entries}
    return Answer(document=document, text=lambda width: status_text(document, width=width))


def _names(cluster: Watched) -> Json:
    return {"cluster": cluster.shard, "vcenter": cluster.vcenter, "name": cluster.name}


def _entry(scene: Scene, cluster: Watched) -> Json:
    now, seen, store = scene.now(), scene.seen(cluster.shard), scene.store
    plans = plans_of(scene, cluster, last=LOOKED_AT)
    past = past_of(scene, cluster, now - MEMORY)
    closed = tuple(all_closed(past, cluster.policy_at(now).limits, now=now))
    entry = _names(cluster) | {"mode": _mode(cluster, cluster.in_force(now), seen)}
    entry |= _cycles(scene, cluster, seen)
    if plans:
        entry["newest_plan"] = _plan(plans[0], now)
    waiting = waiting_among(plans, now)
    return entry | {
        "waiting": [_plan(one, now) for one in waiting],
        "running": [_running(row, seen) for row in past.rows if row.state.is_open],
        "paused": [pause_entry(one) for one in store.pauses() if covers(one.shard, cluster.shard)],
        "evacuations": [evacuation_entry(one) for one in store.evacuations(cluster.shard)],
        "breaker": _breaker(past),
        "closed": [_refusal(one) for one in closed],
    }


def _mode(cluster: Watched, in_force: InForce, seen: Seen) -> Json:
    """Return the mode in force; what the last cycle found, as worse verdicts, may hold it further back."""
    mode: Json = {"configured": cluster.mode.value, "in_force": in_force.mode.value}
    because = in_force.because
    if seen.ended and seen.ended.plan.mode and seen.ended.plan.mode_because:
        mode["last_cycle"] = seen.ended.plan.mode
        because = because or seen.ended.plan.mode_because
    return mode | (_refusal(because) if because else {})


def _cycles(scene: Scene, cluster: Watched, seen: Seen) -> Json:
    found: Json = {"interval_s": number(cluster.interval_s)}
    due = scene.next_turn(cluster.shard)
    if due is not None:
        found["next_cycle_at"] = timestamp(due)
    if seen.ended is not None:
        found["last_cycle"] = {
            "ended_at": timestamp(seen.ended.at),
            "status": seen.ended.plan.status.value,
            "moves_planned": len(seen.ended.plan.moves),
            "moves_sent": seen.ended.sent,
            **({"held": _refusal(seen.ended.held)} if seen.ended.held else {}),
        }
        found["imbalance"] = number(seen.ended.plan.before.imbalance)
        decision = seen.ended.plan.decision
        if decision is not None:
            found["decision"] = decision_entry(decision, seen.snapshot) | {
                "told": list(decision_lines(decision, seen.snapshot))
            }
    if seen.snapshot is not None:
        found["snapshot_taken_at"] = timestamp(seen.snapshot.taken_at)
    if seen.failure is not None:
        found["failure"] = {"at": timestamp(seen.failure.at), "why": seen.failure.why}
    return found


def _plan(known: KnownPlan, now: datetime) -> Json:
    return {
        "number": known.plan.id,
        "digest": known.plan.digest,
        "made_at": timestamp(known.plan.made_at),
        "expires_at": timestamp(known.expires_at),
        "moves": known.plan.moves,
        "status": known.plan.status,
        "state": known.state_at(now).value,
    }


def _running(row: JournalRow, seen: Seen) -> Json:
    entry, progress = row.entry, dict(seen.progress).get(row.entry.vm)
    found: Json = {
        "row": row.id,
        "vm": entry.vm,
        "vm_name": entry.vm_name,
        "from": entry.source,
        "to": entry.target,
        "state": row.state.value,
        "since": timestamp(row.submitted_at or entry.intended_at),
        "expected_seconds": number(entry.expected_seconds),
    }
    return found if progress is None else found | {"progress_percent": progress}


def _breaker(past: Past) -> Json:
    breaker = past.breaker
    if not breaker.is_open:
        return {"is_open": False}
    until: Json = {"until": timestamp(breaker.until)} if breaker.until else {}
    return {"is_open": True, "cause": breaker.cause} | until


def _refusal(refusal: Refusal) -> Json:
    return {"reason": refusal.reason.value, "detail": refusal.detail}

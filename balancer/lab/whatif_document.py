"""The answer of a what-if as JSON: all of it, with the figures' units in the names of the keys."""

from collections.abc import Sequence

from balancer.expose.document import Json, move_entry, number
from balancer.lab.whatif import Answer, Cost, HostChange, Left, Load, Room
from balancer.lab.whatif_seats import Seat, Unplaced
from balancer.model.plan import Conflict
from balancer.model.reasons import Refusal
from balancer.rules.failover import Loss
from balancer.version import VERSION

SCHEMA = "balancer/what-if/v1"


def what_if_document(answer: Answer) -> Json:
    """Return the answer in the fixed order of its keys; equal answers give equal documents."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "cluster": {"id": answer.plan.cluster_id, "name": answer.plan.cluster_name},
        "assumed": list(answer.change.told),
        "fits": answer.fits,
        "unplaced": [unplaced_entry(vm) for vm in answer.unplaced],
        "left": [_left(left) for left in answer.left],
        "conflicts": [_conflict(conflict) for conflict in answer.conflicts],
        "unmet_cpu_mhz": number(answer.unmet_cpu_mhz),
        "started": [seat_entry(seat) for seat in answer.seats],
        "cost": _cost(answer.cost),
        "cost_without_change": _cost(answer.cost_without),
        "moves": [move_entry(move, answer.snapshot) for move in answer.plan.moves],
        "hosts": [_host(host) for host in answer.hosts],
        "room": _room(answer.room),
        "room_without_change": _room(answer.room_before),
        "one_more_failure": _failures(answer.losses),
        "one_more_failure_without_change": _failures(answer.losses_before),
    }


def unplaced_entry(vm: Unplaced) -> Json:
    """Return a VM that finds no host."""
    entry: Json = {"vm": vm.vm, "name": vm.name, "why": _why(vm.why)}
    return entry | ({"from": vm.source} if vm.source else {})


def _left(left: Left) -> Json:
    return {"vm": left.vm, "name": left.name, "host": left.host, "why": _why(left.why)}


def _why(refusals: Sequence[Refusal]) -> list[Json]:
    return [
        {"reason": refusal.reason.value, "detail": refusal.detail, "count": refusal.count}
        for refusal in refusals
    ]


def _conflict(conflict: Conflict) -> Json:
    return {
        "kind": conflict.kind,
        "message": conflict.message,
        "rules": list(conflict.rules),
        "vms": list(conflict.vms),
        "hosts": list(conflict.hosts),
        "relax": conflict.relax,
    }


def seat_entry(seat: Seat) -> Json:
    """Return a VM that was started."""
    entry: Json = {"vm": seat.vm, "name": seat.name, "to": seat.target}
    return entry | ({"from": seat.source} if seat.source else {})


def _cost(cost: Cost) -> Json:
    return {
        "moves": cost.moves,
        "mandatory_moves": cost.mandatory,
        "memory_mib": number(cost.memory_mib),
        "seconds": number(cost.seconds),
    }


def _host(host: HostChange) -> Json:
    entry: Json = {"id": host.id, "name": host.name}
    entry |= {"note": host.note} if host.note else {}
    entry |= {"before": _load(host.before)} if host.before else {}
    return entry | ({"after": _load(host.after)} if host.after else {})


def _load(load: Load) -> Json:
    return {
        "cpu_ratio": number(load.cpu_ratio),
        "memory_ratio": number(load.memory_ratio),
        "held_ratio": number(load.held_ratio),
        "vms": load.vms,
    }


def _room(room: Room) -> Json:
    return {
        "cpu_mhz": number(room.cpu_mhz),
        "cpu_ratio": number(room.cpu_ratio),
        "memory_mib": number(room.memory_mib),
        "memory_ratio": number(room.memory_ratio),
    }


def _failures(found: Sequence[Loss]) -> Json:
    lost = [{"host": loss.host, "vm": loss.vm} for loss in found]
    return {"survived": not found, "lost": lost}

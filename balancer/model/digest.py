"""What a plan would do, as one digest: an approval is bound to it, and a plan file that was changed betrays itself.

Covers the cluster, when the plan was made, every move with all that decides how it is carried out, and the rules
that it was made under. Sentences for people, loads and timings of the planner are not covered. Pure.
"""

import hashlib
from collections.abc import Iterator, Set
from datetime import UTC

from balancer.model.fingerprint import fingerprint
from balancer.model.plan import Move, Plan, RuleMark
from balancer.model.rule import Rule
from balancer.model.snapshot import Snapshot
from balancer.model.units import VmId

SHOWN_DIGITS = 12
"""How much of a digest is shown to people; a prefix names a plan where no other begins so."""


def plan_digest(plan: Plan) -> str:
    """Return 64 hexadecimal digits (SHA-256). Figures count with the nine digits that plan files carry."""
    digest = hashlib.sha256()
    for piece in _pieces(plan):
        digest.update(f"{len(piece)}:".encode())
        digest.update(piece.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def marks_of(snapshot: Snapshot, moves: tuple[Move, ...]) -> tuple[RuleMark, ...]:
    """Return the marks of the active rules that name a VM of these moves, by name."""
    movers = {move.vm for move in moves}
    concerned = [rule for rule in snapshot.active_rules() if movers.intersection(rule.vms)]
    return tuple(
        sorted((_mark(rule, movers) for rule in concerned), key=lambda m: (m.name, m.mark))
    )


def _mark(rule: Rule, movers: Set[VmId]) -> RuleMark:
    members = (frozenset(rule.vms), rule.hosts, rule.most, rule.domains, rule.weight)
    mark = fingerprint(rule.type, rule.mandatory, *members)
    named = tuple(sorted(vm for vm in rule.vms if vm in movers))
    return RuleMark(name=rule.name, mandatory=rule.mandatory, mark=mark, vms=named)


def _pieces(plan: Plan) -> Iterator[str]:
    yield "balancer/plan/v1"
    yield plan.cluster_id
    yield plan.created_at.astimezone(UTC).isoformat()
    for mark in plan.rules:
        yield from ("rule", mark.name, str(mark.mandatory), mark.mark, *mark.vms)
    for move in plan.moves:
        yield from ("move", move.id, move.vm, move.vm_uuid, move.vm_name, move.source, move.target)
        yield from (move.reason.value, move.priority.value, str(move.wave), str(len(move.after)))
        yield from move.after
        figures = (move.start_seconds, move.expected_seconds, move.memory_mib, move.gain, move.pace)
        yield from (f"{figure + 0.0:.9g}" for figure in figures)

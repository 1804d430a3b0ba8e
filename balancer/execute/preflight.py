"""The last look before a move is sent: is everything that the plan relied on still so?

Reads the VM, its rule mates and both hosts anew, applies every move in flight, and asks the same judges
as the planner, then the server itself (S5, S7). Answers with a refusal; never sends anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from balancer.execute.slots import Journeys, all_journeys
from balancer.execute.tools import Tools
from balancer.model.errors import SourceAnswerInvalid
from balancer.model.plan import Move
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import RuleType
from balancer.model.snapshot import FlightKind, Snapshot
from balancer.model.units import HostId, VmId
from balancer.model.vm import Vm
from balancer.policy.types import Policy
from balancer.rules import Candidate, Placement, judge_move
from balancer.rules.placement import Ground


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the look found: the fresh snapshot, and the first move that may not start, if any.

    `warnings` are those of vCenter's check, by VM; they hold nothing up.
    """

    snapshot: Snapshot
    refused: tuple[Move, Refusal] | None = None
    warnings: Mapping[VmId, tuple[Refusal, ...]] = field(default_factory=dict)


def refreshed(view: Snapshot, moves: Sequence[Move], tools: Tools) -> Snapshot:
    """Read anew what these moves depend on: their VMs, the rule mates of these, both hosts of each.

    Raises:
        SourceError: vCenter could not be asked.
    """
    vms = {move.vm for move in moves}
    for rule in view.active_rules(RuleType.AFFINITY, RuleType.ANTI_AFFINITY):
        if vms.intersection(rule.vms):
            vms.update(rule.vms)
    hosts = {host for move in moves for host in (move.source, move.target)}
    return tools.inventory.refresh(view, vms=sorted(vms), hosts=sorted(hosts))


def examine(
    fresh: Snapshot,
    moves: Sequence[Move],
    ours: Journeys,
    *,
    uuids: Mapping[VmId, str],
    policy: Policy,
    tools: Tools,
) -> Verdict:
    """Judge moves that start together, on a fresh snapshot; the first refusal stops the look.

    `ours` are the migrations that we have under way, `uuids` the identities that the plan was made for.

    Raises:
        SourceError: vCenter could not be asked for its own check.
    """
    for move in moves:
        refusal = _facts_changed(fresh, move, uuids.get(move.vm, ""))
        if refusal:
            return Verdict(snapshot=fresh, refused=(move, refusal))
    ground = Ground(fresh, policy, tools.demand_of(fresh, policy))
    refused = _judged(_under_way(ground, ours), moves)
    return Verdict(snapshot=fresh, refused=refused) if refused else _checked(fresh, moves, tools)


def _facts_changed(fresh: Snapshot, move: Move, uuid: str) -> Refusal | None:
    """Return what became of the VM or its hosts since the plan was made."""
    if fresh.cluster.drs.acts_alone:
        return _no(Reason.DRS_AUTOMATED, "the cluster's own DRS was fully automated since", move)
    vm = fresh.vm_by_id.get(move.vm)
    if vm is None:
        return _no(Reason.VM_VANISHED, f"{move.vm_name} is gone", move)
    if uuid and vm.uuid and vm.uuid != uuid:
        return _no(Reason.VM_VANISHED, f"{move.vm} is another VM now: {vm.name}", move)
    if move.target not in fresh.host_by_id:
        return _no(Reason.HOST_VANISHED, f"{move.target} is gone", move)
    return _cannot_leave(fresh, move, vm)


def _cannot_leave(fresh: Snapshot, move: Move, vm: Vm) -> Refusal | None:
    if not vm.is_running:
        return _no(Reason.NOT_RUNNING, f"{vm.name} is {vm.power.phrase}", move)
    flight = next((flight for flight in fresh.in_flight if flight.vm == move.vm), None)
    if flight:
        what = "copy" if flight.kind is FlightKind.PROVISIONING else "migration"
        return _no(Reason.IN_FLIGHT, f"a {what} of {vm.name} is running already", move)
    if vm.host != move.source:
        return _no(
            Reason.SOURCE_CHANGED, f"{vm.name} is on {fresh.host_by_id[vm.host].name} now", move
        )
    return None


def _under_way(ground: Ground, ours: Journeys) -> Placement:
    """Return the placement with every migration in flight begun: it counts on both hosts."""
    placement = Placement(ground)
    for vm, journey in sorted(all_journeys(ours, ground.snapshot).items()):
        if _is_leaving(placement, vm, journey.target):
            placement.start(vm, journey.target)
    return placement


def _is_leaving(placement: Placement, vm: VmId, target: HostId) -> bool:
    host = placement.host_of.get(vm)
    return host is not None and host != target and target in placement.present


def _judged(placement: Placement, moves: Sequence[Move]) -> tuple[Move, Refusal] | None:
    """Judge the moves one after another, each with the earlier ones begun and the later ones announced."""
    placement.heading.update({move.vm: move.target for move in moves})
    for move in moves:
        del placement.heading[move.vm]
        candidate = Candidate(vm=move.vm, target=move.target, is_mandatory=move.reason.is_mandatory)
        refusal = judge_move(placement, candidate)
        if refusal:
            return move, refusal
        placement.start(move.vm, move.target)
    return None


def _checked(fresh: Snapshot, moves: Sequence[Move], tools: Tools) -> Verdict:
    """Ask the server's own check for each move, unless it said so of the same things a short time ago."""
    now_s = tools.clock.monotonic()
    warnings: dict[VmId, tuple[Refusal, ...]] = {}
    for move in moves:
        try:
            said = tools.checks.ask(
                move.vm, move.target, fresh=fresh, inventory=tools.inventory, now_s=now_s
            )
        except SourceAnswerInvalid as err:
            no = _no(Reason.SERVER_CHECK, f"the check gave no answer: {err}", move)
            return Verdict(snapshot=fresh, refused=(move, no))
        if said.refusals:
            return Verdict(snapshot=fresh, refused=(move, said.refusals[0]))
        if said.warnings:
            warnings[move.vm] = said.warnings
    return Verdict(snapshot=fresh, warnings=warnings)


def _no(reason: Reason, detail: str, move: Move) -> Refusal:
    return Refusal.of(reason, detail, vm=move.vm, host=move.target)

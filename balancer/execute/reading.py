"""What was read anew in the middle of a run, as the policy reads it: the planner's rules, modes, exclusions.

Every snapshot that an execution sees comes through here, so that a rule of a policy or of a tag holds at
submit as it did in the plan (S5, S7). Reads and sends nothing.
"""

from dataclasses import replace

from balancer.model.need import Holds
from balancer.model.plan import Move
from balancer.model.reasons import Refusal
from balancer.model.snapshot import Snapshot
from balancer.policy.in_force import InForce
from balancer.policy.mode import Mode
from balancer.policy.resolve import resolve
from balancer.policy.resolved import Resolved
from balancer.policy.types import Policy
from balancer.rules.exclusion import left_alone


def as_the_policy_reads(fresh: Snapshot, before: Snapshot, policy: Policy) -> Resolved:
    """Return a snapshot that was read just now with the rules that hold.

    Tags that cannot be read any more are those of `before`: what was a rule a moment ago still is one.
    """
    return resolve(_with_known_tags(fresh, before), policy)


def kept_from(
    move: Move,
    resolved: Resolved,
    policy: Policy,
    *,
    is_mandatory: bool,
    is_approved: bool = False,
) -> Refusal | None:
    """Return why the policy keeps this move from being made now, or None.

    `is_mandatory` says that it serves an evacuation or a must-rule, by itself or for another; `is_approved` that
    a person approved it.
    """
    holds = Holds(excluded=resolved.excluded)
    refusal = left_alone(holds, move.vm, move.reason, evens_counts=policy.goals.vm_count)
    if refusal:
        return refusal
    if resolved.unfit and not is_mandatory:
        return replace(resolved.unfit[0], vm=move.vm)
    modes = InForce(mode=Mode.AUTOMATIC, vm_modes=resolved.vm_modes, is_approved=is_approved)
    return modes.refusal(move, is_mandatory=is_mandatory)


def _with_known_tags(fresh: Snapshot, before: Snapshot) -> Snapshot:
    if fresh.source.tags.shows_some or not before.source.tags.shows_some:
        return fresh
    vms = {vm.id: vm.tags for vm in before.vms}
    hosts = {host.id: host.tags for host in before.hosts}
    return replace(
        fresh,
        vms=tuple(replace(vm, tags=vms.get(vm.id, vm.tags)) for vm in fresh.vms),
        hosts=tuple(replace(host, tags=hosts.get(host.id, host.tags)) for host in fresh.hosts),
        source=replace(fresh.source, tags=before.source.tags),
    )

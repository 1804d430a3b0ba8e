"""What the policies of a cluster amount to at a moment: mode, windows, settings, rules, and what holds for one VM.

Gathers values for people to read; decides nothing. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from balancer.model.rule import Rule, RuleOrigin, RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.policy.compose import PolicySet
from balancer.policy.effective import EffectiveSetting, effective_settings
from balancer.policy.in_force import InForce, mode_in_force
from balancer.policy.mode import Mode, most_careful
from balancer.policy.resolve import resolve
from balancer.policy.resolved import Note, Resolved
from balancer.policy.rule_types import RuleKind
from balancer.policy.selection import Selection
from balancer.policy.windows import closes_at, is_open, opens_at

_ASKS: Mapping[RuleType, str] = {
    RuleType.AFFINITY: "keep together",
    RuleType.ANTI_AFFINITY: "keep apart",
    RuleType.VM_HOST_AFFINE: "run on",
    RuleType.VM_HOST_ANTI_AFFINE: "keep off",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowView:
    """One window at the moment. `changes_at` is when it closes or opens next, None for out of sight."""

    name: str
    effect: str
    is_open: bool
    changes_at: datetime | None
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleView:
    """One rule: what it asks, how many VMs and hosts it selects, where it comes from, whether it counts."""

    name: str
    asks: str
    is_must: bool
    weight: float
    vms: int
    hosts: int
    origin: str
    counts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VmPolicy:
    """What holds for one VM: its freest mode, what it is left alone from, and the rules that name it."""

    vm: VmId
    name: str
    mode: Mode
    mode_of_vm: Mode | None
    automation: str
    left_alone: tuple[tuple[str, str], ...]
    rules: tuple[RuleView, ...]
    allowed_hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyView:
    """The effective policy of a cluster."""

    cluster: str
    name: str
    at: datetime
    files: tuple[str, ...]
    left_out: tuple[str, ...]
    in_force: InForce
    windows: tuple[WindowView, ...]
    settings: tuple[EffectiveSetting, ...]
    rules: tuple[RuleView, ...]
    notes: tuple[Note, ...]
    conflicts: tuple[str, ...]
    vm: VmPolicy | None = None


def view_policy(
    policies: PolicySet,
    snapshot: Snapshot,
    when: datetime,
    *,
    configured: Mode,
    vm: VmId | None = None,
) -> PolicyView:
    """Return what the policies say at `when` (with a time zone) on a cluster whose own mode is `configured`."""
    policy = policies.at(when)
    resolved = resolve(snapshot, policy)
    in_force = mode_in_force(policy, configured, when, vm_modes=resolved.vm_modes)
    origins = policies.origins
    return PolicyView(
        cluster=snapshot.cluster.name,
        name=policy.name,
        at=when,
        files=policies.files,
        left_out=tuple(map(str, policies.left_out)),
        in_force=in_force,
        windows=tuple(_windows(policies, origins, when)),
        settings=effective_settings(policies, when),
        rules=(*_rules(resolved), *_exclusions(policies, snapshot)),
        notes=resolved.notes,
        conflicts=tuple(map(str, policies.conflicts)),
        vm=_of_vm(resolved, in_force, vm) if vm else None,
    )


def _windows(
    policies: PolicySet, origins: Mapping[str, str], when: datetime
) -> Iterator[WindowView]:
    for window in policies.without_windows.windows:
        opened = is_open(window, when)
        yield WindowView(
            name=window.name,
            effect=window.effect.value,
            is_open=opened,
            changes_at=closes_at(window, when) if opened else opens_at(window, when),
            where=origins.get(f"windows.{window.name}", ""),
        )


def _rules(resolved: Resolved) -> Iterator[RuleView]:
    for rule in resolved.snapshot.rules:
        yield _rule_view(rule, resolved)


def _rule_view(rule: Rule, resolved: Resolved) -> RuleView:
    asks = _ASKS[rule.type]
    if rule.type is RuleType.ANTI_AFFINITY and (rule.most > 1 or rule.domains):
        per = "group of hosts" if rule.domains else "host"
        asks = f"at most {rule.most} on a {per}"
    is_own = rule.origin is RuleOrigin.DRS
    return RuleView(
        name=rule.name,
        asks=asks,
        is_must=rule.mandatory,
        weight=rule.weight,
        vms=len(rule.vms),
        hosts=len(rule.hosts.union(*rule.domains)),
        origin="the cluster" if is_own else resolved.places.get(rule.name, rule.origin.value),
        counts=rule.enabled,
    )


def _exclusions(policies: PolicySet, snapshot: Snapshot) -> Iterator[RuleView]:
    """Yield the rules that leave VMs alone, which are no rules of placement."""
    selection = Selection(snapshot)
    for rule in policies.without_windows.rules:
        if rule.kind is RuleKind.EXCLUDE:
            goals = ", ".join(sorted(rule.exclude_from))
            yield RuleView(
                name=rule.name,
                asks=f"leave alone ({goals})",
                is_must=True,
                weight=1.0,
                vms=len(selection.vms(rule.vms)),
                hosts=0,
                origin=rule.origin,
                counts=True,
            )


def _of_vm(resolved: Resolved, in_force: InForce, vm: VmId) -> VmPolicy:
    facts = resolved.snapshot.vm_by_id[vm]
    own = resolved.vm_modes.get(vm)
    naming = [rule for rule in resolved.snapshot.rules if vm in rule.vms]
    left_alone = (
        (goal.value, refusals[vm].detail)
        for goal, refusals in sorted(resolved.excluded.items())
        if vm in refusals
    )
    return VmPolicy(
        vm=vm,
        name=facts.name,
        mode=most_careful(in_force.mode, own),
        mode_of_vm=own,
        automation=facts.automation.value,
        left_alone=tuple(left_alone),
        rules=tuple(_rule_view(rule, resolved) for rule in naming),
        allowed_hosts=tuple(_allowed(resolved.snapshot, naming)),
    )


def _allowed(snapshot: Snapshot, rules: Sequence[Rule]) -> Iterator[str]:
    """Yield the names of the hosts that the VM-host laws allow."""
    laws = [rule for rule in rules if rule.enabled and rule.mandatory]

    def is_allowed(host: HostId) -> bool:
        return all(rule.allows_host(host) for rule in laws)

    yield from (host.name for host in snapshot.hosts if is_allowed(host.id))

"""The cluster itself in model values: EVC, DRS and HA settings, rules, groups, per-VM overrides.

Owns the translation of `configurationEx`. Reads rules and groups whether or not DRS is on: mandatory
VM-host rules hold without it. Must never weaken a rule; members that are not in the snapshot are left
out by the inventory, which counts what it could not read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from pyVmomi import vim
from pyVmomi.VmomiSupport import ManagedObject

from balancer.adapters.vsphere.evc import Masks
from balancer.adapters.vsphere.facts import Facts, object_id
from balancer.adapters.vsphere.words import unknown_of_cluster
from balancer.model.evc import EvcMode
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import MANDATORY_MOVES_ONLY, Cluster, Drs, Ha
from balancer.model.units import ClusterId, HostId, VmId
from balancer.model.vm import Automation

_Info = vim.cluster.ConfigInfoEx
Id = TypeVar("Id", HostId, VmId)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """The cluster, its rules, and what it says of single VMs and hosts."""

    cluster: Cluster
    rules: tuple[Rule, ...]
    automation: Mapping[VmId, Automation]
    vm_groups: Mapping[VmId, frozenset[str]]
    host_groups: Mapping[HostId, frozenset[str]]
    swap_placement: str | None = None
    evc_masks: Mapping[str, Masks] = field(default_factory=dict)
    unknown_words: tuple[str, ...] = ()


def cluster_from(
    facts: Facts,
    evc_modes: Iterable[EvcMode],
    evc_masks: Mapping[str, Masks] = MappingProxyType({}),
) -> ClusterFacts | None:
    """Translate a cluster, None where its configuration or its EVC state was not given.

    `evc_modes` and their feature masks, `evc_masks`, are the server's.
    """
    info = facts.one("configurationEx", _Info)
    summary = facts.one("summary", vim.ClusterComputeResource.Summary)
    if info is None or summary is None:
        return None
    vm_groups = {g.name or "": g.vm for g in info.group if isinstance(g, vim.cluster.VmGroup)}
    host_groups = {g.name or "": g.host for g in info.group if isinstance(g, vim.cluster.HostGroup)}
    cluster = Cluster(
        id=ClusterId(facts.id),
        name=facts.text("name") or facts.id,
        evc_mode=summary.currentEVCModeKey or None,
        evc_modes=tuple(evc_modes),
        drs=_drs(info.drsConfig),
        ha=_ha(info.dasConfig),
    )
    return ClusterFacts(
        cluster=cluster,
        rules=tuple(_rules(info, _Groups(vm_groups, host_groups))),
        automation=_automation(info),
        vm_groups=_memberships((name, _vm_ids(vms)) for name, vms in vm_groups.items()),
        host_groups=_memberships((name, _host_ids(hosts)) for name, hosts in host_groups.items()),
        swap_placement=info.vmSwapPlacement,
        evc_masks=evc_masks,
        unknown_words=unknown_of_cluster(info),
    )


def within(rule: Rule, vms: frozenset[VmId], hosts: frozenset[HostId]) -> Rule:
    """Return the rule without members that are not in the snapshot."""
    if vms.issuperset(rule.vms) and hosts >= rule.hosts:
        return rule
    kept = tuple(vm for vm in rule.vms if vm in vms)
    return replace(rule, vms=kept, hosts=rule.hosts & hosts)


def evc_modes_from(facts: Facts) -> tuple[EvcMode, ...]:
    """Translate the service instance's `capability.supportedEVCMode`, in the server's order."""
    return tuple(
        EvcMode(
            key=mode.key,
            vendor=mode.vendor,
            tier=mode.vendorTier,
            track=frozenset(mode.track),
        )
        for mode in facts.many("capability.supportedEVCMode", vim.EVCMode)
    )


@dataclass(frozen=True, slots=True)
class _Groups:
    """The members of groups by name; rules refer to them by name."""

    vms: Mapping[str, list[vim.VirtualMachine]]
    hosts: Mapping[str, list[vim.HostSystem]]


_ALWAYS_MUST = frozenset({RuleType.AFFINITY, RuleType.ANTI_AFFINITY})
"""Rules between VMs have no must or should in the user interface, and DRS never breaks them by a move of
its own. Their flag concerns power-on alone, so they are must-rules here whatever it says."""


def _rules(info: _Info, groups: _Groups) -> Iterable[Rule]:
    for wire in info.rule:
        rule = _rule(wire, groups)
        if rule is not None:
            # Source: `ClusterRuleInfo`: both flags default to false.
            must = bool(wire.mandatory) or rule.type in _ALWAYS_MUST
            yield replace(rule, enabled=bool(wire.enabled), mandatory=must)


def _rule(wire: vim.cluster.RuleInfo, groups: _Groups) -> Rule | None:
    if isinstance(wire, vim.cluster.AffinityRuleSpec):
        return Rule(name=wire.name or "", type=RuleType.AFFINITY, vms=_vm_ids(wire.vm))
    if isinstance(wire, vim.cluster.AntiAffinityRuleSpec):
        return Rule(name=wire.name or "", type=RuleType.ANTI_AFFINITY, vms=_vm_ids(wire.vm))
    if isinstance(wire, vim.cluster.VmHostRuleInfo):
        is_affine = bool(wire.affineHostGroupName)
        group = wire.affineHostGroupName or wire.antiAffineHostGroupName or ""
        return Rule(
            name=wire.name or "",
            type=RuleType.VM_HOST_AFFINE if is_affine else RuleType.VM_HOST_ANTI_AFFINE,
            vms=_vm_ids(groups.vms.get(wire.vmGroupName or "", [])),
            hosts=frozenset(_host_ids(groups.hosts.get(group, []))),
        )
    return None  # restart order for HA, which a migration cannot break


def _automation(info: _Info) -> dict[VmId, Automation]:
    """Return the overrides. They count unless `enableVmBehaviorOverrides` is false.

    One whose word is not known here is taken as manual: its owner asked for something, so nothing moves
    the VM unasked.
    """
    if info.drsConfig is not None and info.drsConfig.enableVmBehaviorOverrides is False:
        return {}
    found = {}
    for override in info.drsVmConfig:
        vm = VmId(str(object_id(override.key)))
        if override.enabled is False:
            found[vm] = Automation.DISABLED
        elif override.behavior:
            found[vm] = _automation_of(override.behavior) or Automation.MANUAL
    return found


def _automation_of(word: str | None) -> Automation | None:
    return Automation(word) if word in set(Automation) else None


def _drs(drs: vim.cluster.DrsConfigInfo | None) -> Drs:
    """Translate DRS. A default that is not known here counts as one that acts by itself."""
    if drs is None:
        return Drs()
    rate = drs.vmotionRate
    return Drs(
        enabled=bool(drs.enabled),
        automation=_automation_of(drs.defaultVmBehavior),
        vmotion_rate=rate if rate in range(1, MANDATORY_MOVES_ONLY + 1) else None,
    )


def _ha(das: vim.cluster.DasConfigInfo | None) -> Ha:
    """Translate HA. What admission control keeps free counts only while it is switched on."""
    if das is None:
        return Ha()
    enabled = bool(das.enabled)
    policy = das.admissionControlPolicy if das.admissionControlEnabled else None
    if isinstance(policy, vim.cluster.FailoverHostAdmissionControlPolicy):
        return Ha(enabled=enabled, failover_hosts=frozenset(_host_ids(policy.failoverHosts)))
    if isinstance(policy, vim.cluster.FailoverResourcesAdmissionControlPolicy):
        return Ha(
            enabled=enabled,
            host_failures_to_tolerate=policy.failoverLevel or 0,
            cpu_reserve_percent=float(policy.cpuFailoverResourcesPercent or 0),
            memory_reserve_percent=float(policy.memoryFailoverResourcesPercent or 0),
        )
    if isinstance(policy, vim.cluster.FailoverLevelAdmissionControlPolicy):
        return Ha(enabled=enabled, host_failures_to_tolerate=policy.failoverLevel or 0)
    return Ha(enabled=enabled)


def _memberships(groups: Iterable[tuple[str, Iterable[Id]]]) -> dict[Id, frozenset[str]]:
    found: dict[Id, frozenset[str]] = {}
    for name, members in groups:
        for member in members:
            found[member] = found.get(member, frozenset()) | {name}
    return found


def _vm_ids(refs: Iterable[ManagedObject]) -> tuple[VmId, ...]:
    return tuple(VmId(str(object_id(ref))) for ref in refs)


def _host_ids(refs: Iterable[ManagedObject]) -> tuple[HostId, ...]:
    return tuple(HostId(str(object_id(ref))) for ref in refs)

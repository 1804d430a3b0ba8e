"""What a snapshot file must hold beyond its shape: ids that are unique, references that lead somewhere.

Two kinds of findings: problems, which make a file useless and are listed with their JSON path, and
warnings, which real clusters contain (rules that contradict each other) and a planner must live with.
Pure functions over values that were already read.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from balancer.adapters.files.snapshot_types import SnapshotEntry
from balancer.model.errors import Problem
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.policy.problems import shown

_VM_HOST = (RuleType.VM_HOST_AFFINE, RuleType.VM_HOST_ANTI_AFFINE)


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


def reference_problems(entry: SnapshotEntry) -> list[Problem]:
    """Return ids given twice, and references to hosts and VMs that are not in the file, with places."""
    hosts = {host.id for host in entry["hosts"]}
    vms = {vm.id for vm in entry["vms"]}
    found = [
        *_twice("hosts", entry["hosts"]),
        *_twice("vms", entry["vms"]),
        *_twice("datastores", entry.get("datastores", ())),
        *_twice("networks", entry.get("networks", ())),
        *_twice("resource_pools", entry.get("resource_pools", ())),
    ]
    for index, vm in enumerate(entry["vms"]):
        found += _lost(f"vms[{index}].host", [vm.host], hosts, "host", of=vm.id)
    failover = sorted(entry["cluster"].ha.failover_hosts)
    found += _lost("cluster.ha.failover_hosts", failover, hosts, "host")
    for index, rule in enumerate(entry.get("rules", ())):
        found += _rule_problems(f"rules[{index}]", rule, vms, hosts)
    for index, flight in enumerate(entry.get("migrations_in_flight", ())):
        place = f"migrations_in_flight[{index}]"
        found += _lost(f"{place}.vm", [flight.vm], vms, "VM")
        found += _lost(f"{place}.from", [flight.source], hosts, "host")
        found += _lost(f"{place}.to", [flight.target], hosts, "host")
    return found


def _twice(place: str, values: Sequence[_HasId]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, value in enumerate(values):
        if value.id in first:
            found = f"{shown(value.id)} is given twice, first at {place}[{first[value.id]}]"
            yield Problem(where=f"{place}[{index}].id", found=found, allowed="each id once")
        first.setdefault(value.id, index)


def _lost(
    place: str, ids: Iterable[str], known: Iterable[str], kind: str, *, of: str = ""
) -> Iterator[Problem]:
    for lost in ids:
        if lost not in known:
            owner = f" (of {shown(of)})" if of else ""
            found = f"there is no {kind} {shown(lost)} in the file{owner}"
            yield Problem(where=place, found=found, allowed=f"the id of a {kind} of the file")


def _rule_problems(place: str, rule: Rule, vms: set[VmId], hosts: set[HostId]) -> Iterator[Problem]:
    yield from _lost(f"{place}.vms", rule.vms, vms, "VM", of=rule.name)
    yield from _lost(f"{place}.hosts", sorted(rule.hosts), hosts, "host", of=rule.name)
    for vm in sorted({vm for vm in rule.vms if rule.vms.count(vm) > 1}):
        found = f"{shown(vm)} is given twice (of {shown(rule.name)})"
        yield Problem(where=f"{place}.vms", found=found, allowed="each VM once")


def snapshot_warnings(snapshot: Snapshot) -> tuple[Problem, ...]:
    """Return what contradicts itself in the cluster, in the order of its rules. None stops a planner."""
    musts = [(i, rule) for i, rule in enumerate(snapshot.rules) if rule.enabled and rule.mandatory]
    return (
        *_same_names(snapshot.rules),
        *_together_and_apart(musts),
        *_nowhere_to_run(musts, snapshot),
        *_too_many_apart(musts, snapshot),
        *_profiles_without_slot(snapshot),
    )


def _same_names(rules: Sequence[Rule]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, rule in enumerate(rules):
        if rule.name in first:
            found = f"{shown(rule.name)} is also the name of rules[{first[rule.name]}]"
            yield Problem(where=f"rules[{index}].name", found=found)
        first.setdefault(rule.name, index)


def _together_and_apart(musts: Sequence[tuple[int, Rule]]) -> Iterator[Problem]:
    group_of: dict[VmId, set[int]] = defaultdict(set)
    rule_of = dict(musts)
    for index, rule in musts:
        if rule.type is RuleType.AFFINITY:
            for vm in rule.vms:
                group_of[vm].add(index)
    for index, rule in musts:
        if rule.type is not RuleType.ANTI_AFFINITY:
            continue
        met: dict[int, list[VmId]] = defaultdict(list)
        for vm in rule.vms:
            for group in group_of[vm]:
                met[group].append(vm)
        for group, both in sorted(met.items()):
            if len(both) > 1:
                names = f"{shown(rule_of[group].name)} keeps together what {shown(rule.name)}"
                found = f"{names} keeps apart: {', '.join(sorted(both))}"
                yield Problem(where=f"rules[{group}] and rules[{index}]", found=found)


def _nowhere_to_run(musts: Sequence[tuple[int, Rule]], snapshot: Snapshot) -> Iterator[Problem]:
    rules_of: dict[VmId, list[tuple[int, Rule]]] = defaultdict(list)
    for index, rule in musts:
        if rule.type in _VM_HOST:
            for vm in rule.vms:
                rules_of[vm].append((index, rule))
    said: set[tuple[int, ...]] = set()
    for vm, rules in sorted(rules_of.items()):
        places = tuple(index for index, _ in rules)
        if places in said or any(_all_allow(rules, host.id) for host in snapshot.hosts):
            continue
        said.add(places)
        names = ", ".join(shown(rule.name) for _, rule in rules)
        where = " and ".join(f"rules[{index}]" for index in places)
        yield Problem(where=where, found=f"{vm} may run on no host: {names}")


def _all_allow(rules: Iterable[tuple[int, Rule]], host: HostId) -> bool:
    return all(rule.allows_host(host) for _, rule in rules)


def _too_many_apart(musts: Sequence[tuple[int, Rule]], snapshot: Snapshot) -> Iterator[Problem]:
    running = {vm.id for vm in snapshot.running_vms}
    for index, rule in musts:
        if rule.type is not RuleType.ANTI_AFFINITY:
            continue
        count = sum(1 for vm in rule.vms if vm in running)
        if count > len(snapshot.serving_hosts):
            found = f"{shown(rule.name)} keeps {count} running VMs apart"
            hosts = f"only {len(snapshot.serving_hosts)} hosts may run VMs"
            yield Problem(where=f"rules[{index}].vms", found=f"{found}, but {hosts}")


def _profiles_without_slot(snapshot: Snapshot) -> Iterator[Problem]:
    if snapshot.profile_slot_seconds is None and any(vm.profile for vm in snapshot.vms):
        yield Problem(
            where="profile_slot_seconds",
            found="VMs have demand profiles, but the length of a slot is missing",
        )

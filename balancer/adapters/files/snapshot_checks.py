"""What a snapshot file must hold beyond its shape: ids that are unique, references that lead somewhere.

Two kinds of findings: mistakes, which make a file useless and are looked for in the plain document, so
that they are found beside mistakes of shape; and warnings, which real clusters contain (rules that
contradict each other) and a planner must live with. Pure functions; no document makes them raise.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from balancer.model.errors import Problem
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.policy.problems import Loc, Mistake, shown
from balancer.policy.unchecked import entries, known, part, text, texts

_VM_HOST = (RuleType.VM_HOST_AFFINE, RuleType.VM_HOST_ANTI_AFFINE)

_WITH_IDS = ("hosts", "vms", "datastores", "networks", "resource_pools")
_Ids = frozenset[str] | None


def reference_mistakes(document: object) -> Iterator[Mistake]:
    """Yield ids given twice, and references to hosts and VMs that are not in the file.

    References to a section of which no id can be read are not judged.
    """
    for section in _WITH_IDS:
        yield from _given_twice(document, section)
    hosts, vms = known(document, "hosts"), known(document, "vms")
    for index, vm in entries(document, "vms"):
        host = text(vm, "host")
        if host and hosts is not None and host not in hosts:  # 10,000 times: no call for nothing
            yield from _lost(("vms", index, "host"), [host], hosts, "host", of=text(vm, "id"))
    failover = sorted(set(texts(part(part(document, "cluster"), "ha"), "failover_hosts")))
    yield from _lost(("cluster", "ha", "failover_hosts"), failover, hosts, "host")
    for index, rule in entries(document, "rules"):
        yield from _rule_mistakes(("rules", index), rule, vms, hosts)
    for index, flight in entries(document, "migrations_in_flight"):
        place = ("migrations_in_flight", index)
        yield from _lost((*place, "vm"), _named(flight, "vm"), vms, "VM")
        yield from _lost((*place, "from"), _named(flight, "from"), hosts, "host")
        yield from _lost((*place, "to"), _named(flight, "to"), hosts, "host")


def _given_twice(document: object, section: str) -> Iterator[Mistake]:
    first: dict[str, int] = {}
    for index, entry in entries(document, section):
        name = text(entry, "id")
        if name and first.setdefault(name, index) != index:
            found = f"{shown(name)} is given twice, first at {section}[{first[name]}]"
            yield Mistake(path=(section, index, "id"), found=found, allowed="each id once")


def _named(entry: Mapping[str, object], key: str) -> tuple[str, ...]:
    name = text(entry, key)
    return (name,) if name else ()


def _lost(
    path: Loc, ids: Iterable[str], known_ids: _Ids, kind: str, *, of: str = ""
) -> Iterator[Mistake]:
    if known_ids is None:
        return
    for lost in ids:
        if lost not in known_ids:
            owner = f" (of {shown(of)})" if of else ""
            found = f"there is no {kind} {shown(lost)} in the file{owner}"
            yield Mistake(path=path, found=found, allowed=f"the id of a {kind} of the file")


def _rule_mistakes(
    place: Loc, rule: Mapping[str, object], vms: _Ids, hosts: _Ids
) -> Iterator[Mistake]:
    name, over = text(rule, "name"), texts(rule, "vms")
    yield from _lost((*place, "vms"), over, vms, "VM", of=name)
    yield from _lost((*place, "hosts"), sorted(set(texts(rule, "hosts"))), hosts, "host", of=name)
    yield from _domain_mistakes(place, rule, hosts)
    for vm, count in sorted(Counter(over).items()):
        if count > 1:
            found = f"{shown(vm)} is given twice (of {shown(name)})"
            yield Mistake(path=(*place, "vms"), found=found, allowed="each VM once")


def _domain_mistakes(place: Loc, rule: Mapping[str, object], hosts: _Ids) -> Iterator[Mistake]:
    """Yield numbers and domains where they mean nothing, and hosts of these that are unknown or in two."""
    name, seen = text(rule, "name"), set[str]()
    for key in ("most", "domains"):
        if key in rule and text(rule, "type") != RuleType.ANTI_AFFINITY:
            allowed = f"only in a rule of type '{RuleType.ANTI_AFFINITY}'"
            yield Mistake(
                path=(*place, key), found=f"{key} (of {shown(name)})", allowed=allowed, at_key=True
            )
    domains = rule.get("domains")
    for index, domain in enumerate(domains if isinstance(domains, list) else ()):
        named = (
            {host for host in domain if isinstance(host, str)}
            if isinstance(domain, list)
            else set[str]()
        )
        path: Loc = (*place, "domains", index)
        yield from _lost(path, sorted(named), hosts, "host", of=name)
        for host in sorted(named & seen):
            found = f"{shown(host)} is in two domains (of {shown(name)})"
            yield Mistake(path=path, found=found, allowed="each host in one")
        seen |= named


def snapshot_warnings(snapshot: Snapshot) -> tuple[Problem, ...]:
    """Return what contradicts itself in the cluster, in the order of its rules. None stops a planner."""
    musts = [(i, rule) for i, rule in enumerate(snapshot.rules) if rule.enabled and rule.mandatory]
    return (
        *_same_names(snapshot.rules),
        *_together_and_apart(musts),
        *_nowhere_to_run(musts, snapshot),
        *_too_many_apart(musts, snapshot),
        *_profiles_without_slot(snapshot),
        *_past_without_step(snapshot),
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
        places = rule.most * len({rule.domain_of(host.id) for host in snapshot.serving_hosts})
        if count > places:
            found = f"{shown(rule.name)} keeps {count} running VMs apart"
            hosts = f"only {len(snapshot.serving_hosts)} hosts may run VMs"
            if rule.most > 1 or rule.domains:
                hosts += f", which have {places} places for them"
            yield Problem(where=f"rules[{index}].vms", found=f"{found}, but {hosts}")


def _past_without_step(snapshot: Snapshot) -> Iterator[Problem]:
    """Yield that the past of hosts cannot be read: only the present counts then."""
    known = [host for host in snapshot.hosts if host.recent_cpu_mhz or host.recent_memory_mib]
    if snapshot.recent_step_seconds is None and known:
        yield Problem(
            where="recent_step_seconds",
            found="hosts have recent_cpu_mhz or recent_memory_mib, but the length of a step is missing",
        )


def _profiles_without_slot(snapshot: Snapshot) -> Iterator[Problem]:
    if snapshot.profile_slot_seconds is None and any(vm.profile for vm in snapshot.vms):
        yield Problem(
            where="profile_slot_seconds",
            found="VMs have demand profiles, but the length of a slot is missing",
        )

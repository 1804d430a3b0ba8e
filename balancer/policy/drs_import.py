"""The cluster's own DRS rules and overrides, written as a policy that asks for the same.

Owns the step from rules of known VMs back to selectors of names: names that two VMs share are told apart by
their folders, and what cannot be said is told and left out. Pure.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from balancer.model.rule import Rule, RuleOrigin, RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.model.vm import Automation, Vm
from balancer.policy.pattern import LONGEST_PATTERN
from balancer.policy.problems import plain, shown
from balancer.policy.selection import Selection
from balancer.policy.selector_document import SelectorDocument
from balancer.policy.yaml_text import block, comment

Id = TypeVar("Id", bound=str)
Fields = dict[str, object]
Parts = dict[str, object]
_TYPES = {
    RuleType.AFFINITY: "affinity",
    RuleType.ANTI_AFFINITY: "anti-affinity",
    RuleType.VM_HOST_AFFINE: "vm-host",
    RuleType.VM_HOST_ANTI_AFFINE: "vm-host",
}
_TIES = {
    Automation.MANUAL: "DRS override manual",
    Automation.DISABLED: "DRS override disabled",
}
_HEAD = """\
# yaml-language-server: $schema=policy.v1.schema.json
# The schema of the line above: balancer schema policy --output policy.v1.schema.json"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedPolicy:
    """The file's text, how many rules it has, and what of the cluster could not be said in it."""

    text: str
    rules: int
    untold: tuple[str, ...]


def drs_policy(snapshot: Snapshot) -> ImportedPolicy:
    """Return the cluster's enabled DRS rules, and the VMs that DRS leaves alone, as a policy file.

    The file switches the cluster's own rules and overrides off, so that nothing counts twice. Rules keep
    their order. A rule of a whole VM or host group names the group, so that it follows the group.
    """
    writer = _Writer(snapshot)
    for rule in snapshot.rules:
        if rule.origin is RuleOrigin.DRS:
            writer.take(rule)
    for automation in _TIES:
        writer.take_override(automation)
    lines = [_HEAD, *writer.remarks(), *block(_document(snapshot))]
    if writer.rules:
        lines += ["", "rules:", *(line for rule in writer.rules for line in _entry(rule))]
    text = "\n".join(lines) + "\n"
    return ImportedPolicy(text=text, rules=len(writer.rules), untold=tuple(writer.untold))


def _document(snapshot: Snapshot) -> Fields:
    name = snapshot.cluster.name
    document: Fields = {
        "apiVersion": "balancer/v1",
        "kind": "Policy",
        "name": f"drs-rules-{name}"[:LONGEST_PATTERN] if _is_word(name) else "drs-rules",
        "description": "The DRS rules of the cluster, taken over.",
    }
    if _is_word(name):
        document["applies_to"] = {"clusters": [_literal(name)]}
    return document | {"drs": {"rules": False, "overrides": False}}


def _literal(name: str) -> str:
    """Return the glob that matches a name and nothing else."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _entry(rule: Fields) -> Iterator[str]:
    lines = list(block(rule, "    "))
    yield f"  - {lines[0].strip()}"
    yield from lines[1:]


def _is_word(text: str) -> bool:
    """Whether a policy can say this name: not empty, not too long, valid Unicode."""
    is_unicode = not any("\ud800" <= c <= "\udfff" for c in text)
    return 0 < len(text) <= LONGEST_PATTERN and is_unicode


@dataclass(slots=True)
class _Writer:
    """Turns rules into entries of the file, one by one."""

    snapshot: Snapshot
    rules: list[Fields] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    _selection: Selection = field(init=False)
    _shared: Counter[str] = field(init=False)
    _vm_groups: dict[frozenset[VmId], list[str]] = field(init=False)
    _host_groups: dict[frozenset[HostId], list[str]] = field(init=False)

    def __post_init__(self) -> None:
        """Look up once what every rule asks."""
        self._selection = Selection(self.snapshot)
        self._shared = Counter(vm.name for vm in self.snapshot.vms)
        self._vm_groups = _groups_by_members((vm.id, vm.groups) for vm in self.snapshot.vms)
        hosts = self.snapshot.hosts
        self._host_groups = _groups_by_members((host.id, host.groups) for host in hosts)

    def take(self, rule: Rule) -> None:
        """Write one rule of the cluster, or say why not."""
        known = [vm for vm in rule.vms if vm in self.snapshot.vm_by_id]
        idle = _why_idle(rule, known)
        if idle:
            self.left_out.append(f"{shown(rule.name)} {idle}")
            return
        vms, hosts = self._vms(known, rule), self._hosts(rule)
        if vms is None or hosts is None:
            return
        entry: Fields = {"name": self._name(rule.name), "type": _TYPES[rule.type], "vms": vms}
        if not rule.mandatory:
            entry["enforce"] = "should"
            entry |= {"weight": rule.weight} if rule.weight != 1.0 else {}
        entry |= {"most": rule.most} if rule.most != 1 else {}
        self.rules.append(entry | hosts)

    def take_override(self, automation: Automation) -> None:
        """Write the VMs with an override that keeps DRS from moving them."""
        vms = [vm.id for vm in self.snapshot.vms if vm.automation is automation]
        selector = self._selector(vms, f"override {automation}") if vms else None
        if selector:
            name = self._name(_TIES[automation])
            self.rules.append({"name": name, "type": "exclude", "vms": selector})

    def remarks(self) -> Iterator[str]:
        """Yield the comments at the head of the file."""
        yield comment(f"DRS rules and overrides of cluster {shown(self.snapshot.cluster.name)}.")
        yield from (comment(f"Left out: rule {words}.") for words in self.left_out)
        yield from (comment(f"NOT TAKEN OVER: {words}.") for words in self.untold)

    def _name(self, wanted: str) -> str:
        base = wanted if _is_word(wanted) else f"rule {len(self.rules) + 1}"
        base, number = base[: LONGEST_PATTERN - 8], 1
        name = base
        while name in self.names:
            number += 1
            name = f"{base} ({number})"
        self.names.add(name)
        return name

    def _vms(self, vms: list[VmId], rule: Rule) -> Parts | None:
        if rule.type in (RuleType.VM_HOST_AFFINE, RuleType.VM_HOST_ANTI_AFFINE):
            groups = self._vm_groups.get(frozenset(vms), [])
            if len(groups) == 1:
                return {"group": groups[0]}
        return self._selector(vms, f"rule {shown(rule.name)}")

    def _hosts(self, rule: Rule) -> Fields | None:
        if rule.type not in (RuleType.VM_HOST_AFFINE, RuleType.VM_HOST_ANTI_AFFINE):
            return {}
        key = "run_on" if rule.type is RuleType.VM_HOST_AFFINE else "keep_off"
        known = frozenset(h for h in rule.hosts if h in self.snapshot.host_by_id)
        groups = self._host_groups.get(known, [])
        if len(groups) == 1:
            return {key: {"group": groups[0]}}
        names = sorted(self.snapshot.host_by_id[host].name for host in known)
        if names and all(map(_is_word, names)) and self._selects_hosts(names, known):
            return {key: {"name": names}}
        what = "hosts that no selector tells apart" if names else "no hosts, so that it forbids all"
        self.untold.append(f"rule {shown(rule.name)}: {what}")
        return None

    def _selects_hosts(self, names: list[str], wanted: frozenset[HostId]) -> bool:
        selector = SelectorDocument.model_validate({"name": names}).value()
        return self._selection.hosts(selector) == wanted

    def _selector(self, vms: Iterable[VmId], whose: str) -> Parts | None:
        """Return a selector of exactly these VMs, or None where there is none."""
        facts = [self.snapshot.vm_by_id[vm] for vm in vms]
        wrong = [vm for vm in facts if not _is_word(vm.name)]
        plain_names = sorted(vm.name for vm in facts if self._shared[vm.name] == 1)
        parts: list[Parts] = [{"name": plain_names}] if plain_names else []
        for vm in sorted(facts, key=lambda vm: vm.id):
            if self._shared[vm.name] > 1 and vm not in wrong:
                told = self._told_apart(vm)
                parts += [told] if told else []
                wrong += [] if told else [vm]
        if wrong:
            names = ", ".join(f"{shown(vm.name)} ({vm.id})" for vm in wrong[:8])
            self.untold.append(f"{whose}: no selector tells {names} from the others")
            return None
        return parts[0] if len(parts) == 1 else {"any": parts}

    def _told_apart(self, vm: Vm) -> Parts | None:
        """Return a selector of one VM whose name others have too."""
        others = {o.folder for o in self.snapshot.vms if o.name == vm.name and o.id != vm.id}
        if vm.folder is None or not _is_word(vm.folder):
            return None
        parts: Parts = {"name": vm.name, "folder": vm.folder}
        below = sorted(f for f in others if f is not None and f.startswith(f"{vm.folder}/"))
        if below:
            parts["not"] = {"folder": below}
        selector = SelectorDocument.model_validate(parts).value()
        return parts if self._selection.vms(selector) == {vm.id} else None


def _why_idle(rule: Rule, known: list[VmId]) -> str:
    """Return why a rule asks for nothing; empty where it asks for something."""
    if not rule.enabled:
        return "is switched off in the cluster"
    if not known:
        return "names no VM of this cluster"
    if rule.type is RuleType.VM_HOST_ANTI_AFFINE and not rule.hosts:
        return "names no host"
    return ""


def _groups_by_members(
    objects: Iterable[tuple[Id, frozenset[str]]],
) -> dict[frozenset[Id], list[str]]:
    """Return the groups that a policy can name, by who is in them."""
    members: dict[str, set[Id]] = {}
    for key, groups in objects:
        for name in groups:
            members.setdefault(name, set()).add(key)
    found: dict[frozenset[Id], list[str]] = {}
    for name, keys in members.items():
        if _is_word(name):
            found.setdefault(frozenset(keys), []).append(name)
    return found


def described(imported: ImportedPolicy) -> str:
    """Return what came of it, in a sentence."""
    count = f"{imported.rules} rule{'' if imported.rules == 1 else 's'}"
    missing = "; ".join(map(plain, imported.untold))
    return f"{count} written" + (f"; not taken over: {missing}" if missing else "")

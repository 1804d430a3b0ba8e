"""From a policy's words to rules of known VMs: what the planner, the judges and the reports work with.

The one place where selectors, rules written as tags, and the cluster's own rules come together. Everything
behind it sees `Rule`s, excluded VMs and modes, and knows no selectors. Resolving a resolved snapshot with
the same policy changes nothing, so that every stage may ask again on facts that were read anew. Pure.

Where tags are not known, what is said by tag is not known either: such a rule is left out, told, and if it
is a must the snapshot is unfit for everything but evacuations. See docs/decisions/0027.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, count
from types import MappingProxyType

from balancer.model.goal import Goal
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import Rule, RuleOrigin, RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.model.vm import Vm
from balancer.policy.drs_rules import taken_in
from balancer.policy.mode import Mode, most_careful
from balancer.policy.problems import nearest
from balancer.policy.resolved import Note, NoteKind, Resolved
from balancer.policy.rule_types import Enforce, PolicyRule, RuleKind, VmMode
from balancer.policy.selection import Selection
from balancer.policy.selector import Selector
from balancer.policy.tag_rules import NoTagRule, TagRule, read_tags
from balancer.policy.types import Policy
from balancer.policy.unknown import Gap, unknown_facts

_BETWEEN_VMS = {
    RuleKind.AFFINITY: RuleType.AFFINITY,
    RuleKind.ANTI_AFFINITY: RuleType.ANTI_AFFINITY,
    RuleKind.MAX_PER_HOST: RuleType.ANTI_AFFINITY,
}


def resolve(snapshot: Snapshot, policy: Policy) -> Resolved:
    """Return the snapshot as the policy reads it, and what is to be told of that.

    10,000 VMs and 200 rules take a few tenths of a second: see tests/bench/policy_bench.py.
    """
    taken = taken_in(snapshot, policy.drs)
    work = _Work(snapshot, names=[rule.name for rule in taken.rules if rule.enabled])
    for rule in policy.rules:
        work.add_rule(rule)
    for entry in policy.vm_modes:
        work.add_mode(entry)
    if policy.tag_rules.enabled:
        work.add_tags(policy.tag_rules.prefix)
    return Resolved(
        snapshot=_asked(
            _with(snapshot, rules=(*taken.rules, *work.rules), vms=taken.vms), policy.evacuating
        ),
        excluded=MappingProxyType({g: MappingProxyType(vms) for g, vms in work.excluded.items()}),
        vm_modes=MappingProxyType(work.vm_modes),
        places=MappingProxyType(work.places),
        notes=(*taken.notes, *work.notes),
        unfit=tuple(work.unfit),
    )


def _with(snapshot: Snapshot, *, rules: tuple[Rule, ...], vms: tuple[Vm, ...]) -> Snapshot:
    if rules == snapshot.rules and vms is snapshot.vms:
        return snapshot
    return replace(snapshot, rules=rules, vms=vms)


def _asked(snapshot: Snapshot, evacuating: frozenset[HostId]) -> Snapshot:
    """Mark the hosts that people asked to be emptied, and only these."""
    if all(host.is_asked_empty == (host.id in evacuating) for host in snapshot.hosts):
        return snapshot
    marked = (replace(host, is_asked_empty=host.id in evacuating) for host in snapshot.hosts)
    return replace(snapshot, hosts=tuple(marked))


class _Work:
    """One resolution under way: what has come together so far."""

    def __init__(self, snapshot: Snapshot, *, names: Iterable[str]) -> None:
        self._snapshot = snapshot
        self._selection = Selection(snapshot)
        self._unknown = unknown_facts(snapshot)
        self._names = set(names)
        self.rules: list[Rule] = []
        self.excluded: dict[Goal, dict[VmId, Refusal]] = {}
        self.vm_modes: dict[VmId, Mode] = {}
        self.places: dict[str, str] = {}
        self.notes: list[Note] = []
        self.unfit: list[Refusal] = []

    def add_rule(self, rule: PolicyRule) -> None:
        """Take one rule of the policy."""
        asked = (rule.vms, *([rule.hosts] if rule.hosts else ()), *rule.domains)
        if self._is_unknown(asked, f"rule '{rule.name}'", rule, is_law=_is_law(rule)):
            return
        vms = self._selection.vms(rule.vms)
        if not vms:
            self._note(NoteKind.NO_VMS, f"rule '{rule.name}' selects no VM", rule)
        elif rule.kind is RuleKind.EXCLUDE:
            self._exclude(vms, rule.exclude_from, f"rule '{rule.name}'")
        elif rule.kind in _BETWEEN_VMS:
            self._add_between(rule, vms)
        else:
            assert rule.hosts is not None, "the document refuses a rule of hosts without hosts"
            self._add_of_hosts(rule, vms, self._selection.hosts(rule.hosts))

    def add_mode(self, entry: VmMode) -> None:
        """Take the freest mode of some VMs; of several the most careful counts."""
        if self._is_unknown((entry.vms,), f"vm_modes ({entry.mode})", None, is_law=True):
            return
        vms = self._selection.vms(entry.vms)
        if not vms:
            text = f"vm_modes: the entry with mode {entry.mode} selects no VM"
            self._note(NoteKind.NO_VMS, text)
        self._set_mode(vms, entry.mode)

    def add_tags(self, prefix: str) -> None:
        """Take the rules that are written as tags on the VMs."""
        gap = self._unknown.tags
        if gap and self._unknown.hides_tag_rules:
            self._tell_gap(gap, f"rules written as tags '{prefix}:...' may be hidden", is_law=True)
        for found in read_tags(prefix, self._selection.vms_by_tag):
            if isinstance(found, NoTagRule):
                self._note(NoteKind.TAG_NO_RULE, _no_rule_text(found, self._snapshot))
            else:
                self._add_tag(found)

    def _add_tag(self, found: TagRule) -> None:
        if found.mode is not None:
            self._set_mode(found.vms, found.mode)
            return
        if found.kind is RuleKind.EXCLUDE:
            self._exclude(found.vms, found.goals, f"tag '{found.tag}'")
            return
        assert found.kind is not None
        rule = PolicyRule(
            name=found.tag,
            kind=found.kind,
            vms=Selector(tags=(found.tag,)),
            hosts=Selector(groups=(found.host_group,)) if found.host_group else None,
            keeps_off=found.keeps_off,
            enforce=Enforce.SHOULD if found.kind is RuleKind.PREFER else Enforce.MUST,
            origin=f"tag {found.tag}",
        )
        if found.kind in _BETWEEN_VMS:
            self._add_between(rule, found.vms, RuleOrigin.TAG)
            return
        assert rule.hosts is not None, "a tag of hosts names a host group"
        self._add_of_hosts(rule, found.vms, self._selection.hosts(rule.hosts), RuleOrigin.TAG)

    def _add_between(
        self, rule: PolicyRule, vms: frozenset[VmId], origin: RuleOrigin = RuleOrigin.POLICY
    ) -> None:
        if len(vms) < 2:
            one = self._snapshot.vm_by_id[min(vms)].name
            text = f"rule '{rule.name}' selects one VM alone ({one}): it has no effect"
            self._note(NoteKind.ONE_VM, text, rule)
            return
        running = sum(1 for vm in vms if self._snapshot.vm_by_id[vm].is_running)
        if running < 2:
            text = f"rule '{rule.name}': {running} of its {len(vms)} VMs run, so that it has no effect now"
            self._note(NoteKind.ONE_RUNNING, text, rule)
        made = self._made(rule, _BETWEEN_VMS[rule.kind], vms, origin)
        domains = tuple(self._domains(rule))
        self.rules.append(replace(made, most=rule.most, domains=domains))

    def _domains(self, rule: PolicyRule) -> Iterator[frozenset[HostId]]:
        seen: set[HostId] = set()
        for number, selector in enumerate(rule.domains, start=1):
            hosts = self._selection.hosts(selector)
            if not hosts:
                text = f"rule '{rule.name}': group {number} of per selects no host"
                self._note(NoteKind.NO_HOSTS, text, rule)
                continue
            for host in sorted(hosts & seen):
                name = self._snapshot.host_by_id[host].name
                text = f"rule '{rule.name}': {name} is in several groups of per, and counts in the first"
                self._note(NoteKind.SHARED_HOST, text, rule)
            seen |= hosts
            yield hosts

    def _add_of_hosts(
        self,
        rule: PolicyRule,
        vms: frozenset[VmId],
        hosts: frozenset[HostId],
        origin: RuleOrigin = RuleOrigin.POLICY,
    ) -> None:
        """Add a rule of VMs and hosts. To run on none is a law that cannot be met: it stays, and is told."""
        is_law = rule.enforce is Enforce.MUST
        if not hosts:
            self._note(NoteKind.NO_HOSTS, self._no_hosts_text(rule), rule)
            if rule.keeps_off or not is_law:
                return
        kind = RuleType.VM_HOST_ANTI_AFFINE if rule.keeps_off else RuleType.VM_HOST_AFFINE
        self.rules.append(replace(self._made(rule, kind, vms, origin), hosts=hosts))

    def _no_hosts_text(self, rule: PolicyRule) -> str:
        text = f"rule '{rule.name}' selects no host{self._near_group(rule)}"
        if rule.keeps_off or rule.enforce is not Enforce.MUST:
            return f"{text}: it has no effect"
        return f"{text}: its VMs may run nowhere, and stay where they are"

    def _near_group(self, rule: PolicyRule) -> str:
        """Return the nearest names of host groups for those that the rule names in vain."""
        groups = rule.hosts.groups if rule.hosts else ()
        lost = [group for group in groups if group not in self._selection.host_groups]
        hints = [hint for group in lost if (hint := nearest(group, self._selection.host_groups))]
        return f" ({', '.join(hints)})" if hints else ""

    def _made(
        self, rule: PolicyRule, kind: RuleType, vms: frozenset[VmId], origin: RuleOrigin
    ) -> Rule:
        return Rule(
            name=self._own_name(rule, origin),
            type=kind,
            vms=tuple(sorted(vms)),
            mandatory=rule.enforce is Enforce.MUST,
            weight=rule.weight,
            origin=origin,
        )

    def _own_name(self, rule: PolicyRule, origin: RuleOrigin) -> str:
        """Return a name that no other rule has: findings and conflicts name rules by it."""
        name = rule.name
        if name in self._names:
            others = (f"{rule.name} ({origin} {number})" for number in count(2))
            free = (n for n in chain([f"{rule.name} ({origin})"], others) if n not in self._names)
            name = next(free)
            text = f"rule '{rule.name}' exists already: this one is shown as '{name}', both hold"
            self._note(NoteKind.SAME_NAME, text, rule)
        self._names.add(name)
        self.places[name] = rule.origin
        return name

    def _exclude(self, vms: frozenset[VmId], goals: frozenset[Goal], who: str) -> None:
        for vm in sorted(vms):
            for goal in sorted(goals):
                refusal = Refusal.of(Reason.EXCLUDED, f"{who} leaves it alone", vm=vm)
                self.excluded.setdefault(goal, {}).setdefault(vm, refusal)

    def _set_mode(self, vms: frozenset[VmId], mode: Mode) -> None:
        for vm in sorted(vms):
            self.vm_modes[vm] = most_careful(self.vm_modes.get(vm), mode)

    def _is_unknown(
        self, asked: Iterable[Selector], what: str, rule: PolicyRule | None, *, is_law: bool
    ) -> bool:
        gap = self._unknown.behind(*asked)
        if gap is None:
            return False
        self._tell_gap(gap, f"{what} cannot be told", rule, is_law=is_law)
        return True

    def _tell_gap(
        self, gap: Gap, what: str, rule: PolicyRule | None = None, *, is_law: bool
    ) -> None:
        self._note(gap.kind, f"{what}: {gap.text}", rule)
        if is_law:
            self.unfit.append(Refusal.of(Reason.FACTS_UNKNOWN, f"{what}: {gap.text}"))

    def _note(self, kind: NoteKind, text: str, rule: PolicyRule | None = None) -> None:
        name, where = (rule.name, rule.origin) if rule else ("", "")
        self.notes.append(Note(kind=kind, text=text, rule=name, where=where))


def _is_law(rule: PolicyRule) -> bool:
    return rule.enforce is Enforce.MUST and rule.kind is not RuleKind.PREFER


def _no_rule_text(found: NoTagRule, snapshot: Snapshot) -> str:
    names = [snapshot.vm_by_id[vm].name for vm in sorted(found.vms)[:3]]
    rest = f" and {len(found.vms) - 3} more" if len(found.vms) > 3 else ""
    question = f"; did you mean '{found.nearest}'?" if found.nearest else ""
    text = f"tag '{found.tag}' on {', '.join(names)}{rest} is no rule; allowed: {found.allowed}"
    return text + question

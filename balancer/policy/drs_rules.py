"""The cluster's own DRS rules and overrides as a policy takes them: as they are, softened, or switched off.

A rule that does not count stays in the snapshot, disabled, so that reports can name it and so that taking
it in twice is the same as once. Must never make a rule stricter than it stands in the cluster. Pure.
"""

from dataclasses import dataclass, replace

from balancer.model.rule import Rule, RuleOrigin
from balancer.model.snapshot import Snapshot
from balancer.model.vm import Automation, Vm
from balancer.policy.pattern import matches_glob
from balancer.policy.problems import nearest
from balancer.policy.resolved import Note, NoteKind
from balancer.policy.rule_types import DrsHandling, SoftenedRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The cluster's rules and VMs as they count, and what is to be told of them."""

    rules: tuple[Rule, ...]
    vms: tuple[Vm, ...]
    notes: tuple[Note, ...] = ()


def taken_in(snapshot: Snapshot, drs: DrsHandling) -> Taken:
    """Return the cluster's own rules, in their order, and its VMs, as far as they count."""
    own = tuple(rule for rule in snapshot.rules if rule.origin is RuleOrigin.DRS)
    rules, notes = [], _names_without_rule(own, drs)
    for rule in own:
        kept, note = _taken(rule, drs)
        rules.append(kept)
        notes += [note] if note else []
    return Taken(rules=tuple(rules), vms=_vms(snapshot, drs), notes=tuple(notes))


def _taken(rule: Rule, drs: DrsHandling) -> tuple[Rule, Note | None]:
    glob = next((glob for glob in drs.ignore_rules if matches_glob(glob, rule.name)), None)
    if not drs.rules or glob is not None:
        why = "drs.rules is false" if not drs.rules else f"drs.ignore_rules names '{glob}'"
        text = f"the cluster's rule '{rule.name}' does not count: {why}"
        return replace(rule, enabled=False), _note(NoteKind.SWITCHED_OFF, text, rule)
    soft = next((soft for soft in drs.soften_rules if matches_glob(soft.name, rule.name)), None)
    if soft is None:
        return rule, None
    text = f"the cluster's rule '{rule.name}' counts as should, with weight {soft.weight:g}"
    return _softened(rule, soft), _note(NoteKind.SOFTENED, text, rule)


def _softened(rule: Rule, soft: SoftenedRule) -> Rule:
    return replace(rule, mandatory=False, weight=soft.weight)


def _note(kind: NoteKind, text: str, rule: Rule) -> Note:
    return Note(kind=kind, text=text, rule=rule.name)


def _names_without_rule(own: tuple[Rule, ...], drs: DrsHandling) -> list[Note]:
    names = {rule.name for rule in own}
    asked = [("drs.ignore_rules", glob) for glob in drs.ignore_rules]
    asked += [("drs.soften_rules", soft.name) for soft in drs.soften_rules]
    return [
        Note(kind=NoteKind.NO_SUCH_RULE, text=_lost(setting, glob, names))
        for setting, glob in asked
        if not any(matches_glob(glob, name) for name in names)
    ]


def _lost(setting: str, glob: str, names: set[str]) -> str:
    question = nearest(glob, names)
    text = f"{setting} names '{glob}', and the cluster has no such rule"
    return f"{text}; {question}" if question else text


def _vms(snapshot: Snapshot, drs: DrsHandling) -> tuple[Vm, ...]:
    if drs.overrides:
        return snapshot.vms
    free = Automation.FULLY_AUTOMATED
    return tuple(
        vm if vm.automation is free else replace(vm, automation=free) for vm in snapshot.vms
    )

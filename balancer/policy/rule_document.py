"""Rules of a policy as they are written down, and the mistakes that only show across the keys of one."""

from collections.abc import Iterator, Mapping

from pydantic import Field

from balancer.model.goal import Goal
from balancer.policy.mode import Mode
from balancer.policy.problems import Loc, Mistake, plain, shown
from balancer.policy.rule_types import (
    DrsHandling,
    Enforce,
    PolicyRule,
    RuleKind,
    SoftenedRule,
    TagRules,
    VmMode,
)
from balancer.policy.selector_document import (
    HOST_PARTS,
    AtLeastOne,
    DocumentPart,
    SelectorDocument,
    Word,
)
from balancer.policy.unchecked import entries, given, mapping, text

_USED: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "affinity": (frozenset(), frozenset({"enforce", "weight"})),
    "anti-affinity": (frozenset(), frozenset({"enforce", "weight", "most", "per"})),
    "vm-host": (frozenset(), frozenset({"enforce", "weight", "run_on", "keep_off"})),
    "exclude": (frozenset(), frozenset({"from"})),
    "prefer": (frozenset({"run_on"}), frozenset({"weight", "run_on"})),
    "max-per-host": (frozenset({"most"}), frozenset({"enforce", "weight", "most"})),
}
"""Keys that each type of rule must have, and those that it may have beside name, type, vms, description."""

_COMMON = frozenset({"name", "type", "vms", "description"})


class RuleDocument(DocumentPart):
    """One rule about some VMs. Which keys it may have depends on its type."""

    name: Word = Field(description="Shown wherever the rule is spoken of; one of its kind.")
    description: str = Field(default="", description="For people.")
    type: RuleKind = Field(description="What the rule asks for.")
    vms: SelectorDocument = Field(description="The VMs that it speaks of.")
    enforce: Enforce = Field(
        default=Enforce.MUST, description="must: a law. should: broken where that costs less."
    )
    weight: float = Field(
        default=1.0, gt=0, le=1000, description="Of a should-rule: how much it matters."
    )
    run_on: SelectorDocument | None = Field(
        default=None, description="vm-host, prefer: the hosts to run on."
    )
    keep_off: SelectorDocument | None = Field(
        default=None, description="vm-host: the hosts to keep off."
    )
    most: AtLeastOne = Field(
        default=1, description="anti-affinity, max-per-host: so many of the VMs at most."
    )
    per: tuple[SelectorDocument, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=1000,
        description="anti-affinity: groups of hosts (racks, sites) that count as one each.",
    )
    from_: tuple[Goal, ...] | None = Field(
        default=None,
        alias="from",
        min_length=1,
        description="exclude: the goals for which the VMs are left alone. Not given: all.",
    )

    def value(self, origin: str = "") -> PolicyRule:
        """Return the values that the program works with."""
        hosts = self.run_on or self.keep_off
        is_wish = self.type is RuleKind.PREFER
        return PolicyRule(
            name=self.name,
            kind=self.type,
            vms=self.vms.value(),
            hosts=hosts.value() if hosts else None,
            keeps_off=self.keep_off is not None,
            enforce=Enforce.SHOULD if is_wish else self.enforce,
            weight=self.weight,
            most=self.most,
            domains=tuple(part.value() for part in self.per or ()),
            exclude_from=frozenset(self.from_ or Goal),
            origin=origin,
        )


class VmModeDocument(DocumentPart):
    """How far the program acts on some VMs."""

    vms: SelectorDocument = Field(description="The VMs.")
    mode: Mode = Field(description="The freest mode for them; the cluster's mode holds as well.")

    def value(self) -> VmMode:
        """Return the values that the program works with."""
        return VmMode(vms=self.vms.value(), mode=self.mode)


class SoftenedRuleDocument(DocumentPart):
    """Mandatory rules of the cluster that count as should-rules."""

    name: Word = Field(description="Name of the rule; * and ? allowed.")
    weight: float = Field(default=1.0, gt=0, le=1000, description="How much it matters.")


class DrsDocument(DocumentPart):
    """How far the cluster's own DRS rules and overrides count."""

    rules: bool = Field(default=True, description="Obey the cluster's own rules.")
    overrides: bool = Field(
        default=True, description="Obey the automation level that single VMs have."
    )
    ignore_rules: tuple[Word, ...] = Field(
        default=(), description="Rules that do not count, by name; * and ? allowed."
    )
    soften_rules: tuple[SoftenedRuleDocument, ...] = Field(
        default=(), description="Mandatory rules that count as should-rules."
    )

    def value(self) -> DrsHandling:
        """Return the values that the program works with."""
        soft = tuple(SoftenedRule(name=one.name, weight=one.weight) for one in self.soften_rules)
        return DrsHandling(
            rules=self.rules,
            overrides=self.overrides,
            ignore_rules=self.ignore_rules,
            soften_rules=soft,
        )


class TagRulesDocument(DocumentPart):
    """Rules that are written as vSphere tags on the VMs."""

    enabled: bool = Field(default=True, description="Whether such tags are rules.")
    prefix: Word = Field(default="balancer", description="The first word of such tags.")

    def value(self) -> TagRules:
        """Return the values that the program works with."""
        return TagRules(enabled=self.enabled, prefix=self.prefix)


def rule_mistakes(data: object) -> Iterator[Mistake]:
    """Yield what is wrong across the keys of rules, from the plain values of a document."""
    names: set[str] = set()
    for index, entry in entries(data, "rules"):
        path: Loc = ("rules", index)
        rule = given(entry)
        name, kind = text(rule, "name"), text(rule, "type")
        if name in names:
            found = f"{shown(name)} is given twice"
            yield Mistake(path=(*path, "name"), found=found, allowed="each rule once")
        names |= {name} - {""}
        if kind in _USED:
            yield from _wrong_keys(rule, kind, path)
        for key in ("run_on", "keep_off"):
            yield from _not_of_hosts(rule.get(key), (*path, key))
        for place, one in entries(rule, "per"):
            yield from _not_of_hosts(one, (*path, "per", place))


def _wrong_keys(rule: Mapping[str, object], kind: str, path: Loc) -> Iterator[Mistake]:
    needed, usable = _USED[kind]
    for key in sorted((rule.keys() & RULE_KEYS) - usable - _COMMON):
        allowed = ", ".join(sorted(usable))
        yield Mistake(
            path=(*path, key), found=f"{key} in a rule of type {kind}", allowed=allowed, at_key=True
        )
    for key in sorted(needed - rule.keys()):
        yield Mistake(path=path, found=f"{key} is missing", allowed=f"a rule of type {kind} has it")
    if kind == "vm-host" and ("run_on" in rule) == ("keep_off" in rule):
        found = "both run_on and keep_off" if "run_on" in rule else "neither run_on nor keep_off"
        yield Mistake(path=path, found=found, allowed="one of the two")
    if "weight" in rule and rule.get("enforce", "must") == "must" and kind != "prefer":
        allowed = "only with enforce: should; a law has no weight"
        yield Mistake(path=(*path, "weight"), found="a weight", allowed=allowed, at_key=True)


def _not_of_hosts(selector: object, path: Loc) -> Iterator[Mistake]:
    """Yield the parts of a selector of hosts that only VMs have."""
    for key in mapping(selector):
        is_known = key in SelectorDocument.model_fields
        if is_known and key not in HOST_PARTS:
            found = f"{plain(key)} in a selector of hosts"
            allowed = ", ".join(HOST_PARTS)
            yield Mistake(path=(*path, key), found=found, allowed=allowed, at_key=True)
    for key in ("all", "any"):
        for index, part in entries(selector, key):
            yield from _not_of_hosts(part, (*path, key, index))
    inner = mapping(selector).get("not")
    if isinstance(inner, dict):
        yield from _not_of_hosts(inner, (*path, "not"))


RULE_KEYS = frozenset(info.alias or name for name, info in RuleDocument.model_fields.items())

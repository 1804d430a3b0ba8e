"""What a policy says of single VMs: its own rules, modes of VMs, and how far the cluster's own rules count."""

from dataclasses import dataclass, field
from enum import StrEnum

from balancer.model.goal import Goal
from balancer.policy.mode import Mode
from balancer.policy.selector import Selector


class RuleKind(StrEnum):
    """What a rule of a policy asks for."""

    AFFINITY = "affinity"  # keep the VMs on one host
    ANTI_AFFINITY = "anti-affinity"  # at most so many of them on one host, or in one group of hosts
    VM_HOST = "vm-host"  # run on some hosts, or keep off them
    EXCLUDE = "exclude"  # leave the VMs alone, from all goals or from some
    PREFER = "prefer"  # run on some hosts where it costs nothing that matters more
    MAX_PER_HOST = "max-per-host"  # at most so many of them on one host


class Enforce(StrEnum):
    """Whether a rule is a law, or has a price."""

    MUST = "must"
    SHOULD = "should"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRule:
    """One rule of a policy. What a kind does not use is empty.

    `hosts` are those of `run_on`, or those of `keep_off` where `keeps_off` is set. `most` is how many of the
    VMs one host (or one of `domains`, if there are any) may run. `exclude_from` names the goals for which
    the VMs are left alone. `origin` says where the rule is written: `file:line`, or `tag balancer:...`.
    """

    name: str
    kind: RuleKind
    vms: Selector
    hosts: Selector | None = None
    keeps_off: bool = False
    enforce: Enforce = Enforce.MUST
    weight: float = 1.0
    most: int = 1
    domains: tuple[Selector, ...] = ()
    exclude_from: frozenset[Goal] = frozenset(Goal)
    origin: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class VmMode:
    """How far the program acts on some VMs; never further than the cluster's mode allows."""

    vms: Selector
    mode: Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftenedRule:
    """A mandatory rule of the cluster that counts as "should" with a weight. `name` is a glob."""

    name: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DrsHandling:
    """How far the cluster's own DRS rules and overrides count. Names are globs."""

    rules: bool = True
    overrides: bool = True
    ignore_rules: tuple[str, ...] = ()
    soften_rules: tuple[SoftenedRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRules:
    """Whether tags such as `balancer:anti-affinity:web` are rules; `prefix` is their first word."""

    enabled: bool = True
    prefix: str = "balancer"

"""Scenarios as data: a cluster in a compact YAML form, a policy, and what must come of planning it.

    about: one sentence: what must hold, and where it comes from.
    policy: {thresholds: {balance_trigger: 0.1}}     # what differs from the defaults
    hosts: [{count: 3, cpu_capacity_mhz: 40000}, {state: entering_maintenance}]
    vms: [{count: 30, at: [1, 2]}, {at: 4, blockers: [vgpu]}]
    rules: [{name: apart, type: anti_affinity, vms: [1, 2-5], most: 2, domains: [[1, 2], [3, 4]]}]
    expect: {status: degraded, empty: [4], conflicts: [{kind: rule, rules: [apart]}]}

Hosts and VMs are numbered from 1 in their order; fields not given have the defaults of `builders`. `count`
repeats an entry, `at` (a host, or several gone through in turn) is where VMs stand, `vms` of a rule takes
numbers, spans and `all`. (`on` would be a truth value in YAML.)
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from balancer.model.host import Host, HostState, VmotionLink
from balancer.model.rule import Rule, RuleOrigin, RuleType
from balancer.model.snapshot import Ha, Snapshot
from balancer.model.vm import Automation, Blocker, PowerState, Vm
from balancer.policy.types import Goals, Limits, Policy, Prices, Thresholds
from tests.support.builders import host, rule, snapshot, vm

KINDS: Mapping[str, Any] = {
    "state": HostState,
    "power": PowerState,
    "automation": Automation,
    "datastores": frozenset,
    "networks": frozenset,
    "blockers": lambda words: tuple(map(Blocker, words)),
    "vmotion": lambda facts: VmotionLink(**facts),
    "ha": lambda facts: Ha(**(facts | {"failover_hosts": frozenset(facts["failover_hosts"])})),
}
"""How the fields that are not plain figures are made from what YAML holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What must come of a plan; what is None is not asked. Numbers are those of VMs and hosts.

    status: the plan's. moves: how many. at_most, at_least: bounds of that. movers: only these move.
    stay: these do not move. after: the host of a VM in the end, or several of which it may be any.
    empty: hosts without a running VM in the end. apart, together: groups that share no host, or all one.
    most_per_host: VMs on any host in the end. spread: most members of a group on one host, or in one of the
    groups of hosts `per`.
    conflicts: each of these and no other, by kind and, where given, rules and VMs.
    refusals: these reasons are told. fairer: both resources are no less level.
    cycles: how often the result is planned again. file: what the reader of files says, where it refuses.
    xfail: why the plan is not yet what is expected.
    """

    status: str
    moves: int | None = None
    at_most: int | None = None
    at_least: int | None = None
    movers: Sequence[int] | None = None
    stay: Sequence[int] = ()
    after: Mapping[int, int | Sequence[int]] | None = None
    empty: Sequence[int] = ()
    apart: Sequence[Sequence[int]] = ()
    together: Sequence[Sequence[int]] = ()
    most_per_host: int | None = None
    spread: Sequence[Mapping[str, Any]] = ()
    conflicts: Sequence[Mapping[str, Any]] = ()
    refusals: Sequence[str] = ()
    fairer: bool = False
    cycles: int = 1
    file: str = ""
    xfail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One file, read."""

    about: str
    snapshot: Snapshot
    policy: Policy
    expect: Expectation


def read_scenario(path: Path) -> Scenario:
    """Read one file; whatever is not known in it is an error."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    about, policy = raw.pop("about"), raw.pop("policy", {})
    expect = Expectation(**raw.pop("expect"))
    return Scenario(about=about, snapshot=_snapshot(**raw), policy=_policy(**policy), expect=expect)


def _snapshot(
    hosts: Sequence[dict[str, Any]],
    vms: Sequence[dict[str, Any]],
    rules: Sequence[dict[str, Any]] = (),
    cluster: dict[str, Any] | None = None,
) -> Snapshot:
    running = [_vm(number, facts) for number, facts in enumerate(_repeated(vms), start=1)]
    return snapshot(
        [_host(number, facts) for number, facts in enumerate(_repeated(hosts), start=1)],
        running,
        [_rule(facts, len(running)) for facts in rules],
        cluster=_made(cluster or {}),
    )


def _repeated(entries: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        facts = dict(entry)
        at = facts.pop("at", None)
        places = at if isinstance(at, list) else [at]
        for turn in range(facts.pop("count", 1)):
            place = places[turn % len(places)]
            yield facts if place is None else facts | {"on": place}


def _made(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Turn words into values. A field given as null stays None: not measured."""
    return {
        key: KINDS[key](value) if key in KINDS and value is not None else value
        for key, value in facts.items()
    }


def _host(number: int, facts: dict[str, Any]) -> Host:
    return host(number, **_made(facts))


def _vm(number: int, facts: dict[str, Any]) -> Vm:
    return vm(number, **_made(facts))


def _rule(facts: dict[str, Any], vms: int) -> Rule:
    rest = dict(facts)
    members = list(_numbers(rest.pop("vms"), vms))
    kind, on = RuleType(rest.pop("type")), rest.pop("hosts", ())
    origin = RuleOrigin(rest.pop("origin", RuleOrigin.DRS))
    return rule(rest.pop("name"), kind, members, on=on, origin=origin, **rest)


def _numbers(given: str | Sequence[int | str], most: int) -> Iterator[int]:
    """Yield VM numbers: `all`, or a list of numbers and of spans such as `2-5`."""
    if given == "all":
        yield from range(1, most + 1)
        return
    for one in given:
        first, _, last = str(one).partition("-")
        yield from range(int(first), int(last or first) + 1)


def _policy(**parts: dict[str, Any]) -> Policy:
    policy = Policy(limits=Limits(moves_per_run_ratio=1.0, moves_per_hour_ratio=1.0))
    kinds = {"goals": Goals, "thresholds": Thresholds, "prices": Prices}
    return replace(policy, **{key: kinds[key](**facts) for key, facts in parts.items()})

"""A rule gives the same plan whether it is a DRS rule, a rule of a policy file, or a tag on its VMs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from balancer.model.plan import Plan
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.compose import load_policy_set
from balancer.policy.types import Policy
from tests.support.builders import NOON, host, rule, snapshot, vm

HEAD = "apiVersion: balancer/v1\nkind: Policy\nrules:\n- {name: r, "
PAIR = (1, 2)
FORMS: Mapping[str, tuple[Rule, str, str]] = {
    "affinity": (
        rule("r", RuleType.AFFINITY, PAIR),
        "type: affinity, vms: {name: [vm1, vm2]}}",
        "balancer:affinity:r",
    ),
    "anti-affinity": (
        rule("r", RuleType.ANTI_AFFINITY, PAIR),
        "type: anti-affinity, vms: {glob: 'vm[12]'}}",
        "balancer:anti-affinity:r",
    ),
    "run on": (
        rule("r", RuleType.VM_HOST_AFFINE, PAIR, on=(3, 4)),
        "type: vm-host, vms: {regex: 'vm(1|2)'}, run_on: {group: right}}",
        "balancer:run-on:right",
    ),
    "keep off": (
        rule("r", RuleType.VM_HOST_ANTI_AFFINE, PAIR, on=(1, 2)),
        "type: vm-host, vms: {name: [vm1, vm2]}, keep_off: {name: [esx1, esx2]}}",
        "balancer:keep-off:left",
    ),
    "prefer": (
        rule("r", RuleType.VM_HOST_AFFINE, PAIR, on=(3, 4), mandatory=False),
        "type: prefer, vms: {name: [vm1, vm2]}, run_on: {group: right}}",
        "balancer:prefer:right",
    ),
}


def cluster(kind: str, *, rules: tuple[Rule, ...] = (), tags: tuple[str, ...] = ()) -> Snapshot:
    """Four hosts in two groups, unevenly loaded; the pair breaks the rule where it stands."""
    second = 2 if kind == "affinity" else 1
    sides = ("left", "left", "right", "right")
    hosts = [host(n, groups=frozenset({side})) for n, side in enumerate(sides, start=1)]
    facts: dict[str, Any] = {"tags": frozenset(tags)}
    vms = [vm(1, 1, **facts), vm(2, second, **facts)]
    vms += [vm(n, 1 + n % 2, cpu_demand_mhz=2500.0) for n in range(3, 11)]
    return snapshot(hosts, vms, rules)


def of_file(folder: Path, text: str) -> Policy:
    path = folder / "p.yaml"
    path.write_text(HEAD + text + "\n")
    return load_policy_set([str(path)]).at(NOON)


def moves(plan: Plan) -> list[tuple[Any, ...]]:
    return [(m.vm, m.source, m.target, m.reason, m.wave, m.this_run) for m in plan.moves]


def planned(snap: Snapshot, policy: Policy | None = None) -> Plan:
    return plan_snapshot(snap, policy or Policy(), settings=PlanSettings())


@pytest.mark.parametrize("kind", FORMS)
def test_a_rule_gives_the_same_plan_in_every_form(kind: str, tmp_path: Path) -> None:
    own, text, tag = FORMS[kind]
    by_drs = planned(cluster(kind, rules=(own,)))
    by_file = planned(cluster(kind), of_file(tmp_path, text))
    by_tag = planned(cluster(kind, tags=(tag,)))
    assert moves(by_drs) == moves(by_file) == moves(by_tag)
    assert by_drs.after.cost == by_file.after.cost == by_tag.after.cost
    assert (by_drs.status, by_drs.notes) == (by_file.status, by_file.notes)
    assert (by_drs.status, by_drs.notes) == (by_tag.status, by_tag.notes)


@pytest.mark.parametrize("kind", FORMS)
def test_without_the_rule_the_plan_is_another(kind: str) -> None:
    own, _, _ = FORMS[kind]
    assert moves(planned(cluster(kind, rules=(own,)))) != moves(planned(cluster(kind)))


@pytest.mark.parametrize("kind", FORMS)
def test_findings_name_the_rule_by_its_own_words(kind: str, tmp_path: Path) -> None:
    own, text, tag = FORMS[kind]
    told = [
        {violation.rule for violation in plan.before.violations}
        for plan in (
            planned(cluster(kind, rules=(own,))),
            planned(cluster(kind), of_file(tmp_path, text)),
            planned(cluster(kind, tags=(tag,))),
        )
    ]
    assert told == [{"r"}, {"r"}, {tag}]


@pytest.mark.parametrize("kind", FORMS)
def test_a_rule_of_the_cluster_that_is_switched_off_gives_the_plan_without_it(
    kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("apiVersion: balancer/v1\nkind: Policy\ndrs: {ignore_rules: ['r*']}\n")
    off = planned(cluster(kind, rules=(FORMS[kind][0],)), load_policy_set([str(path)]).at(NOON))
    assert moves(off) == moves(planned(cluster(kind)))
    assert off.notes == ("the cluster's rule 'r' does not count: drs.ignore_rules names 'r*'",)

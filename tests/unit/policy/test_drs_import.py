"""The DRS rules of a cluster as a policy: the file loads, is safe whatever the names, and asks for the same."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import Phase, given
from hypothesis import strategies as st

from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.adapters.simulated.spec import VmShares
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.vm import Automation
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.compose import PolicySet, load_policy_set
from balancer.policy.drs_import import ImportedPolicy, drs_policy
from balancer.policy.resolve import resolve
from balancer.policy.strict_yaml import parse_yaml
from balancer.policy.types import Policy
from balancer.policy.yaml_text import quoted, word
from tests.support.builders import host, rule, snapshot, vm
from tests.support.clusters import clusters
from tests.support.searching import examples

PLAIN = Policy()
OF_HOSTS = {RuleType.VM_HOST_AFFINE, RuleType.VM_HOST_ANTI_AFFINE}


def imported_policy(snap: Snapshot, folder: Path) -> tuple[Policy, ImportedPolicy]:
    """Return the policy that the written file gives, through the loader that everybody uses."""
    imported = drs_policy(snap)
    path = folder / "drs.yaml"
    path.write_text(imported.text, encoding="utf-8")
    made = load_policy_set([str(path)], cluster=snap.cluster.name)
    return made.at(snap.taken_at), imported


def asked(rules: Sequence[Rule]) -> list[tuple[Any, ...]]:
    """Return what rules ask for, whatever they are called."""
    return [
        (
            r.type,
            frozenset(r.vms),
            r.hosts if r.type in OF_HOSTS else None,
            None if r.mandatory else r.weight,
        )
        for r in rules
        if r.enabled
    ]


def cluster(rules: Sequence[Rule] = (), **facts: Any) -> Snapshot:
    hosts = [host(n, groups=frozenset({"new"} if n > 2 else ())) for n in (1, 2, 3, 4)]
    vms = [vm(n, on=1 + n % 4, groups=frozenset({"db"} if n < 3 else ())) for n in range(1, 9)]
    return snapshot(hosts, vms, rules, **facts)


EVERY_KIND = (
    rule("together", RuleType.AFFINITY, [1, 2]),
    rule("apart", RuleType.ANTI_AFFINITY, [1, 3, 4]),
    rule("rather apart", RuleType.ANTI_AFFINITY, [5, 6], mandatory=False),
    rule("here", RuleType.VM_HOST_AFFINE, [1, 2], on=[3, 4]),
    rule("not there", RuleType.VM_HOST_ANTI_AFFINE, [7], on=[1]),
    rule("rather here", RuleType.VM_HOST_AFFINE, [8], on=[1, 2], mandatory=False),
)


def test_every_kind_of_rule_comes_back_as_it_was(tmp_path: Path) -> None:
    snap = cluster(EVERY_KIND)
    policy, imported = imported_policy(snap, tmp_path)
    assert asked(resolve(snap, policy).snapshot.rules) == asked(snap.rules)
    names = [r.name for r in resolve(snap, policy).snapshot.active_rules()]
    assert names == [r.name for r in snap.rules]
    assert imported.untold == ()
    assert imported.rules == len(EVERY_KIND)


def test_rules_of_groups_name_the_groups_and_rules_between_vms_the_vms(tmp_path: Path) -> None:
    policy, _ = imported_policy(cluster(EVERY_KIND), tmp_path)
    rules = {r.name: r for r in policy.rules}
    assert rules["here"].vms.groups == ("db",)
    assert rules["here"].hosts is not None
    assert rules["here"].hosts.groups == ("new",)
    assert rules["together"].vms.names == ("vm1", "vm2")
    assert rules["rather here"].hosts is not None
    assert rules["rather here"].hosts.names == ("esx1", "esx2")


def test_two_groups_of_the_same_members_are_not_told_apart_so_names_are_written(
    tmp_path: Path,
) -> None:
    snap = cluster([rule("r", RuleType.VM_HOST_AFFINE, [1, 2], on=[1])])
    vms = [replace(v, groups=v.groups | {"also"} if v.groups else v.groups) for v in snap.vms]
    policy, _ = imported_policy(replace(snap, vms=tuple(vms)), tmp_path)
    assert policy.rules[0].vms.names == ("vm1", "vm2")


def test_what_asks_for_nothing_is_left_out_with_a_remark(tmp_path: Path) -> None:
    rules = [
        rule("off", RuleType.AFFINITY, [1, 2], enabled=False),
        rule("gone", RuleType.AFFINITY, [98, 99]),
        rule("nowhere", RuleType.VM_HOST_ANTI_AFFINE, [1]),
    ]
    policy, imported = imported_policy(cluster(rules), tmp_path)
    assert policy.rules == ()
    assert "# Left out: rule 'off' is switched off in the cluster." in imported.text
    assert "# Left out: rule 'gone' names no VM of this cluster." in imported.text
    assert "# Left out: rule 'nowhere' names no host." in imported.text


def test_overrides_leave_the_same_vms_alone(tmp_path: Path) -> None:
    snap = cluster()
    kinds = {1: Automation.MANUAL, 2: Automation.DISABLED, 3: Automation.PARTIALLY_AUTOMATED}
    vms = [replace(v, automation=kinds.get(n, v.automation)) for n, v in enumerate(snap.vms, 1)]
    snap = replace(snap, vms=tuple(vms))
    policy, _ = imported_policy(snap, tmp_path)
    excluded = resolve(snap, policy).excluded
    assert [set(vms) for vms in excluded.values()] == [{"vm-1", "vm-2"}] * 6


def test_vms_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    folders = {1: "prod", 2: "prod/a", 3: "test", 4: "prod"}
    vms = [vm(n, 1, name="db" if n < 4 else "db4", folder=folders[n]) for n in folders]
    rules = [rule(f"r{n}", RuleType.AFFINITY, [n, 4]) for n in (1, 2, 3)]
    snap = snapshot([host(1), host(2)], vms, rules)
    policy, imported = imported_policy(snap, tmp_path)
    assert imported.untold == ()
    assert asked(resolve(snap, policy).snapshot.rules) == asked(snap.rules)


def test_what_no_selector_can_say_is_told_and_the_rest_is_written(tmp_path: Path) -> None:
    vms = [vm(1, 1, name="db"), vm(2, 1, name="db"), vm(3, 1), vm(4, 1), vm(5, 1, name="")]
    rules = [
        rule("a", RuleType.AFFINITY, [1, 3]),
        rule("b", RuleType.AFFINITY, [3, 4]),
        rule("c", RuleType.AFFINITY, [4, 5]),
        rule("d", RuleType.VM_HOST_AFFINE, [3]),
    ]
    policy, imported = imported_policy(snapshot([host(1), host(2)], vms, rules), tmp_path)
    assert [r.name for r in policy.rules] == ["b"]
    assert imported.untold == (
        "rule 'a': no selector tells 'db' (vm-1) from the others",
        "rule 'c': no selector tells '' (vm-5) from the others",
        "rule 'd': no hosts, so that it forbids all",
    )
    assert "# NOT TAKEN OVER: rule 'a': no selector" in imported.text


def test_rules_of_one_name_are_told_apart(tmp_path: Path) -> None:
    rules = [rule("web", RuleType.AFFINITY, [n, n + 1]) for n in (1, 3, 5)]
    policy, _ = imported_policy(cluster([*rules, rule("", RuleType.AFFINITY, [7, 8])]), tmp_path)
    assert [r.name for r in policy.rules] == ["web", "web (2)", "web (3)", "rule 4"]


HOSTILE = (
    "yes", "No", "null", "~", "22:00", "1e3", "0x10", ".inf", "- a", "a: b", "a #b", "&a", "*a", "!!str x",
    '"', "'", "\\", "\\x41", "{a: 1}", "[1]", "x\ny: 1", "x\r\n---\n", "\t", "\x00", "\x1b[2J", "\x85",
    "\u2028", "\ufeff", "\u202egnp", "\U0001f4a9", "%", "@", "`", "|", ">", "?", "é\u0301", "#", "web*", "a[b]?",
)  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_no_name_can_be_taken_for_anything_else(name: str, tmp_path: Path) -> None:
    snap = cluster([rule(name, RuleType.AFFINITY, [1, 2])], cluster={"name": name})
    vms = [replace(v, name=name if v.id == "vm-1" else v.name) for v in snap.vms]
    snap = replace(snap, vms=tuple(vms))
    policy, imported = imported_policy(snap, tmp_path)
    assert imported.untold == ()
    assert policy.rules[0].name == name
    assert asked(resolve(snap, policy).snapshot.rules) == asked(snap.rules)
    assert all(line.isprintable() for line in imported.text.split("\n"))


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_text_is_read_back_by_our_reader_and_by_another_one(text: str) -> None:
    for written in (quoted(text), word(text)):
        line = f"key: {written}"
        assert parse_yaml(line.encode(), name="x").data == {"key": text}
        assert yaml.safe_load(line) == {"key": text}
        assert written.isprintable()


@given(clusters())
@examples(40, phases=[Phase.explicit, Phase.generate])
def test_the_imported_policy_asks_for_the_same_rules(snap: Snapshot) -> None:
    imported = drs_policy(snap)
    file = parse_yaml(imported.text.encode(), name="drs.yaml")
    policy = PolicySet([file]).at(snap.taken_at)
    made = asked(resolve(snap, policy).snapshot.rules)
    wanted = [r for r in snap.rules if (r.hosts if r.type in OF_HOSTS else len(r.vms) > 1)]
    assert made == asked(wanted)
    nowhere = [r for r in snap.rules if r.type is RuleType.VM_HOST_AFFINE and not r.hosts]
    assert len(imported.untold) == len(nowhere)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_imported_policy_gives_the_plan_that_the_rules_give(seed: int, tmp_path: Path) -> None:
    snap = generate(InventorySpec(hosts=6, vms=120, shares=VmShares(manual=0.1)), seed)
    policy, imported = imported_policy(snap, tmp_path)
    assert imported.untold == ()
    by_rules = plan_snapshot(snap, PLAIN, settings=PlanSettings())
    by_policy = plan_snapshot(snap, policy, settings=PlanSettings())
    assert by_rules.moves
    assert by_policy.moves == by_rules.moves
    assert by_policy.status == by_rules.status
    assert by_policy.conflicts == by_rules.conflicts

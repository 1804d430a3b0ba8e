"""Over the wire a rule gives the same plan as a DRS rule, in a policy file, and as tags read by REST."""

from pathlib import Path
from typing import Any

import pytest

from balancer.model.plan import Plan
from balancer.model.rule import RuleOrigin
from balancer.model.snapshot import Snapshot, TagsState
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.compose import load_policy_set
from balancer.policy.resolve import resolve
from balancer.policy.selection import select_vms
from balancer.policy.selector import Selector
from balancer.policy.types import Policy
from tests.contract.test_inventory_wire import CLUSTER, served
from tests.support.wire import Row, document, host_row, vm_row

pytestmark = pytest.mark.wire

RULES: list[Row] = [
    {"name": "apart", "type": "anti_affinity", "vms": ["vm-1", "vm-2"]},
    {"name": "together", "type": "affinity", "vms": ["vm-3", "vm-4"]},
    {"name": "right", "type": "vm_host_affine", "vms": ["vm-5"], "hosts": ["host-3", "host-4"]},
]
TAGS = {
    1: "balancer:anti-affinity:apart",
    2: "balancer:anti-affinity:apart",
    3: "balancer:affinity:together",
    4: "balancer:affinity:together",
    5: "balancer:run-on:right",
}
POLICY = """
apiVersion: balancer/v1
kind: Policy
drs: {rules: false}
rules:
- {name: apart, type: anti-affinity, vms: {folder: prod/web}}
- {name: together, type: affinity, vms: {guest_os: rhel*}}
- {name: right, type: vm-host, vms: {attribute: {licence: oracle}}, run_on: {group: right}}
"""


def cluster(*, tags: bool = False, rules: bool = False) -> Row:
    def facts(number: int, **more: Any) -> Row:
        return {"tags": [TAGS[number]], **more} if tags else more

    hosts = [host_row(n, groups=["left" if n < 3 else "right"]) for n in (1, 2, 3, 4)]
    vms = [
        vm_row(1, 1, **facts(1, folder="prod/web")),
        vm_row(2, 1, **facts(2, folder="prod/web/blue")),
        vm_row(3, 1, **facts(3, guest_os="rhel9_64Guest")),
        vm_row(4, 2, **facts(4, guest_os="rhel8_64Guest")),
        vm_row(5, 2, **facts(5, attributes={"licence": "oracle"})),
        *(vm_row(n, 1 + n % 2, cpu_demand_mhz=9_000) for n in range(6, 14)),
    ]
    return document(hosts, vms, **({"rules": RULES} if rules else {}))


def read(folder: Path, doc: Row) -> Snapshot:
    folder.mkdir()
    with served(folder, doc) as (_, vcenter):
        return vcenter.inventory.snapshot(CLUSTER)


def moves(snap: Snapshot, policy: Policy) -> list[tuple[Any, ...]]:
    plan: Plan = plan_snapshot(snap, policy, settings=PlanSettings(), unfit=())
    assert plan.notes == () or not policy.drs.rules
    return [(m.vm, m.source, m.target, m.reason, m.this_run) for m in plan.moves]


def test_a_rule_gives_the_same_plan_in_every_form_over_the_wire(tmp_path: Path) -> None:
    with_rules = read(tmp_path / "rules", cluster(rules=True))
    with_tags = read(tmp_path / "tags", cluster(tags=True))
    path = tmp_path / "p.yaml"
    path.write_text(POLICY)
    by_file = load_policy_set([str(path)]).at(with_rules.taken_at)

    assert with_tags.source.tags is TagsState.KNOWN
    found = resolve(with_tags, Policy()).snapshot
    assert {rule.origin for rule in found.active_rules()} == {RuleOrigin.TAG}
    by_drs = moves(with_rules, Policy())
    assert by_drs
    assert by_drs == moves(with_tags, Policy()) == moves(with_rules, by_file)
    assert by_drs != moves(read(tmp_path / "none", cluster()), Policy())


def test_vms_are_selected_by_what_comes_over_the_wire(tmp_path: Path) -> None:
    snap = read(tmp_path / "tags", cluster(tags=True))
    assert select_vms(Selector(folders=("prod",)), snap) == {"vm-1", "vm-2"}
    assert select_vms(Selector(guest_os=("rhel9*",)), snap) == {"vm-3"}
    assert select_vms(Selector(tags=("balancer:affinity:*",)), snap) == {"vm-3", "vm-4"}
    assert select_vms(Selector(attributes=(("licence", "o*"),)), snap) == {"vm-5"}

"""A VM that does not run: what holds for it all the same, and every check that does not apply says why."""

import jsonschema
import pytest

from balancer.expose.check_rows import WHY_IDLE, Outcome, resting_rows
from balancer.expose.explain_document import vm_document
from balancer.expose.explain_text import explain_text
from balancer.expose.explain_view import vm_view
from balancer.model.host import VmotionLink
from balancer.model.reasons import Reason
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.vm import PowerState
from balancer.plan.gate_names import FAILOVER, HOLD, THRESHOLD
from balancer.rules.cautions import CAUTIONS
from balancer.rules.judge import ALL_LAWS
from tests.support.builders import host, rule, snapshot, vm
from tests.unit.cli.test_explain import SCHEMA
from tests.unit.plan.explained import planned, vm_insight


def resting(power: PowerState = PowerState.OFF) -> Snapshot:
    hosts = [host(1), host(2, datastores=frozenset({"ds-1"})), host(3)]
    away = rule("away", RuleType.VM_HOST_AFFINE, [1], on=(1, 2))
    vms = [vm(1, on=1, power=power, datastores=frozenset({"ds-9"})), vm(2, on=1)]
    return snapshot(hosts, vms, rules=[away])


@pytest.mark.parametrize("power", [PowerState.OFF, PowerState.SUSPENDED])
def test_each_check_is_judged_or_says_why_it_does_not_apply(power: PowerState) -> None:
    (target,) = vm_insight(resting(power), 1, on=2).resting
    rows = resting_rows(target)
    names = [HOLD, *(law.name for law in ALL_LAWS), FAILOVER, THRESHOLD, "price"]
    assert [row.name for row in rows] == names + [name for name, _, _ in CAUTIONS]
    judged = {row.name: row.told and row.told.reason for row in rows if not row.unanswered}
    assert judged == {
        "devices": Reason.NOT_RUNNING,
        "host_state": None,
        "vm_host": None,
        "storage": Reason.DATASTORE,
        "network": None,
    }
    idle = [row for row in rows if row.unanswered]
    assert {row.now for row in idle} == {Outcome.NOT_APPLICABLE}
    assert {row.name: row.unanswered for row in idle} == WHY_IDLE


def test_all_other_hosts_are_told_with_what_else_would_speak_against_them() -> None:
    snap = resting()
    insight = vm_insight(snap, 1)
    assert {t.host: [no.reason for no in t.refusals] for t in insight.resting} == {
        "host-2": [Reason.DATASTORE],
        "host-3": [Reason.VM_HOST_AFFINE],
    }
    text = " ".join(explain_text(vm_view(insight, snap), width=200).split())
    assert "vm1 is powered off [not_running]" in text
    assert "esx3 rule 'away' [vm_host_affine]" in text


def test_vmotion_that_is_off_says_nothing_of_a_vm_that_does_not_run() -> None:
    hosts = [host(number, vmotion=VmotionLink(enabled=False)) for number in (1, 2)]
    snap = snapshot(hosts, [vm(1, on=1, power=PowerState.OFF)])
    (target,) = vm_insight(snap, 1).resting
    assert target.refusals == ()


def test_the_pair_has_a_table_in_text_and_the_document_carries_the_checks() -> None:
    snap = resting()
    insight = vm_insight(snap, 1, on=2)
    text = " ".join(explain_text(vm_view(insight, snap, of_pair=True), width=200).split())
    assert "To esx2, in the order in which it is asked" in text
    assert "price - no move of it could relieve anything" in text
    document = vm_document(insight, planned(snap), snap)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    (target,) = document["vm"]["resting_targets"]  # type: ignore[index]
    assert target["host_name"] == "esx2"
    outcomes = {check["name"]: check["outcome"] for check in target["checks"]}
    assert (outcomes["storage"], outcomes["evc"]) == ("refused", "not_applicable")

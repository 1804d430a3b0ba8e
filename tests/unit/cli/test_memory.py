"""What commands that plan take from the daemon's journal, and where a plan shows it."""

from datetime import timedelta
from pathlib import Path

import pytest

from balancer.adapters.files.plan_values import plan_from_bytes
from balancer.cli.memory import remembered
from balancer.expose.document import document_text, plan_document
from balancer.expose.report_html import render_html
from balancer.expose.report_markdown import render_markdown
from balancer.expose.report_text import render_text
from balancer.model.control import Evacuation
from balancer.model.past import Past, VerdictResult
from balancer.model.reasons import Reason
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.types import Policy
from tests.support.builders import NOON, host, snapshot, vm
from tests.support.journal import sqlite_store
from tests.support.records import quarantine, verdict
from tests.unit.cli.test_audit import config

__all__ = ["config"]

HOT = VerdictResult.WORSE


def uneven() -> Snapshot:
    vms = [vm(n, 1, cpu_demand_mhz=1500.0, uuid=f"uuid-{n}") for n in range(1, 9)]
    return snapshot([host(1), host(2)], vms)


def test_what_the_daemon_learnt_and_was_asked_counts_in_a_dry_run(config: Path) -> None:
    snap = uneven()
    asked = Evacuation(shard="vc1/prod", host=snap.hosts[1].id, host_name="esx2", by="ann", at=NOON)
    with sqlite_store(config.parent / "journal.sqlite") as store:
        store.put_quarantine(quarantine(until=NOON + timedelta(hours=9)))
        store.ask_evacuation(asked)
    past, policy = remembered(config, None, snap, Policy())
    plan = plan_snapshot(snap, policy, settings=PlanSettings(), past=past)
    assert {move.target for move in plan.moves} <= {"host-1"}
    assert Reason.VM_FAILED_RECENTLY in {refusal.reason for refusal in plan.refusals}
    free = plan_snapshot(snap, Policy(), settings=PlanSettings())
    assert {move.target for move in free.moves} == {"host-2"}


def test_without_a_journal_nothing_is_remembered_and_none_is_made(config: Path) -> None:
    assert remembered(config, None, uneven(), Policy()) == (Past(), Policy())
    assert not (config.parent / "journal.sqlite").exists()


def test_a_journal_that_cannot_be_read_is_told_and_planned_without(
    config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (config.parent / "journal.sqlite").write_bytes(b"no database at all, " * 100)
    assert remembered(config, None, uneven(), Policy()) == (Past(), Policy())
    told = capfd.readouterr().err
    assert told.startswith("planned without the journal: ")
    assert "journal.sqlite" in told


def test_what_earlier_batches_did_is_in_every_form_of_the_report() -> None:
    snap = uneven()
    told = verdict("c7", result=HOT, detail="predicted 0.5, measured <b>-0.2</b>")
    plan = plan_snapshot(snap, Policy(), settings=PlanSettings(), past=Past(verdicts=(told,)))
    assert plan.verdicts == (told.told,)
    text = render_text(plan, snap)
    assert "What earlier batches did" in text
    assert "worse: predicted 0.5" in text
    assert "worse: predicted 0.5" in render_markdown(plan, snap)
    page = render_html(plan, snap)
    assert "worse: predicted 0.5" in page
    assert "<b>-0.2" not in page
    document = document_text(plan_document(plan, snap))
    assert plan_from_bytes(document.encode(), name="p").verdicts == plan.verdicts

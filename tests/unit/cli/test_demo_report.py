"""How a run ended, as verdict, line and report."""

from balancer.cli.demo_figures import Measured, measured
from balancer.cli.demo_page import closing_page
from balancer.cli.demo_record import DemoRecord
from balancer.cli.demo_report import Ending, closing_line, closing_report
from balancer.model.events import MoveEnded
from balancer.model.outcome import MoveOutcome, MoveState
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.policy.types import Policy
from tests.support.builders import NOON, host, rule, snapshot, vm
from tests.unit.cli.test_demo_record import MOVE

APART = rule("apart", RuleType.ANTI_AFFINITY, [1, 2])


def standing(*hosts_of_vms: int) -> Measured:
    vms = [vm(number, on) for number, on in enumerate(hosts_of_vms, start=1)]
    snap: Snapshot = snapshot([host(1), host(2)], vms, [APART])
    return Measured(snapshot=snap, state=measured(snap, Policy()))


CROWDED = standing(1, 1, 1, 1)
LEVEL_BUT_BROKEN = standing(1, 1, 2, 2)
GOOD = standing(1, 2, 1, 2)


def ending(before: Measured, after: Measured, *outcomes: MoveOutcome) -> Ending:
    record = DemoRecord([before.snapshot])
    for outcome in outcomes:
        record.tell(MoveEnded(outcome=outcome, at=NOON))
    return Ending(before=(before,), after=(after,), record=record, simulated_s=3600.0)


def test_a_level_cluster_without_broken_rules_is_better() -> None:
    assert ending(CROWDED, GOOD).is_better


def test_a_broken_must_rule_is_never_better() -> None:
    assert not ending(CROWDED, LEVEL_BUT_BROKEN).is_better


def test_an_unchanged_cluster_is_not_better() -> None:
    assert not ending(GOOD, GOOD).is_better


def test_one_worse_cluster_spoils_the_verdict() -> None:
    good, worse = ending(CROWDED, GOOD), ending(GOOD, CROWDED)
    both = Ending(
        before=good.before + worse.before,
        after=good.after + worse.after,
        record=good.record,
        simulated_s=1.0,
    )
    assert not both.is_better


def test_fixed_rules_are_those_that_were_broken_and_hold() -> None:
    assert ending(CROWDED, GOOD).rules_fixed == 1
    assert ending(CROWDED, LEVEL_BUT_BROKEN).rules_fixed == 0


def test_the_closing_line_names_every_figure() -> None:
    done = MoveOutcome(move=MOVE, state=MoveState.DONE)
    failed = MoveOutcome(move=MOVE, state=MoveState.FAILED, fault="Timedout")
    line = closing_line(ending(CROWDED, GOOD, done, done, failed))
    assert line == (
        "imbalance 8.7 % -> 0.0 %, 2 moves, 1 failure handled, 1 rule fixed, 0 must-rules broken"
    )


def test_the_report_says_where_a_failed_vm_is() -> None:
    failed = MoveOutcome(move=MOVE, state=MoveState.FAILED, fault="Timedout")
    report = closing_report(ending(CROWDED, GOOD, failed))
    assert "failed: vm1, Timedout; still on its source" in report
    assert "prod: imbalance" in report


def test_the_closing_page_shows_clusters_moves_and_failures_and_loads_nothing() -> None:
    failed = MoveOutcome(move=MOVE, state=MoveState.FAILED, fault="Timedout", seconds=9.0)
    done = MoveOutcome(move=MOVE, state=MoveState.DONE, seconds=17.0)
    page = closing_page(ending(CROWDED, GOOD, done, failed))
    assert closing_line(ending(CROWDED, GOOD, done, failed)).replace("->", "→") in page
    assert 'class="better"' in page
    assert "Timedout" in page
    assert "17 s" in page
    assert page.count('role="img"') == 2
    assert "default-src 'none'" in page
    assert "<script" not in page


def test_the_closing_page_of_a_run_without_moves_says_so() -> None:
    page = closing_page(ending(GOOD, GOOD))
    assert "Nothing was moved." in page
    assert 'class="worse"' in page

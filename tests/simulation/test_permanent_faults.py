"""A day of cycles against a vCenter that refuses: a fault that does not pass is not met again and again."""

from collections import Counter

import pytest

from balancer.model.outcome import FailureKind, MoveState
from balancer.policy.types import Limits, Policy
from tests.support.fakes import Script
from tests.unit.test_cycle import Stage, stage

HOURS, PER_HOUR = 24, 1
NO_BUDGETS = Policy(
    limits=Limits(
        moves_per_run_at_least=1000,
        moves_per_run_at_most=1000,
        moves_per_run_ratio=1.0,
        moves_per_hour_ratio=1.0,
        mandatory_moves_per_run=1000,
        moves_per_vm_per_day=1000,
    )
)
MOST_A_DAY = 2
"""After two failures in 24 hours a VM is left alone."""


def a_day(scene: Stage) -> None:
    for _ in range(HOURS * PER_HOUR):
        sent = Counter(scene.vcenter.submits)
        scene.cycle()
        again = Counter(scene.vcenter.submits) - sent
        assert max(again.values(), default=0) <= 1  # never twice in one run
        scene.vcenter.clock.sleep(3600.0 / PER_HOUR)


@pytest.mark.parametrize("where", ["call_fault", "task_fault"])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("AffinityConfigured", FailureKind.SKIP_VM),
        ("SystemError", FailureKind.SKIP_VM),
        ("CpuIncompatible", FailureKind.PAIR),
    ],
)
def test_a_permanent_fault_is_not_tried_again_while_the_vm_is_held(
    fault: str, kind: FailureKind, where: str
) -> None:
    scene = stage(policy=NO_BUDGETS)
    scene.vcenter.default = Script(seconds=5.0, **{where: fault})
    a_day(scene)
    rows = scene.store.rows_since(
        "vc1", scene.vcenter.truth.cluster.id, scene.vcenter.start.taken_at
    )
    assert rows
    assert {(row.state, row.kind) for row in rows} == {(MoveState.FAILED, kind)}
    if kind is FailureKind.PAIR:
        pairs = Counter((row.entry.vm, row.entry.target) for row in rows)
        assert max(pairs.values()) <= MOST_A_DAY
    else:
        assert max(scene.vcenter.submits.values()) <= MOST_A_DAY

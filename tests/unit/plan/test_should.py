"""Should-rules: repaired where that is worth a move, and never taken for must-rules."""

from balancer.model.plan import MoveReason
from balancer.model.rule import RuleType
from tests.support.builders import host, rule, snapshot, vm
from tests.unit.plan.support import draft_of


def test_a_broken_should_rule_is_repaired_but_not_as_a_mandatory_move() -> None:
    apart = rule("rather apart", RuleType.ANTI_AFFINITY, [1, 2], mandatory=False)
    snap = snapshot([host(1), host(2)], [vm(1, 1), vm(2, 1), vm(3, 2), vm(4, 2)], [apart])

    draft = draft_of(snap)

    assert draft.moves
    assert draft.moves[0].reason is MoveReason.SHOULD_RULE
    assert not draft.moves[0].reason.is_mandatory
    assert draft.moves[0].reason.word == "rule"
    assert "rather apart" in draft.moves[0].why

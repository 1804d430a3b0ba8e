"""What moves were measured to have done, and what follows from it, on the metrics page."""

import pytest

from balancer.model.events import PastReviewed
from balancer.model.past import Past, VerdictResult
from balancer.model.reasons import Reason, Refusal
from balancer.policy.mode import Mode
from tests.support.builders import NOON
from tests.unit.expose.board import Board, judged
from tests.unit.expose.plans import small_plan, small_snapshot


def test_verdicts_are_counted_by_result_and_start_at_zero() -> None:
    board = Board()
    assert set(board.series("batch_verdicts_total").values()) == {0.0}
    board.cluster.tell(judged(VerdictResult.WORSE, gain=-0.01))
    board.cluster.tell(judged(VerdictResult.BETTER))
    assert board.series("batch_verdicts_total") == {
        ("better",): 1.0,
        ("neutral",): 0.0,
        ("unknown",): 0.0,
        ("worse",): 1.0,
    }


@pytest.mark.parametrize(
    ("predicted", "gain", "count", "total"),
    [
        pytest.param(0.02, 0.015, 1.0, 0.75, id="three quarters of it came"),
        pytest.param(0.02, -0.015, 1.0, 0.0, id="harm counts as nothing"),
        pytest.param(None, 0.015, 0.0, 0.0, id="nobody knows what was predicted"),
        pytest.param(-0.02, 0.015, 0.0, 0.0, id="it was to cost something"),
        pytest.param(0.02, None, 0.0, 0.0, id="not measured"),
    ],
)
def test_the_realized_share_of_what_was_predicted_is_told(
    predicted: float | None, gain: float | None, count: float, total: float
) -> None:
    board = Board()
    board.cluster.tell(judged(predicted=predicted, gain=gain))
    counts = board.series("plan_realized_benefit_ratio_count")
    assert counts.get((), 0.0) == count
    assert board.series("plan_realized_benefit_ratio_sum").get((), 0.0) == pytest.approx(total)


def test_a_cluster_that_its_verdicts_stopped_is_told_as_an_open_circuit() -> None:
    board, reason = Board(), Reason.VERDICTS_WORSE
    board.cluster.tell(PastReviewed(past=Past(), closed=(), at=NOON))
    assert board.value("circuit_open", reason.value) == 0.0
    held = Refusal.of(reason, "3 of the last 5 batches made it worse")
    board.cluster.tell(PastReviewed(past=Past(), closed=(held,), at=NOON))
    board.show(small_snapshot(), small_plan(mode=Mode.OBSERVE.value, mode_because=held))
    assert board.value("circuit_open", reason.value) == 1.0
    assert board.value("cluster_mode_in_force", "observe") == 1.0

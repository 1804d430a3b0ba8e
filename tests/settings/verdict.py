"""When a batch is measured, and how many worse ones stop a cluster, by the value of each."""

from collections.abc import Callable

from balancer.execute.verdict import why_observed
from balancer.model.past import VerdictResult
from balancer.policy.types import Policy
from tests.settings.case import Case
from tests.unit.execute.judged import Court
from tests.unit.execute.stage import move, without_budgets
from tests.unit.execute.test_verdict import WORSE, verdicts


def judged_after(seconds: float) -> Callable[[Policy], object]:
    """Ask for the verdict on a batch that ended so long ago."""

    def look(policy: Policy) -> object:
        court = Court(limits=without_budgets(policy.limits))
        court.send(move(1, 1, 2))
        court.judge(seconds)
        return court.verdict().result

    return look


def stopped_by(*results: VerdictResult) -> Callable[[Policy], object]:
    """Ask whether such verdicts stop the cluster."""

    def look(policy: Policy) -> object:
        return why_observed(verdicts(*results), policy.limits) is not None

    return look


VERDICT = (
    Case(setting="limits.verdict_after_s", values=(300.0, 600.0), look=judged_after(400.0)),
    Case(setting="limits.worse_verdicts", values=(2, 3), look=stopped_by(WORSE, WORSE)),
)

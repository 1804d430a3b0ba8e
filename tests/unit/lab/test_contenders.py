"""Who takes part in a replay: what is shipped, and what differs from it in one setting."""

from datetime import UTC, datetime

from balancer.lab.contenders import CONTENDERS, STEADY
from balancer.policy.compose import load_policy_set


def test_the_contender_steady_is_the_shipped_policy_of_this_name() -> None:
    shipped = load_policy_set(("steady",), vcenter="vc", cluster="c").at(datetime.now(UTC))
    assert (shipped.goals, shipped.thresholds) == (STEADY.goals, STEADY.thresholds)
    assert (shipped.trigger, shipped.demand) == (STEADY.trigger, STEADY.demand)
    assert (shipped.prices, shipped.limits) == (STEADY.prices, STEADY.limits)
    assert CONTENDERS["steady"].policy == STEADY

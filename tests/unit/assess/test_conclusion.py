"""What a plan without moves says of itself names what decided, and nothing else."""

from dataclasses import replace

import pytest

from balancer.model.reasons import Reason, Refusal
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.types import Policy
from tests.support.builders import host, snapshot, vm

FULL = snapshot([host(1), host(2)], [vm(n, on=1, cpu_demand_mhz=3_000.0) for n in range(8)])
LOST = Refusal.of(Reason.HOSTS_LOST, "esx9 does not answer")


@pytest.mark.parametrize(
    ("asks", "unfit", "said"),
    [
        pytest.param(
            True, (LOST,), "is not relieved: esx9 does not answer", id="facts not good enough"
        ),
        pytest.param(
            False, (), "is not relieved: the policy does not ask for it", id="goal is off"
        ),
    ],
)
def test_a_host_above_its_threshold_is_never_said_to_be_below(
    asks: bool, unfit: tuple[Refusal, ...], said: str
) -> None:
    base = Policy()
    policy = replace(base, goals=replace(base.goals, contention=asks, balance=False))

    plan = plan_snapshot(FULL, policy, settings=PlanSettings(), unfit=unfit)

    assert plan.moves == ()
    assert "a host is above its contention threshold" in plan.reason
    assert said in plan.reason


def test_a_plan_has_the_id_that_its_settings_give() -> None:
    settings = PlanSettings(identify=lambda *facts: f"made from {len(facts)}")

    assert plan_snapshot(FULL, Policy(), settings=settings).id == "made from 4"

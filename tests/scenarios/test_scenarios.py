"""Every scenario of the folders beside this file: planned whole, held against its expectations and all laws."""

from pathlib import Path

import pytest

from balancer.adapters.files import parse_snapshot, snapshot_bytes
from balancer.model.errors import InputError
from balancer.model.plan import Plan
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.types import Policy
from tests.support.replay import replayed
from tests.support.scenario import Scenario, read_scenario
from tests.support.verdicts import broken_laws, disappointments

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*/*.yaml"))


def plan_of(snapshot: Snapshot, policy: Policy) -> Plan:
    """Plan, sequence and verify; an unsound plan raises."""
    return plan_snapshot(snapshot, policy, settings=PlanSettings())


@pytest.fixture(params=FILES, ids=lambda path: f"{path.parent.name}/{path.stem}", scope="module")
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return read_scenario(request.param)


@pytest.fixture(scope="module")
def plan(scenario: Scenario) -> Plan:
    return plan_of(scenario.snapshot, scenario.policy)


def test_the_plan_is_what_is_expected(
    scenario: Scenario, plan: Plan, request: pytest.FixtureRequest
) -> None:
    if scenario.expect.xfail:
        request.applymarker(pytest.mark.xfail(reason=scenario.expect.xfail, strict=True))
    assert list(disappointments(scenario.snapshot, plan, scenario.expect)) == []


def test_the_plan_keeps_the_laws_of_every_plan(scenario: Scenario, plan: Plan) -> None:
    assert list(broken_laws(scenario.snapshot, scenario.policy, plan)) == []
    assert plan.incidents == ()


def test_planning_the_result_plans_nothing(scenario: Scenario, plan: Plan) -> None:
    snapshot, moves = replayed(scenario.snapshot, plan.moves), []
    for _ in range(scenario.expect.cycles):
        again = plan_of(snapshot, scenario.policy)
        moves.append(len(again.moves))
        snapshot = replayed(snapshot, again.moves)

    assert moves == [0] * scenario.expect.cycles


def test_as_a_file_it_is_planned_alike_or_refused_with_its_fault(
    scenario: Scenario, plan: Plan
) -> None:
    content = snapshot_bytes(scenario.snapshot)
    if scenario.expect.file:
        with pytest.raises(InputError, match=scenario.expect.file):
            parse_snapshot(content, name="scenario")
        return
    read = plan_of(parse_snapshot(content, name="scenario"), scenario.policy)

    assert (read.status, read.moves) == (plan.status, plan.moves)


def test_every_folder_has_scenarios_and_each_says_what_it_is_about() -> None:
    folders = {path.name for path in HERE.iterdir() if path.is_dir() and path.name[0] != "_"}

    assert folders == {path.parent.name for path in FILES}
    assert [path.name for path in FILES if len(read_scenario(path).about) < 20] == []

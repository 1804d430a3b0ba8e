"""Nothing is accepted and ignored: changing any setting changes a plan, an admission or what a stage says.

The table is in `plans` and `runs`. A setting of a policy that is not in it fails here.
"""

from dataclasses import fields

import pytest

from balancer.model.plan import MoveReason
from balancer.policy.types import (
    DemandReading,
    Goals,
    Limits,
    Policy,
    Prices,
    Thresholds,
    TriggerRules,
)
from tests.settings.case import Case
from tests.settings.control import CONTROL
from tests.settings.forecasts import FORECASTS
from tests.settings.learn import LEARN
from tests.settings.plans import PLANS
from tests.settings.runs import RUNS
from tests.settings.trigger import TRIGGER
from tests.settings.verdict import VERDICT

CASES = (*PLANS, *TRIGGER, *RUNS, *LEARN, *VERDICT, *CONTROL, *FORECASTS)

SECTIONS = {
    "goals": Goals,
    "thresholds": Thresholds,
    "trigger": TriggerRules,
    "prices": Prices,
    "limits": Limits,
    "demand": DemandReading,
}

ELSEWHERE = {
    "name": "shown in reports",
    "description": "for people",
    "applies_to": "says on which clusters a policy is refused",
    "mode": "modes are honoured at submit: tests of modes",
    "vm_modes": "tests/unit/execute/test_vm_modes.py",
    "migration_threshold": "stands for other settings: tests/unit/policy/test_levels.py",
    "windows": "tests of windows",
    "outside_windows": "tests of windows",
    "rules": "tests of rules",
    "drs": "tests of rules",
    "tag_rules": "tests of rules",
    "evacuating": "comes from no file: tests/unit/plan/test_asked_empty.py",
}
"""What is no single figure or switch, and where it is shown to count."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.setting)
def test_changing_a_setting_changes_what_comes_of_it(case: Case) -> None:
    one, other = case.answers()
    assert one != other


def test_every_setting_of_a_policy_is_in_the_table() -> None:
    wanted = {f"{name}.{one.name}" for name, kind in SECTIONS.items() for one in fields(kind)}
    wanted |= {f"priorities.{reason}" for reason in MoveReason}
    sections = {*SECTIONS, "priorities"}
    wanted |= {one.name for one in fields(Policy)} - sections - ELSEWHERE.keys()
    assert {case.setting for case in CASES} == wanted


def test_what_is_shown_elsewhere_is_a_setting() -> None:
    assert ELSEWHERE.keys() <= {one.name for one in fields(Policy)}

"""The mode in force is the most careful of configuration, policy, windows and the VM's own, and says whose."""

from datetime import datetime

import pytest

from balancer.model.plan import MoveReason
from balancer.model.reasons import Reason
from balancer.policy.in_force import mode_in_force
from balancer.policy.mode import Mode
from balancer.policy.types import Policy
from tests.support.builders import NOON
from tests.unit.execute.stage import move, vm_id
from tests.unit.policy.test_windows import days

FREEZE = days("2026-11-20", "2026-11-30", mode=Mode.PARTIAL)
WINTER = datetime.fromisoformat("2026-12-24T12:00+01:00")


@pytest.mark.parametrize(
    ("policy", "configured", "mode", "reason", "words"),
    [
        (Policy(), Mode.AUTOMATIC, Mode.AUTOMATIC, None, ""),
        (Policy(), Mode.OBSERVE, Mode.OBSERVE, Reason.OBSERVE_MODE, "by the configuration"),
        (Policy(), Mode.MANUAL, Mode.MANUAL, Reason.NOT_APPROVED, "by the configuration"),
        (
            Policy(name="calm", mode=Mode.MANUAL),
            Mode.AUTOMATIC,
            Mode.MANUAL,
            Reason.NOT_APPROVED,
            "mode manual, by policy 'calm'",
        ),
        (
            Policy(mode=Mode.AUTOMATIC),
            Mode.PARTIAL,
            Mode.PARTIAL,
            Reason.OBSERVE_MODE,
            "mode partial, by the configuration",
        ),
        (
            Policy(windows=(FREEZE,)),
            Mode.AUTOMATIC,
            Mode.PARTIAL,
            Reason.WINDOW_CLOSED,
            "window 'freeze' allows mode partial until 2026-12-01 00:00 Europe/Zurich",
        ),
        (
            Policy(windows=(FREEZE,)),
            Mode.OBSERVE,
            Mode.OBSERVE,
            Reason.OBSERVE_MODE,
            "mode observe, by the configuration",
        ),
    ],
)
def test_the_most_careful_word_counts(
    policy: Policy, configured: Mode, mode: Mode, reason: Reason | None, words: str
) -> None:
    found = mode_in_force(policy, configured, NOON)

    assert found.mode is mode
    assert (found.because.reason if found.because else None) is reason
    assert words in (found.because.detail if found.because else "")


def test_a_window_that_is_over_holds_nothing_back() -> None:
    assert mode_in_force(Policy(windows=(FREEZE,)), Mode.AUTOMATIC, WINTER).because is None


@pytest.mark.parametrize(
    ("mode", "load", "mandatory"),
    [
        (Mode.OBSERVE, Reason.OBSERVE_MODE, Reason.OBSERVE_MODE),
        (Mode.MANUAL, Reason.NOT_APPROVED, Reason.NOT_APPROVED),
        (Mode.PARTIAL, Reason.OBSERVE_MODE, None),
        (Mode.AUTOMATIC, None, None),
    ],
)
def test_what_a_mode_lets_out(mode: Mode, load: Reason | None, mandatory: Reason | None) -> None:
    by_cluster = mode_in_force(Policy(), mode, NOON)
    by_vm = mode_in_force(Policy(), Mode.AUTOMATIC, NOON, vm_modes={vm_id(1): mode})

    for found in (by_cluster, by_vm):
        one = found.refusal(move(1, 1, 2), is_mandatory=False)
        other = found.refusal(move(1, 1, 2, reason=MoveReason.EVACUATE), is_mandatory=True)
        assert (one.reason if one else None) is load
        assert (other.reason if other else None) is mandatory
    assert by_vm.refusal(move(2, 1, 2), is_mandatory=False) is None
    assert bool(by_cluster.held) == (mode in (Mode.OBSERVE, Mode.MANUAL))

"""What a person's approval frees, by the mode in force, by what holds it there, and by the VM's own mode."""

import pytest

from balancer.model.reasons import Reason, Refusal
from balancer.model.units import VmId
from balancer.policy.in_force import InForce
from balancer.policy.mode import Mode
from tests.unit.execute.stage import move

WINDOW = Refusal.of(Reason.WINDOW_CLOSED, "window 'backup' is open")
MOVE = move(1, 1, 2)


def goes(
    mode: Mode, *, window: bool = False, own: Mode = Mode.AUTOMATIC, mandatory: bool = False
) -> bool:
    """Whether an approved move is let through."""
    in_force = InForce(
        mode=mode,
        because=WINDOW if window else None,
        vm_modes={VmId("vm-1"): own},
        is_approved=True,
    )
    return in_force.refusal(MOVE, is_mandatory=mandatory) is None


@pytest.mark.parametrize("mode", [Mode.MANUAL, Mode.PARTIAL, Mode.AUTOMATIC])
def test_it_frees_what_waits_for_a_persons_word(mode: Mode) -> None:
    assert goes(mode)
    assert goes(Mode.AUTOMATIC, own=mode)
    assert InForce(mode=Mode.MANUAL).refusal(MOVE, is_mandatory=True) is not None


def test_s1_it_never_frees_what_is_only_observed() -> None:
    assert not goes(Mode.OBSERVE, mandatory=True)
    assert not goes(Mode.AUTOMATIC, own=Mode.OBSERVE, mandatory=True)


def test_it_does_not_free_what_a_window_holds_back() -> None:
    assert not goes(Mode.OBSERVE, window=True)
    assert not goes(Mode.PARTIAL, window=True)
    assert goes(Mode.PARTIAL, window=True, mandatory=True)
    assert goes(Mode.MANUAL, window=True)

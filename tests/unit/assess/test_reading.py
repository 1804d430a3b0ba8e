"""What the planner is shown beyond the snapshot: our own moves whose end is not known."""

from dataclasses import replace

import pytest

from balancer.assess.reading import with_open_moves
from balancer.model.outcome import MoveState
from balancer.model.snapshot import InFlight
from balancer.model.units import HostId, VmId
from tests.unit.assess.test_stability import VM, A, B, cluster, row


@pytest.mark.parametrize("state", [MoveState.INTENT, MoveState.SUBMITTED, MoveState.UNKNOWN])
def test_a_move_of_unknown_end_is_in_flight(state: MoveState) -> None:
    (flight,) = with_open_moves(cluster(), [row(1, ago=0.1, state=state)]).in_flight
    assert (flight.vm, flight.source, flight.target) == (VM, A, B)


@pytest.mark.parametrize("state", [MoveState.DONE, MoveState.ABORTED, MoveState.EXTERNAL])
def test_a_move_whose_end_is_known_is_not(state: MoveState) -> None:
    assert with_open_moves(cluster(), [row(1, ago=0.1, state=state)]) == cluster()


def test_what_vcenter_shows_counts_once_and_gets_the_target_that_it_does_not_tell_yet() -> None:
    queued = InFlight(vm=VM, source=A, target=A, task="task-1")
    running = InFlight(vm=VmId("vm-2"), source=A, target=HostId("host-3"), task="task-2")
    rows = [
        row(1, ago=0.1, state=MoveState.SUBMITTED),
        row(2, ago=0.1, state=MoveState.UNKNOWN, vm=VmId("vm-2")),
    ]
    shown = with_open_moves(replace(cluster(), in_flight=(queued, running)), rows)
    assert shown.in_flight == (replace(queued, target=B), running)


@pytest.mark.parametrize(
    "facts", [{"vm": VmId("vm-77")}, {"way": "2>3"}, {"way": "1>9"}], ids=["vm", "source", "target"]
)
def test_a_move_that_cannot_arrive_any_more_is_left_out(facts: dict[str, object]) -> None:
    rows = [row(1, ago=0.1, state=MoveState.UNKNOWN, **facts)]
    assert with_open_moves(cluster(), rows).in_flight == ()

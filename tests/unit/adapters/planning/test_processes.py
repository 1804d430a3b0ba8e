"""Planning in processes: the plan is that of this process, and whatever a process does to itself stays there."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from balancer.adapters.clock import SystemClock
from balancer.adapters.planning import PlanningProcesses
from balancer.adapters.planning.processes import KEEP_WARM_S
from balancer.model.errors import PlanInvalid, PlanningFailed, PlanningStopped, PlanningTimedOut
from balancer.model.plan import Plan
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings
from balancer.planner import Planning, plan_snapshot
from balancer.policy.types import Policy
from tests.support import planners
from tests.support.builders import host, snapshot, vm
from tests.support.fakes import FakeClock
from tests.support.leftovers import children, nothing_left
from tests.support.planners import CAPS

WITHIN_S = 30.0


def uneven() -> Snapshot:
    vms = [vm(number, 1, cpu_demand_mhz=1500.0) for number in range(1, 7)]
    return snapshot([host(1), host(2), host(3)], vms)


def planned(planning: Planning, snap: Snapshot | None = None) -> Plan:
    return planning.plan(snap or uneven(), Policy(), settings=PlanSettings())


def failure_of(command: tuple[str, ...], **caps: float) -> PlanningFailed:
    """Return how asking a process fails; nothing of it is left."""
    limits = replace(CAPS, **caps)  # type: ignore[arg-type]
    with (
        nothing_left(),
        closing(PlanningProcesses(limits, SystemClock(), command)) as planning,
        pytest.raises(PlanningFailed) as caught,
    ):
        planned(planning)
    return caught.value


@pytest.fixture(scope="module")
def warm() -> Iterator[PlanningProcesses]:
    with closing(PlanningProcesses(CAPS, SystemClock())) as planning:
        yield planning


def test_the_plan_is_the_one_that_is_made_here(warm: PlanningProcesses) -> None:
    here = plan_snapshot(uneven(), Policy(), settings=PlanSettings())

    there = planned(warm)

    assert there.moves
    assert replace(there, stage_seconds=here.stage_seconds) == here


def test_a_process_is_kept_for_the_next_plan(warm: PlanningProcesses) -> None:
    planned(warm)
    before = children()

    planned(warm)

    assert before
    assert children() == before


def test_one_that_was_killed_while_it_waited_is_replaced_and_nobody_notices(
    warm: PlanningProcesses,
) -> None:
    planned(warm)
    before = children()
    for process in before:
        os.kill(int(process), signal.SIGKILL)
        os.waitid(os.P_PID, int(process), os.WEXITED | os.WNOWAIT)

    assert planned(warm).moves
    assert not children() & before


@pytest.mark.parametrize(
    ("command", "words", "facts"),
    [
        pytest.param(
            planners.SEGFAULT,
            "signal 11",
            {"signal": 11, "last_words": "in string_at"},
            id="segmentation fault",
        ),
        pytest.param(planners.KILLED, "ran out of memory", {"signal": 9}, id="killed from outside"),
        pytest.param(planners.EXIT, "exit code 3", {"exit_code": 3}, id="exit"),
        pytest.param(planners.HUNGRY, "planning.memory_mib", {}, id="memory"),
        pytest.param(planners.BUG, "no_such_thing", {"traceback": "AttributeError"}, id="bug"),
        pytest.param(planners.GARBLE, "exit code 0", {"exit_code": 0}, id="no letter"),
        pytest.param(planners.UNREADY, "getting ready to plan", {"exit_code": 4}, id="not ready"),
        pytest.param(planners.MISSING, "could not be started", {}, id="no program"),
    ],
)
def test_what_a_process_does_to_itself_is_an_error_that_says_it(
    command: tuple[str, ...], words: str, facts: dict[str, object]
) -> None:
    error = failure_of(command)

    assert words in str(error)
    assert not isinstance(error, PlanningTimedOut)
    assert all(str(fact) in str(error.facts[name]) for name, fact in facts.items())


def test_an_endless_loop_is_ended_in_its_time() -> None:
    error = failure_of(planners.HANG, patience_s=0.2)

    assert isinstance(error, PlanningTimedOut)
    assert "planning took more than 0.2 s" in str(error)
    assert "planning.patience_s" in str(error)


def test_a_plan_that_breaks_a_law_is_the_same_error_as_here() -> None:
    with (
        closing(PlanningProcesses(CAPS, SystemClock(), planners.UNSOUND)) as planning,
        pytest.raises(PlanInvalid, match="it breaks a law"),
    ):
        planned(planning)


def test_after_a_crash_the_next_plan_is_made(tmp_path: Path) -> None:
    script = (
        f"import os, pathlib\nflag = pathlib.Path({str(tmp_path / 'crashed')!r})\n"
        "if flag.exists(): return worker.__dict__['real'](snapshot, policy, **more)\n"
        "flag.touch()\nos.abort()"
    )
    command = planners.child(script)
    command = (*command[:2], "import balancer.adapters.planning.worker as w; "
               "w.real = w.plan_snapshot\n" + command[2])  # fmt: skip
    with closing(PlanningProcesses(CAPS, SystemClock(), command)) as planning:
        with pytest.raises(PlanningFailed, match="signal 6"):
            planned(planning)

        assert planned(planning).moves


class Waiting:
    """A plan that is asked for on a thread of its own."""

    def __init__(self, planning: PlanningProcesses) -> None:
        self.errors: list[Exception] = []
        self._thread = threading.Thread(target=self._ask, args=(planning,))
        self._thread.start()

    def _ask(self, planning: PlanningProcesses) -> None:
        try:
            planned(planning)
        except PlanningFailed as error:
            self.errors.append(error)
        except PlanningStopped as error:
            self.errors.append(error)

    def ended(self) -> list[Exception]:
        self._thread.join(WITHIN_S)
        assert not self._thread.is_alive()
        return self.errors


def until(holds: Callable[[], bool]) -> None:
    """Wait for something; the deadline is that of the test."""
    while not holds():
        threading.Event().wait(0.01)


def test_a_stop_ends_a_plan_that_hangs_and_one_that_waits_for_its_turn() -> None:
    with nothing_left():
        one = replace(CAPS, processes=1)
        planning = PlanningProcesses(one, SystemClock(), planners.HANG)
        hanging = Waiting(planning)
        until(lambda: bool(planning._busy))
        waiting = Waiting(planning)

        planning.close()

        assert [type(error) for error in hanging.ended()] == [PlanningStopped]
        assert [type(error) for error in waiting.ended()] == [PlanningStopped]
        with pytest.raises(PlanningStopped):
            planned(planning)


def test_who_has_no_turn_in_time_is_told_why() -> None:
    limits = replace(CAPS, processes=1, patience_s=0.5)
    planning = PlanningProcesses(limits, SystemClock(), planners.HANG)
    planning._busy.add(object())  # type: ignore[arg-type]

    with pytest.raises(PlanningTimedOut, match=r"no turn to plan within 0\.5 s"):
        planned(planning)


def test_a_process_that_has_waited_for_long_is_ended_and_a_prepared_one_is_used() -> None:
    clock = FakeClock()
    with nothing_left(), closing(PlanningProcesses(CAPS, clock)) as planning:
        before = children()
        planning.prepare()
        planning.prepare()
        (prepared,) = children() - before

        assert planned(planning).moves
        assert children() - before == {prepared}

        clock.sleep(KEEP_WARM_S - 1.0)
        planning.rest()
        assert children() - before == {prepared}
        clock.sleep(1.0)
        planning.rest()
        assert children() == before

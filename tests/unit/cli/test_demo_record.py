"""The demo counts what became of moves and keeps the last decisions in words."""

from dataclasses import replace

from balancer.cli.demo_record import DemoRecord
from balancer.model.events import Event, MoveEnded, MoveProgressed, MoveStarted
from balancer.model.outcome import MoveOutcome, MoveState
from balancer.model.plan import Move, MoveReason, Priority
from balancer.model.reasons import Reason, Refusal
from balancer.model.units import HostId, MoveId, VmId
from tests.support.builders import NOON, host, snapshot, vm

MOVE = Move(
    id=MoveId("m1"),
    vm=VmId("vm-1"),
    vm_name="vm1",
    source=HostId("host-1"),
    target=HostId("host-2"),
    reason=MoveReason.BALANCE,
    why="levels CPU",
    priority=Priority.LOW,
    wave=1,
    after=(),
    start_seconds=0.0,
    expected_seconds=10.0,
    memory_mib=4096.0,
    gain=1.0,
)
DONE = MoveOutcome(move=MOVE, state=MoveState.DONE)
STARTED = MoveStarted(move=MOVE, task="task-1", at=NOON, waited_seconds=0.0)


def heard(*events: Event) -> DemoRecord:
    record = DemoRecord([snapshot([host(1), host(2)], [vm(1, 1)])])
    for event in events:
        record.tell(event)
    return record


def ended(outcome: MoveOutcome) -> MoveEnded:
    return MoveEnded(outcome=outcome, at=NOON)


def test_a_started_move_runs_with_its_progress_until_it_ends() -> None:
    going = heard(STARTED, MoveProgressed(move=MOVE, progress_percent=40))
    assert [(m.vm, m.source, m.target, m.progress_percent) for m in going.running] == [
        ("vm1", "esx1", "esx2", 40)
    ]
    assert heard(STARTED, ended(DONE)).running == ()


def test_a_done_move_counts_by_its_reason_and_memory() -> None:
    record = heard(ended(DONE))
    assert record.done == {MoveReason.BALANCE: 1}
    assert record.moved_mib == 4096.0
    assert record.decisions[-1] == "vm1 esx1 -> esx2, 4.0 GiB: levels CPU"


def test_a_failed_move_is_kept_with_its_fault() -> None:
    record = heard(ended(replace(DONE, state=MoveState.FAILED, fault="Timedout")))
    assert len(record.failed) == 1
    assert record.done.total() == 0
    assert record.decisions[-1] == "vm1 failed: Timedout"


def test_a_move_that_was_not_sent_is_no_failure() -> None:
    refusal = Refusal.of(Reason.SOURCE_CHANGED, "moved by somebody else")
    record = heard(ended(replace(DONE, state=None, refusal=refusal)))
    assert (record.not_sent, record.failed) == ({Reason.SOURCE_CHANGED: 1}, [])
    assert "source_changed" in record.decisions[-1]


def test_only_the_last_decisions_are_kept() -> None:
    assert len(heard(*[ended(DONE)] * 50).decisions) == 6

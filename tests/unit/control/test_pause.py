"""Pauses and requests: who asked for what, what holds, and what a resume lifts."""

from dataclasses import replace

import pytest

from balancer import control
from balancer.adapters.store.memory import MemoryStore
from balancer.model.control import Evacuation
from balancer.model.errors import StoreError
from balancer.model.events import Event, MoveStarted
from balancer.model.outcome import MoveState
from balancer.model.past import Breaker
from balancer.model.plan import MoveReason
from balancer.model.reasons import Reason, Refusal
from balancer.policy.mode import Mode
from balancer.wishes import Wishes
from tests.support.builders import NOON
from tests.support.fakes import FakeClock, RecordingEvents
from tests.unit.control.board import SHARD, Board, uneven

HOST = uneven().hosts[0]


def test_s8_a_pause_keeps_a_plan_on_paper_and_the_plan_says_who_paused() -> None:
    board = Board(mode=Mode.AUTOMATIC)
    control.pause(board.store, SHARD, board.by("ann", "storage work"))
    report = board.cycle()
    assert board.sent == 0
    assert report.held is not None
    assert report.held.reason is Reason.PAUSED
    assert "ann paused vc1/prod" in report.held.detail
    assert "storage work" in report.held.detail
    assert report.plan.moves


def test_a_pause_of_another_cluster_is_no_pause() -> None:
    board = Board(mode=Mode.AUTOMATIC)
    control.pause(board.store, "vc1/other", board.by("ann"))
    board.cycle()
    assert board.sent > 0


def test_pausing_twice_keeps_the_first_and_says_so() -> None:
    board = Board()
    control.pause(board.store, "", board.by("ann", "first"))
    again = control.pause(board.store, "", board.by("bob", "second"))
    assert again.already is not None
    assert (again.already.by, again.already.reason) == ("ann", "first")
    assert len(board.store.pauses()) == 1


def test_resuming_everything_leaves_a_cluster_paused_that_somebody_paused_by_itself() -> None:
    board = Board()
    control.pause(board.store, "", board.by("ann"))
    control.pause(board.store, SHARD, board.by("bob", "disks"))
    done = control.resume(board.store, "", (SHARD,), board.by("ann"))
    assert [one.by for one in done.ended] == ["ann"]
    assert [one.by for one in done.still] == ["bob"]
    assert control.why_paused(board.store, SHARD) is not None


def test_resuming_nothing_ends_and_lifts_nothing() -> None:
    done = control.resume(Board().store, "", (SHARD,), Board().by("ann"))
    assert (done.ended, done.lifted, done.still) == ((), (), ())


def test_a_resume_closes_an_open_breaker_and_says_what_for() -> None:
    board = Board(mode=Mode.AUTOMATIC)
    board.cycle()
    cluster = board.base.cluster.id
    until = board.clock.now().replace(year=2100)
    broken = Breaker(level=2, since=NOON, until=until, cause="3 moves failed", is_open=True)
    board.store.put_breaker("vc1", cluster, broken, at=board.clock.now())
    done = control.resume(board.store, "", (SHARD,), board.by("ann"))
    assert [one.breaker for one in done.lifted] == ["3 moves failed"]
    after = board.store.past("vc1", cluster, NOON).breaker
    assert (after.is_open, after.level) == (False, 0)
    rows = board.store.past("vc1", cluster, NOON).rows
    assert after.counted_to == max(row.id for row in rows)


def test_a_stop_between_intent_and_call_takes_the_intent_back() -> None:
    board = Board(mode=Mode.AUTOMATIC)
    begin, stop = board.store.begin, Refusal.of(Reason.STOP_FILE, "stop is there")

    def begun_as_the_file_appears(entry, permit):  # type: ignore[no-untyped-def]
        row = begin(entry, permit)
        board.stop = stop
        return row

    board.store.begin = begun_as_the_file_appears  # type: ignore[method-assign]
    report = board.cycle()
    assert board.sent == 0
    rows = board.store.rows_since("vc1", board.base.cluster.id, NOON)
    assert [row.state for row in rows] == [MoveState.ABORTED]
    assert {o.refusal.reason for o in report.outcomes if o.refusal} == {Reason.STOP_FILE}


def test_a_journal_that_cannot_be_read_counts_as_a_stop() -> None:
    class Broken(MemoryStore):
        def pauses(self):  # type: ignore[no-untyped-def]
            raise StoreError("the disk is gone")

    refusal = Wishes(Broken(), FakeClock(), SHARD, lambda: None).why_stopped()
    assert refusal is not None
    assert refusal.reason is Reason.JOURNAL_UNAVAILABLE


def asked(board: Board) -> control.Emptying:
    wanted = Evacuation(shard=SHARD, host=HOST.id, host_name=HOST.name, by="", at=NOON)
    return control.ask_to_empty(board.store, wanted, board.by("ann", "new fans"))


def test_a_host_is_emptied_kept_empty_and_given_back() -> None:
    board = Board(mode=Mode.PARTIAL)
    first = asked(board)
    assert asked(board) == replace(first, already=True)
    board.cycle()
    assert not [one for one in board.vcenter.truth.vms if one.host == HOST.id]
    board.mode = Mode.AUTOMATIC
    board.clock.sleep(7200.0)
    assert not [move for move in board.cycle().plan.moves if move.target == HOST.id]
    control.cancel_emptying(board.store, first.evacuation, board.by("bob"))
    assert board.store.evacuations(SHARD) == ()
    assert board.wishes.emptied() == frozenset()


def test_a_request_that_is_taken_back_during_a_run_stops_what_was_not_sent() -> None:
    board = Board(mode=Mode.PARTIAL)
    first = asked(board)

    class CancelsAtTheFirst(RecordingEvents):
        def tell(self, event: Event) -> None:
            if isinstance(event, MoveStarted) and board.store.evacuations(SHARD):
                control.cancel_emptying(board.store, first.evacuation, board.by("ann"))

    board.events = CancelsAtTheFirst()
    report = board.cycle()
    assert board.sent == 1
    assert {o.refusal.reason for o in report.outcomes if o.refusal} == {Reason.NOT_NEEDED}


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.MANUAL])
def test_in_a_careful_mode_the_request_is_planned_and_not_carried_out(mode: Mode) -> None:
    board = Board(mode=mode)
    asked(board)
    report = board.cycle()
    assert MoveReason.REQUESTED in {move.reason for move in report.plan.moves}
    assert board.sent == 0

"""The small parts of the executor by themselves: the link's back-off, the record, a VM's sight."""

import pytest

from balancer.adapters.store.memory import MemoryStore
from balancer.execute.link import LONGEST_BACK_OFF_S, Link
from balancer.execute.record import Record
from balancer.execute.sight import Errand, Sight, judged, sight_of
from balancer.model.errors import (
    LoginRefused,
    SourceUnreachable,
    StoreError,
    SubmitNotSent,
    UntrustedCertificate,
)
from balancer.model.outcome import JournalStep, MoveState
from balancer.model.reasons import Reason
from balancer.model.snapshot import InFlight
from tests.support.builders import NOON, snapshot
from tests.support.fakes import FakeClock
from tests.unit.execute.stage import cluster, host_id, vm_id


def pauses(link: Link, clock: FakeClock, error: Exception, count: int) -> list[float]:
    found = []
    for _ in range(count):
        link.lost(error)
        found.append(link.next_try_s - clock.monotonic())
        clock.sleep(found[-1])
    return found


def test_pauses_double_up_to_half_a_minute_and_start_again_after_an_answer() -> None:
    clock = FakeClock()
    link = Link(clock, 1.0)
    assert pauses(link, clock, SourceUnreachable("no"), 7) == [1, 2, 4, 8, 16, 30, 30]
    link.back()
    assert pauses(link, clock, SubmitNotSent("no"), 2) == [1, 2]
    assert LONGEST_BACK_OFF_S == 30


@pytest.mark.parametrize(
    ("error", "pause_s"), [(LoginRefused("no"), 900), (UntrustedCertificate("no"), 300)]
)
def test_errors_of_trust_are_not_tried_again_soon(error: Exception, pause_s: float) -> None:
    clock = FakeClock()
    assert pauses(Link(clock, 1.0), clock, error, 2) == [pause_s, pause_s]


def test_a_link_that_is_down_may_be_asked_again_only_after_its_pause() -> None:
    clock = FakeClock()
    link = Link(clock, 1.0)
    assert (link.is_down, link.may_ask) == (False, True)
    link.lost(SourceUnreachable("the network is away"))
    assert (link.is_down, link.may_ask) == (True, False)
    assert link.refusal().reason is Reason.CONNECTION_LOST
    assert link.refusal().detail == "the network is away"
    clock.sleep(1)
    assert link.may_ask


class Stubborn(MemoryStore):
    """A store that takes nothing until it is mended."""

    is_mended = False
    written: list[MoveState]

    def advance(self, row: int, step: JournalStep) -> None:
        if not self.is_mended:
            raise StoreError("the disk is full")
        self.written = [*getattr(self, "written", []), step.state]


def test_steps_that_were_kept_are_written_in_their_order() -> None:
    store = Stubborn()
    record = Record(store)
    for state in (MoveState.SUBMITTED, MoveState.UNKNOWN, MoveState.DONE):
        record.advance(1, JournalStep(state=state, at=NOON))
    assert record.is_behind
    store.is_mended = True
    record.catch_up()
    assert not record.is_behind
    assert store.written == [MoveState.SUBMITTED, MoveState.UNKNOWN, MoveState.DONE]


def test_a_sight_tells_place_and_migration() -> None:
    base = cluster()
    flying = snapshot(
        base.hosts,
        base.vms,
        in_flight=(
            InFlight(vm=vm_id(2), source=host_id(1), target=host_id(3), task="task-8"),
            InFlight(vm=vm_id(1), source=host_id(1), target=host_id(2)),
        ),
    )
    assert sight_of(base, vm_id(1)) == Sight(host=host_id(1))
    assert sight_of(flying, vm_id(1)) == Sight(host=host_id(1), flight=flying.in_flight[1])
    assert sight_of(flying, vm_id(2)).flight == flying.in_flight[0]


@pytest.mark.parametrize(
    ("uuid", "is_seen"),
    [("", True), ("uuid-1", True), ("uuid-9", False)],
    ids=["identity not known", "the same vm", "another vm"],
)
def test_a_vm_of_another_identity_is_not_the_one_looked_for(uuid: str, is_seen: bool) -> None:
    assert (sight_of(cluster(), vm_id(1), uuid).host is not None) is is_seen


def test_a_vm_that_is_moving_has_no_end_yet_however_long_it_takes() -> None:
    flight = InFlight(vm=vm_id(1), source=host_id(1), target=host_id(2))
    errand = Errand(
        vm=vm_id(1),
        uuid="",
        source=host_id(1),
        target=host_id(2),
        task="",
        intended_at=None,
        hold_s=90.0,
    )
    assert judged(errand, Sight(host=host_id(1), flight=flight), None, waited_s=1e9) is None
    assert judged(errand, Sight(host=host_id(1)), None, waited_s=1e9) is not None

"""What is left alone for long, from when on and for how long."""

from dataclasses import replace
from datetime import timedelta

import pytest

from balancer.execute.quarantine import new_quarantines
from balancer.model.outcome import FailureKind, JournalRow
from balancer.model.past import ForeignMove, Past, Quarantine, SubjectKind
from balancer.model.reasons import Reason
from balancer.model.units import HostId, VmId
from balancer.policy.types import Limits
from tests.support.builders import NOON
from tests.support.rows import HERE, done, failed

HOUR = 3600.0
DAY = timedelta(days=1)


def found(*rows: JournalRow, past: Past | None = None) -> tuple[Quarantine, ...]:
    base = past or Past()
    return new_quarantines(replace(base, rows=rows), Limits(), vcenter="vc1", cluster=HERE)


def undone(row: JournalRow, *, after_s: float = 60.0, **facts: object) -> ForeignMove:
    sighting = ForeignMove(
        vcenter="vc1",
        cluster=HERE,
        vm=row.entry.vm,
        vm_name=row.entry.vm_name,
        source=row.entry.target,
        target=row.entry.source,
        seen_at=row.last_at + timedelta(seconds=after_s),
        row=row.id,
        is_return=True,
    )
    return replace(sighting, **facts)  # type: ignore[arg-type]


def test_two_failures_of_a_vm_within_a_day_put_it_out_for_a_day() -> None:
    [one] = found(failed(1, ago_s=20 * HOUR, of=1), failed(2, ago_s=HOUR, of=1))
    assert (one.kind, one.subject, one.level, one.cause) == (SubjectKind.VM, "vm-1", 1, 2)
    assert one.until - one.since == DAY
    assert one.since == NOON - timedelta(hours=1)
    assert one.reason is Reason.VM_FAILED_RECENTLY


def test_two_failures_more_than_a_day_apart_do_not() -> None:
    assert found(failed(1, ago_s=30 * HOUR, of=1), failed(2, ago_s=HOUR, of=1)) == ()


def test_each_further_one_lasts_twice_as_long_up_to_a_week() -> None:
    rows = [failed(n, ago_s=(12 - n) * 23 * HOUR, of=1) for n in range(1, 10)]
    ones = found(*rows)
    assert [one.level for one in ones] == list(range(1, 9))
    assert [(one.until - one.since).days for one in ones] == [1, 2, 4, 7, 7, 7, 7, 7]


def test_what_is_kept_already_is_found_again_by_its_cause() -> None:
    rows = [failed(n, ago_s=(5 - n) * HOUR, of=1) for n in (1, 2)]
    kept = found(*rows)
    assert found(*rows, past=Past(quarantines=kept)) == ()
    later = found(*rows, failed(3, ago_s=HOUR, of=1), past=Past(quarantines=kept))
    assert [one.level for one in later] == [2]


def test_another_vm_of_the_same_id_has_no_past() -> None:
    rows = [failed(1, ago_s=2 * HOUR, of=1, uuid="a"), failed(2, ago_s=HOUR, of=1, uuid="b")]
    assert found(*rows) == ()


def test_a_call_that_found_no_connection_is_no_failure_of_the_vm() -> None:
    assert found(failed(1, ago_s=2 * HOUR, of=1, fault=""), failed(2, ago_s=HOUR, of=1)) == ()


@pytest.mark.parametrize(
    ("faults", "targets"),
    [
        pytest.param(("HostNotConnected", "HostNotConnected"), ["host-2"], id="the same fault"),
        pytest.param(("HostNotConnected", "VMotionLinkDown"), [], id="different faults"),
    ],
)
def test_a_target_is_out_after_two_failures_with_the_same_fault(
    faults: tuple[str, str], targets: list[str]
) -> None:
    rows = [
        failed(n, ago_s=600.0 * (3 - n), kind=FailureKind.SKIP_TARGET, fault=fault)
        for n, fault in enumerate(faults, 1)
    ]
    ones = found(*rows)
    assert [one.subject for one in ones] == targets
    assert all(one.until - one.since == timedelta(hours=1) for one in ones)


def test_what_was_under_way_when_a_target_went_out_does_not_put_it_out_longer() -> None:
    kind = FailureKind.SKIP_TARGET
    rows = [failed(n, ago_s=100.0 - n, took_s=300.0, kind=kind, fault="X") for n in range(1, 5)]
    assert [one.level for one in found(*rows)] == [1]


def test_two_moves_undone_by_others_make_a_vm_contended() -> None:
    rows = [done(1, ago_s=9 * HOUR, of=1), done(2, ago_s=2 * HOUR, of=1)]
    past = Past(foreign_moves=tuple(undone(row) for row in rows))
    [one] = found(*rows, past=past)
    assert (one.reason, one.cause, one.subject) == (Reason.CONTENDED, 2, "vm-1")
    assert one.until == past.foreign_moves[1].seen_at + DAY


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"is_against": False}, id="its host had to be emptied"),
        pytest.param({"acknowledged_at": NOON}, id="acknowledged"),
        pytest.param({"vm": VmId("vm-9"), "target": HostId("host-1")}, id="another VM"),
    ],
)
def test_what_does_not_speak_against_us_makes_no_vm_contended(facts: dict[str, object]) -> None:
    rows = [done(1, ago_s=9 * HOUR, of=1), done(2, ago_s=2 * HOUR, of=1)]
    past = Past(foreign_moves=(undone(rows[0]), undone(rows[1], **facts)))
    assert found(*rows, past=past) == ()

"""Every batch is measured against doing nothing and against what was predicted of it (S9)."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from balancer.adapters.store.memory import MemoryStore
from balancer.execute.verdict import after_verdicts, why_observed
from balancer.model.control import StoredPlan
from balancer.model.errors import StoreError
from balancer.model.events import VerdictGiven
from balancer.model.host import HostState
from balancer.model.outcome import JournalEntry, JournalRow, MoveState
from balancer.model.past import Past, Verdict, VerdictResult
from balancer.model.plan import MoveReason
from balancer.model.reasons import Reason, Refusal
from balancer.model.units import ClusterId, HostId, MoveId
from balancer.model.vm import PowerState
from balancer.policy.in_force import InForce
from balancer.policy.mode import Mode
from balancer.policy.types import Goals, Limits, Policy
from tests.support.builders import NOON, host, snapshot, vm
from tests.support.fakes import Script
from tests.unit.execute.judged import AFTER_S, Court, uneven
from tests.unit.execute.stage import move, vm_id

BETTER, NEUTRAL, WORSE = VerdictResult.BETTER, VerdictResult.NEUTRAL, VerdictResult.WORSE
PENDING, UNKNOWN = VerdictResult.PENDING, VerdictResult.UNKNOWN
STALE = Refusal.of(Reason.SNAPSHOT_STALE, "the snapshot is 500 s old")


def test_moves_that_even_out_the_load_are_better_and_the_verdict_says_by_how_much() -> None:
    court = Court()
    court.send(move(1, 1, 2, gain=0.02), move(2, 1, 3, gain=0.02))
    court.judge()
    verdict = court.verdict()
    assert verdict.result is BETTER
    assert verdict.predicted_gain == pytest.approx(0.04)
    assert verdict.measured_gain is not None
    assert verdict.measured_gain > 0.02
    for figure in ("had nothing been done", "40,000 millionths predicted", "2 of 2 VMs"):
        assert figure in verdict.detail
    told = court.stage.events.of(VerdictGiven)
    assert [event.verdict.detail for event in told] == [verdict.detail]


def test_moves_that_the_load_turned_against_are_worse() -> None:
    others = [vm(n, on=2, uuid=f"uuid-{n}", cpu_demand_mhz=100.0) for n in range(9, 13)]
    base = uneven(hot=8, hosts=2)
    court = Court(replace(base, vms=(*base.vms, *others)))
    court.send(move(1, 1, 2), move(2, 1, 2))
    court.demand(
        **{f"vm{n}": 100.0 for n in range(3, 9)}, **{f"vm{n}": 3500.0 for n in range(9, 13)}
    )
    court.judge()
    verdict = court.verdict()
    assert verdict.result is WORSE
    assert verdict.measured_gain is not None
    assert verdict.measured_gain < 0.0


def test_what_the_load_does_by_itself_is_no_fault_of_the_batch() -> None:
    court = Court()
    court.send(move(1, 1, 2, gain=0.02))
    court.demand(**{f"vm{n}": 2200.0 for n in range(1, 9)})
    court.judge()
    assert court.verdict().result is BETTER


def test_a_difference_within_what_the_load_varies_is_neutral() -> None:
    machines = [vm(n, on=1 + n % 2, uuid=f"uuid-{n}") for n in range(1, 9)]
    court = Court(snapshot([host(1), host(2)], [*machines, vm(9, on=1, uuid="uuid-9")]))
    court.demand(vm9=10.0)
    court.send(move(9, 1, 2, gain=1e-6))
    court.judge()
    assert court.verdict().result is NEUTRAL


def test_a_clear_promise_of_which_nothing_can_be_seen_is_worse() -> None:
    court = Court()
    court.send(move(1, 1, 2, gain=0.05))
    court.demand(vm1=0.1)
    court.judge()
    verdict = court.verdict()
    assert verdict.result is WORSE
    assert "50,000 millionths predicted, 1 %" in verdict.detail


def test_a_batch_is_pending_until_its_time_has_come() -> None:
    court = Court()
    court.send(move(1, 1, 2))
    court.judge(AFTER_S - 1)
    assert court.verdict().result is PENDING
    court.judge(1)
    assert court.verdict().result is BETTER


def test_a_batch_with_an_open_row_stays_pending() -> None:
    court = Court()
    court.stage.vcenter.scripts[vm_id(2)] = Script(reply_lost=True, arrives=False)
    court.send(move(1, 1, 2), move(2, 1, 3))
    court.judge()
    assert court.verdict().result is PENDING


def test_unfit_facts_judge_nothing_and_after_an_hour_the_batch_stays_unknown() -> None:
    court = Court()
    court.send(move(1, 1, 2))
    court.judge(unfit=(STALE,))
    assert court.verdict().result is PENDING
    court.judge(3601, unfit=(STALE,))
    assert court.verdict().result is UNKNOWN
    assert "no facts fit" in court.verdict().detail


@pytest.mark.parametrize("gone", ["moved on", "off", "deleted", "another"])
def test_a_batch_whose_vms_are_not_where_it_put_them_is_unknown(gone: str) -> None:
    court = Court()
    court.send(move(1, 1, 2), move(2, 1, 3))
    vcenter = court.stage.vcenter
    if gone == "moved on":
        vcenter.put_vm(vm_id(1), host=HostId("host-3"))
    elif gone == "off":
        vcenter.put_vm(vm_id(1), power=PowerState.OFF)
    elif gone == "deleted":
        vcenter.drop_vm(vm_id(1))
    else:
        vcenter.put_vm(vm_id(1), uuid="somebody-else")
    court.judge()
    assert court.verdict().result is UNKNOWN
    assert "1 of 2 VMs" in court.verdict().detail


def test_a_batch_of_which_nothing_was_made_is_unknown() -> None:
    court = Court()
    court.stage.vcenter.scripts[vm_id(1)] = Script(task_fault="Timedout")
    court.send(move(1, 1, 2))
    court.judge()
    assert court.verdict().result is UNKNOWN


def test_moves_that_failed_are_no_part_of_what_was_predicted() -> None:
    court = Court()
    court.stage.vcenter.scripts[vm_id(1)] = Script(task_fault="Timedout")
    court.send(move(1, 1, 2, gain=0.5), move(2, 1, 3, gain=0.01))
    assert court.verdict().predicted_gain == pytest.approx(0.01)


def test_a_batch_that_nobody_could_note_is_found_by_its_rows() -> None:
    court = Court()
    court.send(move(1, 1, 2), noted=False)
    assert court.past().verdicts == ()
    court.judge(1)
    assert court.verdict().result is PENDING
    court.judge()
    verdict = court.verdict()
    assert verdict.result is BETTER
    assert verdict.predicted_gain is None
    assert "not known" in verdict.detail


def test_what_was_predicted_of_such_a_batch_is_read_from_the_plan_that_was_kept() -> None:
    court = Court()
    document = json.dumps({"moves": [{"id": "m-001", "gain": 0.03}, {"id": "m-002", "gain": 9.0}]})
    court.stage.store.keep_plan(
        StoredPlan(
            shard="vc1/prod",
            plan_id="plan-1",
            digest="d",
            made_at=NOON,
            status="planned",
            moves=2,
            document=document,
        )
    )
    court.send(move(1, 1, 2), noted=False)
    court.judge()
    assert court.verdict().predicted_gain == pytest.approx(0.03)


class FullStore(MemoryStore):
    """A store that takes no verdict."""

    def put_verdict(self, verdict: Verdict) -> None:
        raise StoreError("the disk is full")


def test_a_batch_that_cannot_be_noted_does_not_end_the_cycle() -> None:
    court = Court(store=FullStore())
    court.send(move(1, 1, 2))
    assert court.past().verdicts == ()


def test_a_later_batch_is_neither_a_merit_nor_a_fault_of_an_earlier_one() -> None:
    one, both = Court(), Court()
    for court in (one, both):
        court.send(move(1, 1, 2, gain=0.02))
    both.send(move(2, 1, 3), move(3, 1, 3), move(4, 1, 3), move(5, 1, 3), move(6, 1, 3))
    one.judge(AFTER_S + 60)
    both.judge(AFTER_S + 60)
    alone, beside = one.verdict(0), both.verdict(0)
    assert alone.measured_gain == pytest.approx(beside.measured_gain)


def leaving() -> Court:
    base = snapshot(
        [host(1, state=HostState.ENTERING_MAINTENANCE), host(2), host(3)],
        [vm(n, on=1, uuid=f"uuid-{n}") for n in range(1, 3)]
        + [vm(n, on=2, uuid=f"uuid-{n}", cpu_demand_mhz=3000.0) for n in range(3, 8)],
    )
    return Court(base)


def test_an_evacuation_that_costs_balance_is_better_where_the_vms_have_left() -> None:
    court = leaving()
    court.send(*(move(n, 1, 2, reason=MoveReason.EVACUATE, gain=-0.1) for n in (1, 2)))
    court.judge()
    assert court.verdict().result is BETTER
    assert "2 of 2 VMs have left" in court.verdict().detail


def test_an_evacuated_host_that_is_back_in_service_was_evacuated_all_the_same() -> None:
    court = leaving()
    court.send(*(move(n, 1, 2, reason=MoveReason.EVACUATE, gain=-0.1) for n in (1, 2)))
    court.stage.vcenter.put_host(HostId("host-1"), HostState.CONNECTED)
    court.judge()
    assert court.verdict().result is BETTER


def test_both_parts_of_a_mixed_batch_are_judged_and_the_worse_one_counts() -> None:
    court = leaving()
    court.send(
        move(1, 1, 3, reason=MoveReason.EVACUATE),
        move(2, 1, 3, reason=MoveReason.EVACUATE),
        move(3, 2, 3, gain=0.05),
    )
    court.demand(vm3=0.1)
    court.judge()
    verdict = court.verdict()
    assert verdict.result is WORSE
    assert "2 of 2 VMs have left" in verdict.detail
    assert "millionths" in verdict.detail


def test_emptying_a_host_is_better_though_the_load_is_less_even() -> None:
    base = snapshot([host(1), host(2)], [vm(1, on=1, uuid="uuid-1"), vm(2, on=2, uuid="uuid-2")])
    court = Court(base)
    court.send(move(1, 1, 2, reason=MoveReason.CONSOLIDATE, gain=0.0))
    emptying = Goals(balance=False, consolidation=True)
    court.stage.policy = Policy(goals=emptying, limits=court.stage.policy.limits)
    court.judge()
    assert court.verdict().result is BETTER
    assert "fewer hosts run VMs" in court.verdict().detail


def test_three_worse_of_the_last_five_hold_the_cluster_until_somebody_acknowledges() -> None:
    court, limits = Court(uneven(hot=12)), Limits()
    for number in range(1, 4):
        assert why_observed(court.past(), limits) is None
        court.send(move(number, 1, 2, gain=0.3))
        court.demand(**{f"vm{number}": 0.1})
        court.judge()
    refusal = why_observed(court.past(), limits)
    assert refusal is not None
    assert refusal.reason is Reason.VERDICTS_WORSE
    assert "3 of the last 3 batches" in refusal.detail
    store, cluster = court.stage.store, court.stage.base.cluster.id
    assert store.acknowledge_verdicts("vc1", cluster, by="ana", at=court.stage.clock.now()) == 3
    assert why_observed(court.past(), limits) is None


def verdicts(*results: VerdictResult) -> Past:
    """Return a past of such verdicts, an hour apart, of batches that moved VMs for the load's sake."""
    given = [
        Verdict(
            vcenter="vc1",
            cluster=ClusterId("domain-c1"),
            plan_id="p",
            cycle_id=f"c-{number}",
            ended_at=NOON + timedelta(hours=number),
            predicted_gain=0.01,
            result=result,
        )
        for number, result in enumerate(results)
    ]
    return Past(verdicts=tuple(given))


@pytest.mark.parametrize(
    ("results", "is_observed"),
    [
        pytest.param((WORSE, WORSE), False, id="two are not enough"),
        pytest.param((WORSE, WORSE, WORSE), True, id="three in a row"),
        pytest.param((WORSE, BETTER, WORSE, NEUTRAL, WORSE), True, id="three of five"),
        pytest.param((WORSE, BETTER, BETTER, WORSE, NEUTRAL, WORSE), False, id="three of six"),
        pytest.param((WORSE, WORSE, *[UNKNOWN] * 9, WORSE), True, id="unknown push nothing out"),
        pytest.param((WORSE, WORSE, *[PENDING] * 9, WORSE), True, id="pending push nothing out"),
        pytest.param((WORSE, WORSE, *[UNKNOWN] * 9), False, id="unknown are not worse"),
        pytest.param(
            (WORSE, WORSE, WORSE, BETTER, BETTER), True, id="what follows does not undo it"
        ),
    ],
)
def test_the_last_five_that_were_judged_are_counted(
    results: tuple[VerdictResult, ...], is_observed: bool
) -> None:
    assert (why_observed(verdicts(*results), Limits()) is not None) is is_observed


def test_an_evacuation_that_went_well_hides_no_worse_batch() -> None:
    past = verdicts(WORSE, WORSE, WORSE, BETTER, BETTER, BETTER, BETTER)
    assert why_observed(past, Limits()) is None
    rows = tuple(
        row(number, reason=MoveReason.EVACUATE, cycle=f"c-{number}") for number in range(3, 7)
    )
    assert why_observed(replace(past, rows=rows), Limits()) is not None


def held_mode(past: Past, mode: Mode = Mode.AUTOMATIC) -> InForce:
    return after_verdicts(InForce(mode=mode), past, Limits())


def test_worse_verdicts_make_any_mode_that_acts_one_that_observes() -> None:
    past = verdicts(WORSE, WORSE, WORSE)
    for mode in (Mode.AUTOMATIC, Mode.PARTIAL, Mode.MANUAL):
        held = held_mode(past, mode)
        assert held.mode is Mode.OBSERVE
        assert held.because is not None
        assert held.because.reason is Reason.VERDICTS_WORSE


def test_while_three_batches_await_their_verdict_no_further_load_move_is_sent() -> None:
    past = verdicts(PENDING, PENDING, PENDING)
    rows = tuple(row(number, cycle=f"c-{number}") for number in range(3))
    held = held_mode(replace(past, rows=rows))
    assert held.mode is Mode.PARTIAL
    assert held.because is not None
    assert held.because.reason is Reason.VERDICTS_AWAITED
    assert held_mode(replace(past, rows=rows[:2])).mode is Mode.AUTOMATIC


def row(number: int, *, cycle: str, reason: MoveReason = MoveReason.BALANCE) -> JournalRow:
    entry = JournalEntry(
        vcenter="vc1",
        cluster=ClusterId("domain-c1"),
        plan_id="p",
        cycle_id=cycle,
        move_id=MoveId(f"m-{number}"),
        vm=vm_id(number),
        vm_name=f"vm{number}",
        vm_uuid="",
        source=HostId("host-1"),
        target=HostId("host-2"),
        reason=reason,
        expected_seconds=30.0,
        intended_at=NOON,
    )
    return JournalRow(id=number, entry=entry, state=MoveState.DONE, ended_at=NOON)

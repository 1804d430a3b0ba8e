"""The executor's straight path: order, dependencies, slots, events, journal, and when it returns."""

import logging
from dataclasses import replace

import pytest

from balancer.model.ceilings import SLOW_NETWORK_MIGRATIONS
from balancer.model.events import MoveEnded, MoveProgressed, MoveStarted
from balancer.model.host import VmotionLink
from balancer.model.outcome import MoveState
from balancer.model.plan import MoveReason, Priority
from balancer.model.reasons import Reason
from balancer.model.rule import RuleType
from balancer.policy.types import Limits
from tests.support.builders import NOON, host, rule, snapshot, vm
from tests.support.fakes import Script
from tests.unit.execute.stage import Stage, cluster, host_id, move, vm_id, without_budgets

DONE = MoveState.DONE


def sent(stage: Stage) -> list[str]:
    return [order.vm for order in stage.vcenter.orders]


def test_an_empty_plan_does_nothing_and_waits_for_nothing() -> None:
    stage = Stage()
    assert stage.run() == {}
    assert stage.clock.naps == []


def test_a_move_is_done_when_its_vm_is_seen_on_the_target() -> None:
    stage = Stage()
    outcome = stage.run(move(1, 1, 2))["m-001"]
    assert (outcome.state, outcome.refusal, outcome.kind) == (DONE, None, None)
    assert outcome.seconds == pytest.approx(30.0, abs=1.5)
    assert stage.place(1) == "host-2"


def test_what_is_asked_is_the_vm_the_target_and_the_priority_of_the_plan() -> None:
    stage = Stage()
    stage.run(move(1, 1, 2, priority=Priority.HIGH))
    (order,) = stage.vcenter.orders
    assert (order.vm, order.vm_name, order.target) == ("vm-1", "vm1", "host-2")
    assert order.priority is Priority.HIGH


def test_moves_that_are_not_admitted_are_not_touched() -> None:
    stage = Stage()
    outcomes = stage.run(move(1, 1, 2), move(2, 1, 2, this_run=False))
    assert list(outcomes) == ["m-001"]
    assert stage.place(2) == "host-1"


def test_a_row_tells_what_was_planned_and_what_became_of_it() -> None:
    stage = Stage()
    stage.run(move(1, 1, 2, reason=MoveReason.EVACUATE))
    (row,) = stage.rows
    entry = row.entry
    assert (entry.vcenter, entry.cluster, entry.plan_id) == ("vc1", "domain-c1", "plan-1")
    assert (entry.cycle_id, entry.move_id, entry.vm_uuid) == ("c-1", "m-001", "uuid-1")
    assert (entry.source, entry.target, entry.reason) == ("host-1", "host-2", MoveReason.EVACUATE)
    assert (row.state, row.task) == (DONE, "task-1")
    assert row.ended_at is not None
    assert row.ended_at > NOON


def test_the_intent_is_in_the_journal_before_the_call() -> None:
    stage = Stage()
    seen: list[MoveState] = []
    submit = stage.vcenter.submit

    class Spy:
        def submit(self, order: object) -> str:
            seen.extend(row.state for row in stage.rows)
            return submit(order)  # type: ignore[arg-type]

    object.__setattr__(stage.tools, "migrator", Spy())
    stage.run(move(1, 1, 2))
    assert seen == [MoveState.INTENT]


def test_start_progress_and_end_are_told_in_this_order() -> None:
    stage = Stage()
    stage.run(move(1, 1, 2))
    kinds = [type(event) for event in stage.events.told]
    assert kinds[0] is MoveStarted
    assert kinds[-1] is MoveEnded
    assert set(kinds[1:-1]) == {MoveProgressed}
    progress = [event.progress_percent for event in stage.events.of(MoveProgressed)]
    assert progress == sorted(set(progress))


def test_every_log_line_of_a_move_carries_its_id(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stage = Stage()
    stage.vcenter.scripts[vm_id(2)] = Script(task_fault="Timedout")
    stage.run(move(1, 1, 2), move(2, 1, 2), move(3, 2, 3))
    lines = {(r.message, r.__dict__["move_id"]) for r in caplog.records}
    assert lines == {
        ("migration started", "m-001"),
        ("migration started", "m-002"),
        ("migration ended", "m-001"),
        ("migration ended", "m-002"),
        ("move not sent", "m-003"),
    }


# order and dependencies


def test_moves_start_in_the_order_in_which_the_plan_expects_them_to() -> None:
    stage = Stage(limits=Limits(migrations_per_host=1, migrations_per_cluster=1, plan_age_s=1e6))
    stage.run(
        move(1, 1, 2, start_seconds=60.0, reason=MoveReason.EVACUATE),
        move(2, 1, 3, start_seconds=30.0, gain=9.0),
        move(3, 1, 2, start_seconds=0.0, wave=2, gain=0.0),
    )
    assert sent(stage) == ["vm-3", "vm-2", "vm-1"]


def test_no_more_is_sent_than_vcenter_itself_runs_on_a_slow_network() -> None:
    slow = VmotionLink(link_mbps=1000.0)
    base = cluster(vms=6)
    base = replace(base, hosts=tuple(replace(one, vmotion=slow) for one in base.hosts))
    stage = Stage(base=base)
    stage.run(*(move(n, 1, 2 + n % 2) for n in range(1, 7)))
    first = [row for row in stage.rows if row.entry.intended_at == stage.rows[0].entry.intended_at]
    assert len(first) == SLOW_NETWORK_MIGRATIONS


def test_of_those_expected_at_one_time_mandatory_ones_start_first_then_by_wave_and_gain() -> None:
    stage = Stage(limits=Limits(migrations_per_host=1, migrations_per_cluster=1, plan_age_s=1e6))
    stage.run(
        move(1, 1, 2, wave=2, gain=1.0),
        move(2, 1, 2, gain=0.1, expected_seconds=10.0),
        move(3, 1, 2, gain=0.2, expected_seconds=40.0),
        move(4, 1, 2, gain=0.1, expected_seconds=10.0),
        move(5, 1, 2, wave=3, gain=0.0, reason=MoveReason.EVACUATE),
    )
    assert sent(stage) == ["vm-5", "vm-2", "vm-4", "vm-3", "vm-1"]


def test_what_a_mandatory_move_waits_for_is_as_urgent_as_the_move_itself() -> None:
    stage = Stage(limits=Limits(migrations_per_host=1, migrations_per_cluster=1, plan_age_s=1e6))
    stage.run(
        move(1, 1, 2, gain=1.0),
        move(2, 1, 3, gain=0.0, reason=MoveReason.PARKING),
        move(3, 1, 2, wave=2, after=(2,), reason=MoveReason.EVACUATE),
    )
    assert sent(stage) == ["vm-2", "vm-3", "vm-1"]


def test_a_move_starts_when_its_predecessor_has_ended_not_when_its_wave_has() -> None:
    stage = Stage()
    stage.vcenter.scripts[vm_id(1)] = Script(seconds=10)
    stage.vcenter.scripts[vm_id(2)] = Script(seconds=100)
    stage.run(move(1, 1, 2), move(2, 1, 2), move(3, 1, 3, wave=2, after=(1,)))
    assert stage.vcenter.sent_at_s[vm_id(3)] == pytest.approx(10.0, abs=1.5)


def test_a_parked_vm_makes_both_hops() -> None:
    stage = Stage()
    outcomes = stage.run(
        move(1, 1, 3, reason=MoveReason.PARKING), move(2, 3, 2, of=1, wave=2, after=(1,))
    )
    assert [outcome.state for outcome in outcomes.values()] == [DONE, DONE]
    assert stage.place(1) == "host-2"


def test_a_failure_takes_along_what_waits_for_it_and_nothing_else() -> None:
    stage = Stage()
    stage.vcenter.scripts[vm_id(1)] = Script(task_fault="Timedout")
    outcomes = stage.run(
        move(1, 1, 2), move(2, 1, 3, after=(1,)), move(3, 1, 3, after=(2,)), move(4, 1, 3)
    )
    assert outcomes["m-001"].state is MoveState.FAILED
    for key, culprit in (("m-002", "vm1"), ("m-003", "vm2")):
        refusal = outcomes[key].refusal
        assert refusal
        assert refusal.reason is Reason.DEPENDENCY_FAILED
        assert refusal.detail == f"{culprit} did not get there"
    assert outcomes["m-004"].state is DONE
    assert sent(stage) == ["vm-1", "vm-4"]


def test_a_move_that_waits_for_one_outside_of_the_run_is_not_sent() -> None:
    stage = Stage()
    outcomes = stage.run(move(1, 1, 2, this_run=False), move(2, 1, 2, after=(1,)))
    refusal = outcomes["m-002"].refusal
    assert refusal
    assert (refusal.reason, stage.vcenter.orders) == (Reason.DEPENDENCY_FAILED, [])


def test_moves_that_wait_for_each_other_are_said_so_and_end() -> None:
    stage = Stage()
    outcomes = stage.run(move(1, 1, 2, after=(2,)), move(2, 1, 2, after=(1,)))
    reasons = {o.refusal.reason for o in outcomes.values() if o.refusal}
    assert (reasons, stage.vcenter.orders) == ({Reason.DEPENDENCY_FAILED}, [])


# groups that must stay together


def together(*numbers: int, mandatory: bool = True) -> Stage:
    kept = rule("together", RuleType.AFFINITY, numbers, mandatory=mandatory)
    return Stage(base=cluster(rules=(kept,)))


def test_partners_of_an_affinity_rule_start_together() -> None:
    stage = together(1, 2, 3)
    outcomes = stage.run(*(move(n, 1, 2) for n in (1, 2, 3)))
    assert {o.state for o in outcomes.values()} == {DONE}
    assert set(stage.vcenter.sent_at_s.values()) == {0.0}


def test_a_group_larger_than_the_slots_goes_on_as_slots_get_free() -> None:
    stage = together(1, 2, 3)
    stage.policy = stage.policy.__class__(limits=without_budgets(Limits(migrations_per_host=2)))
    outcomes = stage.run(*(move(n, 1, 2) for n in (1, 2, 3)))
    assert {o.state for o in outcomes.values()} == {DONE}
    assert stage.vcenter.peaks[host_id(2)] == 2


def test_a_group_that_was_begun_is_completed_even_when_the_plan_gets_old() -> None:
    stage = together(1, 2, 3)
    stage.policy = stage.policy.__class__(
        limits=Limits(migrations_per_host=1, plan_age_s=120, migration_timeout_s=300)
    )
    stage.vcenter.default = Script(seconds=100)
    outcomes = stage.run(*(move(n, 1, 2) for n in (1, 2, 3)), move(4, 1, 2, wave=2))
    assert [outcomes[f"m-00{n}"].state for n in (1, 2, 3)] == [DONE] * 3
    refusal = outcomes["m-004"].refusal
    assert refusal
    assert refusal.reason is Reason.PLAN_TOO_OLD


def test_the_rest_of_a_group_is_given_up_at_last() -> None:
    stage = together(1, 2)
    stage.policy = stage.policy.__class__(
        limits=Limits(migrations_per_host=1, plan_age_s=120, migration_timeout_s=300)
    )
    stage.vcenter.scripts[vm_id(1)] = Script(hangs=True)
    outcomes = stage.run(move(1, 1, 2), move(2, 1, 2))
    assert outcomes["m-001"].state is MoveState.UNKNOWN
    assert outcomes["m-002"].refusal is not None
    assert stage.clock.monotonic() < 430


def test_a_group_waits_for_the_slots_to_start_as_one_and_is_not_overtaken_for_them() -> None:
    stage = together(1, 2)
    stage.policy = stage.policy.__class__(
        limits=without_budgets(Limits(migrations_per_host=2, plan_age_s=1e6))
    )
    stage.vcenter.scripts = {vm_id(3): Script(seconds=20), vm_id(4): Script(seconds=40)}
    moves = [
        move(3, 1, 3, gain=9.0),
        move(4, 1, 3, gain=8.0),
        move(1, 1, 2, gain=7.0),
        move(2, 1, 2, gain=6.0),
        move(5, 1, 3, gain=5.0),
    ]
    outcomes = stage.run(*moves)
    assert {o.state for o in outcomes.values()} == {DONE}
    sent_at = stage.vcenter.sent_at_s
    assert sent_at[vm_id(1)] == sent_at[vm_id(2)] == pytest.approx(40, abs=1.5)
    assert sent_at[vm_id(5)] > sent_at[vm_id(1)]


def test_a_group_waits_for_our_own_migrations_even_beside_foreign_ones() -> None:
    stage = together(1, 2)
    stage.policy = stage.policy.__class__(
        limits=without_budgets(Limits(migrations_per_host=3, plan_age_s=1e6))
    )
    stage.vcenter.fly_foreign(vm_id(6), host_id(3), seconds=500)
    stage.run(move(3, 1, 3, gain=9.0), move(1, 1, 2), move(2, 1, 2))
    sent_at = stage.vcenter.sent_at_s
    assert sent_at[vm_id(1)] == sent_at[vm_id(2)] >= 30


def test_what_a_begun_group_needs_on_its_target_is_not_given_to_others() -> None:
    big = {"memory_mib": 25_000.0, "memory_consumed_mib": 25_000.0}
    kept = rule("together", RuleType.AFFINITY, [1, 2, 4])
    members = [vm(n, on=1, **big) for n in (1, 2, 4)]
    base = snapshot(
        [host(n) for n in range(1, 5)], [*members, vm(3, on=3, **big), vm(5, on=1)], [kept]
    )
    stage = Stage(base=base, limits=Limits(migrations_per_host=2, plan_age_s=1e6))
    stage.vcenter.scripts = {vm_id(1): Script(seconds=10), vm_id(2): Script(seconds=300)}
    stage.vcenter.at(9, lambda: stage.vcenter.fly_foreign(vm_id(5), host_id(4), seconds=100))
    group = [move(n, 1, 2, gain=9.0) for n in (1, 2, 4)]
    outcomes = stage.run(*group, move(3, 3, 2))
    assert [outcomes[f"m-00{n}"].state for n in (1, 2, 4)] == [DONE] * 3
    refusal = outcomes["m-003"].refusal
    assert refusal
    assert refusal.reason is Reason.MEMORY_CEILING


def test_a_group_of_which_one_may_not_go_stays_as_a_whole() -> None:
    stage = together(1, 2)
    stage.vcenter.put_vm(vm_id(2), host=host_id(3))
    outcomes = stage.run(move(1, 1, 2), move(2, 1, 2))
    reasons = [o.refusal.reason for o in outcomes.values() if o.refusal]
    assert reasons == [Reason.DEPENDENCY_FAILED, Reason.SOURCE_CHANGED]
    assert stage.vcenter.orders == []


def test_a_partner_does_not_follow_one_that_was_refused_at_the_call() -> None:
    stage = together(1, 2)
    stage.vcenter.scripts[vm_id(1)] = Script(call_fault="TaskInProgress")
    outcomes = stage.run(move(1, 1, 2), move(2, 1, 2))
    assert outcomes["m-001"].state is MoveState.FAILED
    refusal = outcomes["m-002"].refusal
    assert refusal
    assert refusal.reason is Reason.AFFINITY
    assert stage.place(2) == "host-1"


def test_a_partner_does_not_follow_one_of_which_nobody_knows_whether_it_goes() -> None:
    stage = together(1, 2)
    stage.vcenter.scripts[vm_id(1)] = Script(reply_lost=True, arrives=False)
    outcomes = stage.run(move(1, 1, 2), move(2, 1, 2))
    assert outcomes["m-001"].state is MoveState.ABORTED
    assert (sent(stage), stage.place(2)) == (["vm-1"], "host-1")
    assert outcomes["m-002"].refusal is not None


def test_a_vm_alone_may_not_leave_its_partners() -> None:
    stage = together(1, 2)
    refusal = stage.run(move(1, 1, 2))["m-001"].refusal
    assert refusal
    assert refusal.reason is Reason.AFFINITY


def test_partners_of_a_should_rule_are_free_to_go_alone() -> None:
    stage = together(1, 2, mandatory=False)
    assert stage.run(move(1, 1, 2))["m-001"].state is DONE


# slots


def test_a_host_takes_part_in_no_more_migrations_than_allowed() -> None:
    stage = Stage(limits=Limits(migrations_per_host=2, migrations_per_cluster=16, plan_age_s=1e6))
    outcomes = stage.run(*(move(n, 1, 2 + n % 2) for n in range(1, 7)))
    assert {o.state for o in outcomes.values()} == {DONE}
    assert max(stage.vcenter.peaks.values()) == 2


def test_a_cluster_runs_no_more_migrations_than_allowed() -> None:
    stage = Stage(limits=Limits(migrations_per_host=8, migrations_per_cluster=3, plan_age_s=1e6))
    outcomes = stage.run(*(move(n, 1, 2) for n in range(1, 7)))
    assert {o.state for o in outcomes.values()} == {DONE}
    assert stage.vcenter.peak == 3


def test_a_vcenter_runs_no_more_migrations_than_allowed() -> None:
    limits = Limits(
        migrations_per_host=8, migrations_per_cluster=8, migrations_per_vcenter=2, plan_age_s=1e6
    )
    stage = Stage(limits=limits)
    stage.run(*(move(n, 1, 2) for n in range(1, 7)))
    assert stage.vcenter.peak == 2
    assert {state for _, state in stage.states} == {DONE}


def test_a_move_overtakes_a_better_one_that_waits_for_a_slot_elsewhere() -> None:
    stage = Stage(base=cluster(hosts=4), limits=Limits(migrations_per_host=1))
    stage.vcenter.put_vm(vm_id(3), host=host_id(3))
    stage.base = stage.vcenter.truth
    stage.run(move(1, 1, 2, gain=3.0), move(2, 1, 2, gain=2.0), move(3, 3, 4, gain=1.0))
    assert stage.vcenter.sent_at_s[vm_id(3)] == 0.0
    assert stage.vcenter.sent_at_s[vm_id(2)] > 0.0


def test_foreign_migrations_use_slots_too() -> None:
    stage = Stage(limits=Limits(migrations_per_host=2, migrations_per_cluster=4))
    stage.vcenter.fly_foreign(vm_id(5), host_id(2), seconds=40)
    stage.vcenter.fly_foreign(vm_id(6), host_id(2), seconds=40)
    outcome = stage.run(move(1, 1, 2))["m-001"]
    assert outcome.state is DONE
    assert stage.vcenter.sent_at_s[vm_id(1)] >= 40.0
    assert stage.vcenter.peaks[host_id(2)] == 2


def test_vcenter_is_not_asked_every_second_for_a_slot_that_others_hold() -> None:
    stage = Stage(limits=Limits(migrations_per_host=1))
    stage.vcenter.fly_foreign(vm_id(6), host_id(2), seconds=100)
    stage.run(move(1, 1, 2))
    assert 10 <= stage.vcenter.refreshes <= 30


def test_a_move_that_finds_no_slot_before_the_plan_is_old_is_left_to_the_next_plan() -> None:
    stage = Stage(limits=Limits(migrations_per_host=1))
    stage.vcenter.fly_foreign(vm_id(6), host_id(2), seconds=1000)
    refusal = stage.run(move(1, 1, 2))["m-001"].refusal
    assert refusal
    assert refusal.reason is Reason.PLAN_TOO_OLD
    assert stage.clock.monotonic() < 130


def test_the_wait_for_a_slot_is_told_with_the_start() -> None:
    stage = Stage(limits=Limits(migrations_per_host=1))
    stage.run(move(1, 1, 2, gain=1.0), move(2, 1, 2))
    waits = [event.waited_seconds for event in stage.events.of(MoveStarted)]
    assert waits == [0.0, pytest.approx(30.0, abs=1.5)]


def test_limits_apply_to_what_an_earlier_run_left_open() -> None:
    stage = Stage(limits=Limits(migrations_per_host=1, migrations_per_cluster=4))
    stage.vcenter.scripts[vm_id(1)] = Script(hangs=True)
    stage.stop_at(5, Reason.STOPPING)
    stage.run(move(1, 1, 2))
    stage.stop_at(1e9, Reason.STOPPING)
    refusal = stage.run(move(2, 1, 2))["m-002"].refusal
    assert refusal
    assert refusal.reason is Reason.HOST_SLOTS
    assert stage.vcenter.peaks[host_id(2)] == 1


def test_a_slot_that_an_earlier_run_left_taken_is_not_waited_for() -> None:
    stage = Stage(limits=Limits(migrations_per_host=2, migrations_per_cluster=4))
    stage.vcenter.scripts = {vm_id(n): Script(hangs=True) for n in (1, 2)}
    stage.stop_at(5, Reason.STOPPING)
    stage.run(move(1, 1, 2), move(2, 1, 3))
    stage.stop_at(1e9, Reason.STOPPING)
    stage.vcenter.put_vm(vm_id(4), host=host_id(2))
    stage.base, begin_s = stage.vcenter.truth, stage.clock.monotonic()
    outcomes = stage.run(move(3, 1, 2), move(4, 2, 3))
    refusal = outcomes["m-003"].refusal
    assert refusal
    assert refusal.reason is Reason.HOST_SLOTS
    assert outcomes["m-004"].state is DONE
    assert stage.clock.monotonic() - begin_s == pytest.approx(30, abs=2)

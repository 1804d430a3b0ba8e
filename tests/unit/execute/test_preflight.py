"""Just before a move is sent, every fact that the plan relied on is looked at again (S5, S7)."""

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from balancer.model.host import HostState
from balancer.model.outcome import MoveState
from balancer.model.plan import MoveReason
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import RuleType
from balancer.model.snapshot import Drs
from balancer.model.vm import Automation, PowerState
from balancer.policy.types import Limits
from tests.support.builders import host, rule, snapshot, vm
from tests.support.fakes import Script
from tests.unit.execute.stage import Stage, cluster, host_id, move, vm_id

Change = Callable[[Stage], None]


def _moved(stage: Stage) -> None:
    stage.vcenter.put_vm(vm_id(1), host=host_id(3))


def _moved_to_the_target(stage: Stage) -> None:
    stage.vcenter.put_vm(vm_id(1), host=host_id(2))


def _gone(stage: Stage) -> None:
    stage.vcenter.drop_vm(vm_id(1))


def _another_vm(stage: Stage) -> None:
    stage.vcenter.put_vm(vm_id(1), uuid="uuid-of-a-stranger")


def _switched_off(stage: Stage) -> None:
    stage.vcenter.put_vm(vm_id(1), power=PowerState.OFF)


def _suspended(stage: Stage) -> None:
    stage.vcenter.put_vm(vm_id(1), power=PowerState.SUSPENDED)


def _migrating(stage: Stage) -> None:
    stage.vcenter.fly_foreign(vm_id(1), host_id(3), seconds=500)


def _state(state: HostState) -> Change:
    def change(stage: Stage) -> None:
        stage.vcenter.put_host(host_id(2), state)

    return change


def _source_lost(stage: Stage) -> None:
    stage.vcenter.put_host(host_id(1), HostState.DISCONNECTED)


def _host_gone(stage: Stage) -> None:
    hosts = tuple(h for h in stage.vcenter.truth.hosts if h.id != host_id(2))
    stage.vcenter._become(hosts=hosts)


def _new_rule(stage: Stage) -> None:
    stage.vcenter.put_vm(vm_id(6), host=host_id(2))
    apart = rule("apart", RuleType.ANTI_AFFINITY, [1, 6])
    stage.vcenter._become(rules=(apart,))


def _memory_taken(stage: Stage) -> None:
    stage.vcenter.put_vm(
        vm_id(6), host=host_id(2), memory_mib=95_000.0, memory_consumed_mib=95_000.0
    )


def _server_says_no(stage: Stage) -> None:
    no = Refusal.of(Reason.SERVER_CHECK, "CpuIncompatible: feature mismatch")
    stage.vcenter.check_refusals[vm_id(1)] = (no,)


CASES = [
    ("the vm was moved elsewhere", _moved, Reason.SOURCE_CHANGED),
    ("the vm is on the target already", _moved_to_the_target, Reason.SOURCE_CHANGED),
    ("the vm is gone", _gone, Reason.VM_VANISHED),
    ("another vm has its id", _another_vm, Reason.VM_VANISHED),
    ("the vm was switched off", _switched_off, Reason.NOT_RUNNING),
    ("the vm was suspended", _suspended, Reason.NOT_RUNNING),
    ("somebody migrates the vm", _migrating, Reason.IN_FLIGHT),
    ("the target is gone", _host_gone, Reason.HOST_VANISHED),
    ("the source is disconnected", _source_lost, Reason.SOURCE_HOST_STATE),
    ("a new rule keeps the vm away", _new_rule, Reason.ANTI_AFFINITY),
    ("the target's memory is taken", _memory_taken, Reason.MEMORY_CEILING),
    ("the server's own check fails", _server_says_no, Reason.SERVER_CHECK),
    *(
        (f"the target is {state}", _state(state), Reason.TARGET_HOST_STATE)
        for state in HostState
        if state is not HostState.CONNECTED
    ),
]


@pytest.mark.parametrize(
    ("change", "reason"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_change_between_plan_and_start_stops_that_move_and_no_other(
    change: Change, reason: Reason
) -> None:
    stage = Stage()
    change(stage)
    outcomes = stage.run(move(1, 1, 2), move(2, 1, 3))
    first = outcomes["m-001"]
    assert first.refusal is not None
    assert (first.state, first.refusal.reason) == (None, reason)
    assert stage.vcenter.submits[vm_id(1)] == 0
    assert not any(row.entry.vm == vm_id(1) for row in stage.rows)
    second = outcomes["m-002"]
    if change is not _source_lost:  # both moves leave the same host
        assert second.state is MoveState.DONE


def test_a_target_that_enters_maintenance_meanwhile_gets_no_further_vm() -> None:
    stage = Stage(limits=Limits(migrations_per_host=1))
    stage.vcenter.at(10, lambda: _state(HostState.ENTERING_MAINTENANCE)(stage))
    outcomes = stage.run(move(1, 1, 2, gain=1.0), move(2, 1, 2))
    assert outcomes["m-001"].state is MoveState.DONE
    refusal = outcomes["m-002"].refusal
    assert refusal
    assert refusal.reason is Reason.TARGET_HOST_STATE


def test_s1_a_drs_that_acts_meanwhile_stops_every_move_that_was_not_sent() -> None:
    stage = Stage(limits=Limits(migrations_per_host=1))
    drs = Drs(enabled=True, automation=Automation.FULLY_AUTOMATED)

    def switch() -> None:
        stage.vcenter._become(cluster=replace(stage.vcenter.truth.cluster, drs=drs))

    stage.vcenter.at(10, switch)
    outcomes = stage.run(move(1, 1, 2, gain=1.0), move(2, 1, 2))
    assert outcomes["m-001"].state is MoveState.DONE  # it was under way, and nothing is cancelled
    refusal = outcomes["m-002"].refusal
    assert refusal
    assert refusal.reason is Reason.DRS_AUTOMATED
    assert stage.vcenter.submits[vm_id(2)] == 0


def test_memory_on_its_way_to_a_target_is_counted_there() -> None:
    big = {"memory_mib": 50_000.0, "memory_consumed_mib": 50_000.0}
    base = snapshot([host(1), host(2), host(3)], [vm(1, on=1, **big), vm(2, on=3, **big)])
    stage = Stage(base=base)
    outcomes = stage.run(move(1, 1, 2, gain=1.0), move(2, 3, 2))
    assert outcomes["m-001"].state is MoveState.DONE
    refusal = outcomes["m-002"].refusal
    assert refusal
    assert refusal.reason is Reason.MEMORY_CEILING


def test_memory_on_its_way_by_somebody_else_is_counted_too() -> None:
    big = {"memory_mib": 50_000.0, "memory_consumed_mib": 50_000.0}
    base = snapshot([host(1), host(2), host(3)], [vm(1, on=1, **big), vm(2, on=3, **big)])
    stage = Stage(base=base)
    stage.vcenter.fly_foreign(vm_id(2), host_id(2), seconds=200)
    refusal = stage.run(move(1, 1, 2))["m-001"].refusal
    assert refusal
    assert refusal.reason is Reason.MEMORY_CEILING


def test_memory_of_a_move_with_unknown_end_stays_counted() -> None:
    big = {"memory_mib": 50_000.0, "memory_consumed_mib": 50_000.0}
    base = snapshot([host(1), host(2), host(3)], [vm(1, on=1, **big), vm(2, on=3, **big)])
    stage = Stage(base=base)
    stage.vcenter.scripts[vm_id(1)] = Script(reply_lost=True, arrives=False)
    outcomes = stage.run(move(1, 1, 2, gain=1.0), move(2, 3, 2))
    refusal = outcomes["m-002"].refusal
    assert refusal
    assert refusal.reason is Reason.MEMORY_CEILING


def test_vms_that_must_keep_apart_do_not_meet_while_one_is_on_its_way() -> None:
    apart = rule("apart", RuleType.ANTI_AFFINITY, [1, 2])
    base = snapshot([host(1), host(2), host(3)], [vm(1, on=1), vm(2, on=3)], [apart])
    stage = Stage(base=base)
    outcomes = stage.run(move(1, 1, 2, gain=1.0), move(2, 3, 2))
    refusal = outcomes["m-002"].refusal
    assert refusal
    assert refusal.reason is Reason.ANTI_AFFINITY


def test_a_mate_that_came_to_another_host_of_the_rack_meanwhile_stops_the_move() -> None:
    racks = rule("racks", RuleType.ANTI_AFFINITY, [1, 2], domains=[[2, 3]])
    hosts = [host(1), host(2), host(3), host(4)]
    stage = Stage(base=snapshot(hosts, [vm(1, on=1), vm(2, on=4)], [racks]))
    stage.vcenter.put_vm(vm_id(2), host=host_id(3))
    refusal = stage.run(move(1, 1, 2))["m-001"].refusal
    assert refusal
    assert refusal.reason is Reason.ANTI_AFFINITY


def test_a_vm_to_keep_away_from_that_has_left_the_target_is_no_hindrance() -> None:
    apart = rule("apart", RuleType.ANTI_AFFINITY, [1, 2])
    base = snapshot([host(1), host(2), host(3)], [vm(1, on=1), vm(2, on=2)], [apart])
    stage = Stage(base=base)
    stage.vcenter.put_vm(vm_id(2), host=host_id(3))
    assert stage.run(move(1, 1, 2))["m-001"].state is MoveState.DONE


def test_an_evacuation_may_pass_the_cpu_ceiling_and_a_load_move_may_not() -> None:
    hungry = {"cpu_demand_mhz": 15_000.0}
    base = snapshot([host(1), host(2)], [vm(1, on=1, **hungry), vm(2, on=2, **hungry)])
    load = Stage(base=base).run(move(1, 1, 2))["m-001"].refusal
    assert load
    assert load.reason is Reason.CPU_CEILING
    evacuation = Stage(base=base).run(move(1, 1, 2, reason=MoveReason.EVACUATE))["m-001"]
    assert evacuation.state is MoveState.DONE


def test_a_vm_with_an_open_row_is_not_sent_a_second_time() -> None:
    stage = Stage()
    stage.vcenter.scripts[vm_id(1)] = Script(lies=True)
    assert stage.run(move(1, 1, 2))["m-001"].state is MoveState.UNKNOWN
    refusal = stage.run(move(1, 1, 2))["m-001"].refusal
    assert refusal
    assert refusal.reason is Reason.IN_FLIGHT
    assert stage.vcenter.submits[vm_id(1)] == 1


def test_a_plan_older_than_allowed_is_not_sent_at_all() -> None:
    stage = Stage(limits=Limits(plan_age_s=120))
    stage.clock.sleep(121)
    stage.base = stage.vcenter.snapshot(stage.vcenter.clusters()[0])
    refusal = stage.run(move(1, 1, 2))["m-001"].refusal
    assert refusal
    assert (refusal.reason, stage.vcenter.orders) == (Reason.PLAN_TOO_OLD, [])


def test_a_plan_from_the_future_is_not_trusted() -> None:
    stage = Stage(base=cluster(taken_at=cluster().taken_at.replace(hour=3)))
    refusal = stage.run(move(1, 1, 2))["m-001"].refusal
    assert refusal
    assert refusal.reason is Reason.PLAN_TOO_OLD


def test_moves_that_come_late_are_left_to_the_next_plan() -> None:
    stage = Stage(limits=Limits(migrations_per_host=1, plan_age_s=120))
    stage.vcenter.default = Script(seconds=50)
    outcomes = stage.run(*(move(n, 1, 2) for n in range(1, 7)))
    assert [o.state for o in outcomes.values()][:3] == [MoveState.DONE] * 3
    reasons = [o.refusal.reason for o in outcomes.values() if o.refusal]
    assert reasons == [Reason.PLAN_TOO_OLD] * 3
    assert max(stage.vcenter.sent_at_s.values()) <= 120


def test_what_the_servers_check_warns_of_is_kept_in_journal_and_log_and_holds_nothing_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = Stage()
    warning = Refusal.of(Reason.SERVER_CHECK, "NoGuestHeartbeat: no heartbeat")
    stage.vcenter.check_warnings[vm_id(1)] = (warning,)
    with caplog.at_level(logging.WARNING):
        outcome = stage.run(move(1, 1, 2))["m-001"]
    assert outcome.state is MoveState.DONE
    told = "vCenter's check warned: NoGuestHeartbeat: no heartbeat"
    assert [row.detail for row in stage.rows] == [told]
    (line,) = [r for r in caplog.records if r.msg == "vCenter warned of a migration"]
    assert (line.__dict__["vm"], line.__dict__["warning"]) == ("vm-1", told)

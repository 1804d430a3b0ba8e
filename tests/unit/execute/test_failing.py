"""What goes wrong after a move was sent, and what the executor does about it (S3, S6, S8)."""

import pytest

from balancer.execute.settle import settle
from balancer.execute.watch import LOOK_FOR_S
from balancer.model.errors import LoginRefused, SourceAnswerInvalid, SourceError
from balancer.model.events import MoveEnded, MoveStarted
from balancer.model.outcome import FailureKind, MoveOutcome, MoveState
from balancer.model.reasons import Reason
from balancer.model.units import HostId
from balancer.policy.types import Limits
from tests.support.fakes import Script
from tests.unit.execute.stage import Stage, host_id, move, vm_id

KIND = FailureKind
DONE = MoveState.DONE


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("ToolsInstallationInProgress", KIND.SKIP_VM),
        ("HostNotConnected", KIND.SKIP_TARGET),
        ("CpuIncompatible", KIND.PAIR),
        ("InsufficientMemoryResourcesFault", KIND.CAPACITY),
        ("TaskInProgress", KIND.TRANSIENT),
        ("RequestCanceled", KIND.CANCELLED),
        ("NotAuthenticated", KIND.STOP),
        ("NoPermission", KIND.STOP_CLUSTER),
        ("BrandNewFault", KIND.UNMAPPED),
    ],
)
@pytest.mark.parametrize("where", ["at the call", "in the task"])
def test_a_fault_is_recorded_with_its_kind_and_the_vm_stays(
    fault: str, kind: FailureKind, where: str
) -> None:
    stage = Stage()
    facts = {"call_fault": fault} if where == "at the call" else {"task_fault": fault}
    stage.vcenter.scripts[vm_id(1)] = Script(seconds=5, message="no way", **facts)
    outcome = stage.run(move(1, 1, 2))["m-001"]
    assert (outcome.state, outcome.fault, outcome.kind) == (MoveState.FAILED, fault, kind)
    assert outcome.was_sent
    (row,) = stage.rows
    assert (row.state, row.fault, row.kind) == (MoveState.FAILED, fault, kind)
    assert row.detail == "no way"
    assert (stage.place(1), stage.vcenter.submits[vm_id(1)]) == ("host-1", 1)


ONE_BY_ONE = Limits(migrations_per_host=1, plan_age_s=1e6)
GOES_ON = [KIND.SKIP_VM, KIND.PAIR, KIND.CAPACITY, KIND.TRANSIENT, KIND.CANCELLED]
FAULT_OF = {
    KIND.SKIP_VM: "AffinityConfigured",
    KIND.PAIR: "RuleViolation",
    KIND.CAPACITY: "InsufficientResourcesFault",
    KIND.TRANSIENT: "Timedout",
    KIND.CANCELLED: "RequestCanceled",
    KIND.STOP: "InvalidLogin",
    KIND.STOP_CLUSTER: "LicenseExpired",
    KIND.UNMAPPED: "BrandNewFault",
}


@pytest.mark.parametrize("kind", GOES_ON)
def test_the_rest_of_the_plan_goes_on_after_an_ordinary_failure(kind: FailureKind) -> None:
    stage = Stage(limits=ONE_BY_ONE)
    stage.vcenter.scripts[vm_id(1)] = Script(task_fault=FAULT_OF[kind])
    outcomes = stage.run(move(1, 1, 2, gain=1.0), move(2, 1, 2), move(3, 1, 3))
    assert outcomes["m-001"].kind is kind
    assert [outcomes[key].state for key in ("m-002", "m-003")] == [DONE, DONE]


@pytest.mark.parametrize("kind", [KIND.STOP, KIND.STOP_CLUSTER, KIND.UNMAPPED])
def test_a_failure_that_concerns_all_ends_the_run_and_what_runs_is_watched_on(
    kind: FailureKind,
) -> None:
    stage = Stage(limits=Limits(migrations_per_host=2, plan_age_s=1e6))
    stage.vcenter.scripts[vm_id(1)] = Script(seconds=5, task_fault=FAULT_OF[kind], message="no")
    outcomes = stage.run(move(1, 1, 2, gain=3.0), move(2, 1, 2, gain=2.0), move(3, 1, 2))
    assert outcomes["m-002"].state is DONE
    refusal = outcomes["m-003"].refusal
    assert refusal
    assert refusal.reason is Reason.RUN_STOPPED
    assert refusal.detail == f"{FAULT_OF[kind]}: no"
    assert len(stage.vcenter.orders) == 2


def test_a_target_at_fault_gets_no_further_move_in_this_run() -> None:
    stage = Stage(limits=ONE_BY_ONE)
    stage.vcenter.scripts[vm_id(1)] = Script(task_fault="VMotionNotConfigured")
    outcomes = stage.run(move(1, 1, 2, gain=1.0), move(2, 1, 2), move(3, 1, 3))
    refusal = outcomes["m-002"].refusal
    assert refusal
    assert (refusal.reason, refusal.host) == (Reason.TARGET_FAILED_RECENTLY, host_id(2))
    assert outcomes["m-003"].state is DONE


def test_a_fault_after_the_switch_over_is_a_failure_that_names_the_place() -> None:
    stage = Stage()
    stage.vcenter.scripts[vm_id(1)] = Script(
        task_fault="SystemError", message="late trouble", fails_after_switch=True
    )
    outcome = stage.run(move(1, 1, 2))["m-001"]
    assert outcome.state is MoveState.FAILED
    assert outcome.detail == "late trouble; the VM was seen on the target nevertheless"


# success is believed only when seen


def test_a_success_without_the_vm_on_the_target_is_unknown() -> None:
    stage = Stage()
    stage.vcenter.scripts[vm_id(1)] = Script(lies=True)
    outcome = stage.run(move(1, 1, 2), move(2, 1, 3, after=(1,)))
    assert outcome["m-001"].state is MoveState.UNKNOWN
    assert outcome["m-002"].refusal is not None
    assert stage.store.open_rows("vc1")[0].state is MoveState.UNKNOWN


def test_a_vm_that_lands_elsewhere_is_external() -> None:
    stage = Stage()
    stage.vcenter.scripts[vm_id(1)] = Script(lands_on=HostId("host-3"))
    outcome = stage.run(move(1, 1, 2))["m-001"]
    assert outcome.state is MoveState.EXTERNAL
    assert "host-3" in outcome.detail


def test_a_task_that_vanishes_is_replaced_by_a_look_at_the_vm() -> None:
    stage = Stage()
    stage.vcenter.scripts[vm_id(1)] = Script(vanishes=True)
    assert stage.run(move(1, 1, 2))["m-001"].state is DONE


def test_a_task_that_vanishes_without_effect_is_aborted_after_the_hold() -> None:
    stage = Stage()
    stage.vcenter.keeps_no_history = True
    stage.vcenter.scripts[vm_id(1)] = Script(vanishes=True, lies=True)
    outcome = stage.run(move(1, 1, 2))["m-001"]
    assert outcome.state is MoveState.ABORTED
    assert outcome.seconds == pytest.approx(30 + stage.tools.hold_s, abs=3)


# requests without an answer


def test_a_lost_reply_is_never_sent_again_and_the_migration_is_found() -> None:
    stage = Stage()
    stage.vcenter.scripts[vm_id(1)] = Script(reply_lost=True)
    outcome = stage.run(move(1, 1, 2))["m-001"]
    assert (outcome.state, stage.vcenter.submits[vm_id(1)]) == (DONE, 1)
    (row,) = stage.rows
    assert row.task == "task-1"
    assert [event.task for event in stage.events.of(MoveStarted)] == [""]


def test_the_fault_of_a_migration_whose_reply_was_lost_is_found_too() -> None:
    stage = Stage()
    stage.vcenter.scripts[vm_id(1)] = Script(reply_lost=True, task_fault="Timedout")
    outcome = stage.run(move(1, 1, 2))["m-001"]
    assert (outcome.state, outcome.kind) == (MoveState.FAILED, KIND.TRANSIENT)
    assert stage.vcenter.submits[vm_id(1)] == 1


def test_a_migration_that_ended_before_anybody_looked_is_done_by_its_place() -> None:
    stage = Stage()
    stage.vcenter.scripts[vm_id(1)] = Script(reply_lost=True, seconds=0.5)
    assert stage.run(move(1, 1, 2))["m-001"].state is DONE


def lost_beside_a_long_migration(stage: Stage) -> MoveOutcome:
    """Run a move whose request got lost while another VM is on its way for longer than the hold."""
    stage.vcenter.scripts[vm_id(1)] = Script(reply_lost=True, arrives=False)
    stage.vcenter.scripts[vm_id(2)] = Script(seconds=600)
    return stage.run(move(1, 1, 2), move(2, 1, 3))["m-001"]


def test_a_request_that_never_arrived_is_aborted_after_the_hold_and_not_before() -> None:
    stage = Stage()
    outcome = lost_beside_a_long_migration(stage)
    assert outcome.state is MoveState.ABORTED
    assert outcome.seconds >= stage.tools.hold_s
    assert stage.vcenter.submits[vm_id(1)] == 1


def test_a_vm_that_somebody_else_moves_meanwhile_is_external() -> None:
    stage = Stage()
    stage.vcenter.at(20, lambda: stage.vcenter.put_vm(vm_id(1), host=host_id(3)))
    assert lost_beside_a_long_migration(stage).state is MoveState.EXTERNAL


def test_a_vm_that_is_deleted_meanwhile_is_external() -> None:
    stage = Stage()
    stage.vcenter.at(20, lambda: stage.vcenter.drop_vm(vm_id(1)))
    outcome = lost_beside_a_long_migration(stage)
    assert (outcome.state, outcome.detail) == (MoveState.EXTERNAL, "the VM is gone")


def test_a_vm_on_its_way_elsewhere_is_not_called_aborted() -> None:
    stage = Stage()
    stage.vcenter.at(20, lambda: stage.vcenter.fly_foreign(vm_id(1), host_id(3), seconds=300))
    outcome = lost_beside_a_long_migration(stage)
    assert (outcome.state, outcome.detail) == (MoveState.EXTERNAL, "seen on host-3")


def test_an_unknown_move_keeps_its_slot() -> None:
    stage = Stage(limits=Limits(migrations_per_host=1, plan_age_s=1e6))
    stage.vcenter.scripts[vm_id(1)] = Script(reply_lost=True, arrives=False)
    stage.run(move(1, 1, 2, gain=1.0), move(2, 1, 2))
    assert stage.vcenter.sent_at_s[vm_id(2)] >= stage.tools.hold_s


def test_a_run_does_not_last_for_a_request_without_an_answer_alone() -> None:
    stage = Stage(limits=Limits(migrations_per_host=2))
    stage.vcenter.scripts[vm_id(1)] = Script(reply_lost=True, arrives=False)
    outcomes = stage.run(move(1, 1, 2), move(2, 1, 3), move(3, 1, 2, after=(1,)))
    assert outcomes["m-001"].state is MoveState.UNKNOWN
    assert outcomes["m-002"].state is DONE
    assert outcomes["m-003"].refusal is not None
    assert stage.clock.monotonic() == pytest.approx(30, abs=2)
    (row,) = stage.store.open_rows("vc1")
    assert (row.entry.vm, row.state) == (vm_id(1), MoveState.UNKNOWN)


def test_a_request_without_an_answer_is_looked_for_before_a_run_leaves_it() -> None:
    stage = Stage()
    stage.vcenter.scripts[vm_id(1)] = Script(reply_lost=True, arrives=False)
    outcome = stage.run(move(1, 1, 2))["m-001"]
    assert outcome.state is MoveState.UNKNOWN
    assert outcome.seconds == pytest.approx(LOOK_FOR_S, abs=2)


def test_a_request_that_a_run_left_is_aborted_by_a_later_cycle_after_the_hold() -> None:
    stage = Stage()
    stage.vcenter.scripts[vm_id(1)] = Script(reply_lost=True, arrives=False)
    stage.run(move(1, 1, 2))
    for at_s, state in ((80.0, MoveState.UNKNOWN), (100.0, MoveState.ABORTED)):
        stage.clock.sleep(at_s - stage.clock.monotonic())
        settle(stage.vcenter.truth, stage.policy, stage.tools)
        assert stage.rows[0].state is state
    assert stage.vcenter.submits[vm_id(1)] == 1


# too long


def test_a_migration_without_end_becomes_unknown_and_is_not_cancelled() -> None:
    stage = Stage(limits=Limits(migration_timeout_s=900))
    stage.vcenter.scripts[vm_id(1)] = Script(hangs=True)
    outcome = stage.run(move(1, 1, 2))["m-001"]
    assert outcome.state is MoveState.UNKNOWN
    assert outcome.seconds == pytest.approx(900, abs=2)
    assert stage.store.open_rows("vc1")[0].task == "task-1"


def test_a_large_vm_gets_more_time() -> None:
    stage = Stage(limits=Limits(migration_timeout_s=900, migration_timeout_factor=4))
    stage.vcenter.scripts[vm_id(1)] = Script(seconds=1500)
    assert stage.run(move(1, 1, 2, expected_seconds=400.0))["m-001"].state is DONE


def test_a_queued_task_is_waited_for() -> None:
    stage = Stage()
    stage.vcenter.scripts[vm_id(1)] = Script(queued_s=200)
    assert stage.run(move(1, 1, 2))["m-001"].state is DONE


# the connection


def test_a_connection_lost_for_a_while_only_delays_what_is_known() -> None:
    stage = Stage(limits=Limits(migrations_per_host=1))
    stage.vcenter.outages.append((10, 30))
    outcomes = stage.run(move(1, 1, 2, gain=1.0), move(2, 1, 2))
    assert [o.state for o in outcomes.values()] == [DONE, DONE]
    assert all(count == 1 for count in stage.vcenter.submits.values())


def test_nothing_is_sent_while_the_connection_is_down_and_sending_resumes_afterwards() -> None:
    stage = Stage(limits=Limits(migrations_per_host=1))
    stage.vcenter.scripts[vm_id(1)] = Script(seconds=15)
    stage.vcenter.outages.append((10, 30))
    stage.run(move(1, 1, 2, gain=1.0), move(2, 1, 2))
    assert 30 <= stage.vcenter.sent_at_s[vm_id(2)] < 50


def test_a_connection_that_stays_away_ends_in_unknown_when_the_time_is_up() -> None:
    stage = Stage(limits=Limits(migration_timeout_s=900))
    stage.vcenter.outages.append((5, 1e9))
    outcomes = stage.run(move(1, 1, 2), move(2, 1, 2, after=(1,)))
    assert outcomes["m-001"].state is MoveState.UNKNOWN
    assert outcomes["m-001"].seconds == pytest.approx(900, abs=2)
    assert outcomes["m-002"].refusal is not None


def test_a_run_that_never_had_a_connection_ends_before_the_plan_is_old() -> None:
    stage = Stage(limits=Limits(plan_age_s=120))
    stage.vcenter.outages.append((0, 1e9))
    refusal = stage.run(move(1, 1, 2))["m-001"].refusal
    assert refusal
    assert refusal.reason is Reason.CONNECTION_LOST
    assert stage.clock.monotonic() <= 120
    assert stage.rows == ()


def test_a_call_that_never_left_is_a_passing_failure() -> None:
    stage = Stage()
    check = stage.vcenter.check

    def cut_after_check(*args: object) -> object:
        answer = check(*args)  # type: ignore[arg-type]
        stage.vcenter.outages.append((0, 1))
        return answer

    object.__setattr__(stage.tools, "inventory", _With(stage.vcenter, check=cut_after_check))
    outcome = stage.run(move(1, 1, 2))["m-001"]
    assert (outcome.state, outcome.kind) == (MoveState.FAILED, KIND.TRANSIENT)
    assert stage.vcenter.submits[vm_id(1)] == 0


class _With:
    """A port with some methods replaced."""

    def __init__(self, port: object, **methods: object) -> None:
        self._port = port
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> object:
        return getattr(self._port, name)


def test_a_refused_login_is_not_tried_again_while_the_account_could_be_locked() -> None:
    stage = Stage()
    tries = []

    def refresh(*_: object, **__: object) -> object:
        tries.append(stage.clock.monotonic())
        raise LoginRefused("wrong password")

    object.__setattr__(stage.tools, "inventory", _With(stage.vcenter, refresh=refresh))
    refusal = stage.run(move(1, 1, 2))["m-001"].refusal
    assert refusal
    assert (refusal.reason, refusal.detail) == (Reason.CONNECTION_LOST, "wrong password")
    assert tries == [0.0]


def test_an_answer_that_cannot_be_understood_stops_the_move_it_is_about() -> None:
    stage = Stage()
    refresh = stage.vcenter.refresh

    def picky(base: object, *, vms: list[str], hosts: list[str]) -> object:
        if vms == [vm_id(1)]:
            raise SourceAnswerInvalid("unknown enumeration value")
        return refresh(base, vms=vms, hosts=hosts)  # type: ignore[arg-type]

    object.__setattr__(stage.tools, "inventory", _With(stage.vcenter, refresh=picky))
    outcomes = stage.run(move(1, 1, 2), move(2, 1, 2))
    refusal = outcomes["m-001"].refusal
    assert refusal
    assert refusal.reason is Reason.SERVER_CHECK
    assert outcomes["m-002"].state is DONE


def test_a_vm_that_cannot_be_read_while_it_moves_is_looked_at_again() -> None:
    stage = Stage()
    refresh = stage.vcenter.refresh

    def picky(base: object, *, vms: list[str], hosts: list[str]) -> object:
        if vms == [vm_id(1)] and not hosts and stage.clock.monotonic() < 40:
            raise SourceAnswerInvalid("unknown enumeration value")
        return refresh(base, vms=vms, hosts=hosts)  # type: ignore[arg-type]

    object.__setattr__(stage.tools, "inventory", _With(stage.vcenter, refresh=picky))
    outcomes = stage.run(move(1, 1, 2), move(2, 1, 2))
    assert [o.state for o in outcomes.values()] == [DONE, DONE]
    assert outcomes["m-002"].seconds < 35 < outcomes["m-001"].seconds


def test_an_error_that_only_a_person_can_mend_is_not_asked_again_within_the_plan() -> None:
    class Hopeless(SourceError):
        retry_after_s = None

    stage = Stage()
    tries = []

    def refresh(*_: object, **__: object) -> object:
        tries.append(1)
        raise Hopeless("the certificate is wrong")

    object.__setattr__(stage.tools, "inventory", _With(stage.vcenter, refresh=refresh))
    stage.run(move(1, 1, 2))
    assert tries == [1]


def test_every_move_has_exactly_one_end_told() -> None:
    stage = Stage()
    stage.vcenter.scripts[vm_id(1)] = Script(call_fault="Timedout")
    stage.vcenter.scripts[vm_id(2)] = Script(lies=True)
    moves = [move(1, 1, 2), move(2, 1, 2), move(3, 1, 3), move(4, 2, 3), move(5, 1, 2, after=(1,))]
    stage.run(*moves)
    told = sorted(event.outcome.move.id for event in stage.events.of(MoveEnded))
    assert told == [m.id for m in moves]

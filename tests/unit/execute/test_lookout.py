"""What a run learns while it goes on, and that nothing more is sent then (S8)."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from balancer.adapters.store.memory import MemoryStore
from balancer.execute.disturbance import known_hosts
from balancer.model.errors import StoreError
from balancer.model.host import HostState
from balancer.model.outcome import MoveOutcome, MoveState
from balancer.model.past import Breaker, DisturbanceKind, Past
from balancer.model.plan import MoveReason
from balancer.model.reasons import Reason
from balancer.model.rule import RuleType
from balancer.model.units import ClusterId
from balancer.policy.types import Limits
from tests.support.builders import NOON, rule
from tests.support.fakes import Script
from tests.unit.execute.stage import Stage, cluster, host_id, move, vm_id

HERE = ClusterId("domain-c1")
ONE_AT_A_TIME = Limits(migrations_per_host=1, migrations_per_cluster=1, plan_age_s=1e6)


def stage(limits: Limits = ONE_AT_A_TIME, **facts: object) -> Stage:
    return Stage(base=cluster(vms=8, hosts=4), limits=limits, **facts)  # type: ignore[arg-type]


def past(scene: Stage) -> Past:
    return scene.store.past("vc1", HERE, NOON - timedelta(days=1))


def open_since(minutes: float, scene: Stage) -> None:
    """Let the breaker have been opened so many minutes ago, for half an hour."""
    since = NOON - timedelta(minutes=minutes)
    until = since + timedelta(minutes=30)
    opened = Breaker(level=1, since=since, until=until, cause="3 moves failed", is_open=True)
    scene.store.put_breaker("vc1", HERE, opened, at=since)


def reasons(outcomes: dict[str, MoveOutcome]) -> list[Reason]:
    return [o.refusal.reason for o in outcomes.values() if o.refusal]


def test_s8_after_three_failures_in_a_row_the_run_sends_nothing_more() -> None:
    scene = stage()
    scene.vcenter.default = Script(task_fault="Timedout")
    outcomes = scene.run(*(move(n, 1, 2 + n % 3) for n in range(1, 9)))
    assert sum(scene.vcenter.submits.values()) == 3
    assert reasons(outcomes) == [Reason.BREAKER_OPEN] * 5
    assert past(scene).breaker.is_open


def test_s8_refused_calls_open_the_breaker_within_one_turn() -> None:
    scene = stage(Limits(migrations_per_host=8, migrations_per_cluster=8))
    scene.vcenter.default = Script(call_fault="TaskInProgress")
    scene.run(*(move(n, 1, 2 + n % 3) for n in range(1, 9)))
    assert sum(scene.vcenter.submits.values()) == 3


def test_s8_an_open_breaker_stops_evacuations_as_well() -> None:
    scene = stage()
    open_since(10.0, scene)
    outcomes = scene.run(move(1, 1, 2, reason=MoveReason.EVACUATE))
    assert reasons(outcomes) == [Reason.BREAKER_OPEN]
    assert not scene.vcenter.submits


def test_when_the_breakers_time_is_over_a_run_sends_one_move_a_mandatory_one_first() -> None:
    scene = stage(Limits(migrations_per_host=8, migrations_per_cluster=8))
    open_since(40.0, scene)
    moves = [move(n, 1, 2) for n in (1, 2, 3)]
    outcomes = scene.run(*moves, move(4, 1, 3, reason=MoveReason.EVACUATE))
    assert dict(scene.vcenter.submits) == {"vm-4": 1}
    assert reasons(outcomes) == [Reason.BREAKER_OPEN] * 3
    assert scene.states == [("m-004", MoveState.DONE)]


def test_a_mandatory_move_that_cannot_go_leaves_the_try_to_another_one() -> None:
    scene = stage()
    open_since(40.0, scene)
    scene.vcenter.put_vm(vm_id(4), host=host_id(2))
    outcomes = scene.run(move(1, 1, 2), move(4, 1, 3, reason=MoveReason.EVACUATE))
    assert dict(scene.vcenter.submits) == {"vm-1": 1}
    assert reasons(outcomes) == [Reason.SOURCE_CHANGED]


def test_a_group_is_not_the_one_move_that_tries() -> None:
    together = [rule("pair", RuleType.AFFINITY, (1, 2))]
    scene = Stage(base=cluster(vms=8, hosts=4, rules=together), limits=ONE_AT_A_TIME)
    open_since(40.0, scene)
    outcomes = scene.run(move(1, 1, 2), move(2, 1, 2), move(3, 1, 3))
    assert dict(scene.vcenter.submits) == {"vm-3": 1}
    refused = outcomes["m-001"].refusal
    assert refused is not None
    assert refused.reason is Reason.BREAKER_OPEN


def test_while_the_one_move_that_tries_is_on_its_way_nothing_is_sent() -> None:
    scene = stage()
    open_since(40.0, scene)
    scene.vcenter.default = Script(hangs=True)
    scene.run(move(1, 1, 2))
    again = scene.run(move(2, 1, 3), created_at=scene.clock.now())
    assert reasons(again) == [Reason.BREAKER_OPEN]
    assert sum(scene.vcenter.submits.values()) == 1


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (HostState.NOT_RESPONDING, DisturbanceKind.HOST_LOST),
        (HostState.DISCONNECTED, DisturbanceKind.HOST_LOST),
    ],
)
def test_s8_a_host_that_is_lost_during_a_run_stops_it_although_no_move_touches_the_host(
    state: HostState, kind: DisturbanceKind
) -> None:
    scene = stage()
    know_hosts(scene)
    scene.vcenter.at(35.0, lambda: scene.vcenter.put_host(host_id(4), state))
    outcomes = scene.run(*(move(n, 1, 2) for n in range(1, 6)))
    assert max(scene.vcenter.sent_at_s.values()) <= 45.0
    assert Reason.QUIET_TIME in reasons(outcomes)
    assert [one.kind for one in past(scene).disturbances] == [kind]


def test_a_host_that_a_person_takes_into_maintenance_disturbs_nothing() -> None:
    scene = stage()
    know_hosts(scene)
    state = HostState.ENTERING_MAINTENANCE
    scene.vcenter.at(35.0, lambda: scene.vcenter.put_host(host_id(4), state))
    scene.run(*(move(n, 1, 2) for n in range(1, 5)))
    assert len(scene.vcenter.submits) == 4
    assert past(scene).disturbances == ()


def know_hosts(scene: Stage) -> None:
    """Let the cycle before have seen the hosts as they are."""
    scene.store.keep_hosts("vc1", HERE, known_hosts(scene.base, ()))


def test_s8_moves_that_somebody_else_undoes_during_a_run_stop_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    scene = stage(replace(ONE_AT_A_TIME, plan_age_s=1e6))
    scene.vcenter.at(40.0, lambda: scene.vcenter.put_vm(vm_id(1), host=host_id(1)))
    scene.vcenter.at(75.0, lambda: scene.vcenter.put_vm(vm_id(2), host=host_id(1)))
    outcomes = scene.run(*(move(n, 1, 2) for n in range(1, 8)))
    assert len(scene.vcenter.submits) <= 4
    assert Reason.CLUSTER_CONTENDED in reasons(outcomes)
    [line] = [r for r in caplog.records if r.message == "cluster left alone"]
    assert "vm1, vm2" in line.__dict__["detail"]
    notes = [entry.note.action for entry in scene.store.audit_entries(last=1000)]
    assert notes.count("cluster.contended") == 1


class Forgetful(MemoryStore):
    """A memory that cannot be read any more once a move has failed."""

    def past(self, vcenter: str, cluster: ClusterId, since: datetime) -> Past:
        found = super().past(vcenter, cluster, since)
        if any(row.state is MoveState.FAILED for row in found.rows):
            raise StoreError("the disk is full")
        return found


def test_a_memory_that_cannot_be_read_stops_the_run() -> None:
    scene = stage(store=Forgetful())
    scene.vcenter.default = Script(task_fault="Timedout")
    outcomes = scene.run(*(move(n, 1, 2) for n in range(1, 5)))
    assert sum(scene.vcenter.submits.values()) == 1
    assert reasons(outcomes) == [Reason.JOURNAL_UNAVAILABLE] * 3

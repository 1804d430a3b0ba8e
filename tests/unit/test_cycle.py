"""The loop as a whole, over a scripted vCenter in virtual time: what it plans, does, and leaves alone."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from balancer.adapters.store.memory import MemoryStore
from balancer.assess.demand import demand_of
from balancer.collect import judge_quality
from balancer.cycle import CycleReport, run_cycle
from balancer.execute import Tools
from balancer.model.errors import PlanInvalid
from balancer.model.events import CycleEnded, MoveEnded, PlanMade, SnapshotTaken
from balancer.model.host import HostState
from balancer.model.outcome import FailureKind, MoveState
from balancer.model.plan import IncidentKind, MoveReason, PlanStatus
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import RuleType
from balancer.model.snapshot import Drs, Snapshot
from balancer.model.units import VmId
from balancer.model.vm import Automation
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.in_force import InForce, mode_in_force
from balancer.policy.mode import Mode
from balancer.policy.types import Limits, Policy
from balancer.policy.window_types import Effect, Window
from balancer.site import Site
from balancer.solver import Failure
from tests.support.builders import host, rule, snapshot, vm
from tests.support.fakes import FakeClock, RecordingEvents, Script, ScriptedVCenter
from tests.support.solvers import Scripted
from tests.support.stairs import stairs

ROOMY = Policy(limits=Limits(moves_per_run_ratio=1.0, moves_per_hour_ratio=1.0, moves_on_trial=100))


@dataclass(kw_only=True)
class Stage:
    """One cluster under the loop."""

    vcenter: ScriptedVCenter
    mode: Mode = Mode.AUTOMATIC
    policy: Policy = ROOMY
    settings: PlanSettings = field(default_factory=PlanSettings)
    store: MemoryStore = field(default_factory=MemoryStore)
    events: RecordingEvents = field(default_factory=RecordingEvents)
    stop: Refusal | None = None
    vm_modes: dict[VmId, Mode] = field(default_factory=dict)
    barred: Refusal | None = None

    def in_force(self, snapshot: Snapshot) -> InForce:
        now = self.vcenter.clock.now()
        return mode_in_force(self.policy, self.mode, now, vm_modes=self.vm_modes)

    def cycle(self) -> CycleReport:
        tools = Tools(
            vcenter="vc1",
            cluster_name="prod",
            holder="test",
            inventory=self.vcenter,
            migrator=self.vcenter,
            store=self.store,
            clock=self.vcenter.clock,
            events=self.events,
            may_submit=lambda: self.stop,
            demand_of=demand_of,
        )
        site = Site(
            cluster=self.vcenter.clusters()[0],
            policy=self.policy,
            in_force=self.in_force,
            settings=self.settings,
            tools=tools,
            barred=self.barred,
        )
        return run_cycle(site, cycle_id="c1")


def uneven() -> Snapshot:
    """Three hosts: one at 90 % CPU with a broken pair, one idle, one entering maintenance with one VM."""
    hosts = [host(1), host(2), host(3, state=HostState.ENTERING_MAINTENANCE), host(4)]
    vms = [vm(n, 1, cpu_demand_mhz=3000.0) for n in range(1, 7)] + [vm(7, 3), vm(8, 4)]
    return snapshot(hosts, vms, [rule("apart", RuleType.ANTI_AFFINITY, [1, 2])])


def stage(snap: Snapshot | None = None, **facts: object) -> Stage:
    return Stage(vcenter=ScriptedVCenter(snap or uneven(), FakeClock()), **facts)  # type: ignore[arg-type]


def test_one_cycle_empties_repairs_and_levels() -> None:
    scene = stage()

    report = scene.cycle()

    truth = scene.vcenter.truth
    assert {o.state for o in report.outcomes} == {MoveState.DONE}
    assert truth.vm_by_id[VmId("vm-7")].host != "host-3"
    assert truth.vm_by_id[VmId("vm-1")].host != truth.vm_by_id[VmId("vm-2")].host
    assert report.plan.status is PlanStatus.PLANNED
    assert report.plan.after.imbalance < report.plan.before.imbalance
    assert report.plan.moves[0].reason.is_mandatory


def test_the_next_cycle_finds_nothing_to_do() -> None:
    scene = stage()
    scene.cycle()
    scene.vcenter.clock.sleep(2 * 3600.0)

    report = scene.cycle()

    assert report.plan.moves == ()
    assert report.plan.status is PlanStatus.BALANCED
    assert "nothing to do" in report.plan.reason


def test_each_cycle_tells_what_it_saw_planned_and_did() -> None:
    scene = stage()
    report = scene.cycle()

    assert len(scene.events.of(SnapshotTaken)) == 1
    assert len(scene.events.of(PlanMade)) == 1
    assert len(scene.events.of(MoveEnded)) == len(report.outcomes)
    assert scene.events.of(CycleEnded)[0].phase_seconds.keys() == {"collect", "plan", "execute"}


def test_s1_observing_plans_and_sends_nothing() -> None:
    scene = stage(mode=Mode.OBSERVE)

    report = scene.cycle()

    assert report.plan.moves
    assert report.held is not None
    assert report.held.reason is Reason.OBSERVE_MODE
    assert not scene.vcenter.submits


def test_manual_plans_and_sends_nothing_that_nobody_approved() -> None:
    scene = stage(mode=Mode.MANUAL)

    report = scene.cycle()

    assert report.plan.moves
    assert report.held == Refusal.of(Reason.NOT_APPROVED, "mode manual, by the configuration")
    assert report.plan.mode == "manual"
    assert not scene.vcenter.submits


def closing(after_s: float) -> Policy:
    """Return a policy whose only allow window is open at noon and closes so many seconds later."""
    window = Window(
        name="noon", effect=Effect.ALLOW, cron="0 11 * * *", duration_s=3600.0 + after_s
    )
    return replace(ROOMY, windows=(window,))


def test_outside_of_the_windows_a_plan_is_held_and_told_which_one_opens_when() -> None:
    scene = stage(policy=closing(0.0))

    report = scene.cycle()

    assert report.plan.moves
    assert report.held is not None
    assert report.held.reason is Reason.WINDOW_CLOSED
    assert "window 'noon' opens 2026-11-23 11:00 UTC" in report.held.detail
    assert report.plan.mode_because == report.held
    assert not scene.vcenter.submits


def test_a_window_that_closes_while_a_plan_is_carried_out_ends_the_sending() -> None:
    scene = stage(policy=closing(10.0))

    report = scene.cycle()

    sent = [outcome for outcome in report.outcomes if outcome.was_sent]
    held = [outcome.refusal for outcome in report.outcomes if outcome.refusal]
    assert sent
    assert {refusal.reason for refusal in held} >= {Reason.WINDOW_CLOSED}
    assert len(scene.vcenter.submits) == len(sent) < len(report.plan.admitted)


def test_outside_of_windows_that_leave_partial_the_mandatory_moves_are_made() -> None:
    scene = stage(policy=replace(closing(0.0), outside_windows=Mode.PARTIAL))

    report = scene.cycle()

    sent = {outcome.move.reason for outcome in report.outcomes if outcome.was_sent}
    assert sent == {MoveReason.EVACUATE, MoveReason.RULE}


def test_a_vm_in_a_more_careful_mode_stays_while_the_others_move() -> None:
    scene = stage(vm_modes={VmId("vm-7"): Mode.OBSERVE})

    report = scene.cycle()

    assert scene.vcenter.truth.vm_by_id[VmId("vm-7")].host == "host-3"
    assert any(outcome.was_sent for outcome in report.outcomes)


@pytest.mark.parametrize("mode", [Mode.AUTOMATIC, Mode.PARTIAL])
def test_s1_nothing_is_sent_beside_a_fully_automated_drs(mode: Mode) -> None:
    drs = Drs(enabled=True, automation=Automation.FULLY_AUTOMATED)
    snap = uneven()
    scene = stage(replace(snap, cluster=replace(snap.cluster, drs=drs)), mode=mode)

    report = scene.cycle()

    assert report.held is not None
    assert report.held.reason is Reason.DRS_AUTOMATED
    assert not scene.vcenter.submits


@pytest.mark.parametrize("mode", [Mode.AUTOMATIC, Mode.PARTIAL])
def test_s1_nothing_is_sent_as_an_account_that_must_not_act(mode: Mode) -> None:
    scene = stage(mode=mode, barred=Refusal.of(Reason.EXCESS_PRIVILEGES, "an administrator"))

    report = scene.cycle()

    assert report.plan.moves
    assert report.held == scene.barred
    assert scene.events.of(CycleEnded)[0].held == scene.barred
    assert not scene.vcenter.submits


def test_an_evacuation_goes_elsewhere_after_its_target_failed() -> None:
    hosts = [host(1, state=HostState.ENTERING_MAINTENANCE), host(2), host(3)]
    scene = stage(snapshot(hosts, [vm(1, 1)]))
    scene.vcenter.scripts[VmId("vm-1")] = Script(task_fault="VMotionLinkDown")
    (first,) = scene.cycle().outcomes
    assert first.kind is FailureKind.SKIP_TARGET

    del scene.vcenter.scripts[VmId("vm-1")]
    (second,) = scene.cycle().outcomes

    assert second.state is MoveState.DONE
    assert second.move.target != first.move.target


def test_s6_a_move_of_unknown_end_holds_its_memory_on_its_target() -> None:
    big = {"memory_mib": 50_000.0, "memory_consumed_mib": 50_000.0}
    hosts = [host(1, state=HostState.ENTERING_MAINTENANCE), host(2)]
    scene = stage(snapshot(hosts, [vm(1, 1, **big), vm(2, 1, **big)]))
    scene.vcenter.default = Script(reply_lost=True, arrives=False)
    (sent,) = (each for each in scene.cycle().outcomes if each.was_sent)
    assert sent.state is MoveState.UNKNOWN

    scene.vcenter.default = Script()
    plan = scene.cycle().plan

    assert plan.moves == ()
    assert scene.vcenter.submits.total() == 1


def test_partial_mode_empties_and_repairs_but_does_not_level() -> None:
    scene = stage(mode=Mode.PARTIAL)

    report = scene.cycle()

    sent = {outcome.move.reason for outcome in report.outcomes if outcome.was_sent}
    assert sent == {MoveReason.EVACUATE, MoveReason.RULE}
    assert any(not move.this_run for move in report.plan.moves)


def test_s8_a_stop_request_keeps_a_plan_on_paper() -> None:
    scene = stage(stop=Refusal.of(Reason.STOPPING))

    report = scene.cycle()

    assert report.held is not None
    assert report.held.reason is Reason.STOPPING
    assert not scene.vcenter.submits


def test_a_failure_of_the_solver_is_a_warning_and_the_cycle_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    crash = Failure(kind=IncidentKind.CRASHED, detail="its process is gone")
    settings = PlanSettings(open_solver=lambda: Scripted(lambda _: crash))

    report = stage(stairs(4), settings=settings).cycle()

    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert warning.message == "solver failed, plan goes on without it"
    assert (warning.__dict__["stage"], warning.__dict__["kind"]) == ("repair", "crashed")
    assert [incident.kind for incident in report.plan.incidents] == [IncidentKind.CRASHED]
    assert report.plan.status is PlanStatus.DEGRADED


def test_stale_facts_are_refused() -> None:
    late = uneven().taken_at + timedelta(minutes=5)

    unfit = judge_quality(uneven(), ROOMY.limits, now=late)

    plan = plan_snapshot(uneven(), ROOMY, settings=PlanSettings(), unfit=unfit)

    assert plan.status is PlanStatus.REFUSED
    assert plan.moves == ()
    assert "snapshot_stale" in plan.reason


def test_a_snapshot_without_figures_is_refused() -> None:
    snap = uneven()
    blind = tuple(replace(v, cpu_demand_mhz=None, memory_active_mib=None) for v in snap.vms)

    plan = plan_snapshot(replace(snap, vms=blind), ROOMY, settings=PlanSettings())

    assert plan.status is PlanStatus.REFUSED
    assert plan.moves == ()


def test_when_hosts_are_lost_only_mandatory_moves_are_planned() -> None:
    snap = uneven()
    lost = [host(n, state=HostState.NOT_RESPONDING) for n in range(10, 14)]

    plan = plan_snapshot(replace(snap, hosts=(*snap.hosts, *lost)), ROOMY, settings=PlanSettings())

    assert plan.moves
    assert all(move.reason.is_mandatory for move in plan.moves)


def test_a_vm_that_cannot_leave_is_named_and_the_rest_goes_on() -> None:
    snap = uneven()
    pinned = tuple(
        replace(v, automation=Automation.MANUAL) if v.id == "vm-7" else v for v in snap.vms
    )

    plan = plan_snapshot(replace(snap, vms=pinned), ROOMY, settings=PlanSettings())

    assert plan.status is PlanStatus.DEGRADED
    assert any("vm7" in conflict.message for conflict in plan.conflicts)
    assert any(move.reason is MoveReason.RULE for move in plan.moves)


def test_a_plan_that_fails_the_independent_check_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("balancer.planner.verify", lambda *_: ("m1 breaks a law",))

    with pytest.raises(PlanInvalid, match="m1 breaks a law"):
        stage().cycle()


def test_the_plan_id_follows_snapshot_policy_and_settings() -> None:
    one = plan_snapshot(uneven(), ROOMY, settings=PlanSettings())
    same = plan_snapshot(uneven(), ROOMY, settings=PlanSettings())
    other = plan_snapshot(uneven(), Policy(), settings=PlanSettings())

    assert one.id == same.id
    assert one.id != other.id

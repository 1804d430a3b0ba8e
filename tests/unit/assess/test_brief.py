"""What a plan says of itself: intervals, stun, risk, consent, room for failures, forecast, quality of facts."""

from dataclasses import replace
from datetime import timedelta
from math import exp
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.assess.brief import LOOKS, NINE_OF_TEN, brief_of
from balancer.assess.need import assess
from balancer.assess.pace import BELIEVED_SPREAD
from balancer.model.brief import Brief, Consent, Risk
from balancer.model.duration import MOST_DIRTY_RATIO, SWITCH_SECONDS, copy_of, vmotion_seconds
from balancer.model.host import HostState
from balancer.model.need import Holds
from balancer.model.outcome import JournalRow, MoveState
from balancer.model.plan import Move, MoveReason
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Ha, Snapshot
from balancer.model.units import VmId
from balancer.model.vm import Profile
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.in_force import InForce
from balancer.policy.mode import Mode
from balancer.policy.types import Limits, Policy, Thresholds
from balancer.policy.window_types import Effect, Window
from tests.support.builders import NOON, host, snapshot, vm
from tests.support.journal import entry
from tests.unit.expose.plans import move, plan

AUTOMATIC = InForce(mode=Mode.AUTOMATIC)
SIX_GIB = {"memory_mib": 6144.0, "expected_seconds": 17.0}


def cluster(hosts: int = 3, ha: Ha | None = None, **facts: Any) -> Snapshot:
    """Return a cluster with vm-1 on host-1 and vm-2 on host-2; `facts` are vm-1's."""
    machines = [vm(1, on=1, **facts), vm(2, on=2)]
    return snapshot([host(n) for n in range(1, hosts + 1)], machines, cluster={"ha": ha or Ha()})


def brief(
    snap: Snapshot,
    *moves: Move,
    policy: Policy | None = None,
    in_force: InForce = AUTOMATIC,
    rows: tuple[JournalRow, ...] = (),
) -> Brief:
    wanted = policy or Policy()
    need = assess(snap, wanted, Holds())
    made = plan(snap, moves or (move(1, 1, 1, 2),))
    return brief_of(need, wanted, made, in_force=in_force, rows=rows, now=NOON)


def ended(number: int, *, state: MoveState = MoveState.DONE, seconds: float = 12.5) -> JournalRow:
    return JournalRow(
        id=number,
        entry=entry(number),
        state=state,
        submitted_at=NOON,
        ended_at=NOON + timedelta(seconds=seconds),
    )


def test_without_experience_the_interval_is_that_of_the_believed_spread() -> None:
    made = brief(cluster(), move(1, 1, 1, 2, expected_seconds=100.0))
    assert (made.spread, made.spread_from) == (BELIEVED_SPREAD, 0)
    one = made.moves[0]
    assert one.low_seconds == pytest.approx(100.0 / exp(NINE_OF_TEN * BELIEVED_SPREAD))
    assert one.high_seconds == pytest.approx(100.0 * exp(NINE_OF_TEN * BELIEVED_SPREAD))


def test_experience_of_steady_migrations_narrows_the_interval() -> None:
    rows = tuple(ended(number) for number in range(1, 31))
    made = brief(cluster(), rows=rows)
    assert made.spread_from == 30
    assert made.spread < BELIEVED_SPREAD / 2


def test_a_vm_whose_dirty_rate_nobody_measured_has_no_stun_and_that_is_told() -> None:
    one = brief(cluster()).moves[0]
    assert (one.copy_mib, one.stun_seconds, one.risk) == (None, None, Risk.LOW)
    assert one.because == ("how fast it dirties memory is not measured",)


@given(
    memory=st.floats(64.0, 500_000.0),
    dirty=st.floats(0.0, 20_000.0),
    link=st.floats(1_000.0, 100_000.0),
)
def test_law_a_copy_gives_back_the_bandwidth_behind_its_prediction(
    memory: float, dirty: float, link: float
) -> None:
    source = host(1, vmotion=replace(host(1).vmotion, link_mbps=link))
    seconds = vmotion_seconds(source, source, memory, dirty_rate_mbps=dirty)
    copy, bandwidth = copy_of(memory, seconds, dirty), link * 0.75
    true = dirty / bandwidth
    assert copy.sent_mib >= memory
    if true < MOST_DIRTY_RATIO - 1e-6:
        assert copy.dirty_ratio == pytest.approx(true, abs=1e-6)
        assert copy.stun_seconds is not None
        assert copy.stun_seconds <= SWITCH_SECONDS * (1 + 1e-9) or copy.dirty_ratio == 0.0
    if true > MOST_DIRTY_RATIO + 1e-6:
        assert copy.stun_seconds is None
        assert copy.dirty_ratio >= MOST_DIRTY_RATIO


@pytest.mark.parametrize(
    ("facts", "of_move", "risk", "word"),
    [
        pytest.param({}, {}, Risk.LOW, "", id="calm"),
        pytest.param({"dirty_rate_mbps": 3500.0}, SIX_GIB, Risk.MEDIUM, "of the copy's", id="much"),
        pytest.param({"dirty_rate_mbps": 20_000.0}, {}, Risk.HIGH, "slowed down", id="too much"),
        pytest.param({}, {"expected_seconds": 500.0}, Risk.MEDIUM, "than 10 min", id="long"),
        pytest.param(
            {"memory_swapped_mib": 512.0}, {}, Risk.MEDIUM, "512 MiB are swapped", id="swapped"
        ),
    ],
)
def test_risk_follows_the_published_rules(
    facts: dict[str, Any], of_move: dict[str, Any], risk: Risk, word: str
) -> None:
    snap = cluster(**({"dirty_rate_mbps": 10.0} | facts))
    one = brief(snap, move(1, 1, 1, 2, **of_move)).moves[0]
    assert one.risk is risk
    assert word in "; ".join(one.because)


def test_a_vm_that_failed_lately_is_a_high_risk() -> None:
    one = brief(cluster(), rows=(ended(1, state=MoveState.FAILED),)).moves[0]
    assert one.risk is Risk.HIGH
    assert "1 of its migrations failed lately" in one.because


def test_a_target_that_is_contended_after_the_plan_is_a_risk() -> None:
    tight = Policy(thresholds=Thresholds(memory_contention=0.001))
    one = brief(cluster(dirty_rate_mbps=1.0), policy=tight).moves[0]
    assert one.because == ("its target is above a contention threshold after the plan",)


@pytest.mark.parametrize(
    ("mode", "reason", "consent"),
    [
        (Mode.AUTOMATIC, MoveReason.BALANCE, Consent.NOT_NEEDED),
        (Mode.PARTIAL, MoveReason.EVACUATE, Consent.NOT_NEEDED),
        (Mode.PARTIAL, MoveReason.BALANCE, Consent.NEEDED),
        (Mode.MANUAL, MoveReason.EVACUATE, Consent.NEEDED),
        (Mode.OBSERVE, MoveReason.EVACUATE, Consent.NOT_ENOUGH),
    ],
)
def test_consent_is_what_the_mode_asks_for(
    mode: Mode, reason: MoveReason, consent: Consent
) -> None:
    made = brief(cluster(), move(1, 1, 1, 2, reason=reason), in_force=InForce(mode=mode))
    assert made.moves[0].consent is consent


def test_a_vm_with_a_mode_of_its_own_needs_a_word_by_itself() -> None:
    in_force = InForce(mode=Mode.AUTOMATIC, vm_modes={VmId("vm-1"): Mode.MANUAL})
    made = brief(cluster(), move(1, 1, 1, 2), move(2, 2, 2, 3), in_force=in_force)
    assert [one.consent for one in made.moves] == [Consent.NEEDED, Consent.NOT_NEEDED]


def test_a_closed_window_is_stronger_than_a_word() -> None:
    closed = Refusal.of(Reason.WINDOW_CLOSED, "closed")
    made = brief(cluster(), in_force=InForce(mode=Mode.OBSERVE, because=closed))
    assert made.moves[0].consent is Consent.NOT_ENOUGH


def test_room_for_failures_is_looked_at_after_every_wave() -> None:
    ha = Ha(enabled=True, host_failures_to_tolerate=1)
    steps = (move(1, 1, 1, 2), move(2, 1, 2, 3, wave=2))
    room = brief(cluster(ha=ha), *steps).failover
    assert (room.tolerated, room.hosts, room.waves) == (1, 3, 2)
    assert [(state.wave, state.lost) for state in room.states] == [(0, ()), (1, ()), (2, ())]


def test_a_failure_that_is_lost_on_the_way_is_named() -> None:
    ha = Ha(enabled=True, host_failures_to_tolerate=1)
    big = host(1).memory_capacity_mib * 0.6
    machines = [vm(n, on=n, memory_mib=big, memory_consumed_mib=big) for n in (1, 2)]
    snap = snapshot([host(1), host(2), host(3)], machines, cluster={"ha": ha})
    full = replace(
        snap, hosts=(*snap.hosts[:2], replace(snap.hosts[2], state=HostState.MAINTENANCE))
    )
    assert [state.lost for state in brief(snap, move(1, 2, 2, 3)).failover.states] == [(), ()]
    assert brief(full, move(1, 1, 1, 2)).failover.states[0].lost == ("host-1", "host-2")


def test_without_ha_nothing_is_promised_and_nothing_looked_at() -> None:
    room = brief(cluster()).failover
    assert (room.tolerated, room.states) == (0, ())


def test_of_very_many_waves_some_are_looked_at_the_last_among_them() -> None:
    ha = Ha(enabled=True, host_failures_to_tolerate=1)
    snap = snapshot(
        [host(n) for n in (1, 2, 3)],
        [vm(n, on=1 + n % 3, memory_mib=16.0, memory_consumed_mib=16.0) for n in range(1, 2001)],
        cluster={"ha": ha},
    )
    count = LOOKS // 2000 + 100
    steps = [move(n, 1, 2 + (n + 1) % 2, 2 + n % 2, wave=n) for n in range(1, count + 1)]
    states = brief(snap, *steps).failover.states
    assert len(states) == LOOKS // 2000 + 1
    assert states[-1].wave == count


def test_peaks_are_the_highest_slot_of_each_host_with_and_without_the_plan() -> None:
    profile = Profile(cpu_demand_mhz=(1000.0, 5000.0), memory_demand_mib=(2048.0, 1024.0))
    snap = cluster(profile=profile)
    snap = replace(snap, profile_slot_seconds=900.0)
    made = brief(snap, move(1, 1, 1, 3))
    assert made.horizon_s == 1800.0
    one, _, three = made.peaks
    usable = snap.hosts[0]
    assert one.cpu_ratio == pytest.approx(5000.0 / usable.usable_cpu_mhz)
    assert one.memory_ratio == pytest.approx(2048.0 / usable.usable_memory_mib)
    assert (one.cpu_ratio_after, three.cpu_ratio_after) == (0.0, pytest.approx(one.cpu_ratio))


def test_without_a_forecast_there_are_no_peaks() -> None:
    made = brief(cluster())
    assert (made.peaks, made.horizon_s) == ((), None)


def test_quality_counts_what_is_estimated_and_how_old_the_oldest_sample_is() -> None:
    nothing = dict.fromkeys(("cpu_demand_mhz", "memory_active_mib", "memory_consumed_mib"))
    machines = [vm(1, on=1, **nothing), vm(2, on=2, sampled_at=NOON - timedelta(seconds=40))]
    hosts = [host(1), host(2), host(3, state=HostState.NOT_RESPONDING)]
    found = brief(snapshot(hosts, machines)).quality
    assert (found.hosts, found.lost_hosts, found.vms, found.estimated_vms) == (3, 1, 2, 1)
    assert found.oldest_sample_s == 40.0


def test_limits_windows_policy_and_expiry_are_those_in_force() -> None:
    night = Window(name="n", effect=Effect.ALLOW, cron="0 22 * * *", duration_s=3600.0)
    policy = Policy(name="mine", windows=(night,), limits=Limits(approved_plan_age_s=60.0))
    made = brief(cluster(), policy=policy)
    assert made.policy == "mine"
    assert made.policy_digest != brief(cluster()).policy_digest
    assert dict(made.limits)["approved_plan_age_s"] == 60.0
    assert made.expires_at == NOON + timedelta(seconds=60)
    assert [(one.name, one.is_open) for one in made.windows] == [("n", False)]
    assert made.windows[0].changes_at == NOON.replace(hour=22)


def test_every_plan_of_the_planner_has_its_brief() -> None:
    machines = [vm(n, 1, cpu_demand_mhz=1500.0) for n in range(1, 9)]
    snap = snapshot([host(1), host(2)], machines)
    made = plan_snapshot(snap, Policy(), settings=PlanSettings(seed=3))
    assert made.brief is not None
    assert [one.move for one in made.brief.moves] == [one.id for one in made.moves]
    assert (made.brief.seed, made.brief.trigger) == (3, "cycle")

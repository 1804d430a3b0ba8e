"""Plans for the golden files: with their briefs, as the planner makes them, each a case that reports must show."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from balancer.assess.brief import brief_of
from balancer.assess.decision import decide
from balancer.assess.need import assess
from balancer.model.need import Holds
from balancer.model.plan import Draft, MoveReason, Plan, PlanStatus
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import RuleType
from balancer.model.snapshot import Ha, Snapshot, Source, SourceKind, Statistics
from balancer.model.units import MoveId
from balancer.model.vm import Profile
from balancer.policy.in_force import InForce
from balancer.policy.mode import Mode
from balancer.policy.types import Policy
from balancer.policy.window_types import Effect, Window
from tests.support.builders import NOON, host, rule, snapshot, vm
from tests.unit.expose.plans import move, plan, small_plan, small_snapshot

AUTOMATIC = InForce(mode=Mode.AUTOMATIC)

NIGHTLY = Window(name="nightly", effect=Effect.ALLOW, cron="0 22 * * *", duration_s=8 * 3600.0)

Case = tuple[Plan, Snapshot, Policy]


def briefed(made: Plan, snap: Snapshot, policy: Policy, in_force: InForce = AUTOMATIC) -> Plan:
    """Return a plan with its brief, its decision and the mode in force."""
    need = assess(snap, policy, Holds())
    brief = brief_of(need, policy, made, in_force=in_force, rows=(), now=NOON)
    brief = replace(brief, seed=7, time_limit_s=10.0)
    decision = decide(need, policy, policy.goals, Draft(moves=()), made.moves)
    made = replace(made, brief=brief, decision=decision)
    return replace(made, mode=in_force.mode.value, mode_because=in_force.because)


def empty() -> Case:
    """Return a plan without moves over a cluster whose load is forecast."""
    snap = small_snapshot()
    profile = Profile(cpu_demand_mhz=(1000.0, 4000.0), memory_demand_mib=(4096.0, 8192.0))
    vms = tuple(replace(one, profile=profile) for one in snap.vms)
    snap = replace(snap, vms=vms, profile_slot_seconds=1800.0)
    return briefed(plan(snap), snap, Policy()), snap, Policy()


def every_reason() -> Case:
    """Return a plan with a move of each reason, of known and unknown dirty rates, waiting for approval."""
    rates = (None, 20.0, 900.0, 3500.0, 20_000.0)
    reasons = list(MoveReason)
    vms = [
        vm(n, on=1, name=f"app-{n:02}", dirty_rate_mbps=rates[n % 5], cpu_ready_percent=0.5 * n)
        for n in range(1, len(reasons) + 1)
    ]
    rules = [
        rule("apart", RuleType.ANTI_AFFINITY, [2, 3]),
        rule("near", RuleType.AFFINITY, [4, 5], mandatory=False),
    ]
    ha = Ha(enabled=True, host_failures_to_tolerate=1)
    source = Source(
        kind=SourceKind.VCENTER, name="vc1.example.com", statistics=Statistics.REAL_TIME
    )
    hosts = [host(n, name=f"esx{n}.example.com") for n in range(1, 5)]
    snap = snapshot(hosts, vms, rules, cluster={"ha": ha}, source=source)
    moves = [
        move(
            n,
            n,
            1,
            2 + n % 3,
            vm_name=f"app-{n:02}",
            reason=reason,
            wave=1 + n // 4,
            start_seconds=n // 4 * 40.0,
            after=(MoveId("m1"),) if n >= 4 else (),
            memory_mib=2048.0 * n,
            expected_seconds=5.0 + 4.0 * n,
            this_run=n < 8,
        )
        for n, reason in enumerate(reasons, 1)
    ]
    because = Refusal.of(Reason.NOT_APPROVED, "mode manual, by the configuration")
    in_force = InForce(mode=Mode.MANUAL, because=because)
    policy = Policy(windows=(NIGHTLY,))
    bare = plan(snap, moves)
    fall = bare.before.cost - bare.after.cost
    moves = [replace(one, gain=fall * n / 45) for n, one in enumerate(moves, 1)]
    made = plan(
        snap, moves, notes=("rule 'old' selects no VM",), verdicts=("better: 78 % (batch c-1)",)
    )
    return briefed(made, snap, policy, in_force), snap, policy


def degraded() -> Case:
    """Return a plan with a conflict, broken rules and VMs that are left out."""
    snap, policy = small_snapshot(), Policy()
    return briefed(small_plan(), snap, policy), snap, policy


def observed() -> Case:
    """Return a plan of a stale snapshot in mode observe."""
    snap = replace(small_snapshot(), taken_at=NOON - timedelta(minutes=9))
    stale = Refusal.of(Reason.SNAPSHOT_STALE, "the snapshot is 540 s old, allowed are 60 s")
    told = "the snapshot is not fit to act on: the snapshot is 540 s old, allowed are 60 s"
    made = plan(
        snap,
        status=PlanStatus.REFUSED,
        reason=told,
        refusals=(stale,),
        snapshot_taken_at=snap.taken_at,
    )
    because = Refusal.of(Reason.OBSERVE_MODE, "mode observe, by the configuration")
    return (
        briefed(made, snap, Policy(), InForce(mode=Mode.OBSERVE, because=because)),
        snap,
        Policy(),
    )


CASES: Mapping[str, Callable[[], Case]] = {
    "empty": empty,
    "every-reason": every_reason,
    "degraded": degraded,
    "observed": observed,
}

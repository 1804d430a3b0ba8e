"""Whatever the plan, the durations and the faults: the safety contract holds at every instant."""

from collections import Counter
from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from balancer.execute.budgets import admit
from balancer.model.host import HostState
from balancer.model.outcome import MoveOutcome, MoveState
from balancer.model.plan import Move, MoveReason
from balancer.model.reasons import Reason
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.policy.in_force import InForce
from balancer.policy.mode import Mode
from balancer.policy.types import Limits, Policy
from balancer.rules.placement import Ground, Placement
from balancer.rules.violations import violations
from tests.support.builders import NOON, host, rule, snapshot, vm
from tests.support.fakes import Script
from tests.support.searching import examples
from tests.unit.execute.stage import Stage, demand_of, host_id, move, vm_id

HOSTS, VMS = 5, 16
LAW = examples(100, derandomize=True)

TROUBLES = (
    Script(task_fault="Timedout"),
    Script(call_fault="TaskInProgress"),
    Script(task_fault="HostNotConnected"),
    Script(call_fault="CpuIncompatible"),
    Script(task_fault="BrandNewFault"),
    Script(task_fault="SystemError", fails_after_switch=True),
    Script(reply_lost=True),
    Script(reply_lost=True, arrives=False),
    Script(vanishes=True),
    Script(lies=True),
    Script(hangs=True),
    Script(queued_s=20.0),
)


def make_cluster(random: Random) -> Snapshot:
    """Return a small cluster, tight in memory, with rules that may hold or not."""
    machines = []
    for number in range(1, VMS + 1):
        size = random.choice([4096.0, 4096.0, 16_384.0, 30_000.0])
        on = random.randint(1, HOSTS)
        machines.append(vm(number, on=on, memory_mib=size, uuid=f"uuid-{number}"))
    rules = []
    for number in range(random.randint(0, 2)):
        home = random.choice(machines).host
        near = [int(m.id.removeprefix("vm-")) for m in machines if m.host == home]
        rules.append(rule(f"together-{number}", RuleType.AFFINITY, near[:3]))
        members = random.sample(range(1, VMS + 1), k=3)
        rules.append(rule(f"apart-{number}", RuleType.ANTI_AFFINITY, members))
    return snapshot([host(n) for n in range(1, HOSTS + 1)], machines, rules)


def make_moves(random: Random, base: Snapshot) -> list[Move]:
    """Return moves of many VMs, sound or not: the executor must not rely on the planner."""
    goals = {number: random.randint(1, HOSTS) for number in range(1, VMS + 1)}
    waves = dict.fromkeys(goals, 1)
    for kept in base.active_rules(RuleType.AFFINITY):
        for one in kept.vms:
            goals[int(one.removeprefix("vm-"))] = goals[int(kept.vms[0].removeprefix("vm-"))]
    moves: list[Move] = []
    for number in random.sample(sorted(goals), k=random.randint(4, VMS)):
        source = int(base.vm_by_id[vm_id(number)].host.removeprefix("host-"))
        if source == goals[number]:
            continue
        after: list[int] = []
        if moves and random.random() < 0.3:
            after = [int(random.choice(moves).id.removeprefix("m-"))]
            waves[number] = waves[after[0]] + 1
        reason = random.choice([MoveReason.BALANCE, MoveReason.EVACUATE])
        facts = {"after": after, "reason": reason, "wave": waves[number], "gain": random.random()}
        moves.append(move(number, source, goals[number], **facts))
    return moves


def make_script(random: Random) -> Script:
    script = random.choice(TROUBLES) if random.random() < 0.2 else Script()
    return replace(script, seconds=random.uniform(0.5, 120))


def make_scene(random: Random) -> tuple[Stage, list[Move]]:
    limits = Limits(
        migrations_per_host=random.randint(1, 3),
        migrations_per_cluster=random.randint(2, 5),
        migrations_per_vcenter=random.randint(2, 6),
        plan_age_s=random.choice([120.0, 600.0]),
        migration_timeout_s=200.0,
    )
    stage = Stage(base=make_cluster(random), limits=limits)
    stage.tools = replace(stage.tools, poll_s=2.0)
    stage.vcenter.scripts = {vm_id(n): make_script(random) for n in range(1, VMS + 1)}
    if random.random() < 0.3:
        begin = random.uniform(0, 200)
        stage.vcenter.outages.append((begin, begin + random.uniform(1, 60)))
    if random.random() < 0.3:
        target = host_id(random.randint(1, HOSTS))
        state = random.choice([HostState.ENTERING_MAINTENANCE, HostState.DISCONNECTED])
        stage.vcenter.at(random.uniform(0, 60), lambda: stage.vcenter.put_host(target, state))
    return stage, make_moves(random, stage.base)


# Scenes come from a seed rather than from many small choices, which make empty scenes likely.
scenes = st.integers(0, 10**6).map(lambda seed: make_scene(Random(seed)))


def broken_pairs(snap: Snapshot) -> set[tuple[str, str]]:
    """Return (rule, VM) of every must-rule that is broken."""
    placement = Placement(Ground(snap, Policy(), demand_of(snap, Policy())))
    return {(v.rule, one) for v in violations(placement) for one in v.vms if v.mandatory}


def apart_broken(snap: Snapshot) -> set[str]:
    return {name for name, _ in broken_pairs(snap) if name.startswith("apart")}


@LAW
@given(scenes)
def test_no_host_cluster_or_vcenter_carries_more_migrations_than_allowed(
    setting: tuple[Stage, list[Move]],
) -> None:
    stage, moves = setting
    stage.run(*moves)
    limits = stage.limits
    assert max(stage.vcenter.peaks.values(), default=0) <= limits.migrations_per_host
    assert stage.vcenter.peak <= limits.migrations_per_cluster
    assert stage.vcenter.peak <= limits.migrations_per_vcenter


@LAW
@given(scenes)
def test_every_call_has_its_row_every_row_its_outcome_and_no_call_is_repeated(
    setting: tuple[Stage, list[Move]],
) -> None:
    stage, moves = setting
    outcomes = stage.run(*moves)
    rows = {row.entry.move_id: row for row in stage.rows if row.state is not MoveState.ABORTED}
    assert all(count == 1 for count in stage.vcenter.submits.values())
    for key, row in rows.items():
        assert outcomes[key].state is row.state
    for outcome in outcomes.values():
        _check_outcome(stage, outcome)


def _check_outcome(stage: Stage, outcome: MoveOutcome) -> None:
    calls = stage.vcenter.submits[outcome.move.vm]
    if outcome.refusal:
        assert (calls, outcome.state) == (0, None)
    if outcome.state is MoveState.DONE:
        assert stage.vcenter.truth.vm_by_id[outcome.move.vm].host == outcome.move.target
        assert calls == 1


@LAW
@given(scenes)
def test_no_move_starts_before_what_it_waits_for_is_on_its_target(
    setting: tuple[Stage, list[Move]],
) -> None:
    stage, moves = setting
    outcomes = stage.run(*moves)
    vm_of = {m.id: m.vm for m in moves}
    for late in moves:
        if not stage.vcenter.submits[late.vm]:
            continue
        for key in late.after:
            assert outcomes[key].state is MoveState.DONE
            assert stage.vcenter.sent_at_s[vm_of[key]] <= stage.vcenter.sent_at_s[late.vm]


@LAW
@given(scenes)
def test_rules_that_keep_apart_and_memory_hold_at_every_instant(
    setting: tuple[Stage, list[Move]],
) -> None:
    stage, moves = setting
    before = apart_broken(stage.base)
    ceiling = stage.policy.thresholds.memory_ceiling
    full_before = _overfull(stage.base, ceiling)

    def look(truth: Snapshot) -> None:
        live = [flight for flight in stage.vcenter.flights.values() if not flight.is_over]
        on_the_way = replace(
            truth,
            vms=tuple(
                replace(m, host=next((f.target for f in live if f.vm == m.id), m.host))
                for m in truth.vms
            ),
        )
        assert apart_broken(truth) <= before
        assert apart_broken(on_the_way) <= before
        assert _overfull(truth, ceiling) <= full_before
        assert _overfull(on_the_way, ceiling) <= full_before

    stage.vcenter.after_each = look
    stage.run(*moves)
    look(stage.vcenter.truth)


def _overfull(snap: Snapshot, ceiling: float) -> set[str]:
    held: Counter[str] = Counter()
    for machine in snap.running_vms:
        held[machine.host] += int(machine.footprint_mib)
    return {h.id for h in snap.hosts if held[h.id] > ceiling * h.usable_memory_mib + 1}


@LAW
@given(scenes)
def test_a_group_that_stands_together_is_split_only_by_what_nobody_can_foresee(
    setting: tuple[Stage, list[Move]],
) -> None:
    stage, moves = setting
    outcomes = stage.run(*moves)
    stage.clock.sleep(1e4)
    stage.vcenter.clusters()
    held = {r.name for r in stage.base.rules} - {name for name, _ in broken_pairs(stage.base)}
    split = {name for name, _ in broken_pairs(stage.vcenter.truth)} & held
    for kept in stage.base.rules:
        members = [o for o in outcomes.values() if o.move.vm in kept.vms]
        if kept.name in split:
            assert any(_is_bad_luck(member) for member in members)


def _is_bad_luck(outcome: MoveOutcome) -> bool:
    """A migration that failed, or something that came about after the first of the group had left."""
    if outcome.refusal:
        return outcome.refusal.reason in UNFORESEEN
    return outcome.state is not MoveState.DONE


UNFORESEEN = {
    Reason.TARGET_HOST_STATE,
    Reason.SOURCE_HOST_STATE,
    Reason.TARGET_FAILED_RECENTLY,
    Reason.RUN_STOPPED,
    Reason.BREAKER_OPEN,
    Reason.QUIET_TIME,
}


@LAW
@given(scenes, st.integers(0, 6), st.integers(0, 6))
def test_budgets_are_kept_and_what_is_admitted_is_closed_under_its_needs(
    setting: tuple[Stage, list[Move]], load: int, mandatory: int
) -> None:
    base, moves = setting[0].base, setting[1]
    limits = Limits(moves_per_run_at_most=load, mandatory_moves_per_run=mandatory)
    free = InForce(mode=Mode.AUTOMATIC)
    marked, refusals = admit(moves, base, limits, (), now=NOON, in_force=free)
    admitted = {m.id for m in marked if m.this_run}
    assert [replace(m, this_run=True) for m in marked] == moves
    assert len(admitted) <= limits.moves_per_run_at_most + limits.mandatory_moves_per_run
    assert all(set(m.after) <= admitted for m in marked if m.this_run)
    assert sum(r.count for r in refusals) == len(moves) - len(admitted)
    for kept in base.active_rules(RuleType.AFFINITY):
        movers = [m for m in marked if m.vm in kept.vms]
        assert len({m.this_run for m in movers}) <= 1

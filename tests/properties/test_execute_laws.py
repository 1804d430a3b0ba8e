"""Whatever the plan, the durations and the faults: the safety contract holds at every instant."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.execute.budgets import admit
from balancer.model.host import HostState
from balancer.model.outcome import MoveOutcome, MoveState
from balancer.model.plan import Move, MoveReason
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.policy.types import Limits, Mode, Policy
from balancer.rules.placement import Ground, Placement
from balancer.rules.violations import violations
from tests.support.builders import NOON, host, rule, snapshot, vm
from tests.support.fakes import Script
from tests.unit.execute.stage import Stage, demand_of, host_id, move, vm_id

HOSTS, VMS = 4, 12
LAW = settings(max_examples=120, deadline=None, derandomize=True)

FAULTS = [
    "Timedout",
    "TaskInProgress",
    "CpuIncompatible",
    "InsufficientMemoryResourcesFault",
    "HostNotConnected",
    "AffinityConfigured",
    "RequestCanceled",
    "NoPermission",
    "BrandNewFault",
]

scripts = st.builds(
    Script,
    seconds=st.floats(0.1, 200),
    queued_s=st.sampled_from([0.0, 0.0, 20.0]),
    call_fault=st.sampled_from(["", "", "", *FAULTS]),
    task_fault=st.sampled_from(["", "", "", *FAULTS]),
    reply_lost=st.sampled_from([False, False, True]),
    arrives=st.booleans(),
    hangs=st.sampled_from([False] * 9 + [True]),
    vanishes=st.sampled_from([False] * 4 + [True]),
    lies=st.sampled_from([False] * 9 + [True]),
    fails_after_switch=st.sampled_from([False] * 9 + [True]),
)


@st.composite
def clusters(draw: st.DrawFn) -> Snapshot:
    """Return a small cluster, tight in memory, with rules that may hold or not."""
    sizes = st.sampled_from([4096.0, 16_384.0, 40_000.0])
    machines = [
        vm(n, on=draw(st.integers(1, HOSTS)), memory_mib=draw(sizes), uuid=f"uuid-{n}")
        for n in range(1, VMS + 1)
    ]
    members = st.lists(st.integers(1, VMS), min_size=2, max_size=4, unique=True)
    rules = [
        rule(f"together-{n}", RuleType.AFFINITY, draw(members))
        for n in range(draw(st.integers(0, 2)))
    ]
    rules += [
        rule(f"apart-{n}", RuleType.ANTI_AFFINITY, draw(members))
        for n in range(draw(st.integers(0, 2)))
    ]
    return snapshot([host(n) for n in range(1, HOSTS + 1)], machines, rules)


@st.composite
def moves_of(draw: st.DrawFn, base: Snapshot) -> list[Move]:
    """Return moves of some VMs, sound or not: the executor must not rely on the planner."""
    chosen = draw(st.lists(st.integers(1, VMS), unique=True, max_size=VMS))
    moves: list[Move] = []
    for number in chosen:
        source = int(base.vm_by_id[vm_id(number)].host.removeprefix("host-"))
        target = draw(st.integers(1, HOSTS).filter(lambda n, source=source: n != source))
        earlier = [int(m.id.removeprefix("m-")) for m in moves]
        after = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=2)) if earlier else []
        reason = draw(st.sampled_from([MoveReason.BALANCE, MoveReason.EVACUATE]))
        wave = 1 + max((m.wave for m in moves if m.id in {f"m-{a:03}" for a in after}), default=0)
        gain = draw(st.floats(0, 1))
        moves.append(move(number, source, target, after=after, reason=reason, wave=wave, gain=gain))
    return moves


@st.composite
def stages(draw: st.DrawFn) -> tuple[Stage, list[Move]]:
    limits = Limits(
        migrations_per_host=draw(st.integers(1, 3)),
        migrations_per_cluster=draw(st.integers(1, 5)),
        migrations_per_vcenter=draw(st.integers(1, 6)),
        plan_age_s=draw(st.sampled_from([120.0, 1e5])),
    )
    stage = Stage(base=draw(clusters()), limits=limits)
    stage.vcenter.scripts = {vm_id(n): draw(scripts) for n in range(1, VMS + 1)}
    for _ in range(draw(st.integers(0, 2))):
        begin = draw(st.floats(0, 200))
        stage.vcenter.outages.append((begin, begin + draw(st.floats(1, 60))))
    _let_others_act(draw, stage)
    return stage, draw(moves_of(stage.base))


def _let_others_act(draw: st.DrawFn, stage: Stage) -> None:
    if draw(st.booleans()):
        target = host_id(draw(st.integers(1, HOSTS)))
        state = draw(st.sampled_from([HostState.ENTERING_MAINTENANCE, HostState.DISCONNECTED]))
        stage.vcenter.at(draw(st.floats(0, 60)), lambda: stage.vcenter.put_host(target, state))


def broken_pairs(snap: Snapshot) -> set[tuple[str, str]]:
    """Return (rule, VM) of every must-rule that is broken."""
    placement = Placement(Ground(snap, Policy(), demand_of(snap, Policy())))
    return {(v.rule, one) for v in violations(placement) for one in v.vms if v.mandatory}


def apart_broken(snap: Snapshot) -> set[str]:
    return {name for name, _ in broken_pairs(snap) if name.startswith("apart")}


@LAW
@given(stages())
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
@given(stages())
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
@given(stages())
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
@given(stages())
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
@given(stages())
def test_a_group_that_stands_together_is_split_only_by_a_failed_migration(
    setting: tuple[Stage, list[Move]],
) -> None:
    stage, moves = setting
    outcomes = stage.run(*moves)
    stage.clock.sleep(1e4)
    stage.vcenter.clusters()
    held = {r.name for r in stage.base.rules} - {name for name, _ in broken_pairs(stage.base)}
    split = {name for name, _ in broken_pairs(stage.vcenter.truth)} & held
    for kept in stage.base.rules:
        if kept.name in split:
            ends = {o.state for o in outcomes.values() if o.move.vm in kept.vms}
            assert ends - {MoveState.DONE, None}


@LAW
@given(st.data())
def test_budgets_are_kept_and_what_is_admitted_is_closed_under_its_needs(
    data: st.DataObject,
) -> None:
    base = data.draw(clusters())
    moves = data.draw(moves_of(base))
    limits = Limits(
        moves_per_run_at_most=data.draw(st.integers(0, 6)),
        mandatory_moves_per_run=data.draw(st.integers(0, 6)),
    )
    marked, refusals = admit(moves, base, limits, (), now=NOON, mode=Mode.AUTOMATIC)
    admitted = {m.id for m in marked if m.this_run}
    assert [replace(m, this_run=True) for m in marked] == moves
    assert len(admitted) <= limits.moves_per_run_at_most + limits.mandatory_moves_per_run
    assert all(set(m.after) <= admitted for m in marked if m.this_run)
    assert sum(r.count for r in refusals) == len(moves) - len(admitted)
    for kept in base.active_rules(RuleType.AFFINITY):
        movers = [m for m in marked if m.vm in kept.vms]
        assert len({m.this_run for m in movers}) <= 1

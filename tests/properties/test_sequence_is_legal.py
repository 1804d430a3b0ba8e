"""Laws of the sequencing on random small clusters: waves, dependencies, and what is dropped."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from balancer.model.host import HostState
from balancer.model.need import Need
from balancer.model.plan import Draft, MoveReason, ProposedMove, Schedule
from balancer.model.reasons import Reason
from balancer.model.rule import RuleType
from balancer.model.snapshot import InFlight, Snapshot
from balancer.model.units import HostId
from balancer.plan.verify import verify
from balancer.policy.types import Limits, Policy
from balancer.rules.placement import Ground, Placement
from balancer.rules.violations import offenders
from balancer.sequence import make_schedule
from balancer.solver import InProcess
from tests.support.builders import host, rule, snapshot, vm
from tests.support.searching import share
from tests.unit.sequence.clock import clock_faults
from tests.unit.sequence.replay import faults, stream
from tests.unit.sequence.support import need_of

HOST_MIB = 100_000.0
SIZES = (4_000.0, 16_000.0, 30_000.0, 46_000.0)
REASONS = (MoveReason.BALANCE, MoveReason.CONTENTION, MoveReason.RULE)

Case = tuple[Need, Policy, Draft]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a cluster, and moves to another placement in which no host is overfilled and rules hold."""
    snap = draw(clusters())
    policy = Policy(limits=draw(st.sampled_from(LIMITS)))
    need = need_of(snap)
    aim = draw(aims(need, policy))
    moves = tuple(
        ProposedMove(
            vm=one.id,
            source=one.host,
            target=aim[one.id],
            reason=MoveReason.EVACUATE
            if snap.host_by_id[one.host].state is HostState.ENTERING_MAINTENANCE
            else draw(st.sampled_from(REASONS)),
            why="because",
            gain=draw(st.sampled_from((0.0, 1e-5, 1e-3))),
        )
        for one in snap.running_vms
        if aim[one.id] != one.host
    )
    assume(moves)
    return need, policy, Draft(moves=moves)


LIMITS = (
    Limits(),
    Limits(migrations_per_host=1, migrations_per_cluster=2),
    Limits(migrations_per_host=8, migrations_per_cluster=16),
)


@st.composite
def clusters(draw: st.DrawFn) -> Snapshot:
    """Draw 3-5 hosts, 4-18 VMs that fill them without passing the ceiling, and up to three must-rules.

    Half of the clusters are idle: no order of moves is worse than another, only the laws count.
    """
    idle = draw(st.booleans())
    count = draw(st.integers(3, 5))
    states = [HostState.CONNECTED] * count
    if draw(st.booleans()):
        states[0] = HostState.ENTERING_MAINTENANCE
    room = [HOST_MIB * 0.96] * count
    vms = []
    for number in range(draw(st.integers(4, 18))):
        size, on = draw(st.sampled_from(SIZES)), draw(st.integers(0, count - 1))
        if room[on] < size:
            continue
        room[on] -= size
        cpu_mhz = 0.0 if idle else draw(st.sampled_from((500.0, 2000.0, 6000.0)))
        facts: dict[str, Any] = {"cpu_demand_mhz": cpu_mhz}
        if idle:
            facts["memory_active_mib"] = 0.0
        if draw(st.integers(0, 4)) == 0:
            facts["memory_reservation_mib"] = size
        vms.append(vm(number, on, memory_mib=size, **facts))
    assume(len(vms) >= 2)
    hosts = [host(n, state=states[n], max_running_vms=draw(LIMIT_OF_VMS)) for n in range(count)]
    numbers = [int(one.id.removeprefix("vm-")) for one in vms]
    rules = [draw(rules_over(numbers, count, index)) for index in range(draw(st.integers(0, 3)))]
    flights = []
    if draw(st.integers(0, 5)) == 0:
        one, target = draw(st.sampled_from(vms)), HostId(f"host-{count - 1}")
        if one.host != target and room[count - 1] >= one.memory_mib:
            flights.append(InFlight(vm=one.id, source=one.host, target=target))
    return snapshot(hosts, vms, rules, in_flight=tuple(flights))


LIMIT_OF_VMS = st.sampled_from((None, None, None, 6))


@st.composite
def rules_over(draw: st.DrawFn, numbers: list[int], hosts: int, index: int) -> Any:
    kind = draw(st.sampled_from((RuleType.ANTI_AFFINITY, RuleType.AFFINITY, *VM_HOST)))
    members = draw(st.lists(st.sampled_from(numbers), min_size=2, max_size=4, unique=True))
    on = draw(st.lists(st.integers(0, hosts - 1), min_size=1, max_size=hosts - 1, unique=True))
    racks = [[row for row in range(hosts) if row % 3 == rack] for rack in (1, 2)]
    return rule(
        f"rule{index}",
        kind,
        members,
        on=on if kind in VM_HOST else (),
        most=draw(st.sampled_from((1, 1, 2))),
        domains=draw(st.sampled_from(((), (), racks))),
    )


VM_HOST = (RuleType.VM_HOST_AFFINE, RuleType.VM_HOST_ANTI_AFFINE)


@st.composite
def aims(draw: st.DrawFn, need: Need, policy: Policy) -> dict[str, HostId]:
    """Draw where each VM is to be: full hosts welcome, an overfilled host or newly broken rule not.

    Starts from the present placement and exchanges or moves VMs regardless of whether a direct way
    exists, so that swaps and rings of full hosts are common.
    """
    snap = need.snapshot
    place = Placement(Ground(snap, policy, need.demand))
    pinned = {flight.vm for flight in snap.in_flight}
    movable = [one.id for one in snap.running_vms if one.id not in pinned]
    takers = [one.id for one in snap.hosts if one.state.takes]
    assume(movable)
    held = [r for r in snap.active_rules() if not offenders(place, r)]
    for _ in range(draw(st.integers(1, 10))):
        first, second = draw(st.sampled_from(movable)), draw(st.sampled_from(movable))
        ring = [(first, draw(st.sampled_from(takers)))]
        if draw(st.booleans()):
            ring = [(first, place.host_of[second]), (second, place.host_of[first])]
        back = [(one, place.host_of[one]) for one, _ in ring]
        put(place, ring)
        if not is_sound(place, held, takers, {one for one, _ in ring}):
            put(place, list(reversed(back)))
    return dict(place.host_of)


def put(place: Placement, ring: list[tuple[Any, HostId]]) -> None:
    for one, target in ring:
        if place.host_of[one] != target:
            place.move(one, target)


def is_sound(place: Placement, held: list[Any], takers: list[HostId], moved: set[Any]) -> bool:
    snap = place.ground.snapshot
    for one in snap.hosts:
        if place.footprint_mib[one.id] > 0.96 * HOST_MIB:
            return False
        if one.max_running_vms is not None and len(place.present[one.id]) > one.max_running_vms:
            return False
    away = [one for one in moved if place.host_of[one] != snap.vm_by_id[one].host]
    if any(place.host_of[one] not in takers for one in away):
        return False
    return not any(offenders(place, rule) for rule in held)


def scheduled(case: Case) -> Schedule:
    need, policy, draft = case
    schedule = make_schedule(need, policy, draft)
    event("dropped some" if schedule.dropped else "dropped none")
    if any(move.reason is MoveReason.PARKING for move in schedule.moves):
        event("parked")
    return schedule


def law(examples: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=share(examples),
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


@law(250)
@given(cases())
def test_every_wave_is_legal_at_every_instant_and_no_prefix_is_worse(case: Case) -> None:
    need, policy, _ = case
    assert faults(need, policy, scheduled(case)) == []


@law(250)
@given(cases())
def test_a_schedule_that_keeps_its_times_is_legal_and_within_limits_at_every_instant(
    case: Case,
) -> None:
    need, policy, _ = case
    schedule = scheduled(case)
    event("proven" if schedule.is_proven else "not proven")
    assert clock_faults(need, policy, schedule) == []


@law(60)
@given(cases())
def test_a_certified_schedule_is_as_legal_and_never_slower(case: Case) -> None:
    need, policy, draft = case
    certified = make_schedule(need, policy, draft, certify=InProcess)
    assert clock_faults(need, policy, certified) == []
    assert certified.makespan_seconds <= scheduled(case).makespan_seconds
    assert verify(need, policy, certified.moves) == ()


@law(150)
@given(cases())
def test_the_independent_check_of_plans_finds_nothing(case: Case) -> None:
    need, policy, _ = case
    assert verify(need, policy, scheduled(case).moves) == ()


@law(250)
@given(cases(), st.integers(0, 2**16))
def test_any_order_that_respects_after_is_legal(case: Case, seed: int) -> None:
    need, policy, _ = case
    schedule = scheduled(case)
    mandatory = {move.vm for move in schedule.moves if move.reason.is_mandatory}
    found = [fault for fault, _ in stream(need, policy, schedule, seed) if fault]
    if mandatory:
        # a mandatory move may fill a CPU at any time; an optional one then waits for it to fall
        found = [fault for fault in found if Reason.CPU_CEILING not in fault]
    assert found == []


@law(100)
@given(cases(), st.integers(0, 2**16))
def test_any_order_that_respects_after_ends_where_the_waves_end(case: Case, seed: int) -> None:
    need, policy, _ = case
    schedule = scheduled(case)
    *_, (_, place) = stream(need, policy, schedule, seed)
    targets = {move.vm: move.target for move in schedule.moves}
    assert {vm: place.host_of[vm] for vm in targets} == targets


@law(100)
@given(cases())
def test_each_proposed_move_is_made_or_dropped_with_a_reason(case: Case) -> None:
    _, _, draft = case
    schedule = scheduled(case)
    made = {move.vm: move.target for move in schedule.moves}
    dropped = {refusal.vm for refusal in schedule.dropped}
    assert all(refusal.detail for refusal in schedule.dropped)
    assert {move.vm for move in draft.moves} == made.keys() | dropped
    assert not made.keys() & dropped
    assert all(made[m.vm] == m.target for m in draft.moves if m.vm in made)


@law(60)
@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_the_draft_does_not_matter(case: Case, random: Any) -> None:
    need, policy, draft = case
    moves = list(draft.moves)
    random.shuffle(moves)
    assert make_schedule(need, policy, Draft(moves=tuple(moves))) == scheduled(case)

"""Limits: what is admitted, when migrations start and end, and how fresh facts must be, by the value of each."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from balancer.assess.stability import holds_from
from balancer.collect.continuity import Moment, Sighting, judge_continuity, sighting_of
from balancer.collect.quality import judge_quality
from balancer.execute.budgets import admit
from balancer.execute.quarantine import new_quarantines
from balancer.model.host import HostState
from balancer.model.outcome import FailureKind, JournalEntry, JournalRow, MoveState
from balancer.model.past import Past
from balancer.model.plan import Draft, Move, MoveReason, Priority, ProposedMove
from balancer.model.snapshot import Snapshot, Source
from balancer.model.units import ClusterId, HostId, MoveId, VmId
from balancer.policy.in_force import InForce
from balancer.policy.mode import Mode
from balancer.policy.types import Limits, Policy
from balancer.sequence import make_schedule
from tests.settings.case import Case, moves
from tests.support.builders import NOON, host, snapshot, vm
from tests.support.fakes import Script
from tests.support.stages import need_with
from tests.unit.execute.stage import Stage, cluster, move


def row(number: int, minutes_ago: float = 10.0, **facts: Any) -> JournalRow:
    """Return the journal's row of a move of vm-N to host-2 that has ended."""
    entry = JournalEntry(
        vcenter="vc1",
        cluster=ClusterId("domain-c1"),
        plan_id="p",
        cycle_id="c",
        move_id=MoveId(f"m-{number}"),
        vm=VmId(f"vm-{facts.pop('of', number)}"),
        vm_name=f"vm{number}",
        vm_uuid="",
        source=HostId("host-1"),
        target=HostId("host-2"),
        reason=facts.pop("reason", MoveReason.BALANCE),
        expected_seconds=10.0,
        intended_at=NOON - timedelta(minutes=minutes_ago),
    )
    ended = {"state": MoveState.DONE, "ended_at": NOON - timedelta(minutes=minutes_ago)}
    return JournalRow(id=number, entry=entry, **(ended | facts))


def admitted(
    count: int, *rows: JournalRow, reason: MoveReason = MoveReason.BALANCE
) -> Callable[[Policy], object]:
    """Ask which of so many moves a run of a cluster of 100 VMs admits."""
    wanted: list[Move] = [move(n, 1, 2, reason=reason) for n in range(1, count + 1)]

    def look(policy: Policy) -> object:
        snap = cluster(vms=100)
        free = InForce(mode=Mode.AUTOMATIC)
        marked, _ = admit(wanted, snap, policy.limits, rows, now=NOON, in_force=free)
        return [one.id for one in marked if one.this_run]

    return look


def held(snap: Snapshot, *rows: JournalRow) -> Callable[[Policy], object]:
    """Ask what time and experience hold still."""

    def look(policy: Policy) -> object:
        past = Past(rows=rows)
        new = new_quarantines(past, policy.limits, vcenter="vc1", cluster=snap.cluster.id)
        holds = holds_from(snap, replace(past, quarantines=new), policy.limits, now=NOON)
        return sorted(holds.vms), sorted(holds.pinned), sorted(holds.targets)

    return look


def started(count: int, **facts: Any) -> Callable[[Policy], object]:
    """Ask when vCenter is sent so many migrations."""

    def look(policy: Policy) -> object:
        stage = Stage(limits=policy.limits)
        stage.run(*(move(n, 1, 2 + n % 2) for n in range(1, count + 1)), **facts)
        return dict(stage.vcenter.sent_at_s)

    return look


def unfit(snap: Snapshot, **later: float) -> Callable[[Policy], object]:
    """Ask why a snapshot is not fit to act on; `later` so many seconds after it was taken."""

    def look(policy: Policy) -> object:
        now = NOON + timedelta(**later)
        return [refusal.reason for refusal in judge_quality(snap, policy.limits, now=now)]

    return look


def moment(at_s: float = 0.0, *, behind_s: float = 0.0, jump_s: float = 0.0) -> Moment:
    """Return a reading so many seconds after noon, with clocks that are off."""
    ours = NOON + timedelta(seconds=at_s + jump_s)
    taken = ours - timedelta(seconds=behind_s)
    return Moment(asked_at=ours, taken_at=taken, began_s=at_s, ended_s=at_s)


def distrusted(snap: Snapshot, at: Moment, last: Sighting | None) -> Callable[[Policy], object]:
    """Ask why a snapshot is not to be trusted after what was seen before."""

    def look(policy: Policy) -> object:
        found = judge_continuity(snap, at, last, policy.limits)
        return [refusal.reason for refusal in found]

    return look


def given_up_at(expected_seconds: float) -> Callable[[Policy], object]:
    """Ask after how many seconds the end of a migration that never ends counts as unknown."""

    def look(policy: Policy) -> object:
        stage = Stage(limits=policy.limits)
        stage.vcenter.default = Script(hangs=True)
        stage.run(move(1, 1, 2, expected_seconds=expected_seconds))
        return stage.states, stage.clock.monotonic()

    return look


def priority_of(reason: MoveReason, *drafted: ProposedMove) -> Callable[[Policy], object]:
    """Ask for the priority of the moves with one reason, once these have been put in order."""
    big = {"memory_mib": 9e4, "cpu_demand_mhz": 100.0}
    snap = snapshot([host(1), host(2), host(3)], [vm(1, on=1, **big), vm(2, on=2, **big)])

    def look(policy: Policy) -> object:
        schedule = make_schedule(need_with(snap, policy, {}), policy, Draft(moves=drafted))
        return [one.priority for one in schedule.moves if one.reason is reason]

    return look


def drafted(number: int, source: int, target: int, reason: MoveReason) -> ProposedMove:
    return ProposedMove(
        vm=VmId(f"vm-{number}"),
        source=HostId(f"host-{source}"),
        target=HostId(f"host-{target}"),
        reason=reason,
        why="as the test says",
    )


def figureless(vms: int, silent: int) -> Snapshot:
    """Return VMs on one host of ten, of which the last ones show no figures."""
    nothing = dict.fromkeys(("cpu_demand_mhz", "memory_active_mib", "memory_consumed_mib"))
    spoken = [vm(n, on=1 + n % 10) for n in range(vms - silent)]
    mute = [vm(n, on=1, **nothing) for n in range(vms - silent, vms)]
    return snapshot([host(n) for n in range(1, 11)], spoken + mute)


def sampled(seconds_ago: float) -> Snapshot:
    at = NOON - timedelta(seconds=seconds_ago)
    return snapshot([host(1)], [vm(1, on=1, sampled_at=at)])


def denied(count: int) -> Snapshot:
    source = Source(denied_objects=count)
    return snapshot([host(1)], [vm(1, on=1)], source=source)


def lost(count: int, of: int) -> Snapshot:
    hosts = [
        host(n, state=HostState.DISCONNECTED if n <= count else HostState.CONNECTED)
        for n in range(1, of + 1)
    ]
    return snapshot(hosts, [vm(1, on=of)])


def seen(vms: int) -> Sighting:
    snap = snapshot([host(1)], [vm(n, on=1) for n in range(vms)])
    return sighting_of(snap, moment(), None, Limits())


def missed(vms: int, *, since_s: float) -> Sighting:
    """Return a sighting in which so many of 100 VMs have been missing for a while."""
    return sighting_of(few(100 - vms), moment(since_s), seen(100), Limits())


def few(vms: int) -> Snapshot:
    return snapshot([host(1)], [vm(n, on=1) for n in range(vms)])


FAILED = {"state": MoveState.FAILED, "fault": "x", "kind": FailureKind.SKIP_VM}
BLAMED = {"state": MoveState.FAILED, "fault": "x", "kind": FailureKind.SKIP_TARGET}
EVERY_SLOT = {
    "limits.migrations_per_host": 8,
    "limits.migrations_per_cluster": 16,
    "limits.migrations_per_vcenter": 16,
    "limits.plan_age_s": 1e6,
}

BUDGETS = (
    Case(setting="limits.moves_per_run_ratio", values=(0.05, 0.08), look=admitted(10)),
    Case(
        setting="limits.moves_per_run_at_least",
        values=(2, 7),
        look=admitted(10),
        also={"limits.moves_per_run_ratio": 0.01},
    ),
    Case(setting="limits.moves_per_run_at_most", values=(20, 3), look=admitted(10)),
    Case(setting="limits.moves_per_hour_ratio", values=(0.1, 0.03), look=admitted(10)),
    Case(
        setting="limits.mandatory_moves_per_run",
        values=(40, 3),
        look=admitted(10, reason=MoveReason.EVACUATE),
    ),
    Case(
        setting="limits.moves_per_vm_per_day",
        values=(2, 1),
        look=admitted(2, row(1, minutes_ago=600.0)),
    ),
)

HOLDS = (
    Case(
        setting="limits.residence_s",
        values=(60.0, 3600.0),
        look=moves(
            snapshot(
                [host(1), host(2)],
                [
                    vm(n, on=1, cpu_demand_mhz=4e3, last_moved_at=NOON - timedelta(minutes=10))
                    for n in (1, 2, 3)
                ],
            )
        ),
    ),
    Case(
        setting="limits.failed_vm_hold_s",
        values=(60.0, 3600.0),
        look=held(few(3), row(1, 10.0, **FAILED)),
        also={"limits.residence_s": 0.0},
    ),
    Case(
        setting="limits.failed_vm_quarantine_s",
        values=(3600.0, 86_400.0),
        look=held(few(3), row(1, 300.0, **FAILED), row(2, 240.0, of=1, **FAILED)),
    ),
    Case(
        setting="limits.failed_target_quarantine_s",
        values=(60.0, 86_400.0),
        look=held(
            snapshot([host(1), host(2)], [vm(1, on=1), vm(2, on=1)]),
            row(1, 120.0, **BLAMED),
            row(2, 110.0, **BLAMED),
        ),
    ),
)

SLOTS = (
    Case(
        setting="limits.migrations_per_host",
        values=(1, 8),
        look=started(4),
        also={**EVERY_SLOT, "limits.migrations_per_host": 1},
    ),
    Case(setting="limits.migrations_per_cluster", values=(1, 16), look=started(4), also=EVERY_SLOT),
    Case(setting="limits.migrations_per_vcenter", values=(1, 16), look=started(4), also=EVERY_SLOT),
    Case(
        setting="limits.plan_age_s",
        values=(40.0, 1e6),
        look=started(4),
        also={**EVERY_SLOT, "limits.migrations_per_host": 1},
    ),
    Case(setting="limits.migration_timeout_s", values=(900.0, 2000.0), look=given_up_at(10.0)),
    Case(setting="limits.migration_timeout_factor", values=(4.0, 8.0), look=given_up_at(500.0)),
)

FRESHNESS = (
    Case(setting="limits.snapshot_age_s", values=(60.0, 600.0), look=unfit(few(1), seconds=90.0)),
    Case(
        setting="limits.fresh_hosts_ratio",
        values=(0.95, 0.5),
        look=unfit(figureless(100, 4)),
        also={"limits.fresh_vms_ratio": 0.5},
    ),
    Case(
        setting="limits.fresh_vms_ratio",
        values=(0.99, 0.5),
        look=unfit(figureless(100, 4)),
        also={"limits.fresh_hosts_ratio": 0.0},
    ),
    Case(setting="limits.sample_age_s", values=(120.0, 900.0), look=unfit(sampled(300.0))),
    Case(setting="limits.denied_objects_at_most", values=(0, 5), look=unfit(denied(3))),
    Case(
        setting="limits.lost_hosts_ratio",
        values=(0.2, 0.9),
        look=unfit(lost(2, 4)),
        also={"limits.fresh_hosts_ratio": 0.0},
    ),
    Case(
        setting="limits.lost_hosts_at_most",
        values=(3, 1),
        look=unfit(lost(2, 40)),
        also={"limits.fresh_hosts_ratio": 0.0},
    ),
    Case(
        setting="limits.missing_objects_ratio",
        values=(0.1, 0.6),
        look=distrusted(few(50), moment(60.0), seen(100)),
    ),
    Case(
        setting="limits.missing_hold_s",
        values=(900.0, 30.0),
        look=distrusted(few(50), moment(60.0), missed(50, since_s=10.0)),
    ),
    Case(
        setting="limits.clock_offset_s",
        values=(60.0, 300.0),
        look=distrusted(few(1), moment(behind_s=120.0), None),
    ),
    Case(
        setting="limits.clock_jump_s",
        values=(10.0, 60.0),
        look=distrusted(few(1), moment(60.0, jump_s=30.0), seen(1)),
    ),
)

LOUD = (Priority.LOW, Priority.HIGH)

PRIORITIES = (
    Case(
        setting="priorities.requested",
        values=LOUD,
        look=priority_of(MoveReason.REQUESTED, drafted(1, 1, 3, MoveReason.REQUESTED)),
    ),
    Case(
        setting="priorities.parking",
        values=LOUD,
        look=priority_of(
            MoveReason.PARKING,
            drafted(1, 1, 2, MoveReason.BALANCE),
            drafted(2, 2, 1, MoveReason.BALANCE),
        ),
    ),
)

RUNS = (*BUDGETS, *HOLDS, *SLOTS, *FRESHNESS, *PRIORITIES)

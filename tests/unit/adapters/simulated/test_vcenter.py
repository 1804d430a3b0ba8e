"""The simulated vCenter behaves as a server would, over virtual time."""

from collections.abc import Sequence
from typing import Any

import pytest

from balancer.adapters.simulated.demand import STEADY, DayShape
from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.adapters.simulated.script import (
    FaultPlan,
    ForeignMove,
    HostChange,
    Outage,
    PowerChange,
    ScriptedEvent,
    VmRemoved,
)
from balancer.adapters.simulated.vcenter import SimulatedVCenter
from balancer.model.errors import SourceUnreachable, SubmitNotSent, SubmitRefused, SubmitUnknown
from balancer.model.host import Host, HostState, VmotionLink
from balancer.model.outcome import MigrationOrder, TaskState
from balancer.model.plan import Priority
from balancer.model.reasons import Reason
from balancer.model.rule import RuleType
from balancer.model.snapshot import Ha, Snapshot
from balancer.model.units import HostId, VmId
from balancer.model.vm import Blocker, PowerState, Vm
from balancer.ports import Inventory, Migrator
from tests.support.builders import host, rule, snapshot, vm

LONG_S = 3600.0


def server(
    snap: Snapshot, *, faults: FaultPlan | None = None, script: Sequence[ScriptedEvent] = ()
) -> SimulatedVCenter:
    return SimulatedVCenter(snap, 1, shape=STEADY, faults=faults, script=script)


def two_hosts(*vms: Vm, **facts: Any) -> Snapshot:
    return snapshot([host(1), host(2)], vms or [vm(1, 1)], **facts)


def order(number: int, to: int) -> MigrationOrder:
    return MigrationOrder(
        vm=VmId(f"vm-{number}"),
        vm_name=f"vm{number}",
        target=HostId(f"host-{to}"),
        priority=Priority.DEFAULT,
    )


def now(vcenter: SimulatedVCenter) -> Snapshot:
    return vcenter.snapshot(vcenter.clusters()[0])


def host_of(vcenter: SimulatedVCenter, number: int) -> str:
    return now(vcenter).vm_by_id[VmId(f"vm-{number}")].host


def state_of(vcenter: SimulatedVCenter, task: str) -> TaskState:
    return vcenter.tasks([task])[task].state


def test_it_implements_the_ports() -> None:
    vcenter = server(two_hosts())
    inventory: Inventory = vcenter
    migrator: Migrator = vcenter
    assert inventory is migrator


def test_the_first_snapshot_is_the_one_it_was_given() -> None:
    given = generate(InventorySpec.sized(8, 100), 1)
    seen = now(SimulatedVCenter(given, 1))
    assert [(v.id, v.host, v.cpu_demand_mhz) for v in seen.vms] == [
        (v.id, v.host, v.cpu_demand_mhz) for v in given.vms
    ]
    assert seen.hosts == given.hosts


def test_a_migration_takes_time_shows_progress_and_ends_on_the_target() -> None:
    vcenter = server(two_hosts())
    task = vcenter.submit(order(1, to=2))
    vcenter.clock.sleep(4.0)
    running = vcenter.tasks([task])[task]
    assert running.state is TaskState.RUNNING
    assert 0 < (running.progress_percent or 0) < 100
    assert host_of(vcenter, 1) == "host-1"
    vcenter.clock.sleep(LONG_S / 10)
    assert state_of(vcenter, task) is TaskState.SUCCESS
    assert host_of(vcenter, 1) == "host-2"


def test_a_running_migration_shows_in_the_snapshot() -> None:
    vcenter = server(two_hosts())
    task = vcenter.submit(order(1, to=2))
    (shown,) = now(vcenter).in_flight
    assert (shown.vm, shown.source, shown.target, shown.task) == ("vm-1", "host-1", "host-2", task)
    vcenter.clock.sleep(LONG_S)
    assert now(vcenter).in_flight == ()


def test_a_vm_remembers_when_it_was_moved() -> None:
    vcenter = server(two_hosts())
    vcenter.submit(order(1, to=2))
    vcenter.clock.sleep(LONG_S)
    ended_s = vcenter.migrations[0].ends_s
    moved_at = now(vcenter).vm_by_id[VmId("vm-1")].last_moved_at
    assert moved_at is not None
    assert ended_s == pytest.approx(
        LONG_S - (vcenter.clock.now() - moved_at).total_seconds(), abs=1e-3
    )


def test_more_memory_takes_longer() -> None:
    vcenter = server(two_hosts(vm(1, 1, memory_mib=1024.0), vm(2, 1, memory_mib=40_960.0)))
    for number in (1, 2):
        vcenter.submit(order(number, to=2))
        vcenter.clock.sleep(LONG_S)
    short, long = (m.ends_s - m.queued_s for m in vcenter.migrations if m.ends_s is not None)
    assert long > 3 * short


def test_the_ninth_migration_of_a_host_waits() -> None:
    vcenter = server(two_hosts(*[vm(number, 1) for number in range(1, 10)]))
    tasks = [vcenter.submit(order(number, to=2)) for number in range(1, 10)]
    assert [state_of(vcenter, t) for t in tasks[7:]] == [TaskState.RUNNING, TaskState.QUEUED]
    vcenter.clock.sleep(LONG_S / 10)
    assert {state_of(vcenter, t) for t in tasks} == {TaskState.SUCCESS}
    assert vcenter.peak_running[HostId("host-1")] == 8


def test_a_task_is_forgotten_ten_minutes_after_its_end() -> None:
    vcenter = server(two_hosts())
    task = vcenter.submit(order(1, to=2))
    vcenter.clock.sleep(590.0)
    remembered = state_of(vcenter, task)
    vcenter.clock.sleep(60.0)
    assert (remembered, state_of(vcenter, task)) == (TaskState.SUCCESS, TaskState.MISSING)


def test_a_task_that_never_was_is_missing() -> None:
    assert state_of(server(two_hosts()), "task-99") is TaskState.MISSING


def test_calls_in_another_rhythm_end_in_the_same_state() -> None:
    """What happens depends on virtual time, not on how often somebody looks."""
    ends = []
    for looks in (1, 50):
        vcenter = server(two_hosts(*[vm(number, 1) for number in range(1, 13)]))
        for number in range(1, 13):
            vcenter.submit(order(number, to=2))
        for _ in range(looks):
            vcenter.clock.sleep(LONG_S / looks)
            now(vcenter)
        ends.append([(m.started_s, m.ends_s) for m in vcenter.migrations])
    assert ends[0] == [pytest.approx(pair) for pair in ends[1]]


REFUSALS = [
    (
        "a target in maintenance",
        [host(1), host(2, state=HostState.MAINTENANCE)],
        {},
        "InvalidHostState",
    ),
    (
        "a target entering maintenance",
        [host(1), host(2, state=HostState.ENTERING_MAINTENANCE), host(3)],
        {},
        "InvalidHostState",
    ),
    ("a lost target", [host(1), host(2, state=HostState.NOT_RESPONDING)], {}, "HostNotConnected"),
    ("a lost source", [host(1, state=HostState.DISCONNECTED), host(2)], {}, "HostNotConnected"),
    (
        "no vMotion network",
        [host(1), host(2, vmotion=VmotionLink(enabled=False))],
        {},
        "VMotionNotConfigured",
    ),
    (
        "an older processor",
        [host(1, max_evc_mode="intel-icelake"), host(2, max_evc_mode="intel-haswell")],
        {"min_evc_mode": "intel-skylake"},
        "CpuIncompatible",
    ),
    (
        "another vendor",
        [host(1, cpu_vendor="intel"), host(2, cpu_vendor="amd")],
        {},
        "CpuIncompatible",
    ),
    (
        "a datastore out of reach",
        [host(1), host(2, datastores=frozenset({"ds-1"}))],
        {"datastores": frozenset({"ds-2"})},
        "CannotAccessVmDisk",
    ),
    (
        "a network out of reach",
        [host(1), host(2, networks=frozenset({"net-1"}))],
        {"networks": frozenset({"net-2"})},
        "CannotAccessNetwork",
    ),
    (
        "too little memory",
        [host(1), host(2, memory_capacity_mib=4000.0)],
        {},
        "InsufficientMemoryResourcesFault",
    ),
    (
        "too little unreserved CPU",
        [host(1), host(2, cpu_capacity_mhz=1000.0)],
        {"cpu_reservation_mhz": 1500.0},
        "InsufficientCpuResourcesFault",
    ),
    (
        "a device",
        [host(1), host(2)],
        {"blockers": (Blocker.VGPU,)},
        "DisallowedMigrationDeviceAttached",
    ),
    (
        "CPU affinity",
        [host(1), host(2)],
        {"blockers": (Blocker.CPU_AFFINITY,)},
        "AffinityConfigured",
    ),
    ("a VM that is off", [host(1), host(2)], {"power": PowerState.OFF}, "InvalidPowerState"),
]


@pytest.mark.parametrize(
    ("hosts", "facts", "fault"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
def test_the_server_refuses_at_the_call(
    hosts: list[Host], facts: dict[str, Any], fault: str
) -> None:
    vcenter = server(snapshot(hosts, [vm(1, 1, **facts)]))
    with pytest.raises(SubmitRefused) as caught:
        vcenter.submit(order(1, to=2))
    assert caught.value.fault == fault
    (refusal,) = vcenter.check(VmId("vm-1"), HostId("host-2")).refusals
    assert refusal.reason is Reason.SERVER_CHECK
    assert fault in refusal.detail
    assert vcenter.migrations == ()


def test_the_server_enforces_mandatory_vm_host_rules() -> None:
    pinned = rule("here", RuleType.VM_HOST_AFFINE, [1], on=[1])
    vcenter = server(snapshot([host(1), host(2)], [vm(1, 1)], [pinned]))
    with pytest.raises(SubmitRefused) as caught:
        vcenter.submit(order(1, to=2))
    assert caught.value.fault == "VmHostAffinityRuleViolation"


def test_the_server_keeps_the_failover_host_free() -> None:
    ha = Ha(enabled=True, failover_hosts=frozenset({HostId("host-2")}))
    vcenter = server(two_hosts(cluster={"ha": ha}))
    with pytest.raises(SubmitRefused) as caught:
        vcenter.submit(order(1, to=2))
    assert caught.value.fault == "DisallowedOperationOnFailoverHost"


def test_incoming_migrations_take_room_already() -> None:
    big = [vm(number, 1, memory_mib=3000.0) for number in (1, 2)]
    vcenter = server(snapshot([host(1), host(2, memory_capacity_mib=5000.0)], big))
    vcenter.submit(order(1, to=2))
    with pytest.raises(SubmitRefused) as caught:
        vcenter.submit(order(2, to=2))
    assert caught.value.fault == "InsufficientMemoryResourcesFault"


def test_a_busy_vm_refuses_a_second_migration() -> None:
    vcenter = server(snapshot([host(1), host(2), host(3)], [vm(1, 1)]))
    vcenter.submit(order(1, to=2))
    with pytest.raises(SubmitRefused) as caught:
        vcenter.submit(order(1, to=3))
    assert caught.value.fault == "TaskInProgress"


def test_a_vm_or_host_that_is_gone_is_refused() -> None:
    with pytest.raises(SubmitRefused) as caught:
        server(two_hosts()).submit(order(7, to=2))
    assert caught.value.fault == "ManagedObjectNotFound"


def test_a_free_way_passes_the_check() -> None:
    assert server(two_hosts()).check(VmId("vm-1"), HostId("host-2")).refusals == ()


def test_a_failing_vm_stays_on_its_source_with_the_fault_in_its_task() -> None:
    vcenter = server(two_hosts(), faults=FaultPlan(failing_vms={VmId("vm-1"): "Timedout"}))
    task = vcenter.submit(order(1, to=2))
    vcenter.clock.sleep(300.0)
    seen = vcenter.tasks([task])[task]
    assert (seen.state, seen.fault) == (TaskState.ERROR, "Timedout")
    assert "vm1" in seen.message
    assert host_of(vcenter, 1) == "host-1"


def test_the_migration_named_by_its_number_fails_once() -> None:
    vcenter = server(two_hosts(), faults=FaultPlan(failing_migrations={1: "SystemError"}))
    for _ in range(2):
        vcenter.submit(order(1, to=2))
        vcenter.clock.sleep(300.0)
    assert [m.fault for m in vcenter.migrations] == ["SystemError", ""]
    assert host_of(vcenter, 1) == "host-2"


def test_a_refusing_host_refuses_at_the_call() -> None:
    faults = FaultPlan(refusing_targets={HostId("host-2"): "HostCommunication"})
    with pytest.raises(SubmitRefused) as caught:
        server(two_hosts(), faults=faults).submit(order(1, to=2))
    assert caught.value.fault == "HostCommunication"


def test_about_as_many_migrations_fail_as_the_ratio_says() -> None:
    vms = [vm(number, 1, memory_mib=100.0) for number in range(1, 201)]
    vcenter = server(two_hosts(*vms), faults=FaultPlan(failure_ratio=0.2))
    for number in range(1, 201):
        vcenter.submit(order(number, to=2))
    assert 20 <= sum(1 for m in vcenter.migrations if m.fault) <= 60


def test_a_lost_reply_hides_a_migration_that_runs() -> None:
    vcenter = server(two_hosts(), faults=FaultPlan(lost_replies=frozenset({VmId("vm-1")})))
    with pytest.raises(SubmitUnknown):
        vcenter.submit(order(1, to=2))
    vcenter.clock.sleep(LONG_S)
    assert host_of(vcenter, 1) == "host-2"


def test_during_an_outage_nothing_is_answered_and_nothing_begins() -> None:
    vcenter = server(two_hosts(), faults=FaultPlan(outages=(Outage(from_s=10.0, until_s=20.0),)))
    cluster = vcenter.clusters()[0]
    vcenter.clock.sleep(10.0)
    with pytest.raises(SourceUnreachable):
        vcenter.snapshot(cluster)
    with pytest.raises(SubmitNotSent):
        vcenter.submit(order(1, to=2))
    vcenter.clock.sleep(10.0)
    assert vcenter.snapshot(cluster).in_flight == ()


def test_a_host_entering_maintenance_is_in_maintenance_once_it_is_empty() -> None:
    leave = HostChange(at_s=60.0, host=HostId("host-1"), state=HostState.ENTERING_MAINTENANCE)
    vcenter = server(two_hosts(), script=[leave])
    states = [now(vcenter).hosts[0].state]
    vcenter.clock.sleep(60.0)
    states.append(now(vcenter).hosts[0].state)
    vcenter.submit(order(1, to=2))
    vcenter.clock.sleep(LONG_S)
    states.append(now(vcenter).hosts[0].state)
    assert states == [
        HostState.CONNECTED,
        HostState.ENTERING_MAINTENANCE,
        HostState.MAINTENANCE,
    ]


def test_an_empty_host_is_in_maintenance_at_once() -> None:
    leave = HostChange(at_s=1.0, host=HostId("host-2"), state=HostState.ENTERING_MAINTENANCE)
    vcenter = server(two_hosts(), script=[leave])
    vcenter.clock.sleep(1.0)
    assert now(vcenter).hosts[1].state is HostState.MAINTENANCE


def test_somebody_else_may_move_a_vm() -> None:
    foreign = ForeignMove(at_s=5.0, vm=VmId("vm-1"), target=HostId("host-2"))
    vcenter = server(two_hosts(), script=[foreign])
    vcenter.clock.sleep(6.0)
    assert [shown.vm for shown in now(vcenter).in_flight] == ["vm-1"]
    vcenter.clock.sleep(LONG_S)
    assert host_of(vcenter, 1) == "host-2"
    assert vcenter.migrations[0].is_foreign


def test_a_vm_that_is_switched_off_has_no_statistics() -> None:
    off = PowerChange(at_s=5.0, vm=VmId("vm-1"), power=PowerState.OFF)
    vcenter = server(two_hosts(), script=[off])
    vcenter.clock.sleep(5.0)
    seen = now(vcenter).vm_by_id[VmId("vm-1")]
    assert not seen.is_running
    assert seen.cpu_demand_mhz is None


def test_a_removed_vm_is_gone_from_snapshot_and_rules() -> None:
    apart = rule("apart", RuleType.ANTI_AFFINITY, [1, 2])
    snap = snapshot([host(1), host(2)], [vm(1, 1), vm(2, 1)], [apart])
    vcenter = server(snap, script=[VmRemoved(at_s=5.0, vm=VmId("vm-1"))])
    vcenter.clock.sleep(5.0)
    seen = now(vcenter)
    assert [v.id for v in seen.vms] == ["vm-2"]
    assert seen.rules[0].vms == ("vm-2",)


def test_a_refresh_reads_named_vms_and_hosts_and_leaves_the_rest() -> None:
    snap = snapshot([host(1), host(2), host(3)], [vm(1, 1), vm(2, 1), vm(3, 3)])
    vcenter = SimulatedVCenter(snap, 1, shape=DayShape(noise=0.9))
    base = now(vcenter)
    vcenter.submit(order(1, to=2))
    vcenter.clock.sleep(LONG_S)
    seen = vcenter.refresh(base, vms=[VmId("vm-1")], hosts=[HostId("host-2")])
    assert seen.vm_by_id[VmId("vm-1")].host == "host-2"
    assert seen.vm_by_id[VmId("vm-3")] == base.vm_by_id[VmId("vm-3")]
    assert seen.taken_at == vcenter.clock.now()


def test_a_refresh_finds_strangers_on_named_hosts() -> None:
    foreign = ForeignMove(at_s=1.0, vm=VmId("vm-2"), target=HostId("host-2"))
    vcenter = server(two_hosts(vm(1, 1), vm(2, 1)), script=[foreign])
    base = now(vcenter)
    vcenter.clock.sleep(LONG_S)
    seen = vcenter.refresh(base, vms=[], hosts=[HostId("host-2")])
    assert seen.vm_by_id[VmId("vm-2")].host == "host-2"


def test_a_refresh_drops_a_vm_that_is_gone() -> None:
    vcenter = server(two_hosts(vm(1, 1), vm(2, 1)), script=[VmRemoved(at_s=1.0, vm=VmId("vm-1"))])
    base = now(vcenter)
    vcenter.clock.sleep(1.0)
    seen = vcenter.refresh(base, vms=[VmId("vm-1")], hosts=[])
    assert [v.id for v in seen.vms] == ["vm-2"]


def test_an_overloaded_host_gives_less_than_is_wanted() -> None:
    busy = [vm(number, 1, vcpus=8, cpu_demand_mhz=15_000.0) for number in (1, 2)]
    seen = now(server(two_hosts(*busy)))
    assert [v.cpu_usage_mhz for v in seen.vms] == [10_000.0, 10_000.0]
    assert all((v.cpu_ready_percent or 0.0) > 0.0 for v in seen.vms)
    assert seen.hosts[0].cpu_usage_mhz == 20_000.0


def test_statistics_follow_the_vm_to_its_new_host() -> None:
    vcenter = server(two_hosts())
    before = now(vcenter)
    vcenter.submit(order(1, to=2))
    vcenter.clock.sleep(LONG_S)
    after = now(vcenter)
    assert [h.cpu_usage_mhz for h in before.hosts] == [1000.0, 0.0]
    assert [h.cpu_usage_mhz for h in after.hosts] == [0.0, 1000.0]


def test_several_clusters_are_listed_by_name() -> None:
    specs = [InventorySpec(hosts=4, vms=40, number=n, name=f"cluster-{n}") for n in (2, 1)]
    vcenter = SimulatedVCenter([generate(spec, 1) for spec in specs], 1)
    assert [ref.name for ref in vcenter.clusters()] == ["cluster-1", "cluster-2"]
    assert len(vcenter.snapshot(vcenter.clusters()[1]).vms) == 40


def test_clusters_that_share_ids_are_refused() -> None:
    with pytest.raises(ValueError, match="shares ids"):
        SimulatedVCenter([two_hosts(), two_hosts()], 1)

"""A host of the simulated vCenter dies: its migrations fail, its VMs go down and are started elsewhere."""

from balancer.adapters.simulated import SimulatedVCenter
from balancer.adapters.simulated.failover import HOST_FAULT, RESTART_S, RETRY_S
from balancer.adapters.simulated.script import HostChange, HostFailure, PowerChange, ScriptedEvent
from balancer.model.host import HostState
from balancer.model.outcome import MigrationOrder, TaskState
from balancer.model.plan import Priority
from balancer.model.snapshot import Ha, Snapshot
from balancer.model.units import HostId, VmId
from balancer.model.vm import PowerState
from tests.support.builders import host, snapshot, vm

H1, H2, H3 = (HostId(f"host-{number}") for number in (1, 2, 3))


def after(world: SimulatedVCenter, seconds: float) -> Snapshot:
    world.clock.sleep(seconds)
    return world.snapshot(world.clusters()[0])


def order(number: int, target: HostId) -> MigrationOrder:
    return MigrationOrder(
        vm=VmId(f"vm-{number}"), vm_name=f"vm{number}", target=target, priority=Priority.HIGH
    )


def test_migrations_from_and_to_it_fail_and_the_vms_end_where_they_belong() -> None:
    hosts = [host(number) for number in (1, 2, 3)]
    now = snapshot(hosts, [vm(1, 1), vm(2, 2), vm(3, 3)])
    world = SimulatedVCenter(now, script=[HostFailure(at_s=1.0, host=H1)])
    tasks = [world.submit(order(1, H2)), world.submit(order(2, H1))]
    seen = after(world, 2.0)
    assert [(each.host, each.power) for each in seen.vms[:2]] == [
        (H1, PowerState.OFF),
        (H2, PowerState.ON),
    ]
    views = world.tasks(tasks).values()
    assert [(view.state, view.fault) for view in views] == [(TaskState.ERROR, HOST_FAULT)] * 2
    assert seen.in_flight == ()
    assert seen.hosts[0].state is HostState.NOT_RESPONDING


def test_a_host_kept_for_ha_is_the_first_to_take_them_and_no_move_is_counted() -> None:
    hosts = [host(number) for number in (1, 2, 3)]
    now = snapshot(hosts, [vm(1, 1), vm(2, 3)], cluster={"ha": Ha(failover_hosts=frozenset({H3}))})
    world = SimulatedVCenter(now, script=[HostFailure(at_s=1.0, host=H1)])
    assert after(world, RESTART_S).vms[0].power is PowerState.OFF
    started = after(world, 1.0).vms[0]
    assert (started.host, started.power, started.last_moved_at) == (H3, PowerState.ON, None)


def test_a_vm_that_is_switched_while_it_is_down_is_so_afterwards() -> None:
    now = snapshot([host(1), host(2)], [vm(1, 1), vm(2, 1, power=PowerState.OFF), vm(3, 2)])
    script: list[ScriptedEvent] = [
        HostFailure(at_s=1.0, host=H1),
        PowerChange(at_s=2.0, vm=VmId("vm-1"), power=PowerState.OFF),
        PowerChange(at_s=3.0, vm=VmId("vm-2"), power=PowerState.ON),
    ]
    seen = after(SimulatedVCenter(now, script=script), RESTART_S + 1.0)
    assert [(each.host, each.power) for each in seen.vms[:2]] == [
        (H1, PowerState.OFF),
        (H2, PowerState.ON),
    ]


def test_what_finds_no_room_is_tried_again_when_there_is_some() -> None:
    small = [host(number, memory_capacity_mib=6000.0) for number in (1, 2)]
    now = snapshot(small, [vm(1, 1), vm(2, 2)])
    script: list[ScriptedEvent] = [
        HostFailure(at_s=0.0, host=H1),
        PowerChange(at_s=RESTART_S + 1.0, vm=VmId("vm-2"), power=PowerState.OFF),
    ]
    world = SimulatedVCenter(now, script=script)
    assert after(world, RESTART_S + RETRY_S - 1.0).vms[0].power is PowerState.OFF
    assert after(world, 1.0).vms[0].host == H2


def test_without_ha_they_wait_for_their_host_to_boot() -> None:
    script: list[ScriptedEvent] = [
        HostFailure(at_s=0.0, host=H1, restarts=False),
        HostChange(at_s=1000.0, host=H1, state=HostState.CONNECTED),
    ]
    world = SimulatedVCenter(snapshot([host(1), host(2)], [vm(1, 1)]), script=script)
    assert after(world, 1000.0 + RESTART_S - 1.0).vms[0].power is PowerState.OFF
    back = after(world, 1.0)
    assert (back.vms[0].host, back.vms[0].power) == (H1, PowerState.ON)
    assert back.hosts[0].state is HostState.CONNECTED

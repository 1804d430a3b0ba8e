"""Whatever is asked of it and whenever somebody looks, the simulated vCenter keeps its own laws."""

from hypothesis import given
from hypothesis import strategies as st

from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.adapters.simulated.migrations import SLOTS_PER_HOST
from balancer.adapters.simulated.script import FaultPlan, HostChange
from balancer.adapters.simulated.vcenter import SimulatedVCenter
from balancer.model.errors import SubmitRefused
from balancer.model.host import HostState
from balancer.model.outcome import MigrationOrder
from balancer.model.plan import Priority
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from tests.support.searching import examples

START = generate(InventorySpec(hosts=4, vms=40), 1)
VMS = sorted(START.vm_by_id)
HOSTS = sorted(START.host_by_id)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(VMS), st.sampled_from(HOSTS)),
        st.floats(min_value=0.1, max_value=120.0),
    ),
    max_size=60,
)


def play(steps: list[tuple[VmId, HostId] | float]) -> tuple[SimulatedVCenter, list[Snapshot]]:
    """Ask for migrations and let time pass; return the server and what was seen after each step."""
    leave = HostChange(at_s=60.0, host=HostId(HOSTS[0]), state=HostState.ENTERING_MAINTENANCE)
    faults = FaultPlan(failure_ratio=0.2)
    vcenter = SimulatedVCenter(START, 1, faults=faults, script=[leave])
    cluster = vcenter.clusters()[0]
    seen = []
    for step in steps:
        if isinstance(step, float):
            vcenter.clock.sleep(step)
        else:
            _ask(vcenter, *step)
        seen.append(vcenter.snapshot(cluster))
    return vcenter, seen


def _ask(vcenter: SimulatedVCenter, vm: VmId, host: HostId) -> None:
    order = MigrationOrder(vm=vm, vm_name=vm, target=host, priority=Priority.DEFAULT)
    expected = vcenter.check(vm, host).refusals
    try:
        vcenter.submit(order)
    except SubmitRefused:
        assert expected
    else:
        assert not expected


@examples(60)
@given(steps=STEPS)
def test_no_vm_is_lost_and_no_host_overfilled_or_overcommitted_with_migrations(
    steps: list[tuple[VmId, HostId] | float],
) -> None:
    vcenter, seen = play(steps)
    for snapshot in seen:
        assert [vm.id for vm in snapshot.vms] == VMS
        for host in snapshot.hosts:
            held = sum(vm.footprint_mib for vm in snapshot.vms if vm.host == host.id)
            assert held <= host.usable_memory_mib
    assert max(vcenter.peak_running.values(), default=0) <= SLOTS_PER_HOST


@examples(60)
@given(steps=STEPS)
def test_a_vm_leaves_its_host_only_by_a_migration_that_succeeded(
    steps: list[tuple[VmId, HostId] | float],
) -> None:
    vcenter, seen = play(steps)
    expected = {vm.id: vm.host for vm in START.vms}
    for migration in vcenter.migrations:
        if migration.has_ended and not migration.fault:
            expected[migration.vm.id] = migration.target.id
    if seen:
        assert {vm.id: vm.host for vm in seen[-1].vms} == expected


@examples(30)
@given(steps=STEPS)
def test_the_same_questions_get_the_same_answers(
    steps: list[tuple[VmId, HostId] | float],
) -> None:
    assert play(steps)[1] == play(steps)[1]

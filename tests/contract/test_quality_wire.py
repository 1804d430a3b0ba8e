"""The quality gate over the wire: what is hidden, missing, old or ill-timed lets no plan come about."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from balancer.adapters.clock import SystemClock
from balancer.adapters.store.memory import MemoryStore
from balancer.adapters.vsphere import VsphereConnection, connect
from balancer.assess.demand import demand_of
from balancer.collect import Sighting
from balancer.cycle import CycleReport, run_cycle
from balancer.execute import Tools
from balancer.expose.metrics import Metrics
from balancer.model.plan import PlanStatus
from balancer.model.units import ClusterId
from balancer.plan import PlanSettings
from balancer.policy.in_force import InForce
from balancer.policy.mode import Mode
from balancer.policy.types import Policy
from balancer.ports import ClusterRef
from balancer.site import Site
from tests.support.vcenter import VCenterProcess, start_vcenter
from tests.support.vsphere import settings_for
from tests.support.wire import document, host_row, vm_row, write

pytestmark = pytest.mark.wire

CLUSTER = ClusterRef(id=ClusterId("domain-c8"), name="prod")


@dataclass(kw_only=True)
class Loop:
    """Cycles of one uneven cluster in automatic mode, as the daemon runs them."""

    server: VCenterProcess
    vcenter: VsphereConnection
    metrics: Metrics
    clock: SystemClock = field(default_factory=SystemClock)
    last: Sighting | None = None

    def cycle(self) -> CycleReport:
        events = self.metrics.for_cluster("test", "prod", policy=Policy(), mode=Mode.OBSERVE)
        tools = Tools(
            vcenter="test",
            cluster_name="prod",
            holder="test",
            inventory=self.vcenter.inventory,
            migrator=self.vcenter.migrator(),
            store=MemoryStore(),
            clock=self.clock,
            events=events,
            may_submit=lambda: None,
            demand_of=demand_of,
        )
        site = Site(
            cluster=CLUSTER,
            policy=Policy(),
            in_force=lambda _: InForce(mode=Mode.OBSERVE),
            settings=PlanSettings(),
            tools=tools,
            last=self.last,
        )
        report = run_cycle(site, cycle_id="c1")
        self.last = report.seen.sighting
        return report

    def unfit(self) -> set[str]:
        """Return the reasons that the metrics page shows as standing in the way."""
        page = self.metrics.page()[0].decode().splitlines()
        lines = [line for line in page if line.startswith("balancer_snapshot_unfit{")]
        return {line.split('reason="')[1].split('"')[0] for line in lines if line.endswith(" 1.0")}


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    hosts = [host_row(n) for n in (1, 2, 3)]
    vms = [vm_row(n, 1, cpu_demand_mhz=6_000) for n in range(1, 13)]
    vms += [vm_row(n, 2 + n % 2) for n in range(13, 17)]
    metrics = Metrics(SystemClock())
    with (
        start_vcenter(write(tmp_path, document(hosts, vms))) as server,
        connect(settings_for(server), observer=metrics.for_vcenter("test")) as vcenter,
    ):
        yield Loop(server=server, vcenter=vcenter, metrics=metrics)


def hide_a_property(server: VCenterProcess) -> None:
    server.control.deny("vm3", "config.managedBy.type", "runtime.host")


def hide_vms(server: VCenterProcess) -> None:
    for name in ("vm1", "vm2", "vm3"):
        server.control.deny(name, invisible=True)


def stop_the_samples(server: VCenterProcess) -> None:
    vms = [{"vm": f"vm{n}", "age_seconds": 600} for n in range(1, 17)]
    server.control.set_statistics(vms=vms)


def put_the_clock_forward(server: VCenterProcess) -> None:
    server.control.set_clock(300)


def let_the_clock_jump(server: VCenterProcess) -> None:
    server.control.set_clock(-30)


@pytest.mark.parametrize(
    ("happen", "reason"),
    [
        (hide_a_property, "permission_holes"),
        (hide_vms, "objects_missing"),
        (stop_the_samples, "snapshot_stale"),
        (put_the_clock_forward, "clock_off"),
        (let_the_clock_jump, "clock_off"),
    ],
)
def test_no_plan_is_made_from_facts_that_are_not_fit(
    loop: Loop, happen: Callable[[VCenterProcess], None], reason: str
) -> None:
    before = loop.cycle()
    assert before.plan.moves
    assert loop.unfit() == set()
    happen(loop.server)
    after = loop.cycle()
    assert after.plan.status is PlanStatus.REFUSED
    assert after.plan.moves == ()
    assert reason in {refusal.reason.value for refusal in after.plan.refusals}
    assert reason in loop.unfit()
    assert reason in after.plan.reason
    assert loop.server.control.relocations() == ()


def test_after_a_jump_plans_are_made_again(loop: Loop) -> None:
    loop.cycle()
    let_the_clock_jump(loop.server)
    assert loop.cycle().plan.moves == ()
    assert loop.cycle().plan.moves
    assert loop.unfit() == set()


def test_statistics_that_are_not_allowed_are_no_reason_to_hold_a_plan(loop: Loop) -> None:
    loop.server.control.set_statistics(denied=True)
    assert loop.cycle().plan.moves
    page = loop.metrics.page()[0].decode()
    sample = 'balancer_snapshot_statistics_objects{cluster="prod",kind="vm",outcome="no_permission"'
    assert sample in page

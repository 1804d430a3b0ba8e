"""One cluster under the loop with people around it: cycles, approvals and pauses in virtual time."""

from dataclasses import dataclass, field, replace

from balancer.adapters.store.memory import MemoryStore
from balancer.applying import Applied, apply
from balancer.approvals import KnownPlan, find_plan
from balancer.approved import run_approved
from balancer.assess.demand import demand_of
from balancer.control import By
from balancer.cycle import CycleReport, run_cycle
from balancer.execute import Tools
from balancer.model.control import StoredPlan
from balancer.model.plan import Plan
from balancer.model.reasons import Refusal
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings
from balancer.policy.in_force import InForce, mode_in_force
from balancer.policy.mode import Mode
from balancer.policy.resolve import resolve
from balancer.policy.types import Limits, Policy
from balancer.site import Site
from balancer.wishes import Wishes
from tests.support.builders import host, snapshot, vm
from tests.support.fakes import FakeClock, RecordingEvents, ScriptedVCenter

SHARD = "vc1/prod"
ROOMY = Policy(limits=Limits(moves_per_run_ratio=1.0, moves_per_hour_ratio=1.0, residence_s=0.0))


def uneven(vms: int = 8) -> Snapshot:
    """Return a cluster of three hosts whose VMs are all on the first."""
    crowd = [vm(n, on=1, cpu_demand_mhz=4e3, uuid=f"uuid-{n}") for n in range(1, vms + 1)]
    return snapshot([host(1), host(2), host(3)], crowd)


@dataclass(kw_only=True)
class Board:
    """A vCenter, a store and a policy; `stop` is what the stop file says."""

    base: Snapshot = field(default_factory=uneven)
    mode: Mode = Mode.MANUAL
    policy: Policy = ROOMY
    stop: Refusal | None = None

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore()
        self.vcenter = ScriptedVCenter(self.base, self.clock)
        self.events = RecordingEvents()
        self.wishes = Wishes(self.store, self.clock, SHARD, lambda: self.stop)

    def site(self, holder: str = "daemon") -> Site:
        tools = Tools(
            vcenter="vc1",
            cluster_name="prod",
            holder=holder,
            inventory=self.vcenter,
            migrator=self.vcenter,
            store=self.store,
            clock=self.clock,
            events=self.events,
            may_submit=self.wishes.why_stopped,
            demand_of=demand_of,
        )
        return Site(
            cluster=self.vcenter.clusters()[0],
            policy=self.wishes.applied_to(self.policy),
            in_force=self.in_force,
            settings=PlanSettings(),
            tools=tools,
            may_move=self.wishes.may_move,
        )

    def in_force(self, snap: Snapshot) -> InForce:
        modes = resolve(snap, self.policy).vm_modes
        return mode_in_force(self.policy, self.mode, self.clock.now(), vm_modes=modes)

    def cycle(self) -> CycleReport:
        return run_cycle(self.site(), cycle_id="c1")

    def approved_cycle(self) -> CycleReport | None:
        return run_approved(self.site(), cycle_id="c2")

    def apply(self, plan: Plan, kept: StoredPlan) -> Applied:
        self.told: list[str] = []
        return apply(plan, kept, self.site("command"), self.by("ann"), self.told.append)

    def by(self, actor: str, reason: str = "") -> By:
        return By(actor=actor, at=self.clock.now(), reason=reason)

    def known(self, key: str = "") -> KnownPlan:
        """Return a kept plan, by default the newest."""
        key = key or str(self.store.plans(SHARD, last=1)[0].id)
        return find_plan(self.store, key, lasts_s=self.policy.limits.approval_s)

    def change_kept(self, **facts: object) -> None:
        """Change the newest kept plan behind everybody's back."""
        plans = self.store._plans
        plans[-1] = replace(plans[-1], **facts)  # type: ignore[arg-type]

    @property
    def sent(self) -> int:
        return sum(self.vcenter.submits.values())

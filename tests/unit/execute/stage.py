"""A stage for executor tests: a small cluster, a plan by hand, the scripted vCenter and all tools."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from balancer.adapters.store.memory import MemoryStore
from balancer.execute import Tools, execute
from balancer.model.events import MoveEnded
from balancer.model.need import Demand
from balancer.model.outcome import JournalRow, MoveOutcome, MoveState
from balancer.model.plan import Move, MoveReason, Plan, PlanStatus, Priority, Spread, State
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, MoveId, VmId
from balancer.policy.types import Limits, Policy
from balancer.ports import Store
from tests.support.builders import NOON, host, snapshot, vm
from tests.support.fakes import FakeClock, RecordingEvents, ScriptedVCenter

LEVEL = Spread(mean=0.5, max=0.5, min=0.5, stddev=0.0)
EMPTY_STATE = State(
    cost=0.0, imbalance=0.0, cpu=LEVEL, memory=LEVEL, unmet_cpu_mhz=0.0, violations=(), hosts=()
)
WIDE = Limits(migrations_per_host=8, migrations_per_cluster=16)


def without_budgets(limits: Limits) -> Limits:
    """Return the same limits of what runs at once, with budgets that no test here uses up."""
    return replace(
        limits,
        moves_per_run_at_least=1000,
        moves_per_run_at_most=1000,
        mandatory_moves_per_run=1000,
        moves_per_vm_per_day=1000,
    )


def vm_id(number: int) -> VmId:
    return VmId(f"vm-{number}")


def host_id(number: int) -> HostId:
    return HostId(f"host-{number}")


def move(number: int, source: int, target: int, **facts: Any) -> Move:
    """Return the move m-N of vm-N; `after` names move numbers, `of` another VM."""
    of = facts.pop("of", number)
    defaults: dict[str, Any] = {
        "id": MoveId(f"m-{number:03}"),
        "vm": vm_id(of),
        "vm_name": f"vm{of}",
        "source": host_id(source),
        "target": host_id(target),
        "reason": MoveReason.BALANCE,
        "why": "levels the load",
        "priority": Priority.DEFAULT,
        "wave": 1,
        "start_seconds": 0.0,
        "expected_seconds": 30.0,
        "memory_mib": 4096.0,
        "gain": 0.01,
        "after": tuple(MoveId(f"m-{earlier:03}") for earlier in facts.pop("after", ())),
    }
    return Move(**(defaults | facts))


def plan(*moves: Move, **facts: Any) -> Plan:
    defaults: dict[str, Any] = {
        "id": "plan-1",
        "created_at": NOON,
        "snapshot_taken_at": NOON,
        "cluster_id": "domain-c1",
        "cluster_name": "prod",
        "status": PlanStatus.PLANNED,
        "reason": "",
        "before": EMPTY_STATE,
        "after": EMPTY_STATE,
        "moves": moves,
        "conflicts": (),
        "refusals": (),
        "makespan_seconds": 0.0,
        "stage_seconds": {},
    }
    return Plan(**(defaults | facts))


def demand_of(snap: Snapshot, policy: Policy) -> dict[VmId, Demand]:
    return {
        v.id: Demand(
            cpu_mhz=v.cpu_demand_mhz or 0.0,
            memory_mib=v.memory_active_mib or 0.0,
            footprint_mib=v.footprint_mib,
            cpu_reserved_mhz=v.cpu_reservation_mhz,
            memory_reserved_mib=v.memory_reservation_mib,
        )
        for v in snap.running_vms
    }


def cluster(vms: int = 6, hosts: int = 3, **facts: Any) -> Snapshot:
    """Return vm-1..N, all on host-1, with a uuid each."""
    machines = [vm(n, on=1, uuid=f"uuid-{n}") for n in range(1, vms + 1)]
    return snapshot([host(n) for n in range(1, hosts + 1)], machines, **facts)


@dataclass
class Stage:
    """Everything that one execution needs; `refusal` is what `may_submit` answers."""

    base: Snapshot = field(default_factory=cluster)
    limits: Limits = WIDE
    store: Store = field(default_factory=MemoryStore)
    refusal: Refusal | None = None

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.events = RecordingEvents()
        self.vcenter = ScriptedVCenter(self.base, self.clock)
        self.policy = Policy(limits=without_budgets(self.limits))
        self.tools = Tools(
            vcenter="vc1",
            cluster_name="prod",
            holder="test",
            inventory=self.vcenter,
            migrator=self.vcenter,
            store=self.store,
            clock=self.clock,
            events=self.events,
            may_submit=lambda: self.refusal,
            demand_of=demand_of,
        )

    def run(self, *moves: Move, **facts: Any) -> dict[str, MoveOutcome]:
        """Execute a plan of these moves and return the outcomes by move id."""
        made = plan(*moves, **facts)
        told = len(self.events.told)
        outcomes = execute(made, self.base, self.policy, self.tools, cycle_id="c-1")
        assert [o.move.id for o in outcomes] == [m.id for m in made.admitted]
        self.check_books(outcomes, told)
        return {outcome.move.id: outcome for outcome in outcomes}

    def check_books(self, outcomes: tuple[MoveOutcome, ...], told: int) -> None:
        """Check what holds after every run, whatever happened."""
        rows_of = Counter(row.entry.vm for row in self.rows)
        assert all(count <= rows_of[vm] for vm, count in self.vcenter.submits.items())
        new = [event for event in self.events.told[told:] if isinstance(event, MoveEnded)]
        ended = [event.outcome.move.id for event in new]
        assert len(set(ended)) == len(ended)
        for outcome in outcomes:
            assert (outcome.state is None) == (outcome.refusal is not None)

    @property
    def rows(self) -> tuple[JournalRow, ...]:
        return self.store.rows_since("vc1", self.base.cluster.id, NOON.replace(year=2000))

    @property
    def states(self) -> list[tuple[str, MoveState]]:
        return [(row.entry.move_id, row.state) for row in self.rows]

    def place(self, number: int) -> str:
        return self.vcenter.truth.vm_by_id[vm_id(number)].host

    def stop_at(self, at_s: float, reason: Reason) -> None:
        """Let `may_submit` answer `reason` from a time on."""

        def answer() -> Refusal | None:
            return Refusal.of(reason) if self.clock.monotonic() >= at_s else None

        self.tools = replace(self.tools, may_submit=answer)

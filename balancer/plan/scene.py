"""A finished plan, opened again: where every VM is before and after it, and what each further move would be.

Owns the two placements that an explanation compares (as things stand, and with the plan's moves done) and
the figures of moving VMs in either. Asks the judges themselves, so that the reasons are those of the plan.
Decides nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from balancer.model.insight import HostFigures
from balancer.model.need import Need
from balancer.model.plan import Plan
from balancer.model.reasons import Reason, Refusal
from balancer.model.units import HostId, percent
from balancer.plan.codes import Bools, Floats, Ints
from balancer.plan.desk import Desk
from balancer.plan.failover import Failover
from balancer.plan.ledger import Ledger
from balancer.plan.loadcost import LEAST_GAIN, LoadCost, load_cost
from balancer.plan.price import seconds
from balancer.plan.problem import COUNT, FOOTPRINT, Problem, compile_problem
from balancer.policy.types import Policy
from balancer.rules.law import Law
from balancer.rules.placement import Candidate, Placement
from balancer.rules.violations import violations

_RESOURCES = ("CPU", "memory")


class Scene:
    """What an explanation starts from: need and policy compiled, and the plan's moves done on paper."""

    def __init__(self, need: Need, policy: Policy, plan: Plan) -> None:
        self.need, self.policy, self.plan = need, policy, plan
        self.desk = Desk(compile_problem(need, policy))
        self.problem: Problem = self.desk.problem
        final = Ledger(self.problem)
        for move in plan.moves:
            final.move([self.problem.vm_at[move.vm]], self.problem.host_at[move.target])
        self.final: Ints = final.at
        self.failover = Failover(self.problem)

    def movers(self, vm: int) -> tuple[int, ...]:
        """Return what goes together with a VM: its family where that stands together, else it alone."""
        family = self.desk.family_of.get(vm, (vm,))
        return family if len(set(self.problem.at[list(family)].tolist())) == 1 else (vm,)

    def is_duty(self, movers: Sequence[int]) -> bool:
        """Whether an evacuation or a broken must-rule calls for the VMs, or the plan moves them for one."""
        ids = {self.problem.vms[vm].id for vm in movers}
        if any(move.reason.is_mandatory and move.vm in ids for move in self.plan.moves):
            return True
        if any(self.problem.hosts[int(self.problem.at[vm])].is_leaving for vm in movers):
            return True
        broken = violations(Placement(self.problem.ground))
        return any(violation.mandatory and ids & set(violation.vms) for violation in broken)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """VMs still on their host in one placement, and what moving them to each host would be, (H,)."""

    ledger: Ledger
    source: int
    cost: LoadCost
    placement: Placement
    movers: tuple[int, ...]
    is_duty: bool
    gain: Floats
    price: Floats
    seconds: Floats
    wide: Floats  # part of the price: for being wider than a NUMA node
    failover: Failover
    lost: Bools  # hosts whose failure is not survived while the VMs stay

    @property
    def size(self) -> Floats:
        """Return the sum of the VMs, by column."""
        result: Floats = self.ledger.problem.size[list(self.movers)].sum(axis=0)
        return result

    def figures(self, host: int, *, change: int = 0) -> HostFigures:
        """Return a host's figures; with the VMs added (`change` 1) or taken away (-1)."""
        load = self.ledger.load[host] + change * self.size
        return host_figures(self.ledger.problem, self.cost, host, load)

    def refusal_of(self, law: Law, host: HostId) -> Refusal | None:
        """Return a law's answer for moving the VMs to a host together."""
        placement, vms = self.placement, self.ledger.problem.vms
        ids = [vms[vm].id for vm in self.movers]
        if any(vm in placement.heading for vm in ids):
            return None  # the hold has said that a migration is running
        if placement.host_of[ids[0]] == host:
            return Refusal.of(Reason.ON_SOURCE_ALREADY, "it is there", vm=ids[0], host=host)
        refusal = None
        for vm in ids:
            placement.start(vm, host)
        for vm in ids:
            placement.cancel(vm)
            candidate = Candidate(vm=vm, target=host, is_mandatory=self.is_duty)
            refusal = refusal or law.judge(placement, candidate)
            placement.start(vm, host)
        for vm in ids:
            placement.cancel(vm)
        return refusal

    def threshold_refusal(self, host: int) -> Refusal | None:
        """Return a refusal where a move for load's sake would bring a calm host above its threshold."""
        if self.is_duty:
            return None
        is_over = self.cost.is_over(self.ledger)[host]
        self.ledger.move(self.movers, host)
        is_over_then = self.cost.is_over(self.ledger)[host]
        then = self.ledger.load[host, :2] / self.cost.capacity[host]
        self.ledger.move(self.movers, self.source)
        if is_over or not is_over_then:
            return None
        facts = self.ledger.problem.hosts[host]
        detail = f"{facts.name}: {self._above(then)}"
        return Refusal.of(Reason.ABOVE_THRESHOLD, detail, host=facts.id)

    def failover_refusal(self, host: int) -> Refusal | None:
        """Return a refusal where a move by choice would lose the failure of a host that HA can bear now."""
        if self.is_duty or not self.failover.count:
            return None
        at = self.ledger.at.copy()
        at[list(self.movers)] = host
        lost = np.flatnonzero(self.failover.lost(at) & ~self.lost).tolist()
        if not lost:
            return None
        hosts = self.ledger.problem.hosts
        detail = f"{hosts[host].name}: too little spare memory would be left if {hosts[lost[0]].name} failed"
        return Refusal.of(Reason.FAILOVER_CAPACITY, detail, host=hosts[host].id)

    def _above(self, ratio: Floats) -> str:
        """Return which threshold a host would come above with these ratios of demand, in words."""
        for column, name in enumerate(_RESOURCES):
            if ratio[column] > self.cost.limit[column]:
                limit = percent(float(self.cost.limit[column]))
                return f"{name} would be at {percent(ratio[column], 1)}, relieved above {limit}"
        shares = f"CPU {percent(ratio[0], 1)}, memory {percent(ratio[1], 1)}"
        return f"with what demand varies it would come above a threshold ({shares})"

    def price_refusal(self, host: int) -> Refusal | None:
        """Return a refusal where a move for load's sake gains no more than its price."""
        gain, price = float(self.gain[host]), float(self.price[host])
        if self.is_duty or gain - price > LEAST_GAIN:
            return None
        facts = self.ledger.problem.hosts[host]
        detail = f"{facts.name}: gain {millionths(gain)}, price {millionths(price)}"
        if self.wide[host] > 0.0:
            part = millionths(float(self.wide[host]))
            detail += f", of it {part} for being wider than a NUMA node there"
        return Refusal.of(Reason.NO_GAIN, detail, host=facts.id)


def outlook(scene: Scene, movers: tuple[int, ...], at: Ints) -> Outlook:
    """Return what moving VMs would be where all others stand as `at` says."""
    problem, rows = scene.problem, np.array(movers, dtype=np.int64)
    where = at.copy()
    where[rows] = problem.at[rows]
    ledger = Ledger(problem, where)
    source = int(where[rows[0]])
    size = problem.size[rows].sum(axis=0)
    cost = _cost(ledger, movers, source)
    hosts, load = slice(None), ledger.load
    relief = cost.of(source, load[source]) - cost.of(source, load[source] - size)
    burden = cost.of(hosts, load + size) - cost.of(hosts, load)
    broken = scene.desk.should.change(ledger, movers) * problem.policy.prices.soft_rule
    every = np.arange(len(problem.hosts))
    lasting = seconds(problem, rows[:, None], where[rows][:, None], every).sum(axis=0)
    return Outlook(
        ledger=ledger,
        source=source,
        cost=cost,
        placement=_placement(problem, where),
        movers=movers,
        is_duty=scene.is_duty(movers),
        gain=relief - burden,
        price=scene.desk.price(movers) + broken,
        seconds=lasting,
        wide=scene.desk.wide(movers),
        failover=scene.failover,
        lost=scene.failover.lost(where),
    )


def _cost(ledger: Ledger, movers: tuple[int, ...], source: int) -> LoadCost:
    """Return the objective; of VMs on a host that does not serve, as if they had arrived on one that does."""
    serving = np.flatnonzero(ledger.problem.serving)
    if ledger.problem.serving[source] or not len(serving):
        return load_cost(ledger)
    arrived = ledger.copy()
    arrived.move(movers, int(serving[0]))
    return load_cost(arrived)


def host_figures(problem: Problem, cost: LoadCost, host: int, load: Floats) -> HostFigures:
    """Return the figures of a host with a load by column, (COLUMNS,)."""
    capacity = problem.capacity[host]
    return HostFigures(
        cpu_ratio=float(load[0] / capacity[0]),
        memory_ratio=float(load[1] / capacity[1]),
        footprint_ratio=float(load[FOOTPRINT] / capacity[1]),
        vms=round(float(load[COUNT])),
        cost=float(cost.of(host, load)),
    )


def millionths(cost: float) -> str:
    """Return a cost in millionths of the objective, the unit in which explanations count."""
    return f"{cost * 1e6 + 0.0:,.1f}"


def _placement(problem: Problem, at: Ints) -> Placement:
    placement = Placement(problem.ground)
    for vm in np.flatnonzero(at != problem.at).tolist():
        placement.move(problem.vms[vm].id, problem.hosts[int(at[vm])].id)
    placement.begin_flights()
    return placement

"""Why one VM moves or stays: every other host with what speaks for and against it.

Every figure comes from the functions the plan was made with. Which of the reasons for staying is told is
the business of `plan.stay`.
"""

from balancer.model.insight import PRICE, Gate, TargetInsight, VmInsight
from balancer.model.need import Need
from balancer.model.plan import Plan
from balancer.model.reasons import Reason, Refusal
from balancer.model.units import HostId, VmId
from balancer.plan.gate_names import FAILOVER, HOLD, THRESHOLD
from balancer.plan.problem import COUNT
from balancer.plan.resting import explain_resting
from balancer.plan.scene import Outlook, Scene, outlook
from balancer.plan.stay import Staying, why_it_stays
from balancer.policy.types import Policy
from balancer.rules.cautions import cautions
from balancer.rules.exclusion import LOAD_GOALS, MANDATORY_GOALS, excluded_from_all
from balancer.rules.judge import ALL_LAWS


def explain_vm(
    need: Need, policy: Policy, plan: Plan, vm: VmId, *, host: HostId | None = None
) -> VmInsight:
    """Return why a VM of the snapshot moves or stays, with all other hosts or with one.

    `plan` must be made from `need` and `policy`. With `host`, `targets` has that host alone.
    """
    facts = need.snapshot.vm_by_id[vm]
    if not facts.is_running:
        return explain_resting(need, policy, facts, host=host)
    scene = Scene(need, policy, plan)
    row = scene.problem.vm_at[vm]
    movers = scene.movers(row)
    now = outlook(scene, movers, scene.problem.at)
    after = outlook(scene, movers, scene.final)
    targets = _targets(scene, now, after, row)
    staying = Staying(scene=scene, vm=facts, now=now, after=after, targets=targets)
    is_moved = bool(scene.final[row] != scene.problem.at[row])
    stays, relax = (None, "") if is_moved else why_it_stays(staying)
    demand = need.demand[vm]
    return VmInsight(
        vm=vm,
        host=facts.host,
        movers=tuple(scene.problem.vms[mover].id for mover in movers),
        cpu_mhz=demand.cpu_mhz,
        memory_mib=demand.memory_mib,
        footprint_mib=demand.footprint_mib,
        moves=tuple(move for move in plan.moves if move.vm == vm),
        stays=stays,
        relax=relax,
        source=(after.figures(after.source), after.figures(after.source, change=-1)),
        targets=tuple(t for t in targets if host is None or t.host == host),
    )


def _targets(scene: Scene, now: Outlook, after: Outlook, vm: int) -> tuple[TargetInsight, ...]:
    """Return all other hosts: open ones first, the best net gain leading, ties by id."""
    chosen = int(scene.final[vm])
    found = [
        TargetInsight(
            host=host.id,
            gates=_gates(scene, now, after, row),
            gain=float(after.gain[row]),
            price=float(after.price[row]),
            seconds=float(after.seconds[row]),
            before=after.figures(row),
            after=after.figures(row, change=1),
            is_chosen=row == chosen,
            cautions=cautions(scene.need.snapshot, scene.problem.vms[vm].id, host.id),
        )
        for row, host in enumerate(scene.problem.hosts)
        if row != after.source
    ]
    return tuple(sorted(found, key=_best_first))


def _best_first(target: TargetInsight) -> tuple[bool, int, float, HostId]:
    """Return a key: the chosen one, then those that only the price speaks against, then the rest."""
    barred = [gate.name for gate in target.gates if gate.after]
    rank = 0 if set(barred) <= {PRICE} else 1 if set(barred) <= {PRICE, THRESHOLD} else 2
    return not target.is_chosen, rank, -target.net, target.host


def _gates(scene: Scene, now: Outlook, after: Outlook, host: int) -> tuple[Gate, ...]:
    target = scene.problem.hosts[host].id
    held = _hold(scene, after, target)
    gates = [Gate(name=HOLD, now=held, after=held)]
    for law in ALL_LAWS:
        answers = (now.refusal_of(law, target), after.refusal_of(law, target))
        gates.append(Gate(name=law.name, now=answers[0], after=answers[1]))
    last = (
        (FAILOVER, Outlook.failover_refusal),
        (THRESHOLD, Outlook.threshold_refusal),
        (PRICE, Outlook.price_refusal),
    )
    return (*gates, *(Gate(name=n, now=ask(now, host), after=ask(after, host)) for n, ask in last))


def _hold(scene: Scene, view: Outlook, target: HostId) -> Refusal | None:
    """Return what exclusions, time and experience say against moving the VMs to a host."""
    holds = scene.need.holds
    ids = [scene.problem.vms[vm].id for vm in view.movers]
    pins = [holds.pinned[vm] for vm in ids if vm in holds.pinned]
    stays = [] if view.is_duty else [holds.vms[vm] for vm in ids if vm in holds.vms]
    goals = MANDATORY_GOALS if view.is_duty else LOAD_GOALS
    left = [why for vm in ids if (why := excluded_from_all(holds, vm, goals))]
    pairs = [holds.pairs[vm, target] for vm in ids if (vm, target) in holds.pairs]
    targets = [holds.targets[target]] if target in holds.targets else []
    targets += [] if view.is_duty else _kept_empty(scene, view, target)
    return next(iter([*pins, *left, *stays, *targets, *pairs]), None)


def _kept_empty(scene: Scene, view: Outlook, target: HostId) -> list[Refusal]:
    """Return a refusal where the policy empties hosts and this one runs no VM."""
    count = view.ledger.load[scene.problem.host_at[target], COUNT]
    if not scene.policy.goals.consolidation or count > 0:
        return []
    name = scene.need.snapshot.host_by_id[target].name
    return [Refusal.of(Reason.NOT_NEEDED, f"{name} runs no VM and is kept so", host=target)]

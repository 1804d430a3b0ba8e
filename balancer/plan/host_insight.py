"""One host before and after the plan: its load, what leaves and comes, what cannot, and why."""

from collections import Counter
from collections.abc import Iterator, Sequence
from math import isfinite

import numpy as np

from balancer.model.insight import HostInsight
from balancer.model.need import Need
from balancer.model.plan import Plan
from balancer.model.reasons import Reason, Refusal
from balancer.model.units import HostId
from balancer.plan.codes import CODE, Codes, Ints, first_refusal, reason_of
from balancer.plan.encode import DYNAMIC
from balancer.plan.ledger import Ledger
from balancer.plan.loadcost import load_cost
from balancer.plan.scene import Scene, host_figures
from balancer.plan.units import make_units
from balancer.policy.types import Policy
from balancer.rules.capacity import most_vms
from balancer.rules.exclusion import LOAD_GOALS, MANDATORY_GOALS, excluded_from_all

UNITS_AT_A_TIME = 500
"""How many VMs are asked about at once: a table of so many by 96 hosts is a few MB."""


def explain_host(need: Need, policy: Policy, plan: Plan, host: HostId) -> HostInsight:
    """Return what a plan made from `need` and `policy` means for one host."""
    scene = Scene(need, policy, plan)
    problem, row = scene.problem, scene.problem.host_at[host]
    before, after = Ledger(problem), Ledger(problem, scene.final)
    scene.desk.ledger = after
    stays = np.flatnonzero((problem.at == row) & (scene.final == row)).tolist()
    others = np.flatnonzero((problem.at != row) & (scene.final == problem.at)).tolist()
    elsewhere = np.delete(np.arange(len(problem.hosts)), row)
    cannot_leave = _barred(scene, stays, elsewhere)
    cannot_come = _barred(scene, others, np.array([row]))
    limits = policy.thresholds
    return HostInsight(
        host=host,
        before=host_figures(problem, load_cost(before), row, before.load[row]),
        after=host_figures(problem, load_cost(after), row, after.load[row]),
        ceilings=(limits.cpu_ceiling, limits.memory_ceiling),
        thresholds=(limits.cpu_contention, limits.memory_contention),
        most_vms=_most_vms(scene, host),
        leaving=tuple(move for move in plan.moves if move.source == host),
        arriving=tuple(move for move in plan.moves if move.target == host),
        may_leave=len(stays) - len(cannot_leave),
        cannot_leave=cannot_leave,
        may_come=len(others) - len(cannot_come),
        cannot_come=cannot_come,
    )


def _most_vms(scene: Scene, host: HostId) -> int | None:
    most = most_vms(scene.need.snapshot.host_by_id[host], scene.policy.thresholds)
    return int(most) if isfinite(most) else None


def _barred(scene: Scene, vms: Sequence[int], hosts: Ints) -> tuple[Refusal, ...]:
    """Return a refusal for each VM that none of the hosts may take once the plan is done, by VM id.

    The reason is the one of most hosts; a hold of the VM comes before the laws.
    """
    found = []
    for vm, codes in _codes(scene, vms):
        held = _hold(scene, vm)
        barred = codes[hosts]
        if held is None and (barred == 0).any():
            continue
        if held is None:
            held = Refusal.of(_most_frequent(barred), vm=scene.problem.vms[vm].id)
        found.append(held)
    return tuple(found)


def _most_frequent(codes: Codes) -> Reason:
    count = Counter(codes.tolist())
    if not count:
        return Reason.NO_TARGET
    return reason_of(min(count, key=lambda code: (-count[code], code)))


def _hold(scene: Scene, vm: int) -> Refusal | None:
    holds, key = scene.need.holds, scene.problem.vms[vm].id
    is_duty = _is_duty(scene, vm)
    left = excluded_from_all(holds, key, MANDATORY_GOALS if is_duty else LOAD_GOALS)
    return holds.pinned.get(key) or left or (None if is_duty else holds.vms.get(key))


def _is_duty(scene: Scene, vm: int) -> bool:
    return bool(scene.problem.leaving[scene.problem.at[vm]])


def _codes(scene: Scene, vms: Sequence[int]) -> Iterator[tuple[int, Codes]]:
    """Yield each VM with the first refusal of every host for it and what goes with it, (H,)."""
    for is_duty in (True, False):
        alike = [vm for vm in vms if _is_duty(scene, vm) is is_duty]
        for start in range(0, len(alike), UNITS_AT_A_TIME):
            part = alike[start : start + UNITS_AT_A_TIME]
            units = make_units(scene.desk.ledger, [scene.movers(vm) for vm in part])
            tables = [encode(scene.desk.ledger, units, is_duty) for encode in DYNAMIC.values()]
            moving = first_refusal(*tables)
            for vm, members, codes in zip(part, units.members, moving, strict=True):
                yield vm, first_refusal(_standing_codes(scene, members, is_duty), codes)


def _standing_codes(scene: Scene, members: tuple[int, ...], is_duty: bool) -> Codes:
    """Return what holds wherever other VMs are: static laws, holds of pairs and of targets, (H,)."""
    desk, holds = scene.desk, scene.need.holds
    tables = []
    for vm, allowed in zip(members, desk.allowed(members, is_mandatory=is_duty), strict=True):
        codes = desk.start_masks.codes(vm).copy()
        codes[allowed] = 0
        for host in np.flatnonzero(~allowed & (codes == 0)).tolist():
            pair = (scene.problem.vms[vm].id, scene.problem.hosts[host].id)
            hold = holds.pairs.get(pair) or holds.targets.get(pair[1])
            codes[host] = CODE[hold.reason if hold else Reason.NO_TARGET]
        tables.append(codes)
    return first_refusal(*tables)

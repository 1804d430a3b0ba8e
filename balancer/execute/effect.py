"""What a batch did, measured on a later snapshot: the VMs where they are, against where they came from. Pure.

Both placements carry the same demand, that of the snapshot: what the load did by itself is no merit and no
fault of the batch. Moves of ours that came later are taken back first in both, for they have batches of
their own. Owns what a difference must be to be more than noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from balancer.execute.batches import Batch, Shift, shifts_of
from balancer.model.need import Demand
from balancer.model.outcome import JournalRow, MoveState
from balancer.model.plan import MoveReason
from balancer.model.units import Ratio
from balancer.policy.objective import Array, HostArrays, imbalance, load_cost
from balancer.rules.placement import Ground, Placement
from balancer.rules.standing import standing

CPU_VARIES: Ratio = 0.10
MEMORY_VARIES: Ratio = 0.05
"""By how much a demand is taken to vary of which no deviation was sampled, as a share of it. Believed."""

COST_SHARE: Ratio = 0.01
"""A gain that is a smaller share of the cost is none."""

TRIALS = 64
"""How often the gain is worked out anew with demands that differ by what they vary."""

TAIL: Ratio = 0.05
"""The share of the trials that is left out on either side."""

_DUTIES = frozenset({MoveReason.EVACUATE, MoveReason.REQUESTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadEffect:
    """What moves for the load's sake brought, in units of `State.cost`, positive for an improvement.

    `gain` is by the demands as they are; between `low` and `high` it lies in nine of ten cases as they vary.
    One that is not above `least` is none. The imbalances are those as it is, and as it would be had nothing
    been done. `is_emptier` says that fewer hosts run VMs than would otherwise, None where nothing was to be
    emptied.
    """

    gain: float
    low: float
    high: float
    least: float
    imbalance: Ratio
    imbalance_undone: Ratio
    is_emptier: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyEffect:
    """What evacuations and rule repairs came to.

    `left` counts the VMs of evacuations that are not on the host any more that they were to leave, of
    `to_leave`. `laws` are broken must-rules, breaches and VMs still to be evacuated (see
    `rules.standing.Standing.laws`) as it is, `laws_undone` had nothing been done.
    """

    left: int
    to_leave: int
    laws: tuple[int, int, int]
    laws_undone: tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a batch did. A part is None where the batch has none of it, or none that can be compared.

    Of `shifts` VMs `compared` are where the batch put them; the others were moved on by others, do not run,
    are gone, or one of their hosts is not in service.
    """

    shifts: int
    compared: int
    load: LoadEffect | None
    duty: DutyEffect | None


def measure_effect(batch: Batch, later: Sequence[JournalRow], ground: Ground) -> Effect:
    """Measure a batch that is over on the snapshot of `ground`, which has the rules that hold.

    `later` are the rows of batches that began after it.
    """
    now = Placement(ground)
    _take_back(now, [row for row in later if row.state is MoveState.DONE])
    shifts = batch.shifts
    loads = [shift for shift in shifts if not shift.reason.is_mandatory]
    duties = [shift for shift in shifts if shift.reason.is_mandatory]
    compared = [shift for shift in loads if _is_comparable(now, shift)]
    carried = [shift for shift in duties if _is_there(now, shift)]
    return Effect(
        shifts=len(shifts),
        compared=len(compared) + len(carried),
        load=_load_effect(now, compared) if compared else None,
        duty=_duty_effect(now, carried, duties) if duties else None,
    )


def _take_back(placement: Placement, moved: Sequence[JournalRow]) -> None:
    for shift in shifts_of(moved):
        if _is_there(placement, shift):
            placement.move(shift.vm, shift.origin)


def _is_there(placement: Placement, shift: Shift) -> bool:
    """Whether the VM runs where it was put, is the same, and its hosts are known."""
    if placement.host_of.get(shift.vm) != shift.destination:
        return False
    uuid = placement.vm(shift.vm).uuid
    is_same = not (uuid and shift.vm_uuid) or uuid == shift.vm_uuid
    return is_same and shift.origin in placement.present


def _is_comparable(placement: Placement, shift: Shift) -> bool:
    """Whether the VM can be thought back: a host that is out of service now would make it vanish."""
    serving = {host.id for host in placement.ground.snapshot.serving_hosts}
    return _is_there(placement, shift) and {shift.origin, shift.destination} <= serving


def _undone(placement: Placement, shifts: Sequence[Shift]) -> Placement:
    undone = placement.copy()
    for shift in shifts:
        undone.move(shift.vm, shift.origin)
    return undone


def _load_effect(now: Placement, shifts: Sequence[Shift]) -> LoadEffect:
    undone = _undone(now, shifts)
    cost, cost_undone = standing(now).cost, standing(undone).cost
    gain = cost_undone - cost
    trials = gain + _deviations(now, shifts)
    low, high = np.quantile(trials, (TAIL, 1.0 - TAIL))
    is_emptying = any(shift.reason is MoveReason.CONSOLIDATE for shift in shifts)
    return LoadEffect(
        gain=gain,
        low=float(low),
        high=float(high),
        least=max(COST_SHARE * max(cost, cost_undone), _price(now, len(shifts))),
        imbalance=imbalance(now.levelled_arrays()),
        imbalance_undone=imbalance(undone.levelled_arrays()),
        is_emptier=_occupied(now) < _occupied(undone) if is_emptying else None,
    )


def _duty_effect(now: Placement, carried: Sequence[Shift], duties: Sequence[Shift]) -> DutyEffect:
    leaving = [shift for shift in duties if shift.reason in _DUTIES]
    return DutyEffect(
        left=sum(now.host_of.get(shift.vm) != shift.origin for shift in leaving),
        to_leave=len(leaving),
        laws=standing(now).laws,
        laws_undone=standing(_undone(now, carried)).laws,
    )


def _occupied(placement: Placement) -> int:
    return sum(1 for host in placement.ground.snapshot.serving_hosts if placement.present[host.id])


def _price(placement: Placement, moves: int) -> float:
    """Return what so many moves had to bring at the least: their price, as if they took no time."""
    prices, hosts = placement.ground.policy.prices, placement.ground.snapshot.serving_hosts
    return moves * prices.move_price / max(len(hosts), 1)


def _deviations(now: Placement, shifts: Sequence[Shift]) -> Array:
    """Return by how much the gain differs in each trial from that by the demands as they are, (trials,).

    Demands vary independently and normally. The same draws each time: a verdict depends on nothing but the
    facts.
    """
    ground, rows = now.ground, now.ground.serving_rows
    vms = list(ground.demand)
    place = {vm: number for number, vm in enumerate(vms)}
    spread = np.array([_deviation_of(ground.demand[vm]) for vm in vms])
    drawn = np.random.default_rng(0).standard_normal((TRIALS, len(vms), 2)) * spread
    hosts = np.array([ground.row_of_host[now.host_of[vm]] for vm in vms])
    more = np.zeros((len(ground.snapshot.hosts), TRIALS, 2))
    np.add.at(more, hosts, drawn.transpose(1, 0, 2))
    moved = np.zeros_like(more)
    for shift in shifts:
        own = drawn[:, place[shift.vm]]
        moved[ground.row_of_host[shift.destination]] -= own
        moved[ground.row_of_host[shift.origin]] += own
    arrays, undone = now.host_arrays(), _undone(now, shifts).host_arrays()
    usual = _cost(ground, undone) - _cost(ground, arrays)
    gains = [
        _cost(ground, _with(undone, (more + moved)[rows, trial]))
        - _cost(ground, _with(arrays, more[rows, trial]))
        for trial in range(TRIALS)
    ]
    result: Array = np.array(gains) - usual
    return result


def _deviation_of(demand: Demand) -> tuple[float, float]:
    """Return by how much a VM's CPU (MHz) and memory demand (MiB) vary: one standard deviation."""
    cpu = np.sqrt(demand.cpu_variance_mhz2) or CPU_VARIES * demand.cpu_mhz
    return float(cpu), MEMORY_VARIES * demand.memory_mib


def _cost(ground: Ground, arrays: HostArrays) -> float:
    policy = ground.policy
    return load_cost(arrays, policy.thresholds, levels=not policy.goals.consolidation)


def _with(arrays: HostArrays, more: Array) -> HostArrays:
    """Return the hosts with more load, (hosts, 2)."""
    slots = None if arrays.slots is None else np.maximum(arrays.slots + more, 0.0)
    return replace(arrays, load=np.maximum(arrays.load + more, 0.0), slots=slots)

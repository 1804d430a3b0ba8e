"""Whether contention and imbalance call for action: above the trigger, and so for long enough.

Owns what counts as lasting. The past of a host is that of the VMs that stand on it now, so that a move shows in
it at once. What is above its trigger now must have been so in the policy's share of the last looks; where
nothing is remembered, what is now counts as lasting. A grave overload needs one look, and what a forecast
expects to last needs no past. Pure; how moves are found is the planner's.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
import numpy.typing as npt

from balancer.assess.demand import DEVIATIONS
from balancer.model.decision import CALLING, Answer, Reading
from balancer.model.host import Host
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, Mhz, Mib, Ratio, Seconds
from balancer.policy.objective import Array, HostArrays, imbalance
from balancer.policy.types import Policy, Thresholds

RESOURCES = ("cpu", "memory")

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Past:
    """Load of some hosts over the last steps, (steps, hosts, 2), oldest first; NaN where nothing is known.

    The memory column is by how much more was active than now. No steps: nothing is remembered.
    """

    load: Array
    step_s: Seconds

    def of(self, hosts: Sequence[int]) -> "Past":
        """Return the past of the hosts in these places."""
        return replace(self, load=self.load[:, list(hosts)])

    def asked(self, seconds: Seconds) -> int:
        """Return how many steps reach into the last `seconds`."""
        return ceil(seconds / self.step_s - 1e-9)

    def last(self, seconds: Seconds) -> Array:
        """Return the steps that reach into the last `seconds`, as far as they are remembered."""
        return self.load[len(self.load) - min(self.asked(seconds), len(self.load)) :]


def past_of(snapshot: Snapshot, policy: Policy, hosts: Sequence[Host]) -> Past:
    """Return the past of some hosts, in the figures that the policy judges by.

    CPU demand gains what the policy's statistic adds to a mean. Of memory only what was more or less active
    than now counts: idle memory changes slowly, and its past is not remembered.
    """
    step_s = snapshot.recent_step_seconds
    steps = max((len(host.recent_cpu_mhz) for host in hosts), default=0)
    if step_s is None or not steps:
        return Past(load=np.empty((0, len(hosts), 2)), step_s=1.0)
    load = np.full((steps, len(hosts), 2), np.nan)
    more, active = _more_and_active(snapshot, policy)
    for column, host in enumerate(hosts):
        cpu, memory = host.recent_cpu_mhz[-steps:], host.recent_memory_mib[-steps:]
        load[steps - len(cpu) :, column, 0] = np.array(cpu) + more.get(host.id, 0.0)
        load[steps - len(memory) :, column, 1] = np.array(memory) - active.get(host.id, 0.0)
    return Past(load=load, step_s=step_s)


def _more_and_active(
    snapshot: Snapshot, policy: Policy
) -> tuple[Mapping[HostId, Mhz], Mapping[HostId, Mib]]:
    """Return what the statistic adds to the mean CPU demand of each host's VMs, and their active memory."""
    factor = DEVIATIONS[policy.demand.statistic]
    more: defaultdict[HostId, Mhz] = defaultdict(float)
    active: defaultdict[HostId, Mib] = defaultdict(float)
    for vm in snapshot.running_vms:
        more[vm.host] += factor * (vm.cpu_demand_stddev_mhz or 0.0)
        active[vm.host] += vm.memory_active_mib or 0.0
    return more, active


def read_contention(
    hosts: Sequence[Host], arrays: HostArrays, past: Past, policy: Policy
) -> tuple[Reading, tuple[Reading, ...]]:
    """Return what is to be said of contention, and of each host that is above a threshold and does not call.

    `hosts` are those of the arrays and of the past, in this order.
    """
    limits, asked = policy.thresholds, policy.trigger
    if not hosts:
        return _nothing(limits.cpu_contention, limits.cpu_contention), ()
    limit = np.array([limits.cpu_contention, limits.memory_contention])
    stress, late = arrays.stress(limits), past.last(asked.contention_sustained_s)
    looks = np.array([_then(arrays, one).stress(limits) for one in late]).reshape(-1, *stress.shape)
    over = (looks > limit).sum(axis=0)
    needed = _needed(past, asked.contention_sustained_s, asked.sustained_share)
    is_foreseen = arrays.slots is not None and asked.foreseen
    answers = _contention_answers(stress, limit, over >= needed, is_foreseen, asked.grave)

    def reading(row: int, column: int) -> Reading:
        return Reading(
            answer=answers[row][column],
            now=float(stress[row, column]),
            trigger=float(limit[column]),
            aim=float(limit[column]),
            looks=past.asked(asked.contention_sustained_s) if len(late) else 0,
            looks_over=int(over[row, column]),
            looks_needed=needed,
            span_s=len(late) * past.step_s,
            recent=float(looks[:, row, column].mean()) if len(late) else None,
            host=hosts[row].id,
            resource=RESOURCES[column],
        )

    waiting = (
        reading(row, own.index(Answer.NOT_SUSTAINED))
        for row, own in enumerate(answers)
        if Answer.NOT_SUSTAINED in own and not CALLING & set(own)
    )
    return reading(*_worst(stress / limit, answers)), tuple(waiting)


def _contention_answers(
    stress: Array, limit: Array, is_sustained: Bools, is_foreseen: bool, grave: Ratio
) -> list[list[Answer]]:
    """Return the answer for each host and resource."""

    def answer(row: int, column: int) -> Answer:
        if stress[row, column] <= limit[column]:
            return Answer.BELOW_TRIGGER
        if stress[row, column] > grave:
            return Answer.GRAVE
        if is_sustained[row, column]:
            return Answer.ACTS
        return Answer.FORESEEN if is_foreseen else Answer.NOT_SUSTAINED

    return [[answer(row, column) for column in range(2)] for row in range(len(stress))]


def _worst(ratio: Array, answers: Sequence[Sequence[Answer]]) -> tuple[int, int]:
    """Return row and column of the highest figure among those that call, or among all where none does."""
    calls = np.array([[answer in CALLING for answer in row] for row in answers])
    shown = np.where(calls | ~calls.any(), ratio, -1.0)
    row, column = np.unravel_index(int(np.argmax(shown)), shown.shape)
    return int(row), int(column)


def read_balance(hosts: Sequence[Host], arrays: HostArrays, past: Past, policy: Policy) -> Reading:
    """Return what is to be said of the imbalance. `hosts` as in `read_contention`; the fullest is named."""
    limits, asked = policy.thresholds, policy.trigger
    if not hosts:
        return _nothing(limits.balance_trigger, limits.balance_target)
    now, late = imbalance(arrays), past.last(asked.balance_sustained_s)
    looks = np.array([imbalance(_then(arrays, one)) for one in late])
    over = int((looks > limits.balance_trigger).sum())
    highest = float(arrays.stress(limits).max())
    needed = _needed(past, asked.balance_sustained_s, asked.sustained_share)
    return Reading(
        answer=_balance_answer(now, highest, over >= needed, limits),
        now=now,
        trigger=limits.balance_trigger,
        aim=limits.balance_target,
        looks=past.asked(asked.balance_sustained_s) if len(late) else 0,
        looks_over=over,
        looks_needed=needed,
        span_s=len(late) * past.step_s,
        recent=float(looks.mean()) if len(late) else None,
        host=hosts[int(np.argmax(arrays.ratio.max(axis=1)))].id,
    )


def _balance_answer(now: Ratio, highest: Ratio, is_sustained: bool, limits: Thresholds) -> Answer:
    if now > limits.balance_trigger:
        if highest <= limits.balance_floor:
            return Answer.CALM
        return Answer.ACTS if is_sustained else Answer.NOT_SUSTAINED
    return Answer.IN_BAND if now > limits.balance_target else Answer.BELOW_TRIGGER


def _needed(past: Past, seconds: Seconds, share: Ratio) -> int:
    """Return in how many looks a figure must have been above its trigger; 0 where nothing is remembered."""
    return ceil(share * past.asked(seconds) - 1e-9) if len(past.load) else 0


def _then(arrays: HostArrays, look: Array) -> HostArrays:
    """Return the arrays with the load of one look; what is not known of a host is as it is now."""
    load = np.column_stack((look[:, 0], arrays.load[:, 1] + look[:, 1]))
    known = np.where(np.isfinite(load), np.maximum(load, 0.0), arrays.load)
    return replace(arrays, load=known, slots=None)


def _nothing(trigger: Ratio, aim: Ratio) -> Reading:
    """Return the reading of no hosts."""
    return Reading(answer=Answer.BELOW_TRIGGER, now=0.0, trigger=trigger, aim=aim)

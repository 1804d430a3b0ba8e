"""The planner's desk: one round's placement in the making, what may go where, and why each VM was moved.

Owns moving and asking; decides nothing. A round starts from `base`; the first round's base is the
snapshot, that of a later round the result of the one before.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from balancer.model.goal import Goal
from balancer.model.plan import MoveReason
from balancer.model.reasons import Refusal
from balancer.plan.codes import Bools, Codes, Floats, Ints, first_refusal
from balancer.plan.encode import DYNAMIC
from balancer.plan.ledger import Ledger
from balancer.plan.masks import Masks
from balancer.plan.price import price, wide_cost
from balancer.plan.problem import Problem
from balancer.plan.should import ShouldRules
from balancer.plan.units import families, make_units


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Why a VM was moved: the reason, and the rule or host that called for it, in words."""

    reason: MoveReason
    cause: str = ""


class Desk:
    """What the stages of one draft share."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.ledger = Ledger(problem)
        self.should = ShouldRules(problem)
        self.families = families(problem)
        self.family_of = {vm: family for family in self.families for vm in family}
        self.notes: dict[int, Note] = {}
        self.stays: Bools = problem.pinned
        """VMs that may not move in the stage at work: pinned ones, and those that its goals leave alone, (N,)."""
        self.open: Bools = np.ones(len(problem.hosts), dtype=bool)
        """Hosts that moves for load's sake may use in the stage at work, (H,)."""
        self.taken_back: set[tuple[int, ...]] = set()  # so that a host may fail
        self.refused: list[Refusal] = []  # aims that were given up as a whole
        self.wide_costs = wide_cost(problem)
        self._masks: Masks | None = None
        self.start_masks = Masks(problem, problem.at)
        self.new_round()

    def new_round(self) -> None:
        """Start a round from the placement as it is now."""
        self.base = self.ledger.at.copy()
        self._moved_before = frozenset(self.ledger.moved().tolist())
        self._masks = None if self._moved_before else self.start_masks

    @contextmanager
    def working_for(self, *goals: Goal) -> Iterator[None]:
        """Let VMs stay that one of the goals leaves alone, until the end of the block."""
        before = self.stays
        for goal in goals:
            self.stays = self.stays | self.problem.excluded[goal]
        try:
            yield
        finally:
            self.stays = before

    @contextmanager
    def among(self, hosts: Bools) -> Iterator[None]:
        """Let load be measured over, and moves for its sake use, only some of the hosts (H,) for now."""
        before, self.open = self.open, self.open & hosts
        self.ledger.serving = self.problem.serving & self.open
        try:
            yield
        finally:
            self.open = before
            self.ledger.serving = self.problem.serving & self.open

    def leaves_alone(self, movers: Sequence[int]) -> bool:
        """Whether the goal at work leaves one of the VMs alone; what is pinned is another matter."""
        rows = list(movers)
        return bool((self.stays[rows] & ~self.problem.pinned[rows]).any())

    @property
    def masks(self) -> Masks:
        """Return the static laws as they are at the base of the round."""
        if self._masks is None:
            self._masks = Masks(self.problem, self.base, self.start_masks.tables)
        return self._masks

    @property
    def has_target(self) -> Bools:
        """Return which VMs the static laws let some host take for load's sake, (N,)."""
        return self.masks.has_target()

    def allowed(self, vms: Sequence[int] | Ints, *, is_mandatory: bool) -> Bools:
        """Return which hosts the static laws and the holds allow to each VM, (VMs, H).

        A VM moved in an earlier round must be allowed to go there from its first host too, which it
        may always return to.
        """
        allowed = self.masks.allowed(vms, is_mandatory=is_mandatory)
        if not is_mandatory:
            allowed &= self.open
        allowed &= ~self.stays[np.asarray(vms, dtype=np.int64), None]
        for row, vm in enumerate(vms) if self._moved_before else ():
            if vm in self._moved_before:
                reach = self.start_masks.allowed([vm], is_mandatory=is_mandatory)[0]
                reach[self.problem.at[vm]] = True
                allowed[row] &= reach
        return allowed

    def codes(self, movers: tuple[int, ...], *, is_mandatory: bool) -> Codes:
        """Return the first refusal of the laws that look at other VMs, for moving all at once, (H,)."""
        unit = make_units(self.ledger, [movers])
        tables = [encode(self.ledger, unit, is_mandatory)[0] for encode in DYNAMIC.values()]
        return first_refusal(*tables)

    def takes(self, movers: tuple[int, ...], *, is_mandatory: bool) -> Bools:
        """Return which hosts may take all the VMs at once, (H,)."""
        allowed: Bools = np.all(self.allowed(movers, is_mandatory=is_mandatory), axis=0)
        if allowed.any():
            allowed &= self.codes(movers, is_mandatory=is_mandatory) == 0
        return allowed

    def price(self, movers: tuple[int, ...]) -> Floats:
        """Return the price of having the VMs on each host, from where they stood at the base, (H,)."""
        rows = np.array(movers, dtype=np.int64)
        hosts = np.arange(len(self.problem.hosts))
        each = price(self.problem, rows[:, None], self.base[rows][:, None], hosts)
        if self.wide_costs is not None:
            each = each + self.wide_costs[rows]
        each[np.arange(len(rows)), self.base[rows]] = 0.0
        total: Floats = each.sum(axis=0)
        return total

    def wide(self, movers: Sequence[int]) -> Floats:
        """Return what the VMs cost on each host for being wider than a NUMA node, (H,)."""
        if self.wide_costs is None:
            return np.zeros(len(self.problem.hosts))
        result: Floats = self.wide_costs[list(movers)].sum(axis=0)
        return result

    def move(self, movers: Sequence[int] | Ints, target: int, note: Note) -> None:
        """Move VMs; the first note of a VM stands, for it says why the VM had to leave."""
        for vm in movers:
            if self.ledger.at[vm] != target:
                self.notes.setdefault(int(vm), note)
        self.ledger.move([int(vm) for vm in movers], target)

    def forget_the_unmoved(self) -> None:
        """Drop the notes of VMs that stand where they stood in the snapshot."""
        at, start = self.ledger.at, self.problem.at
        self.notes = {vm: note for vm, note in self.notes.items() if at[vm] != start[vm]}

    def restore(self, at: Ints, notes: dict[int, Note]) -> None:
        """Go back to a placement and the notes of that time."""
        self.ledger = Ledger(self.problem, at, self.ledger.serving)
        self.notes = dict(notes)

    def home(self, movers: tuple[int, ...]) -> int | None:
        """Return the host on which all the VMs stand, or None where they are scattered."""
        hosts = set(self.ledger.at[list(movers)].tolist())
        return hosts.pop() if len(hosts) == 1 else None

    def together(self, vm: int) -> tuple[int, ...]:
        """Return what must move with a VM: its family where that is whole, else the VM alone."""
        family = self.family_of.get(vm, (vm,))
        return family if self.home(family) is not None else (vm,)

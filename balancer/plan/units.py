"""What moves as one: a VM by itself, or a group that must stay together. Struct of arrays over such units."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from balancer.plan.codes import Floats, Ints
from balancer.plan.ledger import Ledger
from balancer.plan.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """U units. `source` is where the first member stands; members of `whole` units all stand there."""

    members: tuple[tuple[int, ...], ...]
    size: Floats  # (U, columns), summed over the members
    source: Ints  # (U,)

    def __len__(self) -> int:
        """Return the number of units."""
        return len(self.members)

    def of(self, rows: Ints) -> "Units":
        """Return the units of the given rows only."""
        members = tuple(self.members[row] for row in rows.tolist())
        return Units(members=members, size=self.size[rows], source=self.source[rows])


def make_units(ledger: Ledger, members: Sequence[tuple[int, ...]]) -> Units:
    """Return the units of the given members, in the given order. None of them may be empty."""
    flat, starts = flattened(members)
    size = ledger.problem.size[flat]
    if len(flat) > len(members):
        size = np.add.reduceat(size, starts, axis=0)
    return Units(members=tuple(members), size=size, source=ledger.at[flat[starts]])


def flattened(members: Sequence[tuple[int, ...]]) -> tuple[Ints, Ints]:
    """Return the members of all units in one row, and where each unit begins in it."""
    flat = np.fromiter(chain.from_iterable(members), dtype=np.int64)
    lengths = np.fromiter(map(len, members), dtype=np.int64, count=len(members))
    return flat, np.cumsum(lengths) - lengths


def families(problem: Problem) -> tuple[tuple[int, ...], ...]:
    """Return the sets of VMs that must-rules keep together, rules that share a VM merged.

    Each set and the list of sets are in ascending order; VMs that are in no such rule are left out.
    """
    parent: dict[int, int] = {}

    def root(vm: int) -> int:
        while parent.setdefault(vm, vm) != vm:
            parent[vm] = parent[parent[vm]]
            vm = parent[vm]
        return vm

    for group in problem.together:
        first = group.members[0]
        for vm in group.members[1:]:
            a, b = sorted((root(first), root(vm)))
            parent[b] = a
    found: dict[int, list[int]] = {}
    for vm in sorted(parent):
        found.setdefault(root(vm), []).append(vm)
    return tuple(tuple(found[key]) for key in sorted(found))

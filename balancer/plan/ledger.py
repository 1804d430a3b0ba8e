"""Where every VM is while moves are tried: placement, load per host, and members of kept-apart groups per host.

Mutable and private to one draft. Knows no law and no objective; `check_invariants` compares the running
sums with sums from scratch.
"""

from collections.abc import Iterable
from typing import Self

import numpy as np

from balancer.plan.codes import Bools, Floats, Ints
from balancer.plan.problem import Group, Problem


class Ledger:
    """The running state.

    `load` (H, columns) counts each VM where it stands; `held` adds what running migrations hold on their
    targets, and is what limits are compared with. `crowd` (apart groups, H) counts members on each host,
    or in its domain where the rule has domains; those on their way at both ends. `serving` (H,) are the
    hosts over which load is measured now: those of the problem, or fewer of them.
    """

    def __init__(
        self, problem: Problem, at: Ints | None = None, serving: Bools | None = None
    ) -> None:
        self.problem = problem
        self.serving: Bools = problem.serving if serving is None else serving
        self.at: Ints = (problem.at if at is None else at).copy()
        self.load: Floats = _summed(self.at, problem.size, len(problem.hosts))
        self.crowd: Ints = np.zeros((len(problem.apart), len(problem.hosts)), dtype=np.int64)
        group, vm = problem.apart_pairs
        np.add.at(self.crowd, (group, self.at[vm]), 1)
        flies = problem.at[vm] != problem.end[vm]
        goes = flies & (problem.end[vm] != self.at[vm])
        np.add.at(self.crowd, (group[goes], problem.end[vm][goes]), 1)
        for number, domain in problem.apart_wide:
            self.crowd[number] = _by_domain(problem, problem.apart[number], domain, self.at)

    @property
    def held(self) -> Floats:
        """Return what limits are compared with, (H, columns): load and what is on its way here."""
        result: Floats = self.load + self.problem.transit
        return result

    def held_on(self, host: int) -> Floats:
        """Return one row of `held`."""
        result: Floats = self.load[host] + self.problem.transit[host]
        return result

    def apart_of(self, vm: int) -> tuple[int, ...]:
        """Return the numbers of the must-rules that keep the VM apart from others."""
        return self.problem.apart_of.get(vm, ())

    def move(self, vms: Iterable[int], target: int) -> None:
        """Move VMs that are not on their way. Those that are on `target` already stay."""
        for vm in vms:
            source = int(self.at[vm])
            if source == target:
                continue
            self.load[source] -= self.problem.size[vm]
            self.load[target] += self.problem.size[vm]
            for number in self.apart_of(vm):
                group = self.problem.apart[number]
                self.crowd[number, group.beside(source)] -= 1
                self.crowd[number, group.beside(target)] += 1
            self.at[vm] = target

    def copy(self) -> Self:
        """Return a ledger of its own with the same placement, sums made anew."""
        return type(self)(self.problem, self.at, self.serving)

    def moved(self) -> Ints:
        """Return the VMs that stand elsewhere than at the start, ascending."""
        return np.flatnonzero(self.at != self.problem.at)

    def check_invariants(self) -> None:
        """Raise AssertionError where the running sums differ from sums from scratch."""
        fresh = self.copy()
        assert np.allclose(self.load, fresh.load), "load has drifted from the placement"
        assert (self.crowd == fresh.crowd).all(), "crowd has drifted from the placement"


def _by_domain(problem: Problem, group: Group, domain: Ints, at: Ints) -> Ints:
    """Return how many members are in the domain of each host, those on their way at both ends, (H,)."""
    members = list(group.members)
    here, end = at[members], problem.end[members]
    goes = (problem.at[members] != end) & (domain[end] != domain[here])
    return group.spread(np.concatenate((here, end[goes])), len(problem.hosts))


def _summed(at: Ints, size: Floats, hosts: int) -> Floats:
    """Return the sum of each column over the VMs of each host, (H, columns)."""
    columns = [np.bincount(at, weights=column, minlength=hosts) for column in size.T]
    return np.array(columns, dtype=np.float64).reshape(size.shape[1], hosts).T.copy()

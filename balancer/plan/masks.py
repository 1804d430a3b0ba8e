"""Which host may take which VM by the static laws and the holds, compiled by class of VM.

Joins the tables of all static encoders: VMs that no static law tells apart share one row, so that
10,000 VMs cost as much as their few hundred classes. Both variants are kept: mandatory moves may use
hosts in quarantine, others may not.
"""

from collections.abc import Sequence

import numpy as np

from balancer.plan.codes import Bools, Codes, Ints, first_refusal
from balancer.plan.encode import STATIC
from balancer.plan.problem import Problem


class Masks:
    """Static refusals of every pair of VM and host, for VMs that stand at `at`."""

    def __init__(self, problem: Problem, at: Ints) -> None:
        self.problem = problem
        held_pairs = _held_pairs(problem)
        self._row_of, self._codes = _join(problem, at, is_mandatory=False, lone=sorted(held_pairs))
        again, self._mandatory_codes = _join(
            problem, at, is_mandatory=True, lone=sorted(held_pairs)
        )
        assert (again == self._row_of).all(), "both variants have the same classes"
        self._open = np.ones(self._codes.shape, dtype=bool)
        self._open[:, [problem.host_at[h] for h in problem.need.holds.targets]] = False
        for vm, hosts in held_pairs.items():
            self._open[self._row_of[vm], hosts] = False
        self._takes = (self._codes == 0) & self._open
        self._takes_mandatory = (self._mandatory_codes == 0) & self._open

    def allowed(self, vms: Sequence[int] | Ints, *, is_mandatory: bool) -> Bools:
        """Return which hosts may take each VM, (VMs, H)."""
        table = self._takes_mandatory if is_mandatory else self._takes
        result: Bools = table[self._row_of[np.asarray(vms, dtype=np.int64)]]
        return result

    def codes(self, vm: int) -> Codes:
        """Return the first static refusal of each host, (H,), in the order of the laws."""
        result: Codes = self._codes[self._row_of[vm]]
        return result

    def class_codes(self) -> tuple[Ints, Codes]:
        """Return the number of VMs of each class and their codes, (K,) and (K, H)."""
        count = np.bincount(self._row_of, minlength=len(self._codes))
        return count.astype(np.int64), self._codes


def _join(
    problem: Problem, at: Ints, *, is_mandatory: bool, lone: Sequence[int]
) -> tuple[Ints, Codes]:
    """Return the class of each VM and the codes of each class; `lone` VMs are classes of their own."""
    tables = [encode(problem, at, is_mandatory) for encode in STATIC.values()]
    own = np.full(len(problem.vms), -1, dtype=np.int64)
    own[list(lone)] = list(lone)
    keys = np.stack([table.row_of for table in tables] + [own], axis=1)
    _, first, row_of = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    codes = [table.codes[table.row_of[first]] for table in tables]
    return row_of.reshape(-1), first_refusal(*codes)


def _held_pairs(problem: Problem) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for vm, host in sorted(problem.need.holds.pairs):
        if vm in problem.vm_at and host in problem.host_at:
            found.setdefault(problem.vm_at[vm], []).append(problem.host_at[host])
    return found

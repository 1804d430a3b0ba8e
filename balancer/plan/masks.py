"""Which host may take which VM by the static laws and the holds, compiled by class of VM.

Joins the tables of all static encoders: VMs that no static law tells apart share one row, so that
10,000 VMs cost as much as their few hundred classes. Both variants are kept: mandatory moves may use
hosts in quarantine, others may not.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from balancer.plan.codes import Bools, Codes, Ints, first_refusal
from balancer.plan.encode import STATIC
from balancer.plan.encode.table import Table
from balancer.plan.problem import Problem

LOOKS_AT_SOURCE = frozenset({"host_state", "evc"})
"""Laws whose table depends on where the VMs stand; the others are tabulated once per problem."""

TELLS_MANDATORY = frozenset({"host_state"})
"""Laws that judge mandatory moves otherwise; the classes of VMs are the same for both."""

Tables = Mapping[str, Table]


class Masks:
    """Static refusals of every pair of VM and host, for VMs that stand at `at`."""

    def __init__(self, problem: Problem, at: Ints, known: "Tables | None" = None) -> None:
        self.problem = problem
        held_pairs = _held_pairs(problem)
        self.tables: Tables = _tables(problem, at, known or {})
        self._row_of, first = _classes(list(self.tables.values()), sorted(held_pairs))
        self._codes = _joined(self.tables, first)
        mandatory = {law: STATIC[law](problem, at, True) for law in sorted(TELLS_MANDATORY)}
        self._mandatory_codes = _joined({**self.tables, **mandatory}, first)
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

    def has_target(self) -> Bools:
        """Return which VMs some host may take for load's sake, (N,)."""
        result: Bools = self._takes.any(axis=1)[self._row_of]
        return result

    def codes(self, vm: int) -> Codes:
        """Return the first static refusal of each host, (H,), in the order of the laws."""
        result: Codes = self._codes[self._row_of[vm]]
        return result

    def class_codes(self) -> tuple[Ints, Codes]:
        """Return the number of VMs of each class and their codes, (K,) and (K, H)."""
        count = np.bincount(self._row_of, minlength=len(self._codes))
        return count.astype(np.int64), self._codes


def _tables(problem: Problem, at: Ints, known: Tables) -> Tables:
    """Return the table of each law for moves that are not mandatory, in the order of the laws."""
    return {
        law: encode(problem, at, False)
        if law in LOOKS_AT_SOURCE or law not in known
        else known[law]
        for law, encode in STATIC.items()
    }


def _classes(tables: Sequence[Table], lone: Sequence[int]) -> tuple[Ints, Ints]:
    """Return the class of each VM, and the first VM of each class; `lone` VMs are classes of their own."""
    row_of = np.zeros(len(tables[0].row_of), dtype=np.int64)
    own = np.zeros(len(row_of), dtype=np.int64)
    own[list(lone)] = np.arange(1, len(lone) + 1)
    first = np.zeros(0, dtype=np.int64)
    for part in (*(table.row_of for table in tables), own):
        whole = row_of * (int(part.max(initial=0)) + 1) + part
        _, first, inverse = np.unique(whole, return_index=True, return_inverse=True)
        row_of = inverse.reshape(-1).astype(np.int64)
    return row_of, first.astype(np.int64)


def _joined(tables: Tables, first: Ints) -> Codes:
    return first_refusal(*(table.codes[table.row_of[first]] for table in tables.values()))


def _held_pairs(problem: Problem) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for vm, host in sorted(problem.need.holds.pairs):
        if vm in problem.vm_at and host in problem.host_at:
            found.setdefault(problem.vm_at[vm], []).append(problem.host_at[host])
    return found

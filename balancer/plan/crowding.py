"""Which hosts a kept-apart group forbids to its members, for many units at once.

The law behind `plan.encode.anti_affinity`, and without the codes: the inner loop of the load search asks
this for every unit under a rule.
"""

from collections.abc import Sequence

import numpy as np

from balancer.plan.codes import Bools, Ints
from balancer.plan.ledger import Ledger
from balancer.plan.problem import Group


def shut_by(ledger: Ledger, number: int, vms: Sequence[int]) -> Bools:
    """Return which hosts a kept-apart group forbids to its members `vms`, which go there together, (H,).

    Several at once never go to where they would be too many; one alone may, if its source has more.
    """
    group, crowd = ledger.problem.apart[number], ledger.crowd[number]
    if len(vms) > 1:
        here = group.spread(ledger.at[list(vms)], len(crowd))
        shut: Bools = crowd + len(vms) - here > group.rule.most
        return shut & (here < len(vms)) if group.domain is not None else shut
    source = int(ledger.at[vms[0]])
    others = crowd.copy()
    others[group.beside(source)] -= 1
    shut = (others >= group.rule.most) & (others >= others[source])
    return _open_inside(shut, group, source)


def _open_inside(shut: Bools, group: Group, source: int) -> Bools:
    """Open the other hosts of the source's domain: a move within it changes nothing."""
    if group.domain is not None:
        own = shut[source]
        shut[group.beside(source)] = False
        shut[source] = own
    return shut


def has_filled_a_domain(ledger: Ledger, before: Ints) -> bool:
    """Whether more members than are allowed are in a domain, and more than were there before, (N,).

    For placements made of parts that saw single hosts only: each host counting by itself, they need no look.
    """
    problem = ledger.problem
    for number, _domain in problem.apart_wide:
        group, then = problem.apart[number], ledger.crowd[number]
        members = list(group.members)
        change = group.spread(ledger.at[members], len(then)) - group.spread(
            before[members], len(then)
        )
        if ((then > group.rule.most) & (change > 0)).any():
            return True
    return False


def crowded(ledger: Ledger, units: Sequence[tuple[int, ...]]) -> Bools:
    """Return which hosts hold too many mates of a unit's members, (U, H)."""
    pairs = [
        (row, vm, group)
        for row, members in enumerate(units)
        for vm in members
        for group in ledger.apart_of(vm)
    ]
    result = np.zeros((len(units), len(ledger.load)), dtype=bool)
    if not pairs:
        return result
    rows, vms, groups = np.array(pairs, dtype=np.int64).T
    others = ledger.crowd[groups]
    source = ledger.at[vms]
    own = others[np.arange(len(vms)), source] - 1
    others[np.arange(len(vms)), source] = own
    most = ledger.problem.apart_most[groups]
    shut = (others >= most[:, None]) & (others >= own[:, None])
    wide = {number for number, _domain in ledger.problem.apart_wide}
    met: dict[tuple[int, int], list[int]] = {}
    for place, (row, vm, group) in enumerate(pairs):
        if group in wide:
            _open_inside(shut[place], ledger.problem.apart[group], int(ledger.at[vm]))
        met.setdefault((row, group), []).append(vm)
    np.logical_or.at(result, rows, shut)
    for (row, group), several in met.items():
        if len(several) > 1:
            result[row] |= shut_by(ledger, group, several)
    return result

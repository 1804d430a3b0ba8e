"""Which hosts a kept-apart group forbids to its members, for many units at once.

The same law as `plan.encode.anti_affinity`, without the codes: the inner loop of the load search asks
this for every unit under a rule.
"""

from collections.abc import Sequence

import numpy as np

from balancer.plan.codes import Bools
from balancer.plan.ledger import Ledger


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
    shut = (others > 0) & (others >= own[:, None])
    met: set[tuple[int, int]] = set()
    for place, (row, group) in enumerate(zip(rows.tolist(), groups.tolist(), strict=True)):
        if (row, group) in met:
            shut[place] = True
        met.add((row, group))
    np.logical_or.at(result, rows, shut)
    return result

"""Encoder of the rules that keep VMs apart: members on the target, against members left on the source."""

import numpy as np

from balancer.model.reasons import Reason
from balancer.plan.codes import CODE, Codes
from balancer.plan.ledger import Ledger
from balancer.plan.units import Units


def encode(ledger: Ledger, units: Units, is_mandatory: bool) -> Codes:
    """Return the codes of targets that hold another member, (U, H).

    A unit that has two members of one rule contradicts itself and may go nowhere.
    """
    codes = np.zeros((len(units), len(ledger.problem.hosts)), dtype=np.uint8)
    for row, members in enumerate(units.members):
        met: set[int] = set()
        for vm in members:
            source = int(ledger.at[vm])
            for group in ledger.apart_of(vm):
                codes[row, _refused(ledger, group, source)] = CODE[Reason.ANTI_AFFINITY]
                if group in met:
                    codes[row] = CODE[Reason.ANTI_AFFINITY]
                met.add(group)
    return codes


def _refused(ledger: Ledger, group: int, source: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    others = ledger.crowd[group].copy()
    others[source] -= 1
    result: np.ndarray[tuple[int], np.dtype[np.bool_]] = (others > 0) & (others >= others[source])
    return result

"""Encoder of the rules that keep VMs apart: members on the target, against members left on the source."""

import numpy as np

from balancer.model.reasons import Reason
from balancer.plan.codes import CODE, Codes
from balancer.plan.crowding import shut_by
from balancer.plan.ledger import Ledger
from balancer.plan.units import Units


def encode(ledger: Ledger, units: Units, is_mandatory: bool) -> Codes:
    """Return the codes of targets that hold as many other members as a rule allows, (U, H).

    A unit that has more members of one rule than may share a host contradicts itself and may go nowhere.
    """
    codes = np.zeros((len(units), len(ledger.problem.hosts)), dtype=np.uint8)
    for row, members in enumerate(units.members):
        named: dict[int, list[int]] = {}
        for vm in members:
            for group in ledger.apart_of(vm):
                named.setdefault(group, []).append(vm)
        for group, vms in named.items():
            codes[row, shut_by(ledger, group, vms)] = CODE[Reason.ANTI_AFFINITY]
    return codes

"""Encoder of reservations: what is guaranteed must fit the target."""

import numpy as np

from balancer.model.reasons import Reason
from balancer.plan.codes import CODE, Codes
from balancer.plan.ledger import Ledger
from balancer.plan.problem import CPU_RESERVED, MEMORY_RESERVED
from balancer.plan.units import Units


def encode(ledger: Ledger, units: Units, is_mandatory: bool) -> Codes:
    """Return the codes of targets that cannot guarantee what a unit has reserved, (U, H)."""
    codes = np.zeros((len(units), len(ledger.problem.hosts)), dtype=np.uint8)
    for column, reason in (
        (MEMORY_RESERVED, Reason.MEMORY_RESERVATION),
        (CPU_RESERVED, Reason.CPU_RESERVATION),
    ):
        size = units.size[:, column, None]
        then = ledger.held[None, :, column] + size
        codes[(size > 0) & (then > ledger.problem.limits[:, column])] = CODE[reason]
    return codes

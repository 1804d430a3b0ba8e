"""Encoder of the ceilings: memory held, CPU demand, vCPUs and number of VMs of the target."""

import numpy as np

from balancer.model.reasons import Reason
from balancer.plan.codes import CODE, Codes
from balancer.plan.ledger import Ledger
from balancer.plan.problem import COUNT, CPU, FOOTPRINT, VCPUS
from balancer.plan.units import Units

_LEAST_FIRST = (
    (COUNT, Reason.HOST_VM_LIMIT),
    (VCPUS, Reason.VCPU_CEILING),
    (CPU, Reason.CPU_CEILING),
    (FOOTPRINT, Reason.MEMORY_CEILING),
)
"""The judge asks in the opposite order, and the first refusal counts."""


def encode(ledger: Ledger, units: Units, is_mandatory: bool) -> Codes:
    """Return the codes of targets that would be overfilled, (U, H)."""
    ceilings = ledger.problem.ceilings(is_mandatory=is_mandatory)
    held, size = ledger.held, units.size
    codes = np.zeros((len(units), len(held)), dtype=np.uint8)
    for column, reason in _LEAST_FIRST:
        then = held[None, :, column] + size[:, column, None]
        codes[then > ceilings[:, column]] = CODE[reason]
    return codes

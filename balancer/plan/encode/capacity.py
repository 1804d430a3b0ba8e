"""Encoder of the ceilings: memory held, CPU demand and number of VMs of the target."""

import numpy as np

from balancer.model.reasons import Reason
from balancer.plan.codes import CODE, Codes
from balancer.plan.ledger import Ledger
from balancer.plan.problem import COUNT, CPU, FOOTPRINT
from balancer.plan.units import Units


def encode(ledger: Ledger, units: Units, is_mandatory: bool) -> Codes:
    """Return the codes of targets that would be overfilled, (U, H)."""
    problem, held = ledger.problem, ledger.held
    then = held[None, :, :] + units.size[:, None, :]
    codes = np.zeros(then.shape[:2], dtype=np.uint8)
    codes[then[:, :, COUNT] > problem.limits[:, COUNT]] = CODE[Reason.HOST_VM_LIMIT]
    if not is_mandatory:
        codes[then[:, :, CPU] > problem.cpu_ceiling] = CODE[Reason.CPU_CEILING]
    codes[then[:, :, FOOTPRINT] > problem.limits[:, FOOTPRINT]] = CODE[Reason.MEMORY_CEILING]
    return codes

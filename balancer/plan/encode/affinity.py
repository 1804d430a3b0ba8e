"""Encoder of the rules that keep VMs together: hosts of the group after the move, against now."""

import numpy as np

from balancer.model.reasons import Reason
from balancer.plan.codes import CODE, Codes, Ints
from balancer.plan.ledger import Ledger
from balancer.plan.units import Units


def encode(ledger: Ledger, units: Units, is_mandatory: bool) -> Codes:
    """Return the codes of targets by which a group would stand on more hosts than now, (U, H).

    A unit that holds the whole group is never refused.
    """
    codes = np.zeros((len(units), len(ledger.problem.hosts)), dtype=np.uint8)
    together = ledger.problem.together
    if not together:
        return codes
    groups, ends = ledger.problem.together_of, _ends(ledger)
    for row, members in enumerate(units.members):
        for group in sorted({group for vm in members for group in groups.get(vm, ())}):
            inside = together[group].members
            rest = ends[[vm for vm in inside if vm not in members]]
            now = len(set(ledger.at[list(inside)].tolist()))
            spare = now - len(set(rest.tolist()))
            if spare < 1:
                elsewhere = np.ones(codes.shape[1], dtype=bool)
                elsewhere[rest] = False
                codes[row, elsewhere if spare == 0 else slice(None)] = CODE[Reason.AFFINITY]
    return codes


def _ends(ledger: Ledger) -> Ints:
    problem = ledger.problem
    flying = problem.at != problem.end
    result: Ints = np.where(flying, problem.end, ledger.at)
    return result
